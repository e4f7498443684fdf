"""What a plain stack of 100 layers lacks, and what each remedy restores."""

from collections.abc import Mapping

import numpy as np

from ...seeding import numpy_generator
from ..experiments.backpropagation._stack import Walk, walk
from ..finding import Number
from ..question import Question, Words

DEPTH = 100


def _stack(activation: str, gain: float, *, residual: bool = False) -> Walk:
    return walk(
        numpy_generator(0, "hundred layers"), depth=DEPTH, activation=activation, gain=gain, width=128, batch=8,
        residual=residual,
    )  # fmt: skip


def numbers() -> Mapping[str, Number]:
    small, he = _stack("relu", 1.0), _stack("relu", 2.0)
    plain, paths = _stack("sigmoid", 1.0), _stack("sigmoid", 1.0, residual=True)
    per_layer = float(np.exp2(np.log2(small.squares[-1]) / DEPTH))
    return {
        "bound": Number(name="0.25 to the power of 100", value=0.25**DEPTH, expected=6.2230e-61, tolerance=1e-64),
        "sigmoid": Number(name="gradient at the first of 100 sigmoid layers", value=plain.gradients[0]),
        "paths": Number(name="the same with residual paths", value=paths.gradients[0]),
        "half": Number(name="mean square per ReLU layer, Var = 1/n", value=per_layer, expected=0.5, tolerance=0.03),
        "small": Number(name="mean square behind 100 ReLU layers, Var = 1/n", value=small.squares[-1]),
        "he": Number(name="mean square per ReLU layer, Var = 2/n",
                     value=float(np.exp2(np.log2(he.squares[-1]) / DEPTH)), expected=1.0, tolerance=0.06),
    }  # fmt: skip


QUESTION = Question(
    theme="backpropagation",
    en=Words(
        question="How does one train a network of 100 layers?",
        answer="""
            By keeping the size of signals and gradients in every layer. A sigmoid's slope is at most 1/4: 0.25¹⁰⁰ is
            {bound:.1e}, and a stack of 100 of them has a gradient of {sigmoid:.0e} left at its first layer. ReLU has
            slope 1 where it is on, but the weights must fit: with Var = 1/n the mean square is multiplied by
            {half:.3f} per layer, to {small:.0e}; He's 2/n makes that {he:.3f}.

            Normalization restores mean and variance in every layer as the weights change, and allows larger steps. And
            residual paths, y = x + F(x), give the gradient a way around each layer: with them the first sigmoid layer
            gets {paths:.1f}. This is not a bound (with F = −x nothing passes), but what a random start gives.

            All three belong together, because good gradients alone are not enough: plain networks of 56 layers with
            batch norm and He's weights reach a higher training error than those of 20 (He 2016, degradation). Warm-up
            of the learning rate and clipping of the gradients' norm take care of the first steps.
        """,
    ),
    zh=Words(
        question="要怎麼訓練 100 層的網路？",
        answer="""
            關鍵是讓訊號與梯度在每一層都維持大小。sigmoid 的斜率最多 1/4：0.25¹⁰⁰ 是 {bound:.1e}，疊 100 層時，
            傳回第一層的梯度只剩 {sigmoid:.0e}。ReLU 在導通處斜率為 1，但權重也要配合：Var = 1/n 時，
            均方值每層乘上 {half:.3f}，最後是 {small:.0e}；He 的 2/n 則維持在每層 {he:.3f} 倍。

            正規化層在權重不斷改變時，逐層把平均值與變異數拉回來，也容許更大的學習率。殘差路徑 y = x + F(x)
            則讓梯度有路可以繞過每一層：加上之後，第一個 sigmoid 層得到 {paths:.1f}。
            這不是保證的下界（F = −x 時什麼都傳不過去），而是隨機初始化時的表現。

            三者缺一不可，因為光有好的梯度還不夠：56 層的普通網路即使有批次正規化與 He 初始化，
            「訓練」誤差仍比 20 層高（He 2016，退化問題）。學習率暖身與梯度範數裁剪，則負責照顧最初的幾步。
        """,
        names={
            "bound": "0.25 的 100 次方",
            "sigmoid": "100 層 sigmoid 第一層的梯度",
            "paths": "加上殘差路徑後的梯度",
            "half": "ReLU 每層均方值的倍數，Var = 1/n",
            "small": "100 層 ReLU 後的均方值，Var = 1/n",
            "he": "ReLU 每層均方值的倍數，Var = 2/n",
        },
    ),
    formula="y = x + F(x)  ⇒  ∂L/∂x = ∂L/∂y·(I + ∂F/∂x)\nReLU: Var(W) = 2/n\nsigmoid: |∂L/∂x| ≤ (‖W‖/4)^L·|∂L/∂y|",
    numbers=numbers,
    code="import torch\n"
    "from torch import nn\n"
    "class Block(nn.Module):\n"
    "    def __init__(self, width):\n"
    "        super().__init__()\n"
    "        self.inner = nn.Sequential(nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, width))\n"
    "    def forward(self, x):\n"
    "        return x + self.inner(x)\n"
    "net = nn.Sequential(*(Block(32) for _ in range(100)), nn.Linear(32, 10))\n"
    "x = torch.randn(64, 32, requires_grad=True)\n"
    "nn.functional.cross_entropy(net(x), torch.randint(10, (64,))).backward()\n"
    "print(net[0].inner[2].weight.grad.norm(), net[99].inner[2].weight.grad.norm())",
    experiments=(
        "residual_paths_carry_gradients",
        "he_initialization_keeps_the_mean_square",
        "relu_keeps_gradients_that_sigmoids_lose",
        "batch_norm_allows_larger_steps",
        "zero_gain_makes_a_block_the_identity",
    ),
    docs=("reference.md", "training.md"),
)
