"""Losses of overlap: of masks in closed form, of boxes as programs of the autograd.

    Dice       1 - 2 Σ p y / (Σ p + Σ y)
    Jaccard    1 - Σ p y / (Σ p + Σ y - Σ p y)            the IoU of a soft mask
    IoU, GIoU, DIoU, CIoU of boxes: 1 - what `boxes` defines

Dice and Jaccard order masks in the same way (D = 2 J / (1 + J)); neither looks at true negatives. The IoU of boxes that
do not touch has a slope of 0 and cannot bring them together; the others can.

Sources: Milletari 2016 (Dice), Rezatofighi 2019 (GIoU), Zheng 2020 (DIoU, CIoU: a in front of v counts as constant).
Axes: B boxes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .autograd import Node
from .operations import arctan, maximum, mean, minimum, pick


def dice(p: np.ndarray, y: np.ndarray, *, smooth: float = 0.0) -> tuple[float, np.ndarray]:
    """The loss and its gradient by p.

    Args:
        p: probabilities, of any shape.
        y: 0 or 1.
        smooth: added above and below; with 0 two empty masks have no Dice.
    """
    above, below = 2 * (p * y).sum() + smooth, p.sum() + y.sum() + smooth
    return float(1 - above / below), -(2 * y * below - above) / below**2


def jaccard(p: np.ndarray, y: np.ndarray, *, smooth: float = 0.0) -> tuple[float, np.ndarray]:
    """The loss and its gradient by p; as `dice`."""
    both = (p * y).sum()
    above, below = both + smooth, p.sum() + y.sum() - both + smooth
    return float(1 - above / below), -(y * below - above * (1 - y)) / below**2


def iou_loss(a_B4: Any, b_B4: Any) -> Any:
    """Mean of 1 - IoU, over boxes in pairs."""
    return mean(1.0 - _iou(a_B4, b_B4))


def giou_loss(a_B4: Any, b_B4: Any) -> Any:
    """Mean of 1 - GIoU."""
    width, height = _hull(a_B4, b_B4)
    hull = width * height
    return mean(1.0 - _iou(a_B4, b_B4) + (hull - _union(a_B4, b_B4)) / hull)


def diou_loss(a_B4: Any, b_B4: Any) -> Any:
    """Mean of 1 - DIoU."""
    return mean(1.0 - _iou(a_B4, b_B4) + _apart(a_B4, b_B4))


def ciou_loss(a_B4: Any, b_B4: Any) -> Any:
    """Mean of 1 - CIoU."""
    overlap = _iou(a_B4, b_B4)
    angles = [arctan(_width(box) / _height(box)) for box in (a_B4, b_B4)]
    v = (angles[0] - angles[1]) * (angles[0] - angles[1]) * (4 / math.pi**2)
    v_now, iou_now = _constant(v), _constant(overlap)
    weight = np.where(v_now > 0, v_now / np.where(v_now > 0, 1 - iou_now + v_now, 1), 0)
    return mean(1.0 - overlap + _apart(a_B4, b_B4) + v * weight)


BOX_LOSSES: Mapping[str, Callable[[Any, Any], Any]] = {
    "iou": iou_loss,
    "giou": giou_loss,
    "diou": diou_loss,
    "ciou": ciou_loss,
}


def _width(box: Any) -> Any:
    return pick(box, (slice(None), 2)) - pick(box, (slice(None), 0))


def _height(box: Any) -> Any:
    return pick(box, (slice(None), 3)) - pick(box, (slice(None), 1))


def _ends(a: Any, b: Any, axis: int, first: Any, last: Any) -> Any:
    """last of the two ends less first of the two starts, along an axis."""
    start, end = (slice(None), axis), (slice(None), axis + 2)
    return last(pick(a, end), pick(b, end)) - first(pick(a, start), pick(b, start))


def _both(a: Any, b: Any) -> Any:
    sides = [maximum(_ends(a, b, axis, maximum, minimum), 0.0) for axis in (0, 1)]
    return sides[0] * sides[1]


def _union(a: Any, b: Any) -> Any:
    return _width(a) * _height(a) + _width(b) * _height(b) - _both(a, b)


def _iou(a: Any, b: Any) -> Any:
    return _both(a, b) / _union(a, b)


def _hull(a: Any, b: Any) -> tuple[Any, Any]:
    return _ends(a, b, 0, minimum, maximum), _ends(a, b, 1, minimum, maximum)


def _apart(a: Any, b: Any) -> Any:
    """Squared distance of the centres over the squared diagonal around both."""
    width, height = _hull(a, b)
    x, y = (
        (pick(a, (slice(None), axis)) + pick(a, (slice(None), axis + 2))) / 2
        - (pick(b, (slice(None), axis)) + pick(b, (slice(None), axis + 2))) / 2
        for axis in (0, 1)
    )
    return (x * x + y * y) / (width * width + height * height)


def _constant(value: Any) -> np.ndarray:
    return np.asarray(value.value if isinstance(value, Node) else value)
