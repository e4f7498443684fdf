"""Average precision in its three forms: worked numbers, an interpolation that is written another way, and matching."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from edgewright.reference import detection_metrics as detection
from edgewright.reference.boxes import pairwise_iou

HITS, TRUTHS = [1, 1, 0, 1, 0, 0, 1], 5


def test_the_worked_example_in_all_three_forms():
    assert detection.ap_11_points(HITS, TRUTHS) == pytest.approx(0.694805, abs=1e-6)
    assert detection.ap_all_points(HITS, TRUTHS) == pytest.approx(93 / 140, abs=1e-12)
    assert detection.ap_101_points(HITS, TRUTHS) == pytest.approx(0.667610, abs=1e-6)


def test_trapezoids_under_the_raw_curve_are_none_of_them():
    precision, found = detection.curve(HITS)
    recall = np.concatenate([[0], found / TRUTHS])
    trapezoid = np.trapezoid(np.concatenate([[1], precision]), recall)
    assert trapezoid == pytest.approx(0.648810, abs=1e-6)


@given(some.lists(some.booleans(), max_size=30), some.integers(0, 5))
def test_by_a_running_maximum_from_behind_it_is_the_same(hits, missed):
    """The way of the VOC and COCO tools: an envelope by accumulation, a look-up of recalls in a sorted list."""
    truths = sum(hits) + missed
    if truths == 0:
        return
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    padded = np.concatenate([falling, [0.0]])

    def at(tenths: int, of: int) -> float:
        return padded[np.searchsorted(found * of, tenths * truths, side="left")]

    assert detection.ap_11_points(hits, truths) == pytest.approx(np.mean([at(k, 10) for k in range(11)]))
    assert detection.ap_101_points(hits, truths) == pytest.approx(np.mean([at(k, 100) for k in range(101)]))
    steps = np.diff(np.concatenate([[0], found / truths]))
    assert detection.ap_all_points(hits, truths) == pytest.approx((steps * falling).sum())


@given(some.integers(1, 8))
def test_all_right_and_nothing_else_is_1_in_every_form(count):
    for form in detection.AVERAGE_PRECISION.values():
        assert form([True] * count, count) == pytest.approx(1)
        assert form([False] * count, count) == 0
        assert form([], count) == 0


def test_a_truth_is_taken_once_and_by_the_best_score():
    truths = np.array([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    detections = np.array([[1.0, 1, 11, 11], [0, 0, 10, 10], [21, 20, 31, 30], [50, 50, 60, 60]])
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    assert detection.match(detections, scores, truths) == [True, False, True, False]
    assert detection.match(detections, scores, truths, min_iou=0.7) == [False, True, True, False]
    assert detection.match(detections, scores[::-1], truths) == [False, True, True, False]
    assert detection.match(detections, scores, np.zeros((0, 4))) == [False] * 4


def test_cocos_thresholds_and_recalls():
    assert detection.coco_thresholds() == pytest.approx(np.arange(0.5, 1, 0.05))
    truths = np.array([[0.0, 0, 10, 10], [20, 20, 30, 30]])
    detections = np.array([[0.0, 0, 10, 8.2], [20, 20, 30, 30]])
    ious = pairwise_iou(truths, detections)
    assert detection.average_recall(ious, max_detections=1) == pytest.approx(0.5 * 7 / 10)  # 0.82 reaches 0.5 to 0.8
    assert detection.average_recall(ious, max_detections=100) == pytest.approx((7 * 1 + 3 * 0.5) / 10)
