"""Precision, recall and their kin from four counts."""

from collections.abc import Mapping

from ..finding import Number
from ..question import Question, Words

TP, FN, FP, TN = 50, 10, 5, 35


def numbers() -> Mapping[str, Number]:
    precision, recall = TP / (TP + FP), TP / (TP + FN)
    return {
        "precision": Number(name="precision", value=precision, expected=0.909091, tolerance=1e-6),
        "recall": Number(name="recall", value=recall, expected=0.833333, tolerance=1e-6),
        "f1": Number(name="F1", value=2 * precision * recall / (precision + recall), expected=0.869565, tolerance=1e-6),
        "accuracy": Number(name="accuracy", value=(TP + TN) / (TP + FN + FP + TN), expected=0.85),
        "specificity": Number(name="specificity", value=TN / (TN + FP), expected=0.875),
    }


QUESTION = Question(
    theme="metrics",
    en=Words(
        question="TP 50, FN 10, FP 5, TN 35: what are precision, recall, F1, accuracy and specificity?",
        answer="""
            Precision asks how much of what was called positive is: {precision:.4f}. Recall asks how much of what is
            positive was found: {recall:.4f}. F1 is their harmonic mean, {f1:.4f}, which ignores the true negatives.

            Accuracy counts both kinds of right answers, {accuracy:.2f}, and specificity is the recall of the negatives,
            {specificity:.3f}. Whoever swaps the roles of the classes gets another F1 but the same accuracy.
        """,
    ),
    zh=Words(
        question="TP 50、FN 10、FP 5、TN 35：精確率、召回率、F1、準確率與特異度各是多少？",
        answer="""
            精確率問的是「判為正的樣本中有多少真的是正」：{precision:.4f}。召回率問的是「真正的正樣本找回了多少」：{recall:.4f}。
            F1 是兩者的調和平均 {f1:.4f}，它不看真負樣本。

            準確率把兩類答對的都算進去，為 {accuracy:.2f}；特異度是負類的召回率，為 {specificity:.3f}。
            若把正負類互換，F1 會改變，準確率不會。
        """,
        names={"precision": "精確率", "recall": "召回率", "accuracy": "準確率", "specificity": "特異度"},
    ),
    formula="P = TP/(TP+FP)   R = TP/(TP+FN)   F1 = 2PR/(P+R) = 2TP/(2TP+FP+FN)   Acc = (TP+TN)/n   Spec = TN/(TN+FP)",
    numbers=numbers,
    code="tp, fn, fp, tn = 50, 10, 5, 35\nprint(tp / (tp + fp), tp / (tp + fn), 2 * tp / (2 * tp + fp + fn))",
)
