"""Why the minimum under L1 lies at zero exactly, and under L2 does not."""

from collections.abc import Mapping

import numpy as np

from ...reference.optimizers import How, elastic_net, sgd, walk
from ..finding import Number
from ..question import Question, Words

A, LAMBDA, RATE = 0.5, 1.0, 0.3  # loss (w - A)²/2 + LAMBDA |w|


def by_slopes() -> float:
    """|w| after 200 steps of SGD along a sub-gradient, from 2."""
    path = walk(sgd, How(lr=RATE), slope=lambda w: w - A + LAMBDA * np.sign(w), start=np.array(2.0), num_steps=200)
    return abs(float(path[-1]))


def by_proximal_steps() -> float:
    """|w| after 200 steps along the smooth part, each followed by the soft threshold."""
    weight = np.array(2.0)
    for _ in range(200):
        weight = elastic_net(weight - RATE * (weight - A), step=RATE, l1=LAMBDA)
    return abs(float(weight))


def numbers() -> Mapping[str, Number]:
    small, large = np.array([A]), np.array([3.0])
    return {
        "pull": Number(name="slope of the loss at 0", value=float(abs(0 - A)), expected=0.5),
        "l1": Number(name="best w under L1", value=float(elastic_net(small, step=1, l1=LAMBDA)[0]), expected=0.0),
        "l1_large": Number(name="best w under L1 from 3", value=float(elastic_net(large, step=1, l1=LAMBDA)[0]),
                           expected=2.0),
        "l2": Number(name="best w under L2", value=float(elastic_net(small, step=1, l1=0.0, l2=LAMBDA)[0]),
                     expected=0.25),
        "sgd": Number(name="|w| by SGD on the L1 term", value=by_slopes()),
        "proximal": Number(name="|w| by proximal steps", value=by_proximal_steps(), expected=0.0),
    }  # fmt: skip


QUESTION = Question(
    theme="regularization",
    en=Words(
        question="Why does L1 make weights exactly zero when L2 does not?",
        answer="""
            Ask what holds a weight at zero. There the loss pulls with its slope, and the penalty pulls back. L1 has a
            corner at zero: its slope jumps from −λ to λ, so it balances any pull of at most λ. L2 is flat at zero and
            balances none. For (w − 0.5)²/2 the pull at zero is {pull:.1f}; with λ = 1 the best w is {l1:.0f} under L1
            and {l2:.2f} under L2. A pull that is larger than λ gets through: a 3 becomes {l1_large:.0f}.

            In the picture: contours of the loss touch the ball of L1, a diamond, most often at a corner, where
            coordinates are zero; the round ball of L2 has no corners.

            The zeros are a property of the minimum. Steps along a sub-gradient jump over it: after 200 of them |w| is
            {sgd:.3f}, and Adam is no better. Proximal steps, which subtract and stop at zero, give {proximal:.0f}. Nor
            are samples from a posterior with a Laplace prior ever zero; only its mode is.
        """,
    ),
    zh=Words(
        question="為什麼 L1 能讓權重剛好等於零，L2 卻不行？",
        answer="""
            要問的是：什麼力量能把權重固定在零？在零的位置，損失以它的斜率往外拉，懲罰項往回拉。L1 在零有一個尖角，
            斜率從 −λ 跳到 λ，因此不超過 λ 的拉力都能抵住；L2 在零是平的，什麼都抵不住。以 (w − 0.5)²/2 為例，
            零處的拉力是 {pull:.1f}，取 λ = 1，L1 的最佳解是 {l1:.0f}，L2 則是 {l2:.2f}。
            拉力大於 λ 就抵不住：3 會變成 {l1_large:.0f}。

            用圖來想：損失的等高線碰到 L1 的菱形時，多半先碰到頂點，而頂點上有座標為零；L2 的圓沒有頂點。

            零是「最小值」的性質，不是任何演算法都走得到。沿次梯度走會在零的兩邊跳來跳去，200 步之後 |w| 是 {sgd:.3f}，
            換成 Adam 也一樣；近端（proximal）步驟用減的、減到零就停，得到的是 {proximal:.0f}。
            拉普拉斯先驗下的後驗樣本也不會是零，只有眾數才會。
        """,
        names={
            "pull": "損失在 0 的斜率",
            "l1": "L1 的最佳 w",
            "l1_large": "從 3 開始的 L1 最佳解",
            "l2": "L2 的最佳 w",
            "sgd": "SGD 走 L1 項之後的 |w|",
            "proximal": "近端步驟之後的 |w|",
        },
    ),
    formula="w = 0 is best under L1  ⇔  |L′(0)| ≤ λ\nprox: w ← sign(w) max(|w| − ηλ, 0)\n"
    "L2: L′(w) + λw = 0, zero only if L′(0) = 0",
    numbers=numbers,
    code="import numpy as np\n"
    "from edgewright.reference.optimizers import elastic_net\n"
    "w = np.array([2.0])\n"
    "for _ in range(200):\n"
    "    w = elastic_net(w - 0.3 * (w - 0.5), step=0.3, l1=1.0)\n"
    "print(w)",
    experiments=(
        "lasso_thresholds_where_ridge_shrinks",
        "elastic_net_keeps_correlated_features",
        "l1_minima_lie_on_the_axes",
        "only_proximal_steps_make_exact_zeros",
    ),
    docs=("optimizers.md",),
)
