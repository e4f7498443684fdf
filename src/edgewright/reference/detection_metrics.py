"""Average precision of detections: which are hits, and three ways to one number.

Ranked by score, each detection is a hit if it has the class of a truth that is still free and an IoU with it above
the limit; it takes the truth it overlaps most. After k detections, precision = hits / k and recall = hits / truths.
Precision falls and rises; its envelope p(r) = max of precision at recall >= r only falls.

    11 points     mean of p(r) at r = 0, 0.1, ... 1           VOC 2007
    all points    area under p(r), a sum of rectangles        VOC 2010
    101 points    mean of p(r) at r = 0, 0.01, ... 1          COCO

Trapezoids under the raw curve are none of them. Hits 1,1,0,1,0,0,1 of 5 truths: 0.694805, 0.664286, 0.667610.

Sources: Everingham 2010, IJCV 88; Lin 2014, arXiv:1405.0312.
Axes: D detections by falling score, T truths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .boxes import iou

Hits = Sequence[bool] | np.ndarray


def match(
    detections_D4: np.ndarray, scores_D: np.ndarray, truths_T4: np.ndarray, *, min_iou: float = 0.5
) -> list[bool]:
    """Which detections of one image and one class are hits, by falling score.

    A detection takes, of the truths that are still free, the one that it overlaps most, if by `min_iou` or more; of
    equal scores the first counts as better. A second detection of one truth is a miss.
    """
    free = set(range(len(truths_T4)))
    hits = []
    for index in np.argsort(-np.asarray(scores_D), kind="stable"):
        best = max(free, key=lambda truth: (iou(detections_D4[index], truths_T4[truth]), -truth), default=None)
        if best is not None and iou(detections_D4[index], truths_T4[best]) >= min_iou:
            free.remove(best)
            hits.append(True)
        else:
            hits.append(False)
    return hits


def curve(hits_D: Hits) -> tuple[np.ndarray, np.ndarray]:
    """Precision after each detection, and the hits so far, which over the number of truths are the recall."""
    found = np.cumsum(np.asarray(hits_D, dtype=np.int64))
    return found / np.arange(1, len(found) + 1), found


def envelope(hits_D: Hits, num_truths: int, *, numerator: int, denominator: int) -> float:
    """p(r) at r = numerator / denominator, compared in integers: 3/5 and 0.6 could differ in their last bit."""
    precision, found = curve(hits_D)
    reached = precision[found * denominator >= numerator * num_truths]
    return float(reached.max()) if len(reached) else 0.0


def ap_11_points(hits_D: Hits, num_truths: int) -> float:
    """VOC 2007."""
    return sum(envelope(hits_D, num_truths, numerator=step, denominator=10) for step in range(11)) / 11


def ap_101_points(hits_D: Hits, num_truths: int) -> float:
    """COCO."""
    return sum(envelope(hits_D, num_truths, numerator=step, denominator=100) for step in range(101)) / 101


def ap_all_points(hits_D: Hits, num_truths: int) -> float:
    """VOC 2010: every hit adds 1/T of recall at the envelope's height."""
    steps = range(1, num_truths + 1)
    return sum(envelope(hits_D, num_truths, numerator=step, denominator=num_truths) for step in steps) / num_truths


AVERAGE_PRECISION: Mapping[str, Callable[[Hits, int], float]] = {
    "11-point": ap_11_points,
    "all-point": ap_all_points,
    "101-point": ap_101_points,
}


def coco_thresholds() -> list[float]:
    """0.5, 0.55, ... 0.95: COCO's AP is the mean over them, and over classes."""
    return [(50 + 5 * step) / 100 for step in range(10)]


def average_recall(ious_TD: np.ndarray, *, max_detections: int) -> float:
    """Mean over the COCO thresholds of the best recall within the first so many detections of one image.

    Args:
        ious_TD: of every truth with every detection, by falling score.
    """
    recalls = []
    for limit in coco_thresholds():
        free, hits = set(range(len(ious_TD))), 0
        for detection in range(min(max_detections, ious_TD.shape[1])):
            best = max(free, key=lambda truth: ious_TD[truth, detection], default=None)
            if best is not None and ious_TD[best, detection] >= limit:
                free.remove(best)
                hits += 1
        recalls.append(hits / len(ious_TD))
    return float(np.mean(recalls))
