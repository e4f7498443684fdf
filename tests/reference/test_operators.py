"""Every operator of the integer reference is within one rounding of the same operator on values."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from edgewright.reference.integer import (
    Grid,
    Window,
    add,
    average,
    average_pool2d,
    bilinear2d,
    change_grid,
    concatenate,
    functions,
    leaky_relu,
    look_up,
    max_pool2d,
    mul,
    nearest2d,
    pad,
    softmax,
    table,
)

RNG = np.random.default_rng(0)
A = Grid(scale=0.05, zero_point=3, low=-128, high=127)
B = Grid(scale=0.013, zero_point=-7, low=-128, high=127)
OUT = Grid(scale=0.06, zero_point=11, low=-128, high=127)
HALF = 0.5 + 1e-5  # one rounding to the nearest, and the 31 bits of the multiplier
X = RNG.integers(-128, 128, (2, 4, 9, 7))
CODES = st.integers(-128, 127)


def tensor(codes, grid: Grid) -> torch.Tensor:
    return torch.from_numpy(grid.values(codes))


def off(codes, want, out: Grid) -> float:
    """The largest distance from the exact value, in steps of the output."""
    exact = np.clip(np.asarray(want) / out.scale + out.zero_point, out.low, out.high)
    assert codes.shape == exact.shape
    return float(np.abs(codes - exact).max())


@given(CODES, CODES)
def test_sums_differences_and_products_are_rounded_once(a, b):
    first, second = np.array([a]), np.array([b])
    x, y = A.values(first), B.values(second)
    assert off(add(first, second, grids=(A, B), out=OUT), x + y, OUT) <= HALF
    assert off(add(first, second, grids=(A, B), out=OUT, sign=-1), x - y, OUT) <= HALF
    assert off(mul(first, second, grids=(A, B), out=OUT), x * y, OUT) <= HALF


def test_a_sum_by_hand():
    # 0.05 * (43 - 3) + 0.013 * (93 + 7) = 3.3, which is 55 steps of 0.06
    assert add(np.array([43]), np.array([93]), grids=(A, B), out=OUT).item() == 66


def test_a_product_by_hand_with_a_gate_per_channel():
    gate = Grid(scale=1 / 256, zero_point=-128, low=-128, high=127)
    codes = mul(np.array([[[[43]], [[83]]]]), np.array([[[[0]], [[-128]]]]), grids=(A, gate), out=A)
    assert codes.ravel().tolist() == [23, 3]  # 40 steps times a half; any times 0 is the zero point


def test_a_product_of_two_tensors_of_16_bits_can_be_too_large_for_32_bits():
    wide = Grid(scale=1e-4, zero_point=-32768, low=-32768, high=32767)
    with pytest.raises(OverflowError, match="32 bits"):
        mul(np.array([32767]), np.array([32767]), grids=(wide, wide), out=wide)


def test_parts_on_the_grid_of_the_whole_are_copied_and_others_are_brought_to_it():
    codes = concatenate([X, X], grids=[OUT, A], out=OUT, axis=1)
    assert (codes[:, :4] == X).all() and off(codes[:, 4:], A.values(X), OUT) <= HALF


def test_a_clamp_is_the_part_of_the_grid_that_it_leaves():
    relu6 = OUT.clamped(0.0, 6.0)
    assert off(change_grid(X, A, relu6), np.clip(A.values(X), 0, 6), OUT) <= HALF


@pytest.mark.parametrize("slope", [0.01, 0.2])
def test_leaky_relu_has_one_multiplier_for_each_side(slope):
    assert off(leaky_relu(X, slope, grid=A, out=OUT), F.leaky_relu(tensor(X, A), slope).numpy(), OUT) <= HALF


def test_a_negative_slope_is_refused():
    with pytest.raises(ValueError, match="multiplier"):
        leaky_relu(X, -1.0, grid=A, out=OUT)


# -- tables -----------------------------------------------------------------------------------------------------------
FUNCTIONS = {
    "sigmoid": torch.sigmoid, "hard_sigmoid": F.hardsigmoid, "silu": F.silu, "hard_swish": F.hardswish,
    "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "softplus": F.softplus, "mish": F.mish,
    "elu": F.elu,
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_a_function_of_one_number_is_a_table_of_all_codes(name, bits):
    grid = Grid(scale=12 / 2**bits, zero_point=0, low=-(2 ** (bits - 1)), high=2 ** (bits - 1) - 1)
    entries = table(getattr(functions, name), grid=grid, out=OUT)
    assert entries.shape == (2**bits,)
    assert (
        off(look_up(grid.codes, entries, low=grid.low), FUNCTIONS[name](tensor(grid.codes, grid)).numpy(), OUT) <= HALF
    )


def test_functions_do_not_overflow_far_from_zero():
    ends = np.array([-1e4, 1e4])
    assert functions.sigmoid(ends).tolist() == [0.0, 1.0] and functions.softplus(ends).tolist() == [0.0, 1e4]


# -- pooling and resizing ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [((2, 2), (2, 2), (0, 0)), ((3, 2), (2, 3), (1, 1))])
def test_pooling_equals_pytorch_at_every_edge(kernel, stride, padding, ceil):
    window = Window(kernel=kernel, stride=stride, padding=tuple((size, size) for size in padding), ceil=ceil)
    want = F.max_pool2d(tensor(X, A), kernel, stride, padding, ceil_mode=ceil)
    assert np.allclose(A.values(max_pool2d(X, window)), want.numpy())
    for include in (False, True):
        codes = average_pool2d(X, window, grid=A, out=OUT, count_include_pad=include)
        want = F.avg_pool2d(tensor(X, A), kernel, stride, padding, ceil_mode=ceil, count_include_pad=include)
        assert off(codes, want.numpy(), OUT) <= HALF
    codes = average_pool2d(X, window, grid=A, out=OUT, divisor=5)
    want = F.avg_pool2d(tensor(X, A), kernel, stride, padding, ceil_mode=ceil, divisor_override=5)
    assert off(codes, want.numpy(), OUT) <= HALF


def test_maxima_with_dilation_equal_pytorch():
    window = Window(kernel=(3, 3), stride=(1, 2), padding=((1, 1), (1, 1)), dilation=(2, 2))
    want = F.max_pool2d(tensor(X, A), 3, (1, 2), 1, dilation=2)
    assert np.allclose(A.values(max_pool2d(X, window)), want.numpy())


def test_the_mean_of_a_constant_map_is_that_constant():
    codes = average(np.full((1, 2, 5, 3), 40), grid=A, out=A, axes=(2, 3))
    assert codes.shape == (1, 2, 1, 1) and (codes == 40).all()


def test_means_over_any_axes_are_rounded_once():
    codes = average(X, grid=A, out=OUT, axes=(1,), keepdims=False)
    assert off(codes, A.values(X).mean(1), OUT) <= HALF


def test_what_is_padded_has_the_value_zero():
    assert (A.values(pad(X, [(0, 0), (0, 0), (1, 0), (0, 2)], zero_point=3))[:, :, 0] == 0).all()


@pytest.mark.parametrize("size", [(18, 14), (5, 11), (9, 7)])
def test_nearest_neighbours_equal_pytorch(size):
    assert np.allclose(A.values(nearest2d(X, size)), F.interpolate(tensor(X, A), size, mode="nearest").numpy())


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("size", [(18, 14), (5, 11), (1, 1)])
def test_bilinear_interpolation_is_within_one_step(size, align):
    codes = bilinear2d(X, size, grid=A, out=A, align=align)
    want = F.interpolate(tensor(X, A), size, mode="bilinear", align_corners=align)
    assert off(codes, want.numpy(), A) < 0.75  # a rounding, and weights of 11 bits on 255 steps: at most 1/8 an axis


def test_bilinear_interpolation_of_16_bits_is_refused():
    with pytest.raises(OverflowError, match="32 bits"):
        bilinear2d(np.full((1, 1, 2, 2), 32767), (4, 4), grid=A, out=A)


# -- softmax ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("axis", [-1, 1])
def test_softmax_is_within_one_rounding_and_sums_to_one(axis):
    probabilities = Grid(scale=1 / 255, zero_point=-128, low=-128, high=127)
    codes = softmax(X, grid=A, out=probabilities, axis=axis)
    assert off(codes, torch.softmax(tensor(X, A), axis).numpy(), probabilities) <= HALF
    assert abs(probabilities.values(codes).sum(axis) - 1).max() < 0.5 * X.shape[axis] / 255


def test_softmax_of_equal_codes_is_uniform_and_of_one_is_one():
    probabilities = Grid(scale=0.25, zero_point=0, low=0, high=4)
    assert softmax(np.full((1, 4), 100), grid=A, out=probabilities).tolist() == [[1, 1, 1, 1]]
    assert softmax(np.array([[127, -128]]), grid=A, out=probabilities).tolist() == [[4, 0]]
