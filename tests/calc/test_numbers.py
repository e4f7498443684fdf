"""Integer arithmetic against worked numbers (Jacob 2018; Krishnamoorthi 2018) and against torch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgewright import calc
from edgewright.errors import ConfigError


@pytest.mark.parametrize(
    ("asked", "scale", "zero_point", "codes", "values"),
    [
        ({"low": -1, "high": 3, "signed": False}, 4 / 255, 64, (45, 96, 172), (-0.298039, 0.501961, 1.694118)),
        ({"low": -1, "high": 3}, 4 / 255, -64, (-83, -32, 44), (-0.298039, 0.501961, 1.694118)),
        ({"low": -1, "high": 3, "bits": 4, "signed": False}, 4 / 15, 4, (3, 6, 10), (-0.266667, 0.533333, 1.6)),
        ({"low": -1, "high": 3, "bits": 4}, 4 / 15, -4, (-5, -2, 2), (-0.266667, 0.533333, 1.6)),
        ({"low": -3, "high": 3, "symmetric": True}, 3 / 127, 0, (-13, 21, 72), (-0.307087, 0.496063, 1.700787)),
        ({"low": -3, "high": 3, "bits": 4, "symmetric": True}, 3 / 7, 0, (-1, 1, 4), (-0.428571, 0.428571, 1.714286)),
    ],
)
def test_codes_of_three_values(asked, scale, zero_point, codes, values):
    result = calc.quantize(**asked, values=(-0.3, 0.5, 1.7)).result
    assert result["scale"] == pytest.approx(scale)
    assert (result["zero_point"], tuple(result["codes"])) == (zero_point, codes)
    assert result["values"] == pytest.approx(values, abs=5e-7)


def test_the_ends_of_a_range_are_not_exact():
    result = calc.quantize(low=-1, high=3, signed=False, values=(3, -1)).result
    assert result["codes"] == [255, 0]
    assert result["values"] == pytest.approx([2.996078, -1.003922], abs=5e-7)


@pytest.mark.parametrize(("signed", "zero_point", "codes"), [(False, 0, [21, 212]), (True, -128, [-107, 84])])
def test_relu6_range(signed, zero_point, codes):
    result = calc.quantize(low=0, high=6, signed=signed, values=(0.5, 5)).result
    assert (result["zero_point"], result["codes"]) == (zero_point, codes)
    assert result["values"] == pytest.approx([0.494118, 4.988235], abs=5e-7)


def test_a_range_without_zero_is_widened():
    result = calc.quantize(low=1, high=5, signed=False, values=(3,)).result
    assert (result["scale"], result["zero_point"], result["codes"]) == (pytest.approx(5 / 255), 0, [153])
    assert result["values"] == pytest.approx([3.0])


def test_range_with_a_round_scale():
    result = calc.quantize(low=-10.2, high=15.3, signed=False, values=(-1,)).result
    assert (result["scale"], result["zero_point"], result["codes"]) == (pytest.approx(0.1), 102, [92])


def test_symmetric_codes_waste_half_of_a_relu_range():
    symmetric = calc.quantize(low=0, high=6, symmetric=True).result["scale"]
    assert symmetric / calc.quantize(low=0, high=6, signed=False).result["scale"] == pytest.approx(2.00787, abs=5e-6)


@pytest.mark.parametrize(("low", "high", "wasted"), [(0, 6, True), (-6, 0, True), (-1, 6, False)])
def test_a_symmetric_range_of_one_sign_is_remarked_on(low, high, wasted):
    notes = calc.quantize(low=low, high=high, symmetric=True).notes
    assert bool(notes) == wasted


def test_noise_of_8_bits():
    result = calc.quantize(low=-1, high=1).result
    assert result["sine_sqnr_db"] == pytest.approx(49.93, abs=0.01)
    assert result["noise_variance"] == pytest.approx((2 / 255) ** 2 / 12)


def test_integer_dot_product():
    codes_x = calc.quantize(low=-1, high=1, signed=False, values=(0.5, -0.25, 1)).result
    codes_w = calc.quantize(low=-0.6, high=0.6, symmetric=True, values=(0.2, -0.4, 0.6)).result
    assert (codes_x["zero_point"], codes_x["codes"], codes_w["codes"]) == (128, [192, 96, 255], [42, -85, 127])
    result = calc.integer_dot(
        codes_x=codes_x["codes"],
        zero_x=128,
        scale_x=codes_x["scale"],
        codes_w=codes_w["codes"],
        scale_w=codes_w["scale"],
    ).result
    assert result["accumulator"] == 21_537
    assert result["value"] == pytest.approx(0.798036, abs=5e-7)


def test_requantization_multiplier():
    result = calc.requantize(multiplier=0.007247427341846).result
    assert (result["shift"], result["q31"]) == (7, 1_992_157_658)
    assert result["m0"] == pytest.approx(0.927670699756, abs=5e-13)


def test_a_multiplier_that_rounds_up_to_one_is_written_with_one_shift_less():
    result = calc.requantize(multiplier=0.99999999999).result
    assert (result["q31"], result["shift"]) == (2**30, -1)


@given(st.floats(1e-9, 0.9999))
def test_the_fixed_point_multiplier_is_within_half_a_step(multiplier):
    result = calc.requantize(multiplier=multiplier).result
    assert 2**30 <= result["q31"] < 2**31
    assert abs(result["q31"] * 2.0 ** (-31 - result["shift"]) - multiplier) <= 2.0 ** (-32 - result["shift"])


@given(st.floats(-10, 10), st.floats(-10, 10), st.lists(st.floats(-20, 20), min_size=1, max_size=5), st.booleans())
def test_codes_equal_torch(first, second, values, signed):
    low, high = sorted((round(first, 3), round(second, 3)))
    if high - low < 0.01:
        return
    result = calc.quantize(low=low, high=high, signed=signed, values=values).result
    ends = (-128, 127) if signed else (0, 255)
    scaled = torch.tensor(values, dtype=torch.float64) / result["scale"]
    if ((scaled - scaled.floor()) - 0.5).abs().min() < 1e-4:
        return  # torch multiplies by a float32 1/scale: a value half-way between two codes may go either way
    theirs = torch.fake_quantize_per_tensor_affine(torch.tensor(values), result["scale"], result["zero_point"], *ends)
    assert result["values"] == pytest.approx(theirs.tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"low": 3, "high": 1}, r"The range goes from low to a greater high, got \[3, 1\]"),
        ({"low": 0, "high": 0}, r"The range goes from low to a greater high"),
        ({"low": 0, "high": float("inf")}, "low and high are finite numbers"),
        ({"low": 0, "high": 1, "bits": 1}, "bits is a whole number of at least 2, got 1"),
        ({"low": 0, "high": 1, "bits": 40}, "bits is at most 32, got 40"),
        ({"low": 0, "high": 1, "symmetric": True, "signed": False}, "A symmetric quantizer is signed"),
        ({"low": 0, "high": 1, "values": (float("nan"),)}, "values are finite numbers, got nan"),
    ],
)
def test_bad_ranges_are_refused_in_one_sentence(asked, sentence):
    with pytest.raises(ConfigError, match=sentence):
        calc.quantize(**asked)


def test_bad_multipliers_and_lengths_are_refused():
    with pytest.raises(ConfigError, match=r"multiplier lies between 0 and 1, got 1\.5"):
        calc.requantize(multiplier=1.5)
    with pytest.raises(ConfigError, match="lists of equal length, got 1 and 2"):
        calc.integer_dot(codes_x=[1], zero_x=0, scale_x=1, codes_w=[1, 2], scale_w=1)
