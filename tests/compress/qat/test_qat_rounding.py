"""The arithmetic: values as the simulation's, gradients as the equations say."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgewright.compress.quantize.qat.rounding import Gradient, bounded, first_steps, gain_of, rounded
from edgewright.model.quantized import fake_quantize

GRIDS = st.tuples(
    st.integers(2, 8), st.floats(1e-4, 10), st.integers(-128, 127), st.integers(0, 2**31)
)  # bits, step, zero point before it is brought onto the grid, seed


def draw(seed: int, size: tuple[int, ...], spread: float) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed)) * spread


@given(GRIDS)
def test_values_are_those_of_the_simulation(grid):
    bits, step, zero, seed = grid
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    zero = min(max(zero, low), high)
    x, scale = draw(seed, (64,), step * 2**bits), torch.tensor(step)
    x[:8] = (torch.arange(8) - 3.5) * step  # ties
    want = fake_quantize(x, scale, torch.tensor(zero, dtype=torch.int32), low, high)
    assert torch.equal(rounded(x, scale, low - zero, high - zero, how=Gradient()), want)


def test_values_per_channel_are_those_of_the_simulation():
    weight, scale = draw(0, (4, 3, 3, 3), 1.0), torch.tensor([0.1, 0.3, 0.5, 2.0])
    want = fake_quantize(weight, scale, torch.zeros((), dtype=torch.int32), -7, 7, 0)
    assert torch.equal(rounded(weight, scale.reshape(-1, 1, 1, 1), -7, 7, how=Gradient()), want)


X = [-2.0, -1.24, -0.2, 0.3, 0.6, 0.74, 0.76, 5.0]  # in steps of 0.5: -4, -2.48, -0.4, 0.6, 1.2, 1.48, 1.52, 10


def gradients(how: Gradient, x=X, step=0.5, low=-2.0, high=1.0) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Of the sum of all values, with respect to the values and to the step."""
    values, steps = torch.tensor(x, requires_grad=True), torch.tensor(step, requires_grad=True)
    rounded(values, steps, low, high, how=how).sum().backward()
    assert values.grad is not None
    return values.grad, steps.grad


def test_the_clipped_gradient_is_1_as_far_as_values_round_onto_the_grid_and_0_beyond():
    grad, step_grad = gradients(Gradient(clipped=True))
    assert grad.tolist() == [0, 1, 1, 1, 1, 1, 0, 0]
    assert step_grad is None


def test_the_plain_gradient_is_1_everywhere():
    assert gradients(Gradient(clipped=False))[0].tolist() == [1] * 8
    assert gradients(Gradient(clipped=False, gain=1.0))[0].tolist() == [1] * 8


def test_the_clipped_gradient_is_that_of_the_simulation_itself():
    x = draw(1, (200,), 2.0).requires_grad_()
    fake_quantize(x, torch.tensor(0.3), torch.tensor(2, dtype=torch.int32), -8, 7).sum().backward()
    assert torch.equal(gradients(Gradient(), x=x.tolist(), step=0.3, low=-10.0, high=5.0)[0], x.grad)


def test_with_a_learned_step_the_gradient_stops_at_the_ends_of_the_grid():
    grad, _ = gradients(Gradient(gain=1.0))  # inside means -2 < x / step < 1
    assert grad.tolist() == [0, 0, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("x", "slope"),
    [
        (0.3, 1 - 0.6),  # inside, 0.6 steps: rounds up to 1
        (-0.2, 0 - -0.4),  # inside, rounds to 0
        (0.5, 1.0),  # exactly at the upper end: Q
        (-1.0, -2.0),  # exactly at the lower end: -Q of the lower side
        (5.0, 1.0),  # beyond: Q, however far
        (-2.0, -2.0),
    ],
)
def test_the_gradient_of_the_step_is_equation_3(x, slope):
    _, grad = gradients(Gradient(gain=0.25), x=[x])
    assert grad is not None and grad.item() == pytest.approx(0.25 * slope, rel=1e-6)


