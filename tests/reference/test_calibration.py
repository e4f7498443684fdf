"""Whether probabilities mean what they say: by hand, and models that only one of two measures can tell apart."""

import math

import numpy as np
import pytest
from sklearn import metrics

from edgewright.reference import calibration
from edgewright.reference.ranking import auc_by_ranks

RNG = np.random.default_rng(0)


def test_by_hand_over_two_bins():
    said, right = np.array([0.5, 0.4, 0.9, 0.7]), np.array([True, False, True, True])
    bins = calibration.reliability(said, right, num_bins=2)  # 0.5 belongs to (0, 0.5]
    assert bins == [(2, 0.5, pytest.approx(0.45)), (2, 1.0, pytest.approx(0.8))]
    assert calibration.expected_calibration_error(said, right, num_bins=2) == pytest.approx(0.5 * 0.05 + 0.5 * 0.2)
    assert calibration.maximum_calibration_error(said, right, num_bins=2) == pytest.approx(0.2)


def test_log_loss_and_brier_are_scikit_learns_and_the_worked_one():
    positive = np.array([0.9, 0.2])
    both = np.stack([1 - positive, positive], axis=1)
    assert calibration.log_loss(both, np.array([1, 0])) == pytest.approx(0.164252, abs=1e-6)
    probabilities, labels = RNG.dirichlet(np.ones(4), 30), RNG.integers(0, 4, 30)
    assert calibration.log_loss(probabilities, labels) == pytest.approx(
        metrics.log_loss(labels, probabilities, labels=range(4))
    )
    two = np.stack([1 - probabilities[:, 0], probabilities[:, 0]], axis=1)
    wanted = 2 * metrics.brier_score_loss((labels > 1).astype(int), probabilities[:, 0])
    assert calibration.brier(two, (labels > 1).astype(int)) == pytest.approx(wanted)
    assert calibration.log_loss(np.array([[1.0, 0.0]]), np.array([1])) == math.inf


def test_accuracy_cannot_tell_51_from_99_percent_and_log_loss_can():
    right = np.arange(100) < 90
    errors = {sure: calibration.expected_calibration_error(np.full(100, sure), right) for sure in (0.51, 0.9, 0.99)}
    assert errors == {0.51: pytest.approx(0.39), 0.9: pytest.approx(0), 0.99: pytest.approx(0.09)}
    labels = np.where(right, 1, 0)
    losses = {sure: calibration.log_loss(np.tile([1 - sure, sure], (100, 1)), labels) for sure in errors}
    assert losses[0.9] == min(losses.values())


def test_one_auc_two_calibrations():
    p = RNG.random(5_000)
    happened = RNG.random(5_000) < p
    assert auc_by_ranks(p, happened) == auc_by_ranks(p**3, happened)
    assert calibration.expected_calibration_error(p, happened) < 0.03
    assert calibration.expected_calibration_error(p**3, happened) > 0.2
