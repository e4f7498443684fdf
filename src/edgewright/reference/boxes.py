"""Boxes: how far two agree, and which of many that agree to keep.

    IoU    |A ∩ B| / |A ∪ B|                                        no slope once they are apart
    GIoU   IoU - (|C| - |A ∪ B|) / |C|                              C: the smallest box around both
    DIoU   IoU - d² / c²                                            d: between centres, c: diagonal of C
    CIoU   DIoU - a v,  v = 4/π² (atan(w/h) - atan(w'/h'))²,  a = v / (1 - IoU + v)

Non-maximum suppression takes the best box, drops those that overlap it by more than a limit, and goes on with the rest.
It says nothing between classes: run it for each. Soft-NMS lowers their scores instead, by e^(-IoU² / σ) or by 1 - IoU.

Sources: Rezatofighi 2019 (GIoU), Zheng 2020 (DIoU, CIoU), Bodla 2017, arXiv:1704.04503 (soft-NMS).
Boxes are (x1, y1, x2, y2) with x1 <= x2 and y1 <= y2; N, M boxes.
"""

from __future__ import annotations

import math

import numpy as np

Box = tuple[float, float, float, float]


def area(box: np.ndarray | Box) -> float:
    """Width times height; 0 of a box that is turned inside out."""
    x1, y1, x2, y2 = (float(each) for each in box)
    return max(0.0, x2 - x1) * max(0.0, y2 - y1)


def intersection(a: np.ndarray | Box, b: np.ndarray | Box) -> float:
    """Area of what both cover."""
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def union(a: np.ndarray | Box, b: np.ndarray | Box) -> float:
    """Area of what either covers."""
    return area(a) + area(b) - intersection(a, b)


def around(a: np.ndarray | Box, b: np.ndarray | Box) -> Box:
    """The smallest box that holds both."""
    return (
        float(min(a[0], b[0])), float(min(a[1], b[1])), float(max(a[2], b[2])), float(max(a[3], b[3])),
    )  # fmt: skip


def iou(a: np.ndarray | Box, b: np.ndarray | Box) -> float:
    """In [0, 1]; of two boxes without area, 0."""
    whole = union(a, b)
    return intersection(a, b) / whole if whole > 0 else 0.0


def giou(a: np.ndarray | Box, b: np.ndarray | Box) -> float:
    """In (-1, 1]: below 0 it still tells how far apart two boxes are."""
    hull = area(around(a, b))
    return iou(a, b) - (hull - union(a, b)) / hull


def diou(a: np.ndarray | Box, b: np.ndarray | Box) -> float:
    """In (-1, 1]."""
    x1, y1, x2, y2 = around(a, b)
    between = ((a[0] + a[2] - b[0] - b[2]) / 2) ** 2 + ((a[1] + a[3] - b[1] - b[3]) / 2) ** 2
    return iou(a, b) - float(between) / ((x2 - x1) ** 2 + (y2 - y1) ** 2)


def ciou(a: np.ndarray | Box, b: np.ndarray | Box) -> float:
    """DIoU, less how far the shapes differ."""
    angles = [math.atan2(box[2] - box[0], box[3] - box[1]) for box in (a, b)]
    v = 4 / math.pi**2 * (angles[0] - angles[1]) ** 2
    return diou(a, b) - (v * v / (1 - iou(a, b) + v) if v > 0 else 0.0)


def pairwise_iou(a_N4: np.ndarray, b_M4: np.ndarray) -> np.ndarray:
    """(N, M)."""
    return np.array([[iou(a, b) for b in b_M4] for a in a_N4]).reshape(len(a_N4), len(b_M4))


def suppress(
    boxes_N4: np.ndarray, scores_N: np.ndarray, *, max_iou: float = 0.5, at_equality: bool = False
) -> list[int]:
    """Indices of the boxes that stay, best first; of equal scores the first counts as better.

    Args:
        max_iou: boxes that overlap a better one by more than this go.
        at_equality: those that overlap it by exactly `max_iou` go too. Tools differ: state which.
    """
    kept: list[int] = []
    for index in np.argsort(-np.asarray(scores_N), kind="stable"):
        overlaps = [iou(boxes_N4[index], boxes_N4[better]) for better in kept]
        if not any(each > max_iou or (at_equality and each == max_iou) for each in overlaps):
            kept.append(int(index))
    return kept


def suppress_by_class(
    boxes_N4: np.ndarray, scores_N: np.ndarray, classes_N: np.ndarray, *, max_iou: float = 0.5
) -> list[int]:
    """`suppress` within each class; all that stay, best first."""
    kept = []
    for name in np.unique(classes_N):
        members = np.flatnonzero(np.asarray(classes_N) == name)
        kept += [int(members[each]) for each in suppress(boxes_N4[members], scores_N[members], max_iou=max_iou)]
    return sorted(kept, key=lambda index: (-scores_N[index], index))


def soften(
    boxes_N4: np.ndarray, scores_N: np.ndarray, *, sigma: float | None = 0.5, max_iou: float = 0.3
) -> list[tuple[int, float]]:
    """Soft-NMS: every box with its score in the end, in the order in which they were taken.

    Args:
        sigma: scores are multiplied by e^(-IoU² / sigma) for each better box; None: by 1 - IoU beyond `max_iou`.
    """
    scores = [float(each) for each in scores_N]
    left = list(range(len(scores)))
    taken = []
    while left:
        best = max(left, key=lambda index: (scores[index], -index))
        left.remove(best)
        taken.append((best, scores[best]))
        for other in left:
            overlap = iou(boxes_N4[best], boxes_N4[other])
            if sigma is not None:
                scores[other] *= math.exp(-(overlap**2) / sigma)
            elif overlap > max_iou:
                scores[other] *= 1 - overlap
    return taken
