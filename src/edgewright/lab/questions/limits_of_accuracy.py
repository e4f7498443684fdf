"""What accuracy does not tell: rare classes, which mistakes, how sure."""

from collections.abc import Mapping

import numpy as np

from ...reference.calibration import log_loss
from ...reference.decisions import Binary
from ..finding import Number
from ..question import Question, Words

NEVER = Binary(tp=0, fn=10, fp=0, tn=990)  # says no to all of 10 positives and 990 negatives
BACKGROUND = Binary(tp=0, fn=5, fp=0, tn=95)  # of 100 pixels


def sure(p: float) -> float:
    """Log loss of 60 right and 40 wrong answers, each given the probability p."""
    return log_loss(np.repeat([[p, 1 - p]], 100, axis=0), np.repeat([0, 1], [60, 40]))


def numbers() -> Mapping[str, Number]:
    return {
        "accuracy": Number(name="accuracy of never saying yes, 10 : 990", value=NEVER.accuracy, expected=0.99),
        "recall": Number(name="its recall", value=NEVER.recall, expected=0.0),
        "f1": Number(name="its F1", value=NEVER.f1, expected=0.0),
        "balanced": Number(name="its balanced accuracy", value=NEVER.balanced_accuracy, expected=0.5),
        "pixels": Number(name="pixel accuracy of background alone, 95 %", value=BACKGROUND.accuracy, expected=0.95),
        "iou": Number(name="IoU of the object", value=BACKGROUND.iou, expected=0.0),
        "modest": Number(name="log loss of 60 % right, said with 0.6", value=sure(0.6),
                         expected=-0.6 * np.log(0.6) - 0.4 * np.log(0.4)),
        "cocky": Number(name="log loss of 60 % right, said with 0.99", value=sure(0.99),
                        expected=-0.6 * np.log(0.99) - 0.4 * np.log(0.01)),
    }  # fmt: skip


QUESTION = Question(
    theme="metrics",
    en=Words(
        question="What are the limits of accuracy?",
        answer="""
            It counts right answers of all classes together, so common classes hide rare ones. With 10 positives among
            1,000, never saying yes is {accuracy:.2f} right, with a recall of {recall:.0f}, an F1 of {f1:.0f}, and a
            balanced accuracy of {balanced:.1f}, that of a coin. A segmentation that calls everything background gets
            {pixels:.2f} of the pixels where the object covers 5 %, and an IoU of {iou:.0f}.

            It does not tell one mistake from another: a missed illness and a false alarm count the same; use costs, or
            precision and recall. It hangs on one threshold: AUC or AP look at all of them.

            And it does not see how sure an answer was. Two models that are right in 60 % have the same accuracy; the
            one that says 0.6 has a log loss of {modest:.3f}, the one that always says 0.99 has {cocky:.3f}. In a
            balanced task with equal costs accuracy is fine, with an error bar: 90 % of 100 samples is known to 3
            points.
        """,
    ),
    zh=Words(
        question="準確率有哪些侷限？",
        answer="""
            準確率把所有類別答對的數目加在一起，多數類會蓋過少數類。1,000 個樣本裡只有 10 個正樣本時，一律說「否」的準
            確率是 {accuracy:.2f}，但召回率是 {recall:.0f}、F1 是 {f1:.0f}，平衡準確率是 {balanced:.1f}，和擲銅板一
            樣。物件占畫面 5% 的分割問題，全部判成背景，像素準確率是 {pixels:.2f}，IoU 卻是 {iou:.0f}。

            它分不出錯誤的種類：漏掉一位病人與一次誤報算得一樣重，這時應該考慮成本，或看精確率與召回率。它也只看一個門
            檻；AUC 與 AP 才看全部的門檻。

            它還看不出模型有多少把握。兩個模型都對 60%，準確率相同；老實說 0.6 的對數損失是 {modest:.3f}，永遠說 0.99
            的是 {cocky:.3f}。類別平衡、成本相同時，準確率沒有問題，但要附上誤差：100 個樣本的 90%，標準誤差是 3 個百
            分點。
        """,
        names={
            "accuracy": "一律說否的準確率（10 : 990）",
            "recall": "召回率",
            "f1": "F1",
            "balanced": "平衡準確率",
            "pixels": "全判背景的像素準確率（95%）",
            "iou": "物件的 IoU",
            "modest": "對 60%、說 0.6 的對數損失",
            "cocky": "對 60%、說 0.99 的對數損失",
        },
    ),
    formula="accuracy = (TP + TN)/n\nbalanced = (recall + specificity)/2\n"
    "log loss = −mean log p(true)\ns.e. = √(a(1 − a)/n)",
    numbers=numbers,
    code="from edgewright.reference.decisions import Binary\n"
    "never = Binary(tp=0, fn=10, fp=0, tn=990)\n"
    "print(never.accuracy, never.recall, never.f1, never.balanced_accuracy, never.iou)",
    experiments=(
        "accuracy_is_blind_to_rare_classes",
        "confidence_is_invisible_to_accuracy",
        "cheap_errors_move_the_best_threshold",
    ),
    docs=("reference.md",),
)
