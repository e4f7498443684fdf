"""Ranges of least error: the error is that of the real grid, and no other method's is smaller."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewright.compress.quantize.ranges import RANGE_METHODS, Observation, RangeSettings
from edgewright.compress.quantize.ranges.mse import mse_range, squared_errors
from edgewright.model.quantized import QuantizeActivation, affine_spec, symmetric_spec

VALUES = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=40)


def seen(values):
    observation = Observation("values")
    observation.see(torch.as_tensor(values, dtype=torch.float32))
    return observation


def error_of(values, bounds, bits):
    rounded = QuantizeActivation.of(affine_spec(*bounds, bits=bits))(values)
    return (rounded - values).double().pow(2).mean().item()


def estimated(observation, bounds, bits):
    return squared_errors(observation, torch.tensor([bounds], dtype=torch.float64), bits=bits).item()


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("bounds", [(-4.5, 4.5), (-1.0, 2.0), (-0.3, 6.0), (0.0, 1.0), (1.0, 3.0), (-2.0, -1.0)])
def test_the_error_from_the_histogram_is_that_of_the_rounded_values(bounds, bits):
    values = torch.randn(100_000, generator=torch.Generator().manual_seed(0))
    assert estimated(seen(values), bounds, bits) == pytest.approx(error_of(values, bounds, bits), rel=0.01)


def test_exact_zeros_cost_nothing():
    values = torch.cat([torch.zeros(90_000), torch.rand(10_000, generator=torch.Generator().manual_seed(0)) + 1])
    assert estimated(seen(values), (0.0, 2.0), 16) == pytest.approx(0.1 * (2 / 65535) ** 2 / 12, rel=1e-6)


def test_uniform_values_make_a_noise_of_step_squared_over_12():
    values = torch.rand(200_000, generator=torch.Generator().manual_seed(0))
    step = 1 / 255
    assert error_of(values, (0.0, 1.0), 8) == pytest.approx(step**2 / 12, rel=0.01)
    assert estimated(seen(values), (0.0, 1.0), 8) == pytest.approx(step**2 / 12, rel=0.01)


@pytest.mark.parametrize(("bits", "decibels", "slack"), [(4, 25.84, 0.6), (6, 37.88, 0.3), (8, 49.93, 0.2)])
def test_a_full_scale_sine_has_6_02_decibels_a_bit_and_1_76(bits, decibels, slack):
    """A little less: a sine dwells at its turning points, which lie half a step beyond the last codes."""
    step, zero = 2.0 ** (1 - bits), torch.zeros((), dtype=torch.int32)
    sine = torch.sin(torch.linspace(0, 2 * torch.pi, 100_001, dtype=torch.float64)) - step / 2  # fills all codes
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    error = torch.ops.edgewright.fake_quantize(sine, torch.tensor(step), zero, low, high) - sine
    got = 10 * torch.log10(0.5 / error.pow(2).mean()).item()
    assert decibels - slack < got < decibels


def test_a_symmetric_grid_has_twice_the_step_behind_a_relu():
    ratio = symmetric_spec(6.0).scale[0] / affine_spec(0.0, 6.0).scale[0]
    assert ratio == pytest.approx(2.00787, abs=5e-6)


@settings(max_examples=25)
@given(VALUES, st.sampled_from([2, 3, 4, 8]), st.floats(51, 100))
def test_no_other_range_has_less_error(values, bits, percentile):
    observation, chosen = seen(values), RangeSettings(bits=bits, percentile=percentile)
    least = estimated(observation, RANGE_METHODS["mse"](observation, chosen), bits)
    for method in ("minmax", "percentile"):
        assert least <= estimated(observation, RANGE_METHODS[method](observation, chosen), bits)


@pytest.mark.slow  # with the fine scan
@pytest.mark.parametrize("bits", [2, 8])
@pytest.mark.parametrize("kind", ["gauss", "relu", "outlier", "skewed"])
def test_the_search_finds_what_a_fine_scan_of_both_ends_finds(kind, bits):
    values = torch.randn(20_000, generator=torch.Generator().manual_seed(3))
    values = {
        "gauss": values, "relu": values.clamp(min=0), "outlier": torch.cat([values, torch.tensor([-300.0])]),
        "skewed": values.exp() - 0.5,
    }[kind]  # fmt: skip
    observation = seen(values)
    low, high = min(observation.minimum, 0.0), observation.maximum
    shares = torch.linspace(0.01, 1, 30, dtype=torch.float64)
    lows = low * (shares / 40 if kind == "outlier" else shares)
    scan = torch.cartesian_prod(lows, high * shares)
    best = min(squared_errors(observation, part, bits=bits).min().item() for part in scan.split(100))
    assert estimated(observation, mse_range(observation, bits=bits), bits) <= 1.01 * best
