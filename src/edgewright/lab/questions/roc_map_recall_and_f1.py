"""Precision, recall, F1, AUC and mAP: how each is computed, on one small example each."""

from collections.abc import Mapping

import numpy as np

from ...reference.decisions import Binary
from ...reference.detection_metrics import AVERAGE_PRECISION
from ...reference.ranking import area, auc_by_ranks, roc_curve
from ..finding import Number
from ..question import Question, Words

COUNTS = Binary(tp=50, fn=10, fp=5, tn=35)
SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.55, 0.5, 0.4, 0.1])
POSITIVE = np.array([1, 0, 1, 1, 0, 0, 1, 0], dtype=bool)
HITS, TRUTHS = [True, True, False, True, False, False, True], 5
EXPECTED = {"11-point": 0.694805, "all-point": 93 / 140, "101-point": 0.667610}


def numbers() -> Mapping[str, Number]:
    false_rates, true_rates, _ = roc_curve(SCORES, POSITIVE)
    detected = {
        name: Number(name=f"AP of the detections, {name}", value=form(HITS, TRUTHS), expected=EXPECTED[name],
                     tolerance=1e-6)
        for name, form in AVERAGE_PRECISION.items()
    }  # fmt: skip
    return {
        "precision": Number(name="precision", value=COUNTS.precision, expected=50 / 55),
        "recall": Number(name="recall", value=COUNTS.recall, expected=50 / 60),
        "f1": Number(name="F1", value=COUNTS.f1, expected=20 / 23),
        "auc": Number(name="AUC by ranks", value=auc_by_ranks(SCORES, POSITIVE), expected=0.6875),
        "roc": Number(name="area under the ROC curve", value=area(false_rates, true_rates), expected=0.6875),
        "ap11": detected["11-point"],
        "ap_all": detected["all-point"],
        "ap101": detected["101-point"],
    }


QUESTION = Question(
    theme="metrics",
    en=Words(
        question="How are AUC, ROC, mAP, recall, precision and F1 computed?",
        answer="""
            From decisions: with TP 50, FN 10, FP 5 precision is 50/55 = {precision:.4f}, how much of what was called
            positive is; recall 50/60 = {recall:.4f}, how much of the positive was found; F1, their harmonic mean,
            {f1:.4f}.

            From scores: move the threshold from high to low and plot true over false positive rate: the ROC curve. Its
            area, AUC, is the chance that a random positive scores above a random negative, ties counting half. With
            scores 0.9 to 0.1 and labels 1 0 1 1 0 0 1 0 both ways give {auc:.4f} and {roc:.4f}.

            From detections: sort by score; one is a hit if its class is right, its IoU reaches the limit and its truth
            is still free. AP is the area under the falling envelope of precision over recall, mAP the mean over
            classes (COCO: over IoU limits 0.5 to 0.95 too). Hits 1 1 0 1 0 0 1 of five truths: {ap11:.6f} by 11 points
            (VOC 2007), {ap_all:.6f} by all points (VOC 2010), {ap101:.6f} by 101 (COCO). Say which; trapezoids under
            the raw curve are none of them.
        """,
    ),
    zh=Words(
        question="AUC、ROC、mAP、召回率、精確率與 F1 分別怎麼計算？",
        answer="""
            從決策來算：TP 50、FN 10、FP 5 時，精確率是 50/55 = {precision:.4f}，也就是判為正的有多少真的是正；召回率
            是 50/60 = {recall:.4f}，也就是真正的正樣本找回多少；F1 是兩者的調和平均 {f1:.4f}。

            從分數來算：把門檻由高往低移，畫出真正率對假正率的曲線，就是 ROC 曲線。底下的面積 AUC，等於隨機一個正樣本
            的分數高過隨機一個負樣本的機率，同分算一半。分數由 0.9 排到 0.1、標籤為 1 0 1 1 0 0 1 0，兩種方法得到
            {auc:.4f} 與 {roc:.4f}。

            從偵測來算：依分數排序，類別正確、IoU 達到門檻、對應的真實物件還沒被配走，才算命中。AP 是精確率對召回率的
            「遞減包絡線」底下的面積，mAP 再對類別取平均（COCO 還要對 0.5 到 0.95 的 IoU 取平均）。五個真實物件、命中
            順序為 1 1 0 1 0 0 1：11 點法（VOC 2007）是 {ap11:.6f}，全點法（VOC 2010）是 {ap_all:.6f}，101 點法
            （COCO）是 {ap101:.6f}。報告時要說明是哪一種；原始曲線的梯形面積三者皆非。
        """,
        names={
            "precision": "精確率",
            "recall": "召回率",
            "auc": "由排名算的 AUC",
            "roc": "ROC 曲線下面積",
            "ap11": "偵測的 AP，11 點",
            "ap_all": "偵測的 AP，全點",
            "ap101": "偵測的 AP，101 點",
        },
    ),
    formula="P = TP/(TP+FP)\nR = TP/(TP+FN)\nF1 = 2PR/(P+R)\nAUC = P(s₊ > s₋) + ½ P(s₊ = s₋)\n"
    "AP = Σ (rₖ − rₖ₋₁) max_{r ≥ rₖ} P(r)",
    numbers=numbers,
    code="from edgewright.reference.detection_metrics import AVERAGE_PRECISION\n"
    "for name, form in AVERAGE_PRECISION.items():\n"
    "    print(name, form([1, 1, 0, 1, 0, 0, 1], 5))",
    experiments=("auc_is_the_chance_of_a_right_order", "accuracy_is_blind_to_rare_classes"),
    docs=("reference.md",),
)
