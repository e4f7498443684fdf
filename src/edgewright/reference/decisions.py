"""What decisions are worth: counts of what was true and what was said, and the ratios made of them.

    counts[true, said]        rows are the truth; tools differ in this

    precision = TP / (TP + FP)      recall = TP / (TP + FN)      specificity = TN / (TN + FP)
    F1 = 2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall, which ignores TN
    IoU = TP / (TP + FP + FN)       Dice = F1 = 2 IoU / (1 + IoU)

Macro: the mean over classes. Weighted: by how many are true. Micro: of the summed counts, which for one label a sample
is the accuracy. Accuracy alone says little of rare classes: never saying yes to 10 of 1,000 is 99 % right.

Sources: van Rijsbergen 1979 (F1); Matthews 1975 (MCC); Cohen 1960 (kappa). A ratio with nothing below is NaN.
Axes: n samples, K classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


def confusion(true_n: np.ndarray, said_n: np.ndarray, num_classes: int) -> np.ndarray:
    """counts[true, said], int64 (K, K)."""
    counts_KK = np.zeros((num_classes, num_classes), dtype=np.int64)
    for true, said in zip(np.ravel(true_n), np.ravel(said_n), strict=True):
        counts_KK[true, said] += 1
    return counts_KK


@dataclass(frozen=True, kw_only=True)
class Binary:
    """The four counts of one class against the rest."""

    tp: int
    fn: int
    fp: int
    tn: int

    @property
    def precision(self) -> float:
        return ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        return ratio(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> float:
        return ratio(self.tn, self.tn + self.fp)

    @property
    def f1(self) -> float:
        return ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def iou(self) -> float:
        return ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def accuracy(self) -> float:
        return ratio(self.tp + self.tn, self.tp + self.fn + self.fp + self.tn)

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of both classes."""
        return (self.recall + self.specificity) / 2

    @property
    def youden(self) -> float:
        """Recall + specificity - 1."""
        return self.recall + self.specificity - 1

    @property
    def mcc(self) -> float:
        """The correlation of truth and decision, -1 to 1."""
        below = (self.tp + self.fp) * (self.tp + self.fn) * (self.tn + self.fp) * (self.tn + self.fn)
        return ratio(self.tp * self.tn - self.fp * self.fn, math.sqrt(below))

    @property
    def negated(self) -> Binary:
        """The other class's counts."""
        return Binary(tp=self.tn, fn=self.fp, fp=self.fn, tn=self.tp)


def one_against_rest(counts_KK: np.ndarray, which: int) -> Binary:
    """The counts of class `which`."""
    tp = int(counts_KK[which, which])
    fn, fp = int(counts_KK[which].sum()) - tp, int(counts_KK[:, which].sum()) - tp
    return Binary(tp=tp, fn=fn, fp=fp, tn=int(counts_KK.sum()) - tp - fn - fp)


def macro_f1(counts_KK: np.ndarray, *, weighted: bool = False) -> float:
    """Mean F1 over classes; weighted: by how many of each are true."""
    f1_K = [one_against_rest(counts_KK, which).f1 for which in range(len(counts_KK))]
    return float(np.average(f1_K, weights=counts_KK.sum(1) if weighted else None))


def micro_f1(counts_KK: np.ndarray) -> float:
    """Of the summed counts: every mistake is one class's FN and another's FP, so this is the accuracy."""
    right = int(np.trace(counts_KK))
    wrong = int(counts_KK.sum()) - right
    return ratio(2 * right, 2 * right + wrong + wrong)


def kappa(counts_KK: np.ndarray) -> float:
    """(agreement - that by chance) / (1 - that by chance)."""
    total = counts_KK.sum()
    observed = np.trace(counts_KK) / total
    expected = (counts_KK.sum(0) * counts_KK.sum(1)).sum() / total**2
    return float((observed - expected) / (1 - expected))


def mean_iou(counts_KK: np.ndarray) -> float:
    """Over the classes that are true or said somewhere."""
    found = [one_against_rest(counts_KK, which).iou for which in range(len(counts_KK))]
    return float(np.nanmean(found))


def frequency_weighted_iou(counts_KK: np.ndarray) -> float:
    """Each class's IoU by its share of the truth."""
    shares_K = counts_KK.sum(1) / counts_KK.sum()
    present = np.flatnonzero(shares_K)
    return float(sum(shares_K[which] * one_against_rest(counts_KK, int(which)).iou for which in present))


def top_k_accuracy(scores_nK: np.ndarray, true_n: np.ndarray, k: int) -> float:
    """Share of samples whose class is among the k largest scores; of equal ones the lower class comes first.

    With k = K everything is right: it says something only for k well below K.
    """
    order_nK = np.argsort(-scores_nK, axis=1, kind="stable")[:, :k]
    return float((order_nK == np.reshape(true_n, (-1, 1))).any(1).mean())


def ratio(above: float, below: float) -> float:
    """above / below, NaN where nothing is below."""
    return above / below if below else math.nan
