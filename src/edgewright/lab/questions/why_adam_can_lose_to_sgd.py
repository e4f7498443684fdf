"""Four reasons for which Adam sometimes ends worse than SGD; two of them exactly."""

from collections.abc import Mapping
from itertools import count, islice

import numpy as np

from ...reference.optimizers import How, Memory, adam, adamw, amsgrad, sgd, walk
from ..finding import Number
from ..question import Question, Words

C = 3.0


def third(rule, decay: float = 0.0) -> float:
    """p after three steps on p²/2 from 1 at a rate of 0.1."""
    how = How(lr=0.1, decay=decay)
    return float(walk(rule, how, slope=lambda p: p, start=np.array(1.0), num_steps=3)[-1])


def reddi(rule) -> float:
    """Where a rule ends on [-1, 1] with the slopes C, -1, -1, C, -1, ...: their mean is positive, so -1 is best."""
    memory: Memory = {}
    weight = np.array(0.0)
    for t in islice(count(1), 3000):
        how = How(lr=1 / np.sqrt(t), m=0.0, b2=1 / (1 + C**2))
        weight = np.clip(rule(weight, np.array(C if t % 3 == 1 else -1.0), memory, how), -1, 1)
    return float(weight)


def numbers() -> Mapping[str, Number]:
    return {
        "adam": Number(name="Adam after three steps", value=third(adam), expected=0.701586, tolerance=1e-6),
        "l2": Number(name="Adam with L2 0.1", value=third(adam, 0.1), expected=0.701586, tolerance=1e-6),
        "adamw": Number(name="AdamW with decay 0.1", value=third(adamw, 0.1), expected=0.675101, tolerance=1e-6),
        "wrong": Number(name="Adam's end where −1 is best", value=reddi(adam), expected=1.0, tolerance=0.05),
        "mended": Number(name="AMSGrad's end", value=reddi(amsgrad), expected=-1.0, tolerance=0.05),
        "sgd": Number(name="SGD's end", value=reddi(sgd), expected=-1.0, tolerance=0.05),
    }


QUESTION = Question(
    theme="optimizers",
    en=Words(
        question="Why does Adam sometimes end worse than SGD?",
        answer="""
            It is a tendency, not a law; with AdamW, a tuned rate and a schedule the gap is often gone. Four reasons are
            given.

            Decay: an L2 term in Adam's gradient is divided by the same root as the rest. On p²/2 Adam is at
            {adam:.4f} after three steps, and with L2 of 0.1 at {l2:.4f}, the same; AdamW, whose decay stands beside
            the step, is at {adamw:.4f}. Memory: rare large gradients are forgotten too soon. With slopes 3, −1, −1 in
            turn on [−1, 1] the best place is −1, but Adam without momentum and with a short memory ends at
            {wrong:.2f}; AMSGrad, which keeps the largest mean square, at {mended:.2f}, SGD at {sgd:.2f}.

            Flatness: adaptive steps are said to end in sharper minima; seen in several studies, but sharpness depends
            on how weights are scaled. Tuning: Adam runs fast early, is compared at its default rate without a schedule,
            and overfits sooner. Compare both tuned, over several seeds.
        """,
    ),
    zh=Words(
        question="為什麼 Adam 有時最後輸給 SGD？",
        answer="""
            這只是傾向，不是定律；改用 AdamW、調好學習率並加上排程之後，差距常常就消失了。一般提到的原因有四個。

            權重衰減：加進梯度的 L2 項會和其他部分一起除以同一個平方根。在 p²/2 上走三步，Adam 到 {adam:.4f}，加上
            0.1 的 L2 還是 {l2:.4f}，完全沒變；AdamW 把衰減放在步伐之外，到 {adamw:.4f}。記憶太短：少見但很大的梯度太
            快被遺忘。在 [−1, 1] 上斜率依序是 3、−1、−1 時，最佳位置是 −1，但沒有動量、記憶很短的 Adam 停在
            {wrong:.2f}；保留最大平方平均的 AMSGrad 停在 {mended:.2f}，SGD 停在 {sgd:.2f}。

            平坦程度：有些研究觀察到自適應方法停在較尖的最小值，不過「尖」會隨權重的縮放方式改變。調校方式：Adam 前期
            快，常以預設學習率、沒有排程的設定參加比較，也比較早過擬合。公平的做法是兩邊都調好，並用好幾個隨機種子比
            較。
        """,
        names={
            "adam": "Adam 走三步",
            "l2": "Adam 加 L2 0.1",
            "adamw": "AdamW，衰減 0.1",
            "wrong": "最佳位置為 −1 時 Adam 的終點",
            "mended": "AMSGrad 的終點",
            "sgd": "SGD 的終點",
        },
    ),
    formula="Adam + L2: g ← g + λw, then w ← w − η m̂/(√v̂ + ε)\nAdamW: w ← w − ηλw − η m̂/(√v̂ + ε)\n"
    "AMSGrad: v̂ ← max(v̂, v)",
    numbers=numbers,
    code="import numpy as np\n"
    "from edgewright.reference.optimizers import How, Memory, adam, adamw, walk\n"
    "for rule in (adam, adamw):\n"
    "    print(walk(rule, How(lr=0.1, decay=0.1), slope=lambda p: p, start=np.array(1.0), num_steps=3))",
    experiments=(
        "adam_cancels_l2_where_adamw_decays",
        "amsgrad_converges_where_adam_does_not",
        "sharpness_changes_while_the_function_stays",
    ),
    docs=("optimizers.md",),
)
