import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from sklearn.metrics import accuracy_score, confusion_matrix

from edgewright.errors import ConfigError, ShapeError
from edgewright.metrics import Accuracy, ConfusionMatrix

ids = some.lists(some.tuples(some.integers(0, 4), some.integers(0, 4)), min_size=1, max_size=50)


def test_accuracy_is_in_points_and_adds_up_over_batches():
    metric = Accuracy()
    metric.update(torch.tensor([0, 1, 2]), torch.tensor([0, 1, 1]))
    metric.update(np.array([3]), np.array([3]))
    assert metric.compute() == 75.0
    assert metric.num_samples == 4


def test_accuracy_of_nothing_is_not_a_number():
    assert math.isnan(Accuracy().compute())


@given(pairs=ids)
def test_accuracy_is_scikit_learns(pairs):
    decisions, targets = np.array(pairs).T
    metric = Accuracy()
    metric.update(decisions, targets)
    assert metric.compute() == pytest.approx(100 * accuracy_score(targets, decisions), rel=1e-12)


def test_rows_of_the_confusion_matrix_are_true_classes():
    metric = ConfusionMatrix(3)
    metric.update(torch.tensor([1, 1, 2]), torch.tensor([0, 1, 2]))
    assert metric.compute().tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 1]]


@given(pairs=ids)
def test_the_confusion_matrix_is_scikit_learns_and_its_trace_is_the_accuracy(pairs):
    decisions, targets = np.array(pairs).T
    metric, accuracy = ConfusionMatrix(5), Accuracy()
    for each in (metric, accuracy):
        each.update(decisions[:7], targets[:7])
        each.update(decisions[7:], targets[7:])
    counts = metric.compute()
    assert np.array_equal(counts, confusion_matrix(targets, decisions, labels=range(5)))
    assert 100 * counts.trace() / counts.sum() == pytest.approx(accuracy.compute(), rel=1e-12)


def test_the_result_is_a_copy():
    metric = ConfusionMatrix(2)
    metric.compute()[0, 0] = 9
    assert metric.compute().sum() == 0


def test_a_class_id_out_of_range_is_refused():
    with pytest.raises(ShapeError, match="Class ids run from 0 to 3, expected 0 to 2"):
        ConfusionMatrix(3).update([0, 3], [0, 1])


@pytest.mark.parametrize("metric", [Accuracy(), ConfusionMatrix(3)])
def test_as_many_targets_as_decisions_are_needed(metric):
    with pytest.raises(ShapeError, match=r"Decisions have shape \(2,\) and targets \(3,\), expected \(B,\) for both"):
        metric.update([0, 1], [0, 1, 2])


def test_one_class_makes_no_confusion_matrix():
    with pytest.raises(ConfigError, match="at least 2 classes, got 1"):
        ConfusionMatrix(1)
