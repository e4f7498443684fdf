"""AUC, curves and average precision: by hand, by each other, against scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sklearn import metrics

from edgewright.reference import ranking
from edgewright.reference.stable import sigmoid

LABELS = np.array([1, 0, 1, 1, 0, 0, 1, 0])
SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.55, 0.5, 0.4, 0.1])
samples = some.lists(some.tuples(some.integers(0, 6), some.booleans()), min_size=2, max_size=30).filter(
    lambda found: 0 < sum(label for _, label in found) < len(found)
)  # few distinct scores: most are ties


def parts(found):
    return np.array([score for score, _ in found]) / 6, np.array([label for _, label in found])


@given(samples)
@settings(max_examples=40)  # scikit-learn checks its input at length
def test_pairs_ranks_and_area_are_one_number_and_scikit_learns_ties_included(found):
    scores, labels = parts(found)
    wanted = metrics.roc_auc_score(labels, scores)
    assert ranking.auc_by_pairs(scores, labels) == pytest.approx(wanted)
    assert ranking.auc_by_ranks(scores, labels) == pytest.approx(wanted)
    assert ranking.area(*ranking.roc_curve(scores, labels)[:2]) == pytest.approx(wanted)


@given(samples)
@settings(max_examples=40)  # scikit-learn checks its input at length
def test_curves_and_average_precision_are_scikit_learns(found):
    scores, labels = parts(found)
    theirs = metrics.roc_curve(labels, scores, drop_intermediate=False)
    for ours, wanted in zip(ranking.roc_curve(scores, labels), theirs, strict=True):
        np.testing.assert_allclose(ours, wanted)
    precision, recall, thresholds = metrics.precision_recall_curve(labels, scores)
    for ours, wanted in zip(
        ranking.precision_recall_curve(scores, labels), (precision[:-1], recall[:-1], thresholds), strict=True
    ):
        np.testing.assert_allclose(ours, wanted[::-1])
    assert ranking.average_precision(scores, labels) == pytest.approx(metrics.average_precision_score(labels, scores))


@pytest.mark.parametrize("auc", [ranking.auc_by_pairs, ranking.auc_by_ranks])
def test_worked_areas(auc):
    assert auc(SCORES, LABELS) == 0.6875
    assert auc(np.array([0.8, 0.5, 0.5, 0.2]), np.array([1, 1, 0, 0])) == 0.875
    three = np.array([0.1, 0.7, 0.4])
    assert [auc(s, np.array([0, 1, 0])) for s in (three, 10 * three, sigmoid(three))] == [1, 1, 1]


def test_ten_times_the_negatives_leave_auc_and_halve_average_precision():
    assert ranking.average_precision(SCORES, LABELS) == pytest.approx(0.747024, abs=1e-6)
    times = np.where(LABELS == 1, 1, 10)
    scores, labels = np.repeat(SCORES, times), np.repeat(LABELS, times)
    assert ranking.auc_by_ranks(scores, labels) == 0.6875
    assert ranking.average_precision(scores, labels) == pytest.approx(0.378771, abs=1e-6)


def test_a_float32_sigmoid_ties_large_logits_and_so_changes_the_area():
    logits, labels = np.array([17.0, 40.0]), np.array([0, 1])
    assert ranking.auc_by_ranks(logits, labels) == 1
    assert ranking.auc_by_ranks(sigmoid(logits.astype(np.float32)), labels) == 0.5


def test_precision_at_four_prevalences():
    found = [ranking.precision_at_prevalence(0.9, 0.05, share) for share in (0.5, 0.1, 0.01, 0.001)]
    assert found == pytest.approx([0.9474, 0.6667, 0.1538, 0.0177], abs=5e-5)


def test_the_probability_that_a_positive_ranks_higher_is_what_sampling_finds():
    rng = np.random.default_rng(0)
    scores, labels = np.round(rng.normal(size=400) + np.arange(400) % 2, 1), np.arange(400) % 2
    above, below = rng.choice(scores[labels == 1], 20_000), rng.choice(scores[labels == 0], 20_000)
    estimate = ((above > below) + 0.5 * (above == below)).mean()
    area = ranking.auc_by_ranks(scores, labels)
    assert estimate == pytest.approx(area, abs=4 * math.sqrt(area * (1 - area) / 20_000))


def test_youden_is_where_the_rates_are_farthest_apart():
    best, threshold = ranking.youden(SCORES, LABELS)
    said = threshold <= SCORES
    assert best == pytest.approx(said[LABELS == 1].mean() - said[LABELS == 0].mean()) == 0.5
    assert threshold == 0.6


def test_without_a_positive_there_is_no_area():
    assert math.isnan(ranking.auc_by_ranks(SCORES, np.zeros(8)))
    assert math.isnan(ranking.auc_by_pairs(SCORES, np.ones(8)))
