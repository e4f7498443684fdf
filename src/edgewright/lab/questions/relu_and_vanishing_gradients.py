"""Why gradients survive a stack of ReLUs and not one of sigmoids."""

from collections.abc import Mapping

import numpy as np

from ...reference.activations import ACTIVATIONS
from ...seeding import numpy_generator
from ..experiments.backpropagation._stack import walk
from ..finding import Number
from ..question import Question, Words

DEPTH = 20


def numbers() -> Mapping[str, Number]:
    first = {
        name: walk(numpy_generator(0, "stack"), depth=DEPTH, activation=name, gain=gain).gradients[0]
        for name, gain in (("sigmoid", 1.0), ("tanh", 1.0), ("relu", 2.0))
    }
    z = np.linspace(-6, 6, 2_401)
    most = {name: float(ACTIVATIONS[name].slope(z).max()) for name in ("sigmoid", "tanh", "relu")}
    dead = ACTIVATIONS["relu"].slope(np.array([-0.1]))[0]
    return {
        "s": Number(name="largest slope, sigmoid", value=most["sigmoid"], expected=0.25),
        "t": Number(name="largest slope, tanh", value=most["tanh"], expected=1.0),
        "r": Number(name="largest slope, ReLU", value=most["relu"], expected=1.0),
        "bound": Number(name="0.25 to the power of 20", value=most["sigmoid"] ** DEPTH, expected=9.0949e-13,
                        tolerance=1e-16),
        "sigmoid": Number(name="gradient at the first of 20 layers, sigmoid", value=first["sigmoid"]),
        "tanh": Number(name="the same, tanh", value=first["tanh"]),
        "relu": Number(name="the same, ReLU with He's weights", value=first["relu"], expected=1.0, tolerance=0.5),
        "dead": Number(name="slope of ReLU below 0", value=float(dead), expected=0.0),
    }  # fmt: skip


QUESTION = Question(
    theme="backpropagation",
    en=Words(
        question="Why does ReLU ease vanishing gradients?",
        answer="""
            On its way back a gradient is multiplied in each layer by the weights and by the slope of the activation.
            The sigmoid's slope is at most {s:.2f} and mostly far less, so 20 layers leave at most {bound:.0e} of it
            for weights of norm 1. ReLU's slope is {r:.0f} wherever it is on: a path of active units does not shrink at
            all.

            In a stack of 20 layers with a gradient of norm 1 at the end, {sigmoid:.0e} arrives in front of the first
            sigmoid layer, {tanh:.2f} of tanh (whose slope reaches {t:.0f}, at 0 only), and {relu:.2f} of ReLU with
            He's weights. He's factor 2 matters: half of the units are off, and without it each layer halves the
            square.

            It is an ease and no cure. Below 0 the slope is {dead:.0f}: a unit that is negative for all samples gets no
            gradient and stays dead, after a large step or with a strongly negative bias. Gradients can also explode,
            which ReLU does nothing about. Leaky ReLU, normalization and residual paths are the usual further steps.
        """,
    ),
    zh=Words(
        question="ReLU 為什麼能緩解梯度消失？",
        answer="""
            梯度往回傳時，每一層都要乘上權重與激活函數的斜率。sigmoid 的斜率最多 {s:.2f}，通常小得多，
            所以在權重範數為 1 時，20 層之後最多只剩 {bound:.0e}。ReLU 導通時斜率就是 {r:.0f}：沿著一條全部導通的路徑，
            梯度完全不縮小。

            實際疊 20 層，從末端送回範數為 1 的梯度，抵達第一層之前：sigmoid 只剩 {sigmoid:.0e}，
            tanh 是 {tanh:.2f}（斜率可到 {t:.0f}，但只在 0 那一點），ReLU 搭配 He 初始化則是 {relu:.2f}。
            He 的因子 2 很重要：有一半的單元關著，少了它，均方值每層都會減半。

            這是緩解，不是根治。0 以下的斜率是 {dead:.0f}：若某單元對所有樣本都是負的，就再也得不到梯度，從此「死掉」，
            常見於步伐太大或偏置太負之後。梯度也可能爆炸，這點 ReLU 幫不上忙。再進一步可用 Leaky ReLU、
            正規化層與殘差路徑。
        """,
        names={
            "s": "最大斜率：sigmoid",
            "t": "最大斜率：tanh",
            "r": "最大斜率：ReLU",
            "bound": "0.25 的 20 次方",
            "sigmoid": "20 層 sigmoid 第一層的梯度",
            "tanh": "同上：tanh",
            "relu": "同上：ReLU 與 He 初始化",
            "dead": "ReLU 在 0 以下的斜率",
        },
    ),
    formula="∂L/∂x₀ = W₁ᵀD₁·W₂ᵀD₂ ⋯ W_LᵀD_L·∂L/∂x_L,  D = diag f′(z)\nσ′ ≤ 1/4\ntanh′ ≤ 1\nReLU′ = [z > 0]",
    numbers=numbers,
    code="import torch\n"
    "from torch import nn\n"
    "for name, act in (('sigmoid', nn.Sigmoid), ('relu', nn.ReLU)):\n"
    "    net = nn.Sequential(*(layer for _ in range(20) for layer in (nn.Linear(128, 128), act())))\n"
    "    for p in net.parameters():\n"
    "        nn.init.kaiming_normal_(p, nonlinearity=name) if p.dim() > 1 else nn.init.zeros_(p)\n"
    "    x = torch.randn(32, 128, requires_grad=True)\n"
    "    out = net(x)\n"
    "    out.backward(torch.randn_like(out) / 128**0.5)\n"
    "    print(name, x.grad.norm(dim=1).mean())",
    experiments=(
        "relu_keeps_gradients_that_sigmoids_lose",
        "sigmoid_gradients_obey_a_quarter_per_layer",
        "dead_relus_come_from_large_steps_and_biases",
    ),
    docs=("reference.md",),
)
