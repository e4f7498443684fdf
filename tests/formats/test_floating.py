"""Floating point to the bit: worked codes, and NumPy and torch as oracles over every code."""

import math

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgewright.errors import ConfigError
from edgewright.formats import BF16, E4M3, E5M2, FLOAT_FORMATS, FP16, FP32, FloatFormat

TORCH = {BF16: torch.bfloat16, FP16: torch.float16, E4M3: torch.float8_e4m3fn, E5M2: torch.float8_e5m2}
PATTERN = {16: torch.int16, 8: torch.uint8}


def torch_codes(values, form):
    """The bit patterns that torch makes of float32 values within the range."""
    codes = torch.tensor(values, dtype=torch.float32).to(TORCH[form]).view(PATTERN[form.bits])
    return [int(code) % (1 << form.bits) for code in codes]


@pytest.mark.parametrize(
    ("value", "code"), [(0.15625, 0x3E200000), (-118.625, 0xC2ED4000), (6.25, 0x40C80000), (1 / 3, 0x3EAAAAAB)]
)
def test_single_precision_codes_equal_the_worked_ones(value, code):
    assert FP32.encode(value) == code
    assert FP32.decode(code) == np.float32(value)


def test_a_code_is_taken_apart_by_hand():
    fields = FP32.explain(0xC2ED4000)  # -118.625 = -1.110110101b * 2^6
    assert (fields.sign, fields.exponent, fields.power, fields.kind) == (1, 133, 6, "normal")
    assert fields.mantissa == 0b11011010100000000000000
    assert E4M3.explain(0x01).kind == "subnormal" and E4M3.explain(0x80).kind == "zero"
    assert E5M2.explain(0xFC).value == -math.inf and E4M3.explain(0x7F).kind == "nan"


@pytest.mark.parametrize(
    ("form", "largest", "normal", "subnormal"),
    [
        (FP32, 3.4028235e38, 1.1754944e-38, 1.4013e-45),
        (FP16, 65504, 6.1035e-5, 5.9605e-8),
        (BF16, 3.3895314e38, 1.1754944e-38, 9.1835e-41),
        (E4M3, 448, 2**-6, 2**-9),
        (E5M2, 57344, 2**-14, 2**-16),
    ],
    ids=lambda each: each.name if isinstance(each, FloatFormat) else None,
)
def test_limits_equal_the_published_ones(form, largest, normal, subnormal):
    assert form.largest == pytest.approx(largest, rel=1e-7)
    assert form.smallest_normal == pytest.approx(normal, rel=1e-5)
    assert form.smallest_subnormal == pytest.approx(subnormal, rel=1e-5)


@pytest.mark.parametrize("form", TORCH, ids=lambda form: form.name)
def test_every_code_stands_for_what_torch_reads_and_comes_back(form):
    size = 1 << form.bits
    patterns = torch.arange(size).to(PATTERN[form.bits])
    theirs = patterns.view(TORCH[form]).double().numpy()
    ours = np.array([form.decode(code) for code in range(size)])
    assert np.array_equal(ours, theirs, equal_nan=True)
    numbers = [code for code in range(size) if not math.isnan(ours[code])]
    assert [form.encode(ours[code]) for code in numbers] == numbers  # both zeros, both infinities, each subnormal


@pytest.mark.parametrize("form", TORCH, ids=lambda form: form.name)
def test_random_values_ties_and_neighbours_round_as_in_torch(form):
    rng = np.random.default_rng(0)
    spread = rng.standard_normal(4000) * np.exp2(rng.integers(-40, 40, 4000))
    near = np.array([form.decode(code) for code in rng.integers(0, form.top_code, 500)])
    above = np.array([form.decode(form.encode(value) + 1) for value in near])
    ties = (near + above) / 2
    values = np.concatenate([spread, near, ties, np.nextafter(ties, 0), np.nextafter(ties, np.inf)]).astype(np.float32)
    # beyond the range torch's E4M3 gave NaN in earlier versions and saturates in 2.15
    values = values[np.abs(values) <= (form.largest if form is E4M3 else np.finfo(np.float32).max)]
    got = [form.encode(float(value)) for value in values]
    assert got == torch_codes(values, form)


@pytest.mark.parametrize(("form", "theirs"), [(E4M3, "float8_e4m3fn"), (E5M2, "float8_e5m2"), (BF16, "bfloat16")])
def test_overflow_is_special_as_in_the_types_of_numpy(form, theirs):
    values = np.array([1e9, -1e9, 464, 465, 61440, 61439, np.inf, -np.inf, 3.4e38, 448, 449], dtype=np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = values.astype(getattr(ml_dtypes, theirs)).astype(np.float64)
    assert np.array_equal(form.round(values), expected, equal_nan=True)


def test_single_precision_rounds_as_numpy_does():
    rng = np.random.default_rng(1)
    values = rng.standard_normal(4000) * np.exp2(rng.integers(-155, 130, 4000))
    with np.errstate(over="ignore"):
        theirs = values.astype(np.float32).view(np.uint32)
    assert [FP32.encode(value) for value in values] == theirs.tolist()


@pytest.mark.parametrize("form", FLOAT_FORMATS.values(), ids=lambda form: form.name)
@pytest.mark.parametrize("overflow", ["special", "saturate"])
def test_a_whole_array_rounds_as_single_values_do(form, overflow):
    rng = np.random.default_rng(2)
    values = rng.standard_normal(500) * np.exp2(rng.integers(-50, 50, 500))
    values = np.concatenate([values, [0.0, np.inf, -np.inf, np.nan, 1e39, form.largest]])
    single = [form.decode(form.encode(value, overflow=overflow)) for value in values]
    assert np.array_equal(form.round(values, overflow=overflow), single, equal_nan=True)


def test_beyond_the_largest_number_the_rule_decides():
    assert FP16.decode(FP16.encode(65519.0)) == 65504 and FP16.decode(FP16.encode(65520.0)) == math.inf
    assert E4M3.decode(E4M3.encode(464.0)) == 448  # halfway to what would be 480: the even mantissa is below
    assert math.isnan(E4M3.decode(E4M3.encode(465.0)))
    assert E4M3.decode(E4M3.encode(-1e9, overflow="saturate")) == -448
    assert E5M2.decode(E5M2.encode(math.inf, overflow="saturate")) == 57344


@given(st.floats(-6e4, 6e4), st.sampled_from([FP16, BF16, E5M2]))
def test_rounding_is_to_the_nearest_and_keeps_order(value, form):
    code = form.encode(value)
    got = form.decode(code)
    for neighbour in (code - 1, code + 1):
        if 0 <= neighbour < 1 << form.bits and math.isfinite(form.decode(neighbour)):
            assert abs(value - got) <= abs(value - form.decode(neighbour))
    assert form.decode(form.encode(-value)) == -got


def test_a_format_and_a_code_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match=r"32 bits at most with its sign, got 11 and 52"):
        FloatFormat(name="fp64", exponent_bits=11, mantissa_bits=52, bias=1023)
    with pytest.raises(ConfigError, match=r"A code of fp16 lies in \[0, 0xffff\], got 0x10000"):
        FP16.decode(0x10000)
    with pytest.raises(ConfigError, match="overflow is special or saturate, got 'wrap'"):
        FP16.encode(1.0, overflow="wrap")
