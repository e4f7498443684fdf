"""Backward pass of one hidden ReLU layer under the mean squared error, derived and checked."""

from collections.abc import Mapping

import numpy as np

from ...reference.autograd import value_and_gradients
from ...reference.operations import mean, power, relu, total
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words

NAMES = ("dW1", "db1", "dW2", "db2")
STEP = 1e-6


def loss(weights, x, y):
    """Mean over samples of |W2 relu(W1 x + b1) + b2 - y|^2; samples are rows. Of arrays or of autograd's nodes."""
    w1, b1, w2, b2 = weights
    return mean(total(power(relu(x @ w1 + b1) @ w2 + b2 - y, 2), 1))


def gradients(weights, x, y):
    """By the formula of the answer."""
    w1, b1, w2, b2 = weights
    z = x @ w1 + b1
    h = np.maximum(z, 0)
    d2 = 2 * (h @ w2 + b2 - y) / len(x)
    d1 = (d2 @ w2.T) * (z > 0)
    return x.T @ d1, d1.sum(0), h.T @ d2, d2.sum(0)


def numbers() -> Mapping[str, Number]:
    generator = numpy_generator(0, "one hidden layer")
    x, y = generator.standard_normal((6, 3)), generator.standard_normal((6, 2))
    weights = [generator.standard_normal(shape) for shape in ((3, 5), (5,), (5, 2), (2,))]
    found = gradients(weights, x, y)
    recorded = value_and_gradients(lambda *parts: loss(parts, x, y), *weights)[1]
    apart = {
        name: Number(name=f"{name}, largest gap to finite differences", value=gap, expected=0.0, tolerance=1e-6)
        for name, gap in zip(NAMES, _gaps(weights, x, y, found), strict=True)
    }
    chain = max(float(np.abs(a - b).max()) for a, b in zip(found, recorded, strict=True))
    one = np.ones((1, 1))
    by_hand = gradients([np.array(each) for each in ([[2.0]], [-1.0], [[3.0]], [0.0])], one, one)
    return {
        **apart,
        "autograd": Number(name="largest gap to autograd", value=chain, expected=0.0, tolerance=1e-12),
        "hand2": Number(name="dW2 of the example", value=float(by_hand[2][0, 0]), expected=4.0),
        "hand1": Number(name="dW1 of the example", value=float(by_hand[0][0, 0]), expected=12.0),
    }


def _gaps(weights, x, y, found):
    for at, (weight, gradient) in enumerate(zip(weights, found, strict=True)):
        slopes = np.zeros_like(weight)
        for place in np.ndindex(weight.shape):
            sides = []
            for step in (STEP, -STEP):
                moved = [each.copy() for each in weights]
                moved[at][place] += step
                sides.append(float(np.asarray(loss(moved, x, y))))
            slopes[place] = (sides[0] - sides[1]) / (2 * STEP)
        yield float(np.abs(slopes - gradient).max())


QUESTION = Question(
    theme="backpropagation",
    en=Words(
        question="One hidden ReLU layer, mean squared error: what are the gradients of both layers?",
        answer="""
            Walk backwards from the loss. The output's slope is δ₂ = 2(ŷ − y)/m for m samples; a linear layer gives its
            weights the slope at its output times its input, its bias the slope alone, and hands Wᵀ δ down. The ReLU
            lets through what belongs to z₁ > 0 and nothing else. If the error is a mean over the outputs as well, all
            of it is divided by their number too.

            By hand, one of each: x = 1, y = 1, w₁ = 2, b₁ = −1, w₂ = 3, b₂ = 0. Then z₁ = 1, h = 1, ŷ = 3, δ₂ = 4, so
            dW₂ = {hand2:.0f}, and dW₁ = 4 · 3 · 1 · 1 = {hand1:.0f}.

            With random weights the four formulas agree with finite differences to {dW1:.0e}, {db1:.0e}, {dW2:.0e} and
            {db2:.0e}, and with automatic differentiation to {autograd:.0e}. Note what the backward pass needs: x, the
            sign of z₁, and h. They are kept from the forward pass, which is why training takes so much more memory
            than inference.
        """,
    ),
    zh=Words(
        question="單一 ReLU 隱藏層、均方誤差：如何推導兩層的梯度？",
        answer="""
            從損失往回走。輸出端的梯度是 δ₂ = 2(ŷ − y)/m，m 是樣本數；線性層的權重梯度等於「輸出端的梯度」乘上「輸入」，
            偏置的梯度就是輸出端的梯度本身，再把 Wᵀ δ 傳給下一層。ReLU 只讓 z₁ > 0 的那些位置通過。
            如果誤差對輸出維度也取平均，全部再除以輸出的個數。

            手算一個最小的例子：x = 1、y = 1、w₁ = 2、b₁ = −1、w₂ = 3、b₂ = 0，於是 z₁ = 1、h = 1、ŷ = 3、δ₂ = 4，
            所以 dW₂ = {hand2:.0f}，dW₁ = 4 · 3 · 1 · 1 = {hand1:.0f}。

            換成隨機權重，四條公式與有限差分的差距分別只有 {dW1:.0e}、{db1:.0e}、{dW2:.0e}、{db2:.0e}，
            與自動微分的差距是 {autograd:.0e}。反向傳播需要 x、z₁ 的正負號與 h，它們都得從前向傳播保留下來，
            這正是訓練比推論更吃記憶體的原因。
        """,
        names={
            **{name: f"{name}：與有限差分的最大差距" for name in NAMES},
            "autograd": "與自動微分的最大差距",
            "hand2": "例子中的 dW2",
            "hand1": "例子中的 dW1",
        },
    ),
    formula="L = (1/m) Σ |ŷ − y|²   z₁ = W₁x + b₁   h = max(z₁, 0)\n"
    "ŷ = W₂h + b₂\n"
    "δ₂ = 2(ŷ − y)/m   dW₂ = Σ δ₂hᵀ   db₂ = Σ δ₂\n"
    "δ₁ = (W₂ᵀδ₂) ⊙ [z₁ > 0]   dW₁ = Σ δ₁xᵀ   db₁ = Σ δ₁",
    numbers=numbers,
    code="import torch\n"
    "x, y = torch.randn(6, 3), torch.randn(6, 2)\n"
    "w1, b1, w2, b2 = (torch.randn(s, requires_grad=True) for s in [(3, 5), (5,), (5, 2), (2,)])\n"
    "z = x @ w1 + b1\n"
    "h = z.relu()\n"
    "out = h @ w2 + b2\n"
    "((out - y) ** 2).sum(1).mean().backward()\n"
    "d2 = 2 * (out - y) / len(x)\n"
    "d1 = (d2 @ w2.T) * (z > 0)\n"
    "print((w2.grad - h.T @ d2).abs().max(), (w1.grad - x.T @ d1).abs().max())",
    experiments=("backpropagation_visits_each_node_once", "one_hidden_relu_layer_solves_xor"),
    docs=("reference.md",),
)