@given(st.integers(2, 8), st.floats(0.01, 5), st.integers(0, 2**31))
def test_the_gradient_of_the_step_is_the_sum_of_a_plain_loop(bits, step, seed):
    x, upstream = draw(seed, (40,), 3.0), draw(seed + 1, (40,), 1.0)
    low, high, step = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, torch.tensor(step).item()
    steps = torch.tensor(step, requires_grad=True)
    (rounded(x, steps, low, high, how=Gradient(gain=0.5)) * upstream).sum().backward()
    want, size = 0.0, 0.0
    for value, grad in zip(x.tolist(), upstream.tolist(), strict=True):
        ratio = (torch.tensor(value) / torch.tensor(step)).item()
        slope = low if ratio <= low else high if ratio >= high else round(ratio) - ratio
        want, size = want + 0.5 * grad * slope, size + abs(grad * slope)
    assert steps.grad is not None
    assert steps.grad.item() == pytest.approx(want, abs=1e-5 * size + 1e-7)


def test_outside_the_grid_the_gradient_of_the_step_is_the_true_derivative():
    x, nudge = torch.tensor([9.0, -9.0, -7.0]), 2.0**-10
    sums = [rounded(x, torch.tensor(1 + each), -4.0, 3.0, how=Gradient()).sum().item() for each in (-nudge, nudge)]
    _, grad = gradients(Gradient(gain=1.0), x=x.tolist(), step=1.0, low=-4.0, high=3.0)
    assert grad is not None and grad.item() == (sums[1] - sums[0]) / (2 * nudge) == 3 - 4 - 4


def test_steps_of_channels_get_the_gradients_of_their_own_weights():
    weight = torch.tensor([[0.3, 5.0], [0.1, -9.0]])
    steps = torch.tensor([[0.5], [1.0]], requires_grad=True)
    rounded(weight, steps, -1.0, 1.0, how=Gradient(gain=1.0)).sum().backward()
    assert steps.grad is not None
    torch.testing.assert_close(steps.grad, torch.tensor([[0.4 + 1], [-0.1 - 1]]))


def test_the_gain_and_the_first_step_are_those_of_the_paper():
    assert gain_of(64, 7) == pytest.approx(1 / math.sqrt(448))
    weight = torch.tensor([[1.0, -3.0], [0.0, 0.0]])
    assert first_steps(weight, axis=0, top=4).tolist() == [2 * 2 / 2, 1.0]  # a channel of zeros: 1
    assert first_steps(weight, axis=1, top=1).tolist() == [1.0, 3.0]


def test_a_step_is_never_0_nor_below_and_can_come_back_from_its_upper_end():
    value = torch.tensor([-0.5, 0.0, 0.2, 3.0, 3.0], requires_grad=True)
    step = bounded(value, largest=2.0)
    assert step.tolist() == [0.5, pytest.approx(1e-12), pytest.approx(0.2), 2.0, 2.0]
    (step * torch.tensor([1.0, 1.0, 1.0, 1.0, -1.0])).sum().backward()
    assert value.grad is not None
    assert value.grad.tolist() == [-1.0, 1.0, 1.0, 1.0, 0.0]  # the last would push it further out


def test_a_bound_may_be_a_tensor_that_moves():
    x = torch.tensor([-3.0, 0.4, 3.0], requires_grad=True)
    y = rounded(x, torch.tensor(1.0), torch.tensor(-1), torch.tensor(2), how=Gradient())
    y.sum().backward()
    assert y.tolist() == [-1, 0, 2] and x.grad is not None and x.grad.tolist() == [0, 1, 0]


def test_the_gradient_of_the_step_is_that_of_pytorch_where_both_call_a_value_inside():
    x, upstream = draw(3, (4000,), 3.0), draw(4, (4000,), 1.0)
    ratio = x / 0.25
    x, upstream = (each[~(((ratio - 7).abs() <= 0.5) | ((ratio + 8).abs() <= 0.5))] for each in (x, upstream))
    steps = [torch.tensor(0.25, requires_grad=True), torch.tensor([0.25], requires_grad=True)]
    (rounded(x, steps[0], -8.0, 7.0, how=Gradient(gain=0.1)) * upstream).sum().backward()
    other = torch._fake_quantize_learnable_per_tensor_affine(x, steps[1], torch.zeros(1), -8, 7, 0.1)
    (other * upstream).sum().backward()
    torch.testing.assert_close(steps[0].grad, steps[1].grad.reshape(()), rtol=1e-4, atol=1e-4)
