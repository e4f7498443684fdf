"""ROC curve and precision-recall curve: the same ranking, two questions."""

from collections.abc import Mapping

import numpy as np

from ...reference.ranking import auc_by_ranks, average_precision, precision_at_prevalence
from ..finding import Number
from ..question import Question, Words

SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.55, 0.5, 0.4, 0.1])
POSITIVE = np.array([1, 0, 1, 1, 0, 0, 1, 0], dtype=bool)


def numbers() -> Mapping[str, Number]:
    times = np.where(POSITIVE, 1, 10)
    many, rare = np.repeat(SCORES, times), np.repeat(POSITIVE, times)
    at = {
        key: Number(name=f"precision at TPR 0.9, FPR 0.05, {share:.0%} positive", expected=expected, tolerance=5e-5,
                    value=precision_at_prevalence(0.9, 0.05, share))
        for key, share, expected in (("half", 0.5, 0.9474), ("tenth", 0.1, 0.6667), ("hundredth", 0.01, 0.1538))
    }  # fmt: skip
    return {
        "auc": Number(name="AUC", value=auc_by_ranks(SCORES, POSITIVE), expected=0.6875),
        "ap": Number(name="average precision", value=average_precision(SCORES, POSITIVE), expected=0.747024,
                     tolerance=1e-6),
        "auc10": Number(name="AUC, negatives ten times", value=auc_by_ranks(many, rare), expected=0.6875),
        "ap10": Number(name="average precision, negatives ten times", value=average_precision(many, rare),
                       expected=0.378771, tolerance=1e-6),
        **at,
    }  # fmt: skip


QUESTION = Question(
    theme="metrics",
    en=Words(
        question="What do ROC and precision-recall curves show, and when is which the better one?",
        answer="""
            Both move one threshold through all scores. ROC plots the share of positives found over the share of
            negatives that raise an alarm; a coin gives the diagonal, area 0.5. The other plots precision over recall; a
            coin gives a level line at the share of positives.

            ROC looks at each class by itself, so it does not change with their mix: with eight samples the AUC is
            {auc:.4f}, and with every negative ten times still {auc10:.4f}. Precision does change: the average precision
            falls from {ap:.4f} to {ap10:.4f}. The same point of a ROC curve, 0.9 against 0.05, means a precision of
            {half:.3f} if half are positive, {tenth:.3f} if a tenth, {hundredth:.3f} if a hundredth.

            So with rare positives, where alarms cost attention, look at precision and recall; to compare rankers
            across data sets with different mixes, at ROC. Average precision is a sum of steps; between points of that
            curve there are no straight lines, so no trapezoids. And compare only at the same prevalence.
        """,
    ),
    zh=Words(
        question="ROC 曲線與 PR 曲線各代表什麼？什麼時候該看哪一條？",
        answer="""
            兩條曲線都是把門檻掃過所有分數。ROC 畫的是「找回多少正樣本」對「多少負樣本被誤報」，亂猜是對角線，面積
            0.5；PR 曲線畫的是精確率對召回率，亂猜是一條水平線，高度等於正樣本的比例。

            ROC 把兩類分開看，所以不受比例影響：八個樣本的 AUC 是 {auc:.4f}，負樣本全部變成十倍還是 {auc10:.4f}。精確
            率會受影響：平均精確率從 {ap:.4f} 掉到 {ap10:.4f}。ROC 上同一個點（真正率 0.9、假正率 0.05），正樣本占一半
            時精確率是 {half:.3f}，占十分之一時是 {tenth:.3f}，占百分之一時只有 {hundredth:.3f}。

            因此正樣本稀少、誤報會耗費人力時，要看精確率與召回率；要在比例不同的資料集之間比較排序能力時，看 ROC。平均
            精確率是階梯面積的和；PR 曲線的點與點之間不是直線，不能用梯形面積。比較 PR 曲線時，正樣本比例也必須相同。
        """,
        names={
            "ap": "平均精確率",
            "auc10": "負樣本十倍時的 AUC",
            "ap10": "負樣本十倍時的平均精確率",
            "half": "真正率 0.9、假正率 0.05、一半為正時的精確率",
            "tenth": "十分之一為正",
            "hundredth": "百分之一為正",
        },
    ),
    formula="TPR = TP/P\nFPR = FP/N\nprecision = TPR·q/(TPR·q + FPR·(1 − q)), q the share of positives\n"
    "AP = Σ (Rₖ − Rₖ₋₁) Pₖ",
    numbers=numbers,
    code="import numpy as np\n"
    "from sklearn.metrics import average_precision_score, roc_auc_score\n"
    "s, y = [0.9, 0.8, 0.7, 0.6, 0.55, 0.5, 0.4, 0.1], np.array([1, 0, 1, 1, 0, 0, 1, 0])\n"
    "print(roc_auc_score(y, s), average_precision_score(y, s))",
    experiments=(
        "auc_is_the_chance_of_a_right_order",
        "accuracy_is_blind_to_rare_classes",
        "cheap_errors_move_the_best_threshold",
    ),
    docs=("reference.md",),
)
