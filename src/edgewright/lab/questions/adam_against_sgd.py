"""Adam and SGD beside each other: what a step depends on, and what it costs."""

from collections.abc import Mapping

import numpy as np

from ...reference.optimizers import How, Memory, adam, momentum, sgd, walk
from ..finding import Number
from ..question import Question, Words


def numbers() -> Mapping[str, Number]:
    how, one, thousand = How(lr=0.1), np.array(1.0), np.array(1000.0)
    third = walk(adam, how, slope=lambda p: p, start=one, num_steps=3)[-1]
    return {
        "sgd_small": Number(name="SGD's first step, gradient 1", value=float(one - sgd(one, one, {}, how)),
                            expected=0.1),
        "sgd_large": Number(name="SGD's first step, gradient 1000", value=float(one - sgd(one, thousand, {}, how)),
                            expected=100.0),
        "adam_small": Number(name="Adam's first step, gradient 1", value=float(one - adam(one, one, {}, how)),
                             expected=0.1, tolerance=1e-8),
        "adam_large": Number(name="Adam's first step, gradient 1000", value=float(one - adam(one, thousand, {}, how)),
                             expected=0.1, tolerance=1e-8),
        "third": Number(name="Adam on p²/2 after three steps", value=float(third), expected=0.701586, tolerance=1e-6),
        "heavy": Number(name="numbers kept per weight by momentum", value=kept(momentum), expected=1),
        "kept": Number(name="numbers kept per weight by Adam", value=kept(adam), expected=2),
    }  # fmt: skip


def kept(rule) -> int:
    """Numbers that a rule remembers for each weight."""
    memory: Memory = {}
    rule(np.ones(100), np.ones(100), memory, How(lr=0.1))
    return sum(np.size(each) for each in memory.values()) // 100


QUESTION = Question(
    theme="optimizers",
    en=Words(
        question="How do Adam and SGD differ, and what follows from it?",
        answer="""
            SGD's step is the rate times the gradient. At a rate of 0.1 a gradient of 1 moves a weight by
            {sgd_small:.1f}, a gradient of 1000 by {sgd_large:.0f}. Adam divides the mean gradient by the root of its
            mean square, so only the ratio counts: both move the weight by {adam_small:.1f} and {adam_large:.1f}. On
            p²/2 three steps of Adam lead from 1 to {third:.4f}.

            So Adam copes with weights whose gradients differ by orders of magnitude, as in attention or with rare
            features, and starts fast at a rate that needs less searching. It still needs a tuned rate and a schedule.
            SGD with momentum, well tuned, is often as good or better in the end for convolutional networks.

            Memory: momentum keeps {heavy:.0f} number for each weight, Adam {kept:.0f}. And decay has to stand beside
            Adam's step (AdamW): an L2 term inside the gradient is divided away in part.
        """,
    ),
    zh=Words(
        question="Adam 與 SGD 有什麼不同？各有什麼後果？",
        answer="""
            SGD 的步長是學習率乘上梯度。學習率 0.1 時，梯度 1 讓權重移動 {sgd_small:.1f}，梯度 1000 則移動
            {sgd_large:.0f}。Adam 把梯度的移動平均除以「平方的移動平均」的平方根，只剩下比例：同樣兩個梯度分別移動
            {adam_small:.1f} 與 {adam_large:.1f}。在 p²/2 上，Adam 從 1 走三步到 {third:.4f}。

            因此當各權重的梯度大小相差好幾個數量級時（例如注意力機制或稀有特徵），Adam 很好用，起步快，
            學習率也比較好挑；但它仍然需要調學習率、需要排程。卷積網路若把 SGD 加動量調好，最後往往不輸 Adam，甚至更好。

            記憶體方面，動量每個權重要多存 {heavy:.0f} 個數，Adam 要存 {kept:.0f} 個。另外，權重衰減應該放在
            Adam 的步伐之外（AdamW）；若把 L2 項加進梯度，會被那個分母抵消掉一部分。
        """,
        names={
            "sgd_small": "SGD 第一步（梯度 1）",
            "sgd_large": "SGD 第一步（梯度 1000）",
            "adam_small": "Adam 第一步（梯度 1）",
            "adam_large": "Adam 第一步（梯度 1000）",
            "third": "Adam 在 p²/2 上走三步",
            "heavy": "動量每個權重多存的數",
            "kept": "Adam 每個權重多存的數",
        },
    ),
    formula="SGD: w ← w − η g\nAdam: m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², w ← w − η m̂/(√v̂ + ε)",
    numbers=numbers,
    code="import torch\n"
    "for kind in (torch.optim.SGD, torch.optim.Adam):\n"
    "    w = torch.ones(1, requires_grad=True)\n"
    "    step = kind([w], lr=0.1)\n"
    "    (1000 * w).sum().backward()\n"
    "    step.step()\n"
    "    print(kind.__name__, w.item())",
    experiments=(
        "adam_cancels_l2_where_adamw_decays",
        "momentum_needs_the_square_root_of_the_condition",
        "adagrad_learns_rare_features_sooner",
        "adam_hands_over_to_sgd_without_a_jump",
    ),
    docs=("optimizers.md",),
)
