"""Both roundings in C, called one sum at a time, are those of the reference, up to the ends of 32 bits."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewright.export.c.dsp import FUSED_SHIFTS
from edgewright.export.c.emit import KERNELS
from edgewright.program.sums import REQUANTIZE
from edgewright.reference import integer
from edgewright.reference.integer import Grid, tflm

pytestmark = pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler")
SOURCE = """
#include "numbers.h"
#include "dsp/requantize.h"

int32_t any(int32_t sum, int32_t mantissa, int32_t shift) { return (int32_t)ew_scale(sum, mantissa, shift); }
int32_t high(int32_t sum, int32_t mantissa, int32_t shift) { return ew_scale_high(sum, mantissa, shift); }
int32_t fused(int32_t sum, int32_t mantissa, int32_t shift, int32_t zero_point)
{
    const ew_end end = {1, 1, {zero_point, -128, 127}};
    return ew_code_of(sum, ew_channel_of(mantissa, shift, &end), &end);
}
"""
RESCALE = {"single": integer.rescale, "tflm": tflm.rescale}
ENDS = (-(2**31), -(2**31) + 1, -(2**30), -(2**30) + 1, -1, 0, 1, 2**30 - 1, 2**30, 2**31 - 1)
SUMS = st.one_of(st.sampled_from(ENDS), st.integers(-(2**31), 2**31 - 1), st.integers(-300, 300))
MANTISSAS = st.one_of(st.sampled_from((2**30, 2**30 + 1, 2**31 - 1)), st.integers(2**30, 2**31 - 1))


@pytest.fixture(scope="module", params=["single", "tflm"])
def compiled(request, tmp_path_factory):
    """The rounding and its C as a library."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "all.c").write_text(SOURCE)
    flags = ["-DEW_TFLM"] if request.param == "tflm" else []
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))))
    command = [compiler, "-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", *flags]
    subprocess.run([*command, f"-I{KERNELS}", str(folder / "all.c"), "-o", str(folder / "all.so")], check=True)
    return request.param, ctypes.CDLL(str(folder / "all.so"))


def expected(rounding, value, mantissa, shift):
    return int(RESCALE[rounding](np.array(value), np.int64(mantissa), np.int64(shift)))


@given(value=SUMS, mantissa=MANTISSAS, shift=st.integers(0, 31))
def test_any_sum_with_any_shift_to_the_right(compiled, value, mantissa, shift):
    rounding, library = compiled
    assert library.any(value, mantissa, shift) == expected(rounding, value, mantissa, shift)


@given(value=SUMS, mantissa=MANTISSAS, left=st.integers(1, 30))
def test_any_sum_that_fits_a_shift_to_the_left(compiled, value, mantissa, left):
    rounding, library = compiled
    value >>= left
    assert library.any(value, mantissa, -left) == expected(rounding, value, mantissa, -left)


@given(value=SUMS, mantissa=MANTISSAS, shift=st.integers(2, 31))
def test_the_form_of_32_bits(compiled, value, mantissa, shift):
    rounding, library = compiled
    value = value // 2 if rounding == "tflm" else value  # it doubles sums, which layers that take it keep below 2**30
    if abs(value) < 2**30 or rounding == "single":
        assert library.high(value, mantissa, shift) == expected(rounding, value, mantissa, shift)


@given(value=SUMS, mantissa=MANTISSAS, shift=st.sampled_from(FUSED_SHIFTS), zero_point=st.integers(-128, 127))
def test_the_fused_form_of_the_dsp_kernels(compiled, value, mantissa, shift, zero_point):
    rounding, library = compiled
    value = max(value // 2, -(2**30) + 1) if rounding == "tflm" else value
    out = Grid(scale=1.0, zero_point=zero_point, low=-128, high=127)
    code = REQUANTIZE[rounding](np.array(value), mantissa * 2.0 ** -(31 + shift), out)
    assert library.fused(value, mantissa, shift, zero_point) == code
