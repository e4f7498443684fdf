"""Adam's two means, and what AdaGrad does instead."""

from collections.abc import Mapping

import numpy as np

from ...reference.optimizers import How, Memory, Rule, adagrad, adam, adamw, walk
from ..finding import Number
from ..question import Question, Words

ONE = np.ones(1)


def _moves(rule: Rule, gradient: float, num_steps: int) -> np.ndarray:
    """Lengths of the steps under a gradient that does not change, from 0."""
    path = walk(rule, How(lr=0.1), slope=lambda w: gradient * ONE, start=0 * ONE, num_steps=num_steps)
    return np.abs(np.diff([0.0, *(each[0] for each in path)]))


def numbers() -> Mapping[str, Number]:
    path = walk(adam, How(lr=0.1), slope=lambda p: p, start=ONE, num_steps=3)
    coupled = walk(adam, How(lr=0.1, decay=0.1), slope=lambda p: p, start=ONE, num_steps=3)
    apart = walk(adamw, How(lr=0.1, decay=0.1), slope=lambda p: p, start=ONE, num_steps=3)
    memory: Memory = {}
    adam(0 * ONE, ONE, memory, How(lr=0.1))
    raw = 0.1 * float(memory["m"][0] / memory["v"][0] ** 0.5)
    return {
        "large": Number(name="Adam's first step, gradient 1000", value=_moves(adam, 1000.0, 1)[0], expected=0.1,
                        tolerance=1e-6),
        "small": Number(name="Adam's first step, gradient 0.001", value=_moves(adam, 0.001, 1)[0], expected=0.1,
                        tolerance=1e-5),
        "keeps": Number(name="Adam's step 100, steady gradient", value=_moves(adam, 1.0, 100)[-1], expected=0.1,
                        tolerance=1e-6),
        "falls": Number(name="AdaGrad's step 100, steady gradient", value=_moves(adagrad, 1.0, 100)[-1],
                        expected=0.01, tolerance=1e-6),
        "raw": Number(name="first step without the correction", value=raw, expected=0.316228, tolerance=1e-6),
        "third": Number(name="p after three steps of Adam", value=path[2][0], expected=0.701586, tolerance=1e-6),
        "l2": Number(name="change of it by L2 of 0.1", value=abs(path[2][0] - coupled[2][0]), expected=0.0,
                     tolerance=1e-6),
        "adamw": Number(name="p after three steps of AdamW, decay 0.1", value=apart[2][0], expected=0.675101,
                        tolerance=1e-6),
    }  # fmt: skip


QUESTION = Question(
    theme="optimizers",
    en=Words(
        question="How does Adam work, and how does it differ from AdaGrad?",
        answer="""
            Adam keeps two moving means for each weight, of the gradient (m) and of its square (v), and steps by
            m̂/√v̂: direction from the one, size from the other. Both start at zero and are divided by 1 − βᵗ to make
            up for it. So the first step is η whatever the gradient: {large:.3f} for 1000 and {small:.3f} for 0.001.
            Without the correction it would be (1 − β₁)/√(1 − β₂) = 3.16 times as long, {raw:.3f}.

            AdaGrad divides by the root of the sum of all squares so far, without forgetting and without momentum.
            Under a steady gradient its step falls as 1/√t, to {falls:.3f} at step 100, where Adam still takes
            {keeps:.3f}. That suits sparse features, whose rare gradients meet a small sum; in long runs on deep
            networks it stops too early. RMSProp lies between: Adam without momentum and correction.

            Both still need a base rate, and Adam a schedule. Weight decay as L2 in Adam's gradient is scaled away: on
            p²/2 from 1, p is {third:.4f} after three steps, and a penalty of 0.1 changes that by {l2:.0e}; AdamW,
            which applies it beside, is at {adamw:.4f}.
        """,
    ),
    zh=Words(
        question="Adam 的原理是什麼？與 AdaGrad 有何不同？",
        answer="""
            Adam 為每個權重記兩個移動平均：梯度的（m）與梯度平方的（v），步伐是 m̂/√v̂，方向看前者，大小看後者。
            兩者都從零開始，所以除以 1 − βᵗ 來補正。於是不論梯度多大，第一步都是 η：梯度 1000 時 {large:.3f}，
            0.001 時 {small:.3f}。不補正的話，會是 (1 − β₁)/√(1 − β₂) = 3.16 倍長，也就是 {raw:.3f}。

            AdaGrad 除以歷來平方和的根號，不會遺忘，也沒有動量。梯度固定時，步伐按 1/√t 縮小，
            第 100 步只剩 {falls:.3f}，Adam 仍是 {keeps:.3f}。這適合稀疏特徵，因為罕見的梯度累積得少；
            但長時間訓練深度網路時，它會太早停下來。RMSProp 介於兩者之間，等於沒有動量與補正的 Adam。

            兩者都還是要選基本學習率，Adam 也需要排程。把權重衰減當成 L2 放進 Adam 的梯度，會被縮放抵銷：
            在 p²/2 上從 1 出發，三步之後 p 是 {third:.4f}，加上 0.1 的懲罰只改變 {l2:.0e}；AdamW 另外直接作用在權重上，
            則走到 {adamw:.4f}。
        """,
        names={
            "large": "Adam 第一步，梯度 1000",
            "small": "Adam 第一步，梯度 0.001",
            "keeps": "固定梯度：Adam 的第 100 步",
            "falls": "固定梯度：AdaGrad 的第 100 步",
            "raw": "不補正時的第一步",
            "third": "Adam 三步後的 p",
            "l2": "加上 0.1 的 L2 造成的改變",
            "adamw": "AdamW（衰減 0.1）三步後的 p",
        },
    ),
    formula="Adam: m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²\n"
    "w ← w − η·(m/(1−β₁ᵗ))/(√(v/(1−β₂ᵗ)) + ε)\n"
    "AdaGrad: s ← s + g²,  w ← w − η·g/(√s + ε)",
    numbers=numbers,
    code="import numpy as np\n"
    "from edgewright.reference.optimizers import How, adagrad, adam, walk\n"
    "for rule in (adam, adagrad):\n"
    "    path = walk(rule, How(lr=0.1), slope=lambda w: np.ones(1), start=np.zeros(1), num_steps=100)\n"
    "    print(rule.__name__, float(path[0][0]), float(path[-1][0] - path[-2][0]))",
    experiments=(
        "adam_cancels_l2_where_adamw_decays",
        "adagrad_learns_rare_features_sooner",
        "amsgrad_converges_where_adam_does_not",
    ),
    docs=("optimizers.md", "reference.md"),
)
