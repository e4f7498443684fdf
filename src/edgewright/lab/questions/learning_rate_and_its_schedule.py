"""What the learning rate does, and why it changes during training."""

from collections.abc import Mapping

import numpy as np

from ...reference.optimizers import How, sgd, walk
from ...reference.schedules import cosine, step_decay, warmed_up
from ..finding import Number
from ..question import Question, Words


def after_ten(rate: float) -> float:
    """|p| after ten steps from 1 on p²/2, whose curvature is 1."""
    return abs(float(walk(sgd, How(lr=rate), slope=lambda p: p, start=np.array(1.0), num_steps=10)[-1]))


def numbers() -> Mapping[str, Number]:
    return {
        "low": Number(name="|p| after ten steps at 0.01", value=after_ten(0.01), expected=0.99**10),
        "fit": Number(name="the same at 0.5", value=after_ten(0.5), expected=0.5**10),
        "swing": Number(name="the same at 1.9", value=after_ten(1.9), expected=0.9**10),
        "burst": Number(name="the same at 2.1", value=after_ten(2.1), expected=1.1**10),
        "step": Number(name="step decay from 0.1, ×0.1 every 30, at epoch 65",
                       value=0.1 * step_decay(65, every=30, gamma=0.1), expected=0.001),
        "quarter": Number(name="share left by a cosine after a quarter", value=cosine(25, 100), expected=0.853553,
                          tolerance=1e-6),
        "half": Number(name="share left by a cosine after half", value=cosine(50, 100), expected=0.5),
        "warm": Number(name="share at step 4 of a warm-up over 9", value=warmed_up(4, 9, 1.0), expected=0.5),
    }  # fmt: skip


QUESTION = Question(
    theme="optimizers",
    en=Words(
        question="What does the learning rate do, and which schedules are there?",
        answer="""
            Too low and nothing happens, too high and it bursts; the border is 2 over the curvature. On p²/2, where the
            curvature is 1, ten steps from 1 leave {low:.3f} at a rate of 0.01, {fit:.4f} at 0.5, {swing:.3f} at 1.9
            (swinging from side to side), and {burst:.2f} at 2.1, which is further away than at the start.

            A high rate travels far but its noise never settles; so begin high and end low. Step decay divides at set
            epochs: 0.1 becomes {step:.3f} at epoch 65 when it falls to a tenth every 30. A cosine falls smoothly:
            {quarter:.4f} of the peak after a quarter, {half:.1f} after half. It is periodic only with restarts.

            A warm-up rises in a straight line first ({warm:.1f} of the peak in the middle): large batches, attention
            and Adam's first steps need it. To find the peak, raise the rate in a short test run and stay well below
            where the loss runs away.
        """,
    ),
    zh=Words(
        question="學習率有什麼影響？有哪些學習率排程？",
        answer="""
            太小學不動，太大會發散，界線是 2 除以曲率。在曲率為 1 的 p²/2 上，從 1 走十步：學習率 0.01 還剩 {low:.3f}，
            0.5 剩 {fit:.4f}，1.9 剩 {swing:.3f}（左右來回擺盪），2.1 則變成 {burst:.2f}，比起點還遠。

            學習率大走得遠，但雜訊停不下來，所以先大後小。階梯式排程在固定的 epoch 打折：0.1 每 30 個 epoch
            降為十分之一，到第 65 個時是 {step:.3f}。餘弦則平滑下降：過了四分之一剩最大值的 {quarter:.4f}，
            過了一半剩 {half:.1f}；只有加上重新啟動才會週期性變化。

            暖身（warm-up）是一開始先線性上升，走到一半時是最大值的 {warm:.1f} 倍；大批次、注意力模型與 Adam
            的頭幾步都需要它。要找最大值，可以先做一次短測試，把學習率一路調高，再選比損失失控處低不少的值。
        """,
        names={
            "low": "學習率 0.01 走十步後的 |p|",
            "fit": "學習率 0.5",
            "swing": "學習率 1.9",
            "burst": "學習率 2.1",
            "step": "階梯式排程在第 65 個 epoch",
            "quarter": "餘弦過四分之一時的比例",
            "half": "餘弦過一半時的比例",
            "warm": "暖身 9 步中第 4 步的比例",
        },
    ),
    formula="p ← (1 − η h) p, converges for 0 < η < 2/h\nstep: η₀ γ^⌊t/s⌋\n"
    "cosine: η₀ (1 + cos(π t/T))/2\nwarm-up: η₀ (t + 1)/(n + 1)",
    numbers=numbers,
    code="edgewright train simple_cnn --data digits --find-lr",
    experiments=(
        "gradient_descent_converges_below_two_over_curvature",
        "batch_norm_allows_larger_steps",
        "cosine_annealing_is_periodic_only_with_restarts",
    ),
    docs=("optimizers.md",),
)
