"""Two ways to compute an AUC, and what they cost."""

from collections.abc import Mapping

import numpy as np

from ...reference.ranking import auc_by_pairs, auc_by_ranks
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words

SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.55, 0.5, 0.4, 0.1])
POSITIVE = np.array([1, 0, 1, 1, 0, 0, 1, 0], dtype=bool)


def numbers() -> Mapping[str, Number]:
    generator = numpy_generator(0, "ties")
    scores, positive = np.round(generator.random(400), 1), generator.random(400) < 0.4
    gap = abs(auc_by_pairs(scores, positive) - auc_by_ranks(scores, positive))
    tie = auc_by_ranks(np.array([0.8, 0.5, 0.5, 0.2]), np.array([1, 1, 0, 0], dtype=bool))
    return {
        "auc": Number(name="AUC of the eight", value=auc_by_pairs(SCORES, POSITIVE), expected=0.6875),
        "ranks": Number(name="AUC of the eight, by ranks", value=auc_by_ranks(SCORES, POSITIVE), expected=0.6875),
        "tie": Number(name="AUC with a tie", value=tie, expected=0.875),
        "gap": Number(name="gap of the two on 400 scores with many ties", value=gap, expected=0.0, tolerance=1e-12),
        "pairs": Number(name="pairs at n = 1,000,000, half positive", value=500_000**2, expected=2.5e11),
        "sorts": Number(name="n log2 n at n = 1,000,000", value=1e6 * np.log2(1e6), expected=1.993e7, tolerance=1e4),
    }


QUESTION = Question(
    theme="metrics",
    en=Words(
        question="Write code that computes the AUC. What is its complexity?",
        answer="""
            The AUC is the probability that a random positive gets a higher score than a random negative, a tie
            counting one half. Read as code this is a loop over all pairs, O(P·N). For eight scores with four positives
            11 of 16 pairs are in order: {auc:.4f}.

            Sorting does it in O(n log n). Rank the scores from 1, equal ones sharing the mean of their ranks; add the
            ranks of the positives; take off the least that this sum can be, P(P + 1)/2; divide by P·N. The result is
            the same, {ranks:.4f}; on 400 scores with many ties the two differ by {gap:.1g}. At a million scores it is
            {sorts:.1e} steps instead of {pairs:.1e}.

            Mistakes that the pair version brings to light: ties counted as 0 or 1 (here, with one tie of four pairs,
            {tie:.3f} is right), and thresholds from a grid, which merge scores and miss part of the area. Without a
            positive or without a negative the AUC does not exist.
        """,
    ),
    zh=Words(
        question="寫程式計算 AUC。它的時間複雜度是多少？",
        answer="""
            AUC 是「隨機一個正樣本的分數高於隨機一個負樣本」的機率，同分算半分。直接照定義寫，就是對所有正負配對跑迴圈，
            O(P·N)。例子裡的八個分數有四個正樣本，16 對中有 11 對順序正確：{auc:.4f}。

            用排序可以做到 O(n log n)：把分數由小到大排名（從 1 開始，同分者取平均名次），把正樣本的名次加總，
            減去這個總和的最小可能值 P(P + 1)/2，再除以 P·N。結果一樣是 {ranks:.4f}；拿 400 個有大量同分的分數來比，
            兩者只差 {gap:.1g}。一百萬個分數時，是 {sorts:.1e} 步對 {pairs:.1e} 步。

            配對版能揪出常見的錯：把同分算成 0 或 1（四對中有一對同分時，正確答案是 {tie:.3f}），
            以及只取固定間隔的門檻，把不同分數併在一起而漏掉面積。沒有正樣本或沒有負樣本時，AUC 並不存在。
        """,
        names={
            "auc": "八個樣本的 AUC",
            "ranks": "八個樣本的 AUC（名次法）",
            "tie": "有同分時的 AUC",
            "gap": "400 個同分樣本上兩種做法的差距",
            "pairs": "n = 1,000,000、正負各半的配對數",
            "sorts": "n = 1,000,000 的 n log2 n",
        },
    ),
    formula="AUC = P(s₊ > s₋) + ½·P(s₊ = s₋) = (Σ rank₊ − P(P+1)/2) / (P·N)",
    numbers=numbers,
    code="import numpy as np\n"
    "def auc(scores, positive):\n"
    "    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)\n"
    "    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[group]\n"
    "    p, n = positive.sum(), (~positive).sum()\n"
    "    return (ranks[positive].sum() - p * (p + 1) / 2) / (p * n)\n"
    "print(auc(np.array([.9, .8, .7, .6, .55, .5, .4, .1]), np.array([1, 0, 1, 1, 0, 0, 1, 0], dtype=bool)))",
    experiments=("sorting_computes_auc_faster_than_pairs", "auc_is_the_chance_of_a_right_order"),
    docs=("reference.md",),
)
