"""AUC in a few lines, twice, and what each costs."""

from collections.abc import Mapping
from math import log2

import numpy as np

from ...reference.ranking import auc_by_pairs, auc_by_ranks, mean_ranks
from ...seeding import numpy_generator
from ..finding import Number
from ..question import Question, Words

SCORES, LABELS = np.array([0.8, 0.5, 0.5, 0.2]), np.array([1, 1, 0, 0])
N = 4096


def numbers() -> Mapping[str, Number]:
    generator = numpy_generator(0, "scores with ties")
    scores, labels = generator.integers(0, 20, 300) / 20, generator.random(300) < 0.3
    gap = abs(auc_by_pairs(scores, labels) - auc_by_ranks(scores, labels))
    return {
        "pairs": Number(name="AUC of 0.8, 0.5, 0.5, 0.2 by pairs", value=auc_by_pairs(SCORES, LABELS), expected=0.875),
        "ranks": Number(name="the same by ranks", value=auc_by_ranks(SCORES, LABELS), expected=0.875),
        "tied": Number(name="rank of the tied scores", value=float(mean_ranks(SCORES)[1]), expected=2.5),
        "gap": Number(name="both ways apart, 300 samples with many ties", value=gap, expected=0.0, tolerance=1e-12),
        "slow": Number(name="comparisons by pairs, 4,096 samples, half positive", value=(N // 2) ** 2,
                       expected=4_194_304),
        "fast": Number(name="n log₂ n for 4,096", value=N * log2(N), expected=49_152),
    }  # fmt: skip


QUESTION = Question(
    theme="metrics",
    en=Words(
        question="How is AUC coded, and what is its complexity?",
        answer="""
            By its meaning: compare each positive with each negative, a point when the positive is higher, half a point
            for a tie, divided by the number of pairs. That is O(P·N) time. Or sort once: give every sample its rank,
            equal scores sharing the mean of theirs; the ranks R of the positives give
            (R − P(P + 1)/2)/(P·N). That is O(n log n) time and O(n) memory.

            Scores 0.8, 0.5, 0.5, 0.2 with labels 1, 1, 0, 0: {pairs:.3f} and {ranks:.3f}, with rank {tied:.1f} for both
            of the tied. Over 300 samples full of ties they are {gap:.0f} apart. Code that sorts and forgets the ties
            gives 0.75 or 1, by the order in which they happen to stand.

            For 4,096 samples, half of them positive, pairs take {slow:,.0f} comparisons, n log₂ n is {fast:,.0f}. With
            one class only, AUC is not defined: answer NaN, not 0.5.
        """,
    ),
    zh=Words(
        question="AUC 的程式怎麼寫？時間複雜度是多少？",
        answer="""
            照定義寫：每個正樣本與每個負樣本比一次，正的分數高得一分，同分得半分，最後除以配對數，時間是 O(P·N)。或者
            只排序一次：給每個樣本名次，同分的共用平均名次；正樣本的名次總和為 R，AUC 就是 (R − P(P + 1)/2)/(P·N)，時
            間 O(n log n)，空間 O(n)。

            分數 0.8、0.5、0.5、0.2，標籤 1、1、0、0：兩種寫法分別是 {pairs:.3f} 與 {ranks:.3f}，同分的兩個名次都是
            {tied:.1f}。用 300 個有很多同分的樣本來比，兩者相差 {gap:.0f}。排序時若忘了處理同分，會依剛好的排列順序得
            到 0.75 或 1。

            4,096 個樣本、一半為正時，配對法要比 {slow:,.0f} 次，n log₂ n 則是 {fast:,.0f}。只有一個類別時 AUC 沒有定
            義，應該回傳 NaN，而不是 0.5。
        """,
        names={
            "pairs": "0.8、0.5、0.5、0.2 的 AUC（配對）",
            "ranks": "同一題（名次）",
            "tied": "同分者的名次",
            "gap": "300 個樣本（多同分）兩種寫法的差",
            "slow": "4,096 個樣本的配對比較次數",
            "fast": "4,096 的 n log₂ n",
        },
    ),
    formula="AUC = (1/PN) Σ_{i∈P} Σ_{j∈N} [sᵢ > sⱼ] + ½[sᵢ = sⱼ] = (R − P(P + 1)/2)/(P N)",
    numbers=numbers,
    code="import numpy as np\n"
    "def auc(scores, labels):\n"
    "    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)\n"
    "    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[group]\n"
    "    p, n = labels.sum(), (1 - labels).sum()\n"
    "    return (ranks[labels == 1].sum() - p * (p + 1) / 2) / (p * n)\n"
    "print(auc(np.array([0.8, 0.5, 0.5, 0.2]), np.array([1, 1, 0, 0])))",
    experiments=("sorting_computes_auc_faster_than_pairs", "auc_is_the_chance_of_a_right_order"),
    docs=("reference.md",),
)
