"""Counts and ratios by hand, against scikit-learn, and the product's own counts against them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sklearn import metrics

from edgewright.metrics import Accuracy, ConfusionMatrix, paired_std_error
from edgewright.reference import decisions
from edgewright.reference.decisions import Binary

WORKED = Binary(tp=50, fn=10, fp=5, tn=35)
COUNTS = np.array([[50, 10], [5, 35]])  # class 0 is the positive one
pairs = some.lists(some.tuples(some.integers(0, 3), some.integers(0, 3)), min_size=2, max_size=40)


def test_the_worked_example():
    assert WORKED.precision == pytest.approx(0.909091, abs=1e-6)
    assert WORKED.recall == pytest.approx(0.833333, abs=1e-6)
    assert WORKED.f1 == pytest.approx(0.869565, abs=1e-6)
    assert (WORKED.accuracy, WORKED.specificity) == (0.85, 0.875)
    assert WORKED.balanced_accuracy == pytest.approx(0.854167, abs=1e-6)
    assert WORKED.mcc == pytest.approx(0.697518, abs=1e-6)
    assert WORKED.youden == pytest.approx(0.708333, abs=1e-6)
    assert decisions.kappa(COUNTS) == pytest.approx(0.693878, abs=1e-6)
    other = WORKED.negated
    assert (other.precision, other.recall, other.f1) == pytest.approx((0.777778, 0.875, 0.823529), abs=1e-6)
    assert decisions.macro_f1(COUNTS) == pytest.approx(0.846547, abs=1e-6)
    assert decisions.macro_f1(COUNTS, weighted=True) == pytest.approx(0.851151, abs=1e-6)
    assert decisions.micro_f1(COUNTS) == pytest.approx(0.85)
    assert (WORKED.iou, other.iou) == pytest.approx((0.769231, 0.7), abs=1e-6)
    assert decisions.mean_iou(COUNTS) == pytest.approx(0.734615, abs=1e-6)
    assert decisions.frequency_weighted_iou(COUNTS) == pytest.approx(0.741538, abs=1e-6)


def test_rows_are_the_truth():
    assert decisions.one_against_rest(COUNTS, 0) == WORKED
    assert decisions.one_against_rest(COUNTS, 1) == WORKED.negated
    assert decisions.one_against_rest(decisions.confusion([0, 0, 1], [1, 1, 1], 2), 0) == Binary(tp=0, fn=2, fp=0, tn=1)


def test_saying_no_to_all_is_99_percent_right_and_worth_nothing():
    never = Binary(tp=0, fn=10, fp=0, tn=990)
    assert (never.accuracy, never.recall, never.f1, never.balanced_accuracy) == (0.99, 0, 0, 0.5)
    assert math.isnan(never.precision) and math.isnan(never.mcc)


@given(pairs)
@settings(max_examples=40)  # scikit-learn checks its input at length
def test_counts_are_scikit_learns_and_the_products(found):
    true, said = (np.array(each) for each in zip(*found, strict=True))
    counts = decisions.confusion(true, said, 4)
    np.testing.assert_array_equal(counts, metrics.confusion_matrix(true, said, labels=range(4)))
    matrix, accuracy = ConfusionMatrix(4), Accuracy()
    for half in np.array_split(np.arange(len(true)), 2):
        matrix.update(said[half], true[half])
        accuracy.update(said[half], true[half])
    np.testing.assert_array_equal(counts, matrix.compute())
    assert accuracy.compute() == pytest.approx(100 * decisions.micro_f1(counts))


@given(pairs)
@settings(max_examples=40)  # scikit-learn checks its input at length
def test_ratios_are_scikit_learns(found):
    true, said = (np.array(each) for each in zip(*found, strict=True))
    counts = decisions.confusion(true, said, 4)
    f1 = metrics.f1_score(true, said, labels=range(4), average=None, zero_division=np.nan)
    jaccard = metrics.jaccard_score(true, said, labels=np.unique([true, said]), average=None)
    ours = [decisions.one_against_rest(counts, which).f1 for which in range(4)]
    np.testing.assert_allclose(ours, f1)
    assert decisions.mean_iou(counts) == pytest.approx(jaccard.mean())
    if len(np.unique([true, said])) > 1:
        assert decisions.kappa(counts) == pytest.approx(metrics.cohen_kappa_score(true, said))


@given(some.integers(0, 20), some.integers(0, 20), some.integers(0, 20), some.integers(0, 20))
def test_mcc_is_the_correlation_and_f1_does_not_look_at_true_negatives(tp, fn, fp, tn):
    counts = Binary(tp=tp, fn=fn, fp=fp, tn=tn)
    true = np.repeat([1, 1, 0, 0], [tp, fn, fp, tn])
    said = np.repeat([1, 0, 1, 0], [tp, fn, fp, tn])
    if len(set(true)) == 2 and len(set(said)) == 2:
        assert counts.mcc == pytest.approx(np.corrcoef(true, said)[0, 1])
    if tp + fn + fp:
        assert counts.f1 == Binary(tp=tp, fn=fn, fp=fp, tn=tn + 100).f1
        assert counts.f1 == pytest.approx(2 * counts.iou / (1 + counts.iou))


def test_top_k_is_scikit_learns_and_takes_the_lower_of_equal_classes():
    rng = np.random.default_rng(0)
    scores, true = rng.random((50, 6)), rng.integers(0, 6, 50)
    for k in (1, 3, 5):
        wanted = metrics.top_k_accuracy_score(true, scores, k=k, labels=range(6))
        assert decisions.top_k_accuracy(scores, true, k) == pytest.approx(wanted)
    assert decisions.top_k_accuracy(np.zeros((1, 3)), np.array([0]), 1) == 1
    assert decisions.top_k_accuracy(np.zeros((1, 3)), np.array([1]), 1) == 0


def test_the_products_paired_error_is_that_of_the_mean_of_the_changes():
    rng = np.random.default_rng(0)
    before, after = rng.random(500) < 0.9, rng.random(500) < 0.8
    gained, lost = (after & ~before).sum(), (before & ~after).sum()
    variance = (gained + lost) / 500 - ((gained - lost) / 500) ** 2  # McNemar's counts alone
    assert paired_std_error(before, after) == pytest.approx(100 * math.sqrt(variance / 500))
