"""Gradients that grow or shrink from layer to layer, and what stops them."""

from collections.abc import Mapping

import numpy as np

from ...reference.activations import ACTIVATIONS
from ...reference.autograd import value_and_gradients
from ...reference.initialization import he_normal
from ...reference.operations import sigmoid
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words
from ..statistics import mean_of

DEPTH, WIDTH = 10, 256


def sigmoids(z: float) -> float:
    """Slope of ten sigmoids on top of each other, each shifted so that it works at 0, where it is steepest."""

    def stack(x):
        for _ in range(DEPTH):
            x = sigmoid(x) - 0.5
        return x

    return float(value_and_gradients(stack, np.array(z))[1][0])


def growth(gain: float, seed: int) -> float:
    """Mean square behind ten ReLU layers over that in front of them, as a factor per layer; variance gain² / n."""
    generator = numpy_generator(seed, "growth of ten layers")
    x = first = generator.standard_normal((WIDTH, 64))
    for _ in range(DEPTH):
        x = ACTIVATIONS["relu"].value(he_normal((WIDTH, WIDTH), generator, gain=gain) @ x)
    return float((np.mean(x**2) / np.mean(first**2)) ** (1 / DEPTH))


def numbers() -> Mapping[str, Number]:
    rates = {gain: [growth(gain, seed) for seed in range(8)] for gain in (1.0, np.sqrt(2), 2.0)}
    gradient = np.array([3.0, 4.0, 12.0])
    clipped = gradient / max(1.0, float(np.linalg.norm(gradient)))
    return {
        "quarter": Number(name="slope through ten sigmoids", value=sigmoids(0.0), expected=0.25**10),
        "small": mean_of(rates[1.0], "growth of the mean square per ReLU layer, variance 1/n", expected=0.5),
        "he": mean_of(rates[np.sqrt(2)], "the same, variance 2/n", expected=1.0),
        "large": mean_of(rates[2.0], "the same, variance 4/n", expected=2.0),
        "clipped": Number(name="largest entry of (3, 4, 12) clipped to norm 1", value=float(clipped[-1]),
                          expected=12 / 13),
    }  # fmt: skip


QUESTION = Question(
    theme="backpropagation",
    en=Words(
        question="Why do gradients vanish or explode, and what helps?",
        answer="""
            Going back, a gradient is multiplied by the Jacobian of every layer. What counts is whether these shrink or
            stretch (their singular values), over many layers, not whether single weights are above 1. A sigmoid's slope
            is at most 1/4: through ten of them at most {quarter:.2e} is left. That is a vanishing gradient, also called
            diffusing: the layers in front hardly learn.

            With ReLU the scale of the weights decides. Behind each layer the mean square is multiplied by n·Var(W)/2:
            measured over ten layers, with Var(W) = 1/n by {small:.2f} per layer, with He's 2/n by {he:.2f}, with 4/n by
            {large:.2f}. Fifty layers of the last make 2⁵⁰ ≈ 10¹⁵, and then NaN.

            Against vanishing: ReLU, He's initial weights, normalization, residual paths; gates in recurrent networks
            ease it. Against explosion: the same weights, a smaller rate, and clipping: (3, 4, 12) has the norm 13, and
            clipped to 1 its last entry is {clipped:.4f}. Weight decay helps only indirectly.
        """,
    ),
    zh=Words(
        question="什麼是梯度爆炸、梯度消失與梯度瀰散？如何解決？",
        answer="""
            反向傳播時，梯度會依序乘上每一層的 Jacobian。關鍵是許多層乘起來會縮小還是放大（看奇異值），
            而不是某個權重大不大於 1。sigmoid 的斜率最多 1/4，連過十層最多只剩 {quarter:.2e}；
            這就是梯度消失（也叫梯度瀰散），前面的層幾乎學不到東西。

            用 ReLU 時，由權重的大小決定。每過一層，均方值乘上 n·Var(W)/2：實測十層，Var(W) = 1/n 時每層變成
            {small:.2f} 倍，He 初始化的 2/n 是 {he:.2f} 倍，4/n 則是 {large:.2f} 倍。
            最後一種疊五十層就是 2⁵⁰ ≈ 10¹⁵，接著便出現 NaN。

            對付消失：ReLU、He 初始化、正規化層、殘差路徑；循環網路的閘門只能減輕，無法根除。
            對付爆炸：同樣先把初始權重設好，降低學習率，再加上梯度裁剪：(3, 4, 12) 的長度是 13，裁剪到 1 之後，
            最後一項是 {clipped:.4f}。權重衰減只有間接的幫助。
        """,
        names={
            "quarter": "穿過十層 sigmoid 的斜率",
            "small": "每層 ReLU 的均方倍率，變異數 1/n",
            "he": "變異數 2/n 時",
            "large": "變異數 4/n 時",
            "clipped": "(3, 4, 12) 裁剪到長度 1 的最大項",
        },
    ),
    formula="∂L/∂x₀ = J₁ᵀ J₂ᵀ ⋯ J_Lᵀ ∂L/∂x_L\nσ′ ≤ 1/4\nE[x²] ← (n Var(W)/2) E[x²]\nclip: g ← g · min(1, c/‖g‖)",
    numbers=numbers,
    code="import torch\n"
    "x = torch.zeros(1, requires_grad=True)\n"
    "y = x\n"
    "for _ in range(10):\n"
    "    y = torch.sigmoid(y) - 0.5\n"
    "y.backward()\n"
    "print(x.grad, 0.25**10)",
    experiments=(
        "sigmoid_gradients_obey_a_quarter_per_layer",
        "he_initialization_keeps_the_mean_square",
        "too_large_weights_explode",
        "residual_paths_carry_gradients",
        "gates_carry_gradients_through_time",
    ),
    docs=("reference.md", "training.md"),
)
