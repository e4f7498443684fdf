"""Scores that rank: the ROC curve, its area, and precision over recall.

    AUC = P(s+ > s-) + P(s+ = s-) / 2          s+ a random positive, s- a random negative

Three ways to one number:
    pairs   count them all                        O(P N)
    ranks   (R - P (P + 1) / 2) / (P N)           O(n log n): R the sum of the positives' ranks, equal scores sharing
                                                  the mean of theirs
    area    under the curve of true over false positive rate, by trapezoids, one point per *distinct* score

AUC does not change under strictly increasing maps; a sigmoid in float32 is none: it makes ties of large logits.
Its expected value does not depend on prevalence; precision, and so the average precision, does. A curve of precision
over recall is no line between its points, so its area is a sum of steps, not of trapezoids.

Source: Hanley and McNeil 1982; Mann and Whitney 1947; Davis and Goadrich 2006 (no interpolation of precision).
Axes: n samples, P of them positive and N negative.
"""

from __future__ import annotations

import numpy as np


def auc_by_pairs(scores_n: np.ndarray, positive_n: np.ndarray) -> float:
    """Half a point for every tie. NaN without a positive or without a negative."""
    above, below = _parts(scores_n, positive_n)
    if not len(above) or not len(below):
        return float("nan")
    points = 0.0
    for s in above:
        for other in below:
            points += 1.0 if s > other else 0.5 if s == other else 0.0
    return points / (len(above) * len(below))


def auc_by_ranks(scores_n: np.ndarray, positive_n: np.ndarray) -> float:
    """The same from one sort."""
    above, below = _parts(scores_n, positive_n)
    if not len(above) or not len(below):
        return float("nan")
    rank_sum = mean_ranks(np.asarray(scores_n))[np.asarray(positive_n, dtype=bool)].sum()
    return float((rank_sum - len(above) * (len(above) + 1) / 2) / (len(above) * len(below)))


def mean_ranks(values_n: np.ndarray) -> np.ndarray:
    """Ranks from 1; equal values share the mean of theirs."""
    _, group_n, sizes = np.unique(values_n, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    return (last - (sizes - 1) / 2)[group_n]


def roc_curve(scores_n: np.ndarray, positive_n: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """False and true positive rates from (0, 0) on, and the thresholds, highest first: score >= threshold is yes."""
    thresholds, hits, alarms = _counts(scores_n, positive_n)
    rates = [np.concatenate([[0], each]) / each[-1] for each in (alarms, hits)]
    return rates[0], rates[1], np.concatenate([[np.inf], thresholds])


def area(x: np.ndarray, y: np.ndarray) -> float:
    """Under straight lines between the points."""
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())


def youden(scores_n: np.ndarray, positive_n: np.ndarray) -> tuple[float, float]:
    """The largest true less false positive rate, and the threshold at which it is reached. Source: Youden 1950."""
    false_rates, true_rates, thresholds = roc_curve(scores_n, positive_n)
    best = int(np.argmax(true_rates - false_rates))
    return float(true_rates[best] - false_rates[best]), float(thresholds[best])


def precision_recall_curve(scores_n: np.ndarray, positive_n: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and thresholds, highest threshold first, one point per distinct score."""
    thresholds, hits, alarms = _counts(scores_n, positive_n)
    return hits / (hits + alarms), hits / hits[-1], thresholds


def average_precision(scores_n: np.ndarray, positive_n: np.ndarray) -> float:
    """Sum over thresholds of (recall gained) · precision."""
    precision, recall, _ = precision_recall_curve(scores_n, positive_n)
    return float((np.diff(recall, prepend=0) * precision).sum())


def precision_at_prevalence(true_rate: float, false_rate: float, prevalence: float) -> float:
    """t q / (t q + f (1 - q)): what one point of a ROC curve is worth where a share q is positive."""
    hits, alarms = true_rate * prevalence, false_rate * (1 - prevalence)
    return hits / (hits + alarms)


def _parts(scores_n: np.ndarray, positive_n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    chosen = np.asarray(positive_n, dtype=bool)
    return np.asarray(scores_n)[chosen], np.asarray(scores_n)[~chosen]


def _counts(scores_n: np.ndarray, positive_n: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct scores from the highest, and how many positives and negatives have at least that."""
    values, group_n = np.unique(-np.asarray(scores_n), return_inverse=True)
    positive = np.asarray(positive_n, dtype=bool)
    hits = np.cumsum(np.bincount(group_n, weights=positive, minlength=len(values)))
    alarms = np.cumsum(np.bincount(group_n, weights=~positive, minlength=len(values)))
    return -values, hits, alarms
