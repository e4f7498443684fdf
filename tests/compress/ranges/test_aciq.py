"""Analytical clipping: the published multipliers, the exact grid, and ranges that follow from them."""

from itertools import pairwise

import pytest
import torch
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import lambertw
from scipy.stats import laplace, norm

from edgewright.compress.quantize.ranges import Observation
from edgewright.compress.quantize.ranges.aciq import (
    BELLS,
    aciq_range,
    grid_error,
    grid_optimum,
    model_error,
    model_optimum,
)  # fmt: skip

# bits -> Gauss: model optimum, its error, grid optimum, its error; Laplace: the same (facts, section 4)
TABLE = {
    2: (1.71064, 0.0871485, 1.2240, 0.190174, 2.83068, 0.284878, 2.0000, 0.528482),
    3: (2.15159, 0.0314294, 1.9523, 0.0468600, 3.89723, 0.119702, 3.4864, 0.166173),
    4: (2.55914, 0.0104933, 2.4739, 0.0128894, 5.02864, 0.0460215, 4.8199, 0.0547904),
    5: (2.93620, 0.00332259, 2.8987, 0.00369322, 6.20477, 0.0165718, 6.0980, 0.0181703),
    6: (3.28691, 0.00101292, 3.2701, 0.00106929, 7.41313, 0.00567877, 7.3586, 0.00595903),
    7: (3.61511, 3.00215e-4, 3.6075, 3.08622e-4, 8.64562, 0.00187252, 8.6178, 0.00191989),
    8: (3.92403, 8.70779e-5, 3.9205, 8.83080e-5, 9.89676, 5.98853e-4, 9.8827, 6.06603e-4),
}
DENSITY = {"gauss": norm.pdf, "laplace": laplace.pdf}


@pytest.mark.parametrize("bits", TABLE)
@pytest.mark.parametrize(("bell", "column"), [("gauss", 0), ("laplace", 4)])
def test_multipliers_and_errors_equal_the_worked_table(bell, column, bits):
    model, model_mse, grid, grid_mse = TABLE[bits][column : column + 4]
    assert model_optimum(bell, bits=bits) == pytest.approx(model, abs=6e-6)
    assert model_error(bell, model_optimum(bell, bits=bits), bits=bits) == pytest.approx(model_mse, rel=6e-6)
    assert grid_optimum(bell, bits=bits) == pytest.approx(grid, abs=6e-5)
    assert grid_error(bell, grid_optimum(bell, bits=bits), bits=bits) == pytest.approx(grid_mse, rel=6e-6)


def test_a_ninth_bit_gives_the_one_sided_multipliers_of_eight():
    assert model_optimum("gauss", bits=9) == pytest.approx(4.21633, abs=6e-6)
    assert model_optimum("laplace", bits=9) == pytest.approx(11.16269, abs=6e-6)


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_the_laplace_optimum_is_lamberts_function(bits):
    assert model_optimum("laplace", bits=bits) == pytest.approx(lambertw(3 * 4**bits).real, rel=1e-12)


@pytest.mark.parametrize("bits", [2, 5, 9])
@pytest.mark.parametrize("bell", BELLS)
def test_optima_are_where_a_numerical_minimizer_finds_them(bell, bits):
    found = minimize_scalar(lambda a: model_error(bell, a, bits=bits), bounds=(0.1, 20), method="bounded")
    assert model_optimum(bell, bits=bits) == pytest.approx(found.x, abs=1e-4)


@pytest.mark.parametrize("a", [0.7, 2.0, 4.5])
@pytest.mark.parametrize("bell", BELLS)
def test_clipping_and_grid_errors_equal_numerical_integrals(bell, a):
    clipping = 2 * quad(lambda x: (x - a) ** 2 * DENSITY[bell](x), a, 40)[0]
    assert BELLS[bell].clipping(a) == pytest.approx(clipping, rel=1e-7)

    def squared(x, step=a / 3):  # 3 bits: codes -3 to 3
        return (x - min(round(x / step), 3) * step) ** 2 * DENSITY[bell](x)

    borders = [0, *((code + 0.5) * a / 3 for code in range(3)), 40]
    pieces = [quad(squared, low, high)[0] for low, high in pairwise(borders)]
    assert grid_error(bell, a, bits=3) == pytest.approx(2 * sum(pieces), rel=1e-6)


def seen(values):
    observation = Observation("values")
    observation.see(values)
    return observation


def draw(kind, num=200_000):
    generator = torch.Generator().manual_seed(0)
    if kind == "gauss":
        return torch.randn(num, generator=generator)
    uniform = torch.rand(num, generator=generator, dtype=torch.float64) - 0.5
    return (-uniform.sign() * torch.log1p(-2 * uniform.abs())).float()


@pytest.mark.parametrize("bits", [2, 4, 6])
@pytest.mark.parametrize("bell", BELLS)
def test_the_distribution_is_chosen_by_fit_and_its_spread_measured(bell, bits):
    low, high = aciq_range(seen(0.5 + 3 * draw(bell)), bits=bits)
    expected = 3 * model_optimum(bell, bits=bits)
    assert (high - low) / 2 == pytest.approx(expected, rel=0.01)
    assert (high + low) / 2 == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("bell", BELLS)
def test_behind_a_relu_the_range_is_one_sided_with_the_multiplier_of_one_bit_more(bell, sign):
    low, high = sorted(sign * bound for bound in aciq_range(seen(sign * draw(bell).clamp(min=0)), bits=4))
    assert low == 0 and high == pytest.approx(model_optimum(bell, bits=5), rel=0.01)


def test_the_one_sided_range_does_not_depend_on_how_much_the_relu_has_cut_off():
    half = draw("gauss").clamp(min=0)
    assert aciq_range(seen(half), bits=4)[1] == pytest.approx(aciq_range(seen(half[half > 0]), bits=4)[1], rel=1e-6)


@pytest.mark.parametrize("bits", [3, 4])
def test_the_analytic_range_errs_nearly_as_little_as_any_symmetric_one(bits):
    """Within 5 %: the model takes the rounding noise for step**2 / 12 everywhere."""
    from edgewright.compress.quantize.ranges.mse import squared_errors

    observation = seen(draw("gauss"))
    ends = torch.linspace(0.5, 5, 200, dtype=torch.float64)
    best = squared_errors(observation, torch.stack([-ends, ends], 1), bits=bits).min()
    got = squared_errors(observation, torch.tensor([aciq_range(observation, bits=bits)]).double(), bits=bits)
    assert got.item() <= 1.05 * best.item()


def test_ranges_are_no_wider_than_the_values():
    assert aciq_range(seen(torch.linspace(0.9, 1.0, 100)), bits=8)[1] == 1.0
    assert aciq_range(seen(torch.linspace(-1.0, 1.0, 100)), bits=8) == (-1.0, 1.0)
