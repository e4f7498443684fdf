"""Initial weights: sizes that are known, PyTorch's fans, and what many layers make of them."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from edgewright.reference import initialization as init

SHAPE = (64, 32, 3, 3)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(8, 4), (8, 4, 3), (8, 4, 3, 5)])
def test_fans_are_pytorchs(shape):
    assert init.fans(shape) == nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))


@pytest.mark.parametrize("name", ["linear", "sigmoid", "tanh", "relu", "selu"])
def test_gains_are_pytorchs(name):
    assert init.GAINS[name] == pytest.approx(nn.init.calculate_gain(name))
    assert init.leaky_gain(0.2) == pytest.approx(nn.init.calculate_gain("leaky_relu", 0.2))


@pytest.mark.parametrize(("inputs", "wanted"), [(9, 0.471405), (72, 0.166667), (784, 0.0505076), (64, 0.176777)])
def test_hes_standard_deviations(inputs, wanted):
    assert init.GAINS["relu"] / math.sqrt(inputs) == pytest.approx(wanted, rel=1e-5)
    drawn = init.he_normal((20_000 // inputs * 10, inputs), rng())
    assert drawn.std() == pytest.approx(wanted, rel=0.01)


CASES = {
    "he normal": (init.he_normal, 2 / 288),
    "he uniform": (init.he_uniform, 2 / 288),
    "he by fan out": (lambda shape, rng: init.he_normal(shape, rng, forward=False), 2 / 576),
    "xavier normal": (init.xavier_normal, 2 / (288 + 576)),
    "xavier uniform": (init.xavier_uniform, 2 / (288 + 576)),
    "lecun": (init.lecun_normal, 1 / 288),
}


@pytest.mark.parametrize("name", CASES)
def test_mean_0_and_the_variance_of_the_formula(name):
    draw, variance = CASES[name]
    drawn = draw(SHAPE, rng())
    error = math.sqrt(variance / drawn.size)
    assert drawn.shape == SHAPE
    assert abs(drawn.mean()) < 4 * error
    assert drawn.var() == pytest.approx(variance, rel=4 * math.sqrt(2 / drawn.size))


def test_uniform_ones_stay_within_their_bound():
    assert np.abs(init.he_uniform(SHAPE, rng())).max() < math.sqrt(6 / 288)
    assert np.abs(init.xavier_uniform(SHAPE, rng())).max() < math.sqrt(6 / (288 + 576))


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (3, 2, 2, 2)])
def test_orthogonal_rows_or_columns_have_one_length_and_right_angles(shape):
    matrix = init.orthogonal(shape, rng(), gain=2.0).reshape(shape[0], -1)
    small = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-12)


def test_orthogonal_matrices_have_no_preferred_direction():
    """The diagonal of an evenly distributed one has mean 0; QR alone would favour one sign."""
    draws, generator = 2_000, rng()
    diagonal = [np.trace(init.orthogonal((3, 3), generator)) for _ in range(draws)]
    assert abs(np.mean(diagonal)) < 4 / math.sqrt(draws)  # a trace has variance 1


def log_of_second_moment_behind(num_layers: int, variance_times_n: float, *, width: int) -> float:
    generator = rng()
    x = generator.standard_normal((100, width))
    start = (x**2).mean()
    for _ in range(num_layers):
        weight = init.he_normal((width, width), generator, gain=math.sqrt(variance_times_n))
        x = np.maximum(x, 0) @ weight.T
    return math.log((x**2).mean() / start)


@pytest.mark.parametrize(("variance_times_n", "factor"), [(2, 1), (1, 2.0**-50), (4, 2.0**50)])
def test_50_relu_layers_multiply_the_second_moment_by_half_of_n_var_each(variance_times_n, factor):
    """He keeps it; 1/n leaves 9e-16 of it, 4/n makes it 1e15.

    A mean of squares of n halved normals has a relative variance of 5/n, so the logarithm has 50 times that.
    """
    width = 256
    spread = math.sqrt(50 * 5 / width)
    found = log_of_second_moment_behind(50, variance_times_n, width=width)
    assert found == pytest.approx(math.log(factor) - spread**2 / 2, abs=4 * spread)
