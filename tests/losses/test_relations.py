"""Losses that imitate something else than soft targets: decoupled answers, attention, relations."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from edgewright.errors import ConfigError, ShapeError
from edgewright.losses import attention_distance, decoupled_loss, relation_loss, soft_target_loss

TEACHER = torch.tensor([[5.0, 2.0, 1.0]], dtype=torch.float64)
STUDENT = torch.tensor([[3.0, 1.0, 0.5]], dtype=torch.float64)
FIRST = torch.tensor([0])


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_two_parts_of_a_worked_example():
    """q_t = (.93624, .04661, .01715) of the teacher, softmax(3, 1, .5) of the student, at T = 1."""
    teacher, student = (each.softmax(1)[0].tolist() for each in (TEACHER, STUDENT))
    binary = [(each[0], 1 - each[0]) for each in (teacher, student)]
    others = [(each[1] / (1 - each[0]), each[2] / (1 - each[0])) for each in (teacher, student)]

    def divergence(both):
        return sum(p * math.log(p / q) for p, q in zip(*both, strict=True))

    for weight in (0.0, 1.0, 8.0):
        got = decoupled_loss(STUDENT, TEACHER, FIRST, temperature=1, non_target=weight)
        assert got.item() == pytest.approx(divergence(binary) + weight * divergence(others), rel=1e-9)


@given(seed=some.integers(0, 50), temperature=some.floats(0.5, 8))
def test_soft_targets_are_the_first_part_and_the_teachers_doubt_times_the_second(seed, temperature):
    student, teacher, target = drawn(1, 5, seed=seed), 3 * drawn(1, 5, seed=seed + 100), torch.tensor([seed % 5])
    parts = [decoupled_loss(student, teacher, target, temperature=temperature, non_target=each) for each in (0.0, 1.0)]
    doubt = 1 - (teacher / temperature).softmax(1)[0, target]
    soft = soft_target_loss(student, teacher, temperature=temperature)
    torch.testing.assert_close(soft, (parts[0] + doubt * (parts[1] - parts[0])).squeeze())


def test_the_gradient_among_the_others_is_the_difference_of_their_shares():
    """d NCKD / dz = T (q_student - q_teacher) over the classes that are not the target, and 0 at the target."""
    student = STUDENT.clone().requires_grad_()
    both, one = (decoupled_loss(student, TEACHER, FIRST, temperature=4, non_target=each) for each in (1.0, 0.0))
    (gradient,) = torch.autograd.grad(both - one, student)
    shares = [(each[0, 1:] / 4).softmax(0) for each in (STUDENT, TEACHER)]
    torch.testing.assert_close(gradient[0, 1:], 4 * (shares[0] - shares[1]))
    assert gradient[0, 0].abs() < 1e-12


def test_a_teacher_that_is_nearly_certain_gives_finite_parts():
    teacher = torch.tensor([[60.0, 0.0, -5.0]])
    student = torch.tensor([[1.0, 0.0, 2.0]]).requires_grad_()
    decoupled_loss(student, teacher, FIRST, temperature=1, non_target=8).backward()
    assert torch.isfinite(student.grad).all()


@pytest.mark.parametrize("targets", [torch.zeros(1, 3), torch.tensor([0, 1])])
def test_targets_that_are_no_class_ids_are_refused(targets):
    with pytest.raises(ShapeError, match="decoupled loss needs one class id per sample, got targets"):
        decoupled_loss(STUDENT, TEACHER, targets, temperature=1)


def test_decoupled_answers_of_other_classes_or_no_temperature_are_refused():
    with pytest.raises(ShapeError, match=r"student gives \(1, 3\) and the teacher \(1, 4\)"):
        decoupled_loss(STUDENT, torch.zeros(1, 4), FIRST, temperature=1)
    with pytest.raises(ConfigError, match="temperature must be greater than 0, got 0"):
        decoupled_loss(STUDENT, TEACHER, FIRST, temperature=0)


def test_attention_of_two_places_by_hand():
    """Squares (9, 16) and (16, 9), of length sqrt(337): the distance is 2 (7 / sqrt(337))^2."""
    student, teacher = torch.tensor([[[[3.0, 4.0]]]]), torch.tensor([[[[4.0, 3.0]]]])
    assert attention_distance(student, teacher).item() == pytest.approx(2 * 49 / 337, rel=1e-6)
    assert attention_distance(7 * teacher, teacher).item() == pytest.approx(0, abs=1e-12)


def test_attention_needs_neither_equal_channels_nor_equal_sizes():
    student = drawn(2, 3, 8, 8).requires_grad_()
    teacher = drawn(2, 5, 4, 4, seed=1).requires_grad_()
    value = attention_distance(student, teacher)
    value.backward()
    assert 0 < value.item() < 2
    assert student.grad.abs().sum() > 0 and teacher.grad is None
    pooled = student.detach().float().square().sum(1, keepdim=True).reshape(2, 4, 2, 4, 2).mean((2, 4))
    flat = torch.nn.functional.normalize(pooled.flatten(1), dim=1)
    wanted = torch.nn.functional.normalize(teacher.detach().float().square().sum(1).flatten(1), dim=1)
    assert value.item() == pytest.approx((flat - wanted).square().sum(1).mean().item(), rel=1e-5)


def huber(difference: float) -> float:
    return 0.5 * difference**2 if abs(difference) < 1 else abs(difference) - 0.5


def naive_relations(student, teacher, angle):
    """Every pair and every triplet of different samples, in plain loops."""
    both, num = (student, teacher), len(student)
    pairs = [(i, j) for i in range(num) for j in range(num) if i != j]
    lengths = [{pair: (each[pair[0]] - each[pair[1]]).norm().item() for pair in pairs} for each in both]
    means = [sum(each.values()) / len(pairs) for each in lengths]
    distance = sum(huber(lengths[0][pair] / means[0] - lengths[1][pair] / means[1]) for pair in pairs) / len(pairs)
    triplets = [(i, j, k) for i, j in pairs for k in range(num) if k not in (i, j)]
    cosines = [
        [torch.cosine_similarity(each[j] - each[i], each[k] - each[i], dim=0).item() for i, j, k in triplets]
        for each in both
    ]
    angles = sum(huber(ours - theirs) for ours, theirs in zip(*cosines, strict=True)) / len(triplets)
    return distance + angle * angles


@pytest.mark.parametrize("angle", [0.0, 2.0])
def test_relations_equal_a_loop_over_pairs_and_triplets(angle):
    student, teacher = drawn(6, 3), drawn(6, 5, seed=1)
    got = relation_loss(student, teacher, angle=angle).item()
    assert got == pytest.approx(naive_relations(student.float(), teacher.float(), angle), rel=1e-4)


@given(scale=some.floats(0.1, 50), seed=some.integers(0, 20))
def test_relations_do_not_mind_a_shift_a_scale_or_a_rotation(scale, seed):
    teacher = drawn(8, 4, seed=seed)
    turned, _ = torch.linalg.qr(drawn(4, 4, seed=seed + 50))
    assert relation_loss(scale * teacher @ turned + 3, teacher).item() == pytest.approx(0, abs=1e-6)


def test_equal_samples_have_no_direction_and_finite_gradients():
    student = drawn(4, 3)[[0, 0, 1, 2]].requires_grad_()
    relation_loss(student, drawn(4, 3, seed=1)).backward()
    assert torch.isfinite(student.grad).all()


@pytest.mark.parametrize("num", [1, 2])
def test_fewer_than_three_samples_have_no_relations_and_a_gradient_of_zero(num):
    student = drawn(num, 3).requires_grad_()
    value = relation_loss(student, drawn(num, 5, seed=1))
    value.backward()
    assert value.item() == 0 and not student.grad.any()


def test_relations_of_other_samples_are_refused():
    with pytest.raises(ShapeError, match="Relations need the same samples of both, got 4 and 3"):
        relation_loss(drawn(4, 3), drawn(3, 3))
