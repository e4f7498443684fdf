"""Soft targets by hand, and the product's losses of imitation against loops."""

import numpy as np
import pytest
import torch

from autograd_oracle import check
from edgewright.losses import attention_distance, decoupled_loss, relation_loss, soft_target_loss
from edgewright.reference import distillation
from edgewright.reference.stable import log_softmax, softmax

TEACHER, STUDENT = np.array([[5.0, 2, 1]]), np.array([[3.0, 1, 0.5]])
RNG = np.random.default_rng(0)
OURS, THEIRS = 2 * RNG.standard_normal((5, 4)), 2 * RNG.standard_normal((5, 4))


@pytest.mark.parametrize(
    ("temperature", "divergence", "first"),
    [(1, 0.0585158, -0.114831), (2, 0.0402296, -0.263340), (4, 0.0126066, -0.306028)],
)
def test_worked_divergences_and_gradients(temperature, divergence, first):
    found = distillation.soft_targets(STUDENT, TEACHER, temperature=temperature)
    assert found == pytest.approx(temperature**2 * divergence, abs=temperature**2 * 1e-7)
    slope = distillation.soft_targets_gradient(STUDENT, TEACHER, temperature=temperature)
    assert slope[0, 0] == pytest.approx(first, abs=1e-6)


def test_the_teacher_comes_first():
    assert softmax(TEACHER)[0] == pytest.approx([0.93624, 0.04661, 0.01715], abs=1e-5)
    p, q = log_softmax(TEACHER)[0], log_softmax(STUDENT)[0]
    assert distillation.divergence(p, q) == pytest.approx(0.0585158, abs=1e-7)
    assert distillation.divergence(q, p) != pytest.approx(0.0585158, abs=1e-3)


def test_one_over_t_squared_is_a_limit():
    slopes = distillation.soft_targets_gradient(STUDENT, TEACHER, temperature=1e4)
    assert slopes[0] == pytest.approx([-0.277778, 0.055556, 0.222222], abs=1e-4)
    assert distillation.soft_targets(STUDENT, TEACHER, temperature=1e4) == pytest.approx(0.194444, abs=1e-4)
    assert distillation.soft_targets_gradient(STUDENT, TEACHER, temperature=16)[0, 0] == pytest.approx(
        -0.291351, abs=1e-6
    )


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_products_soft_targets_have_the_references_value_and_gradient(temperature):
    student = torch.tensor(OURS, requires_grad=True)
    loss = soft_target_loss(student, torch.tensor(THEIRS), temperature=temperature)
    loss.backward()
    assert loss.item() == pytest.approx(distillation.soft_targets(OURS, THEIRS, temperature=temperature))
    check([distillation.soft_targets_gradient(OURS, THEIRS, temperature=temperature)], [student.grad.numpy()])


@pytest.mark.parametrize("non_target", [0.0, 1.0, 8.0])
def test_the_products_decoupled_loss_is_the_references(non_target):
    labels = np.array([0, 1, 2, 3, 1])
    found = decoupled_loss(
        torch.tensor(OURS), torch.tensor(THEIRS), torch.tensor(labels), temperature=2.0, non_target=non_target
    )
    wanted = distillation.decoupled(OURS, THEIRS, labels, temperature=2.0, non_target=non_target)
    assert found.item() == pytest.approx(wanted)


def test_decoupled_with_the_teachers_mass_is_the_whole_divergence():
    labels = np.array([1, 1])
    rows = np.array([OURS[0], OURS[0]]), np.array([THEIRS[0], THEIRS[0]])
    rest = 1 - softmax(THEIRS[0])[1]
    assert distillation.decoupled(*rows, labels, temperature=1.0, non_target=rest) == pytest.approx(
        distillation.soft_targets(*rows, temperature=1.0)
    )


def test_the_products_attention_distance_is_the_references():
    ours, theirs = RNG.standard_normal((3, 4, 5, 6)), RNG.standard_normal((3, 7, 5, 6))
    found = attention_distance(torch.tensor(ours), torch.tensor(theirs))
    assert found.item() == pytest.approx(distillation.attention(ours, theirs), rel=1e-5)  # the product's are float32


@pytest.mark.parametrize("angle", [0.0, 2.0])
def test_the_products_relation_loss_is_the_references(angle):
    ours, theirs = RNG.standard_normal((6, 4)), RNG.standard_normal((6, 9))
    found = relation_loss(torch.tensor(ours), torch.tensor(theirs), angle=angle)
    assert found.item() == pytest.approx(distillation.relations(ours, theirs, angle=angle), rel=1e-5)
