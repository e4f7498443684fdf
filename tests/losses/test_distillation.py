import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from edgewright.errors import ConfigError, ShapeError
from edgewright.losses import soft_target_loss

TEACHER = torch.tensor([[5.0, 2.0, 1.0]], dtype=torch.float64)
STUDENT = torch.tensor([[3.0, 1.0, 0.5]], dtype=torch.float64)


def value_and_gradient(temperature: float) -> tuple[float, list[float]]:
    student = STUDENT.clone().requires_grad_()
    value = soft_target_loss(student, TEACHER, temperature=temperature)
    value.backward()
    return value.item(), student.grad[0].tolist()


@pytest.mark.parametrize(("temperature", "divergence"), [(1, 0.0585158), (2, 0.0402296), (4, 0.0126066)])
def test_worked_divergences_times_t_squared(temperature, divergence):
    assert value_and_gradient(temperature)[0] == pytest.approx(divergence * temperature**2, rel=2e-6)


def test_the_gradient_at_t_1_is_student_minus_teacher_probabilities():
    assert value_and_gradient(1)[1] == pytest.approx([-0.114831, 0.064553, 0.050278], abs=1e-6)


@pytest.mark.parametrize(("temperature", "first"), [(2, -0.263340), (4, -0.306028), (16, -0.291351)])
def test_t_squared_keeps_the_gradient_at_one_size(temperature, first):
    assert value_and_gradient(temperature)[1][0] == pytest.approx(first, abs=2e-6)


def test_a_large_t_matches_centred_logits():
    value, gradient = value_and_gradient(1e4)
    assert value == pytest.approx(0.194444, abs=1e-3)  # |z_c,s - z_c,t|^2 / (2 N)
    assert gradient == pytest.approx([-0.277778, 0.055556, 0.222222], abs=1e-3)


def test_a_batch_is_the_mean_over_samples_and_not_over_elements():
    one = soft_target_loss(STUDENT, TEACHER, temperature=2)
    four = soft_target_loss(STUDENT.repeat(4, 1), TEACHER.repeat(4, 1), temperature=2)
    torch.testing.assert_close(one, four)


def test_no_gradient_reaches_the_teacher():
    teacher = TEACHER.clone().requires_grad_()
    soft_target_loss(STUDENT.clone().requires_grad_(), teacher, temperature=2).backward()
    assert teacher.grad is None


logits = some.lists(some.floats(-30, 30), min_size=3, max_size=3)


@given(student=logits, teacher=logits, temperature=some.floats(0.1, 20))
def test_it_is_never_negative_and_zero_for_equal_answers(student, teacher, temperature):
    both = [torch.tensor([each], dtype=torch.float64) for each in (student, teacher)]
    assert soft_target_loss(*both, temperature=temperature).item() >= -1e-9
    assert soft_target_loss(both[0], both[0] + 3, temperature=temperature).item() == pytest.approx(0, abs=1e-9)


def test_other_classes_are_refused():
    with pytest.raises(
        ShapeError, match=r"student gives \(1, 3\) and the teacher \(1, 4\), expected \(B, K\) for both"
    ):
        soft_target_loss(STUDENT, torch.zeros(1, 4), temperature=1)


def test_a_temperature_of_0_is_refused():
    with pytest.raises(ConfigError, match="temperature must be greater than 0, got 0"):
        soft_target_loss(STUDENT, TEACHER, temperature=0)
