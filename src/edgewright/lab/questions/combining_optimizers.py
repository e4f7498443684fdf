"""Hybrid optimization: rules that wrap, follow or rectify each other."""

from collections.abc import Mapping

import numpy as np

from ...reference.optimizers import How, adam, lookahead, radam, rectification, sgd, walk
from ..finding import Number
from ..question import Question, Words


def third(rule) -> float:
    """p after three steps on p²/2 from 1 at a rate of 0.1."""
    return float(walk(rule, How(lr=0.1), slope=lambda p: p, start=np.array(1.0), num_steps=3)[-1])


def projected_rate() -> float:
    """The rate at which SGD's step is Adam's first one, projected on the gradient (1, 0.5)."""
    gradient = np.array([1.0, 0.5])
    step = adam(np.zeros(2), gradient, {}, How(lr=0.01))
    return float(step @ step / -(step @ gradient))


def numbers() -> Mapping[str, Number]:
    parts = [np.array([1.0, 2.0, 3.0]), np.array([10.0])]
    return {
        "look": Number(name="Lookahead around SGD after three steps", value=third(lookahead(sgd, k=2)),
                       expected=0.8145),
        "radam": Number(name="RAdam after three steps", value=third(radam), expected=0.715770, tolerance=1e-6),
        "adam": Number(name="Adam after three steps", value=third(adam), expected=0.701586, tolerance=1e-6),
        "factor": Number(name="RAdam's factor at step 6", value=rectification(6)[1] or 0.0, expected=0.0258211,
                         tolerance=1e-6),
        "rate": Number(name="SGD's rate for Adam's 0.01 at the gradient (1, 0.5)", value=projected_rate(),
                       expected=0.02 / 1.5, tolerance=1e-8),
        "mean": Number(name="loss of unequal parts, weighted by size",
                       value=float(np.average([each.mean() for each in parts], weights=[each.size for each in parts])),
                       expected=4.0),
        "wrong": Number(name="their mean of means", value=float(np.mean([each.mean() for each in parts])),
                        expected=6.0),
    }  # fmt: skip


QUESTION = Question(
    theme="optimizers",
    en=Words(
        question="What is hybrid optimization, and which combinations are in use?",
        answer="""
            Putting methods together so that each does what it is good at. Most common is no new rule at all: a warm-up,
            then a cosine, around AdamW or SGD.

            One after the other: Adam for a fast start, then SGD with momentum for the end, at a fixed epoch, on a
            plateau, or when the rate that projects Adam's steps on the gradient has settled (SWATS: at the gradient
            (1, 0.5) Adam's 0.01 is worth a rate of {rate:.4f}). One around the other: Lookahead lets any rule run k
            steps and comes back half-way: with SGD, k = 2, three steps on p²/2 lead to {look:.4f}. One corrected:
            RAdam begins as momentum and lets Adam's scaling in as it becomes reliable, by a factor of {factor:.4f} at
            step 6; three steps end at {radam:.4f}, where Adam is at {adam:.4f}.

            With large batches: accumulate gradients, with LARS or LAMB. Mind the weights of unequal parts: losses
            1, 2, 3 and 10 in two parts have the mean {mean:.0f}, but the mean of the means is {wrong:.0f}; and with
            batch norm, parts are not the same as one large batch.
        """,
    ),
    zh=Words(
        question="什麼是混合式最佳化？常見的組合有哪些？",
        answer="""
            就是把幾種方法組合起來，各取所長。最常見的組合其實沒有新公式：先暖身、再餘弦下降，外面套在 AdamW 或 SGD
            上。

            前後接力：先用 Adam 快速起步，最後換成 SGD 加動量；切換時機可以是固定的 epoch、驗證分數停滯，或是 Adam 的
            步伐投影到梯度方向的學習率穩定下來（SWATS：梯度為 (1, 0.5) 時，Adam 的 0.01 相當於 SGD 的 {rate:.4f}）。內
            外包裝：Lookahead 讓任何規則先走 k 步，再退回一半；包著 SGD、k = 2，在 p²/2 上走三步到 {look:.4f}。加以修
            正：RAdam 一開始等同動量，等到縮放可靠了才逐漸加入 Adam 的分母，第 6 步的係數是 {factor:.4f}；走三步到
            {radam:.4f}，Adam 則到 {adam:.4f}。

            大批次時會累積梯度，並搭配 LARS 或 LAMB。各份大小不同時要依樣本數加權：損失 1、2、3 與 10 分成兩份，平均
            是 {mean:.0f}，平均的平均卻是 {wrong:.0f}。另外，只要有批次正規化，分份計算就不等於一個大批次。
        """,
        names={
            "look": "Lookahead 包著 SGD 走三步",
            "radam": "RAdam 走三步",
            "adam": "Adam 走三步",
            "factor": "RAdam 第 6 步的係數",
            "rate": "梯度 (1, 0.5) 時相當於 Adam 0.01 的 SGD 學習率",
            "mean": "依樣本數加權的平均損失",
            "wrong": "平均的平均",
        },
    ),
    formula="Lookahead: every k steps  slow ← slow + α(fast − slow), fast ← slow\n"
    "SWATS: η_sgd = (Δ·Δ)/(−Δ·g), settled → SGD\naccumulation: Σ (nᵢ/n) Lᵢ",
    numbers=numbers,
    code="edgewright train simple_cnn --data digits --optimizer lookahead:adamw:k=5,alpha=0.5 --epochs 2",
    experiments=(
        "adam_cancels_l2_where_adamw_decays",
        "momentum_needs_the_square_root_of_the_condition",
        "adam_hands_over_to_sgd_without_a_jump",
        "accumulation_equals_a_large_batch_without_batch_norm",
    ),
    docs=("optimizers.md", "training.md"),
)
