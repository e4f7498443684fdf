"""Points by hand, and what reading them from maps costs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from edgewright.reference import keypoints

POSE = np.array([[0.0, 0, 0], [100, 0, 0], [100, 200, 0], [0, 200, 50]])


def turned(pose: np.ndarray, degrees: float = 30) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return 1.1 * pose @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + (10, 20, 30)


def test_mean_distances_of_a_turned_larger_moved_pose():
    found = turned(POSE)
    assert keypoints.mpjpe(found, POSE) == pytest.approx(87.9927, abs=5e-5)
    assert keypoints.mpjpe(found, POSE, root=0) == pytest.approx(72.2908, abs=5e-5)
    assert keypoints.mpjpe(keypoints.aligned(found, POSE), POSE) == pytest.approx(0, abs=1e-9)


def test_alignment_never_mirrors():
    mirrored = POSE * (-1, 1, 1)
    assert keypoints.mpjpe(keypoints.aligned(mirrored, POSE), POSE) > 1


def test_no_small_turn_scale_or_move_improves_an_alignment():
    found = POSE + np.random.default_rng(0).normal(0, 20, POSE.shape)
    best = keypoints.aligned(found, POSE)
    error = ((best - POSE) ** 2).sum()
    for changed in (1.01 * best, 0.99 * best, best + 1, turned(best, 2) / 1.1, turned(best, -2) / 1.1):
        assert ((changed - POSE) ** 2).sum() > error


def test_object_keypoint_similarity_five_pixels_away():
    true = np.zeros((3, 2))
    found = true + np.array([3, 4])
    sigmas = keypoints.COCO_SIGMAS_K[[0, 1, 11]]  # nose, eye, hip
    each = [keypoints.oks(found[:1], true[:1], area=20_000, sigmas_K=sigmas[i : i + 1]) for i in range(3)]
    assert each == pytest.approx([0.793629, 0.778801, 0.986445], abs=1e-6)
    everywhere = np.zeros((17, 2))
    assert keypoints.oks(everywhere + np.array([3, 4]), everywhere, area=20_000) == pytest.approx(0.930364, abs=1e-6)


def test_share_of_points_within_a_normalized_distance():
    true = np.zeros((4, 2))
    found = np.array([[0.0, 0], [3, 4], [0, 10], [0, 10.1]])
    assert keypoints.pck(found, true, reference=50, share=0.2) == 0.75
    assert keypoints.head_size((10, 10, 40, 50)) == pytest.approx(30)
    assert keypoints.pck(found, true, reference=keypoints.head_size((10, 10, 40, 50)), share=0.5) == 1


coordinates = some.floats(5.0, 14.0)


@given(coordinates, coordinates)
def test_a_parabola_finds_the_middle_of_a_gaussian_and_a_cell_misses_by_half_of_one(x, y):
    drawn = keypoints.heat_map(x, y, size=(20, 20), sigma=2)
    assert keypoints.parabola(drawn) == pytest.approx((x, y), abs=1e-9)
    cell, quarter = keypoints.largest_cell(drawn), keypoints.quarter_shifted(drawn)
    assert max(abs(cell[0] - x), abs(cell[1] - y)) <= 0.5 + 1e-9
    assert max(abs(quarter[0] - x), abs(quarter[1] - y)) <= 0.25 + 1e-9


def test_mean_errors_of_the_cell_and_of_the_quarter():
    grid = (np.arange(60) + 0.5) / 60 + 7
    errors = {keypoints.largest_cell: [], keypoints.quarter_shifted: []}
    for x, y in ((x, y) for x in grid[::2] for y in grid[::2]):
        drawn = keypoints.heat_map(x, y, size=(16, 16), sigma=1.5)
        for read, found in errors.items():
            found.append(math.dist(read(drawn), (x, y)))
    assert np.mean(errors[keypoints.largest_cell]) == pytest.approx(0.382598, abs=2e-3)
    assert np.sqrt(np.mean(np.square(errors[keypoints.largest_cell]))) == pytest.approx(0.408248, abs=2e-3)
    assert np.mean(errors[keypoints.quarter_shifted]) == pytest.approx(0.191299, abs=2e-3)


def test_an_expectation_is_drawn_to_the_middle_when_soft_and_to_the_cell_when_sharp():
    middle, corner = (keypoints.heat_map(x, 7.5, size=(16, 16), sigma=1.5) for x in (7.5, 3.2))
    assert keypoints.expectation(middle, sharpness=20) == pytest.approx((7.5, 7.5))
    soft, between, sharp = (keypoints.expectation(corner, sharpness=sharpness)[0] for sharpness in (1, 10, 100))
    assert soft > 6 and between == pytest.approx(3.2, abs=0.1) and sharp == pytest.approx(3, abs=1e-4)


def test_at_a_border_there_is_no_neighbour_to_ask():
    drawn = keypoints.heat_map(0, 0, size=(4, 4), sigma=1)
    assert keypoints.quarter_shifted(drawn) == keypoints.parabola(drawn) == (0, 0)
