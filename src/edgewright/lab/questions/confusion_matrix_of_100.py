"""Precision, recall and their kin from four counts."""

from collections.abc import Mapping

from ...reference.decisions import Binary
from ..finding import Number
from ..question import Question, Words


def numbers() -> Mapping[str, Number]:
    counts = Binary(tp=50, fn=10, fp=5, tn=35)
    rows = {
        "precision": ("precision", counts.precision, 0.909091),
        "recall": ("recall", counts.recall, 0.833333),
        "f1": ("F1", counts.f1, 0.869565),
        "accuracy": ("accuracy", counts.accuracy, 0.85),
        "specificity": ("specificity", counts.specificity, 0.875),
        "balanced": ("balanced accuracy", counts.balanced_accuracy, 0.854167),
        "other": ("F1 of the other class", counts.negated.f1, 0.823529),
        "mcc": ("MCC", counts.mcc, 0.697518),
    }
    return {
        key: Number(name=name, value=value, expected=expected, tolerance=1e-6)
        for key, (name, value, expected) in rows.items()
    }


QUESTION = Question(
    theme="metrics",
    en=Words(
        question="TP 50, FN 10, FP 5, TN 35: what are precision, recall, F1, accuracy and specificity?",
        answer="""
            Precision asks how much of what was called positive is: {precision:.4f}. Recall asks how much of what is
            positive was found: {recall:.4f}. F1 is their harmonic mean, {f1:.4f}, which ignores the true negatives.

            Accuracy counts both kinds of right answers, {accuracy:.2f}, and specificity is the recall of the
            negatives, {specificity:.3f}. The mean of both recalls is the balanced accuracy, {balanced:.4f}, which a
            rare class cannot hide from.

            Whoever swaps the roles of the classes gets another F1, {other:.4f}, but the same accuracy. The Matthews
            coefficient, {mcc:.4f}, looks at all four counts and does not care which class is called positive.
        """,
    ),
    zh=Words(
        question="TP 50、FN 10、FP 5、TN 35：精確率、召回率、F1、準確率與特異度各是多少？",
        answer="""
            精確率問的是「判為正的樣本中有多少真的是正」：{precision:.4f}。召回率問的是「真正的正樣本找回了多少」：
            {recall:.4f}。F1 是兩者的調和平均 {f1:.4f}，它不看真負樣本。

            準確率把兩類答對的都算進去，為 {accuracy:.2f}；特異度是負類的召回率，為 {specificity:.3f}。
            兩類召回率的平均叫平衡準確率，為 {balanced:.4f}，類別再稀少也躲不掉。

            若把正負類互換，F1 會變成 {other:.4f}，準確率則不變。馬修斯相關係數 {mcc:.4f} 四格都看，
            而且不在乎哪一類叫做正類。
        """,
        names={
            "precision": "精確率",
            "recall": "召回率",
            "accuracy": "準確率",
            "specificity": "特異度",
            "balanced": "平衡準確率",
            "other": "另一類的 F1",
            "mcc": "馬修斯相關係數",
        },
    ),
    formula="P = TP/(TP+FP)   R = TP/(TP+FN)   F1 = 2PR/(P+R) = 2TP/(2TP+FP+FN)\nAcc = (TP+TN)/n   Spec = TN/(TN+FP)",
    numbers=numbers,
    code="tp, fn, fp, tn = 50, 10, 5, 35\nprint(tp / (tp + fp), tp / (tp + fn), 2 * tp / (2 * tp + fp + fn))",
    experiments=("accuracy_is_blind_to_rare_classes",),
    docs=("reference.md",),
)
