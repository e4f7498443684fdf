"""Overlaps and suppression by hand, by property, and against torchvision."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from edgewright.reference import boxes

WORKED = np.array([[0.0, 0, 10, 10], [1, 1, 11, 11], [0, 0, 10, 5], [20, 20, 30, 30]])
SCORES = np.array([0.9, 0.8, 0.7, 0.6])

numbers = some.integers(0, 12)
some_box = some.tuples(numbers, numbers, some.integers(1, 8), some.integers(1, 8)).map(
    lambda each: (each[0], each[1], each[0] + each[2], each[1] + each[3])
)
some_boxes = some.lists(some_box, min_size=1, max_size=12).map(lambda found: np.array(found, dtype=float))


def test_worked_overlaps():
    overlaps = boxes.pairwise_iou(WORKED, WORKED)
    assert overlaps[0] == pytest.approx([1, 0.680672, 0.5, 0], abs=1e-6)
    assert overlaps[1, 2] == pytest.approx(0.315789, abs=1e-6)
    assert boxes.giou(WORKED[0], WORKED[1]) == pytest.approx(0.664143, abs=1e-6)
    assert boxes.giou(WORKED[0], WORKED[3]) == pytest.approx(-0.777778, abs=1e-6)


def test_whether_equality_suppresses_decides_about_the_third_box():
    assert boxes.suppress(WORKED, SCORES, max_iou=0.5) == [0, 2, 3]
    assert boxes.suppress(WORKED, SCORES, max_iou=0.5, at_equality=True) == [0, 3]


def test_by_class_nothing_suppresses_another_class():
    classes = np.array([0, 1, 0, 1])
    assert boxes.suppress_by_class(WORKED, SCORES, classes, max_iou=0.4) == [0, 1, 3]
    assert boxes.suppress_by_class(WORKED, SCORES, np.zeros(4, int), max_iou=0.4) == [0, 3]


def test_soft_suppression_lowers_by_a_gaussian_or_a_line():
    taken = boxes.soften(WORKED, SCORES, sigma=0.5)
    first = 0.8 * np.exp(-(boxes.iou(WORKED[0], WORKED[1]) ** 2) / 0.5)
    third = 0.7 * np.exp(-0.25 / 0.5)
    assert [index for index, _ in taken] == [0, 3, 2, 1]
    by_index = dict(taken)
    assert by_index[0] == 0.9 and by_index[3] == 0.6
    assert by_index[2] == pytest.approx(third)
    assert by_index[1] == pytest.approx(first * np.exp(-((6 / 19) ** 2) / 0.5))
    straight = dict(boxes.soften(WORKED, SCORES, sigma=None, max_iou=0.55))
    assert straight == {0: 0.9, 2: 0.7, 3: 0.6, 1: pytest.approx(0.8 * (1 - 81 / 119))}


def test_a_narrow_gaussian_keeps_what_hard_suppression_keeps():
    alive = {index for index, score in boxes.soften(WORKED, SCORES, sigma=1e-4) if score > 1e-9}
    assert alive == set(boxes.suppress(WORKED, SCORES, max_iou=0.01))


@given(some_box, some_box)
def test_order_and_symmetry_of_the_overlaps(a, b):
    for measure in (boxes.iou, boxes.giou, boxes.diou, boxes.ciou):
        assert measure(a, b) == pytest.approx(measure(b, a))
        assert measure(a, a) == pytest.approx(1)
    assert 0 <= boxes.iou(a, b) <= 1 and boxes.giou(a, b) > -1
    assert boxes.giou(a, b) <= boxes.iou(a, b) + 1e-12
    assert boxes.ciou(a, b) <= boxes.diou(a, b) + 1e-12 <= boxes.iou(a, b) + 2e-12


@given(some_boxes, some.floats(0, 1))
def test_what_stays_overlaps_little_and_what_goes_overlaps_something_better(found, limit):
    scores = np.linspace(1, 0.1, len(found))
    kept = boxes.suppress(found, scores, max_iou=limit)
    for place, index in enumerate(kept):
        assert all(boxes.iou(found[index], found[better]) <= limit for better in kept[:place])
    for index in set(range(len(found))) - set(kept):
        assert any(boxes.iou(found[index], found[better]) > limit for better in kept if better < index)


@pytest.mark.slow  # torchvision takes seconds to load
@given(some_boxes, some.sampled_from([0.3, 0.45, 0.7]))
def test_overlaps_and_suppression_are_torchvisions(found, limit):
    from torchvision import ops

    tensors = torch.tensor(found)
    for ours, theirs in (
        (boxes.iou, ops.box_iou), (boxes.giou, ops.generalized_box_iou),
        (boxes.diou, ops.distance_box_iou), (boxes.ciou, ops.complete_box_iou),
    ):  # fmt: skip
        wanted = theirs(tensors, tensors).numpy()
        np.testing.assert_allclose([[ours(a, b) for b in found] for a in found], wanted, atol=1e-6)
    scores = np.linspace(1, 0.1, len(found))
    assert boxes.suppress(found, scores, max_iou=limit) == ops.nms(tensors, torch.tensor(scores), limit).tolist()


def test_boxes_without_area_overlap_nothing():
    assert boxes.iou((1, 1, 1, 1), (1, 1, 1, 1)) == 0
    assert boxes.area((3, 3, 1, 5)) == 0
