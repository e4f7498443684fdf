"""What zero weights do to a network with a hidden layer, and to one without."""

from collections.abc import Mapping

import numpy as np

from ...reference.autograd import value_and_gradients
from ...reference.operations import cross_entropy, tanh
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words

LR, NUM_STEPS = 0.5, 50


def numbers() -> Mapping[str, Number]:
    generator = numpy_generator(0, "data")
    x = generator.standard_normal((64, 2))
    labels = (x[:, 0] * x[:, 1] > 0).astype(int)

    def loss(w1, b1, w2, b2):
        return cross_entropy(tanh(x @ w1 + b1) @ w2 + b2, labels)

    def trained(w1, w2):
        weights = [w1, np.zeros(6), w2, np.zeros(2)]
        for _ in range(NUM_STEPS):
            gradients = value_and_gradients(loss, *weights)[1]
            weights = [w - LR * g for w, g in zip(weights, gradients, strict=True)]
        return weights[0]

    zero = value_and_gradients(loss, np.zeros((2, 6)), np.zeros(6), np.zeros((6, 2)), np.zeros(2))[1]
    half, random = trained(np.full((2, 6), 0.5), np.tile([0.5, -0.5], (6, 1))), generator.standard_normal((2, 6))
    flat = value_and_gradients(lambda w: cross_entropy(x @ w, (x[:, 0] > 0).astype(int)), np.zeros((2, 2)))[1][0]
    free = trained(random, generator.standard_normal((6, 2)))
    return {
        "hidden": Number(name="largest hidden gradient at zero weights", value=float(np.abs(zero[0]).max()),
                         expected=0.0),
        "output": Number(name="largest gradient of the output weights there", value=float(np.abs(zero[2]).max()),
                         expected=0.0),
        "spread": Number(name="difference of hidden units after 50 steps from 0.5",
                         value=float(np.ptp(half, axis=1).max()), expected=0.0, tolerance=1e-12),
        "random": Number(name="difference of hidden units after 50 steps from random weights",
                         value=float(np.ptp(free, axis=1).max())),
        "flat": Number(name="largest gradient of a softmax regression at zero", value=float(np.abs(flat).max())),
    }  # fmt: skip


QUESTION = Question(
    theme="backpropagation",
    en=Words(
        question="May the weights of a network start at zero?",
        answer="""
            Not with a hidden layer. At zero weights the hidden gradient carries a factor W₂ = 0, so it is
            {hidden:.0f}. Those of the output weights carry the hidden values, which are tanh(0) = 0: {output:.0f} too.
            Only the last bias moves, and the network learns no more than how frequent the classes are.

            Any other constant fails as well: units that start equal get equal gradients and stay equal. After 50 steps
            from 0.5 the six hidden units differ by {spread:.1g}: six copies of one unit. From random weights they
            differ by {random:.1f}. Randomness is what breaks the symmetry; the size of the numbers is the second
            question.

            Zero biases are fine as long as the weights are random. So is a linear, logistic or softmax regression that
            starts at zero: it has no hidden units to tell apart, its loss is convex, and its gradient at zero is
            {flat:.2f}, not 0.
        """,
    ),
    zh=Words(
        question="權重可以全部從零開始嗎？",
        answer="""
            有隱藏層就不行。權重為零時，隱藏層的梯度帶著因子 W₂ = 0，所以是 {hidden:.0f}；
            輸出層權重的梯度帶著隱藏層的值，而 tanh(0) = 0，所以也是 {output:.0f}。只有最後的偏置會動，
            網路頂多學到各類別出現的頻率。

            換成其他常數一樣不行：一開始相同的單元得到相同的梯度，之後永遠相同。從 0.5 開始訓練 50 步，
            六個隱藏單元的差距是 {spread:.1g}，等於同一個單元的六份複本；從隨機權重開始，差距則是 {random:.1f}。
            打破對稱靠的是隨機性，數值該多大是另一個問題。

            只要權重是隨機的，偏置從零開始沒有問題。線性、邏輯或 softmax 迴歸從零開始也行：沒有隱藏單元需要區分，
            損失是凸的，在零點的梯度是 {flat:.2f}，不是 0。
        """,
        names={
            "hidden": "權重為零時隱藏層的最大梯度",
            "output": "此時輸出層權重的最大梯度",
            "spread": "從 0.5 訓練 50 步後隱藏單元的差距",
            "random": "從隨機權重訓練 50 步後隱藏單元的差距",
            "flat": "softmax 迴歸在零點的最大梯度",
        },
    ),
    formula="dW₁ = x·(δ W₂ᵀ ⊙ f′(z))  → 0 if W₂ = 0\ndW₂ = hᵀ·δ  → 0 if h = f(0) = 0\nw_i = w_j  ⇒  dw_i = dw_j",
    numbers=numbers,
    code="import torch\n"
    "net = torch.nn.Sequential(torch.nn.Linear(2, 6), torch.nn.Tanh(), torch.nn.Linear(6, 2))\n"
    "for p in net.parameters():\n"
    "    torch.nn.init.zeros_(p)\n"
    "torch.nn.functional.cross_entropy(net(torch.randn(64, 2)), torch.randint(2, (64,))).backward()\n"
    "print([float(p.grad.abs().max()) for p in net.parameters()])  # only the last bias moves",
    experiments=("equal_weights_stay_equal", "he_initialization_keeps_the_mean_square"),
    docs=("reference.md",),
)
