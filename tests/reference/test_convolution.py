"""Convolutions and pools of random shapes against PyTorch's autograd, and cases that can be followed by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from torch.nn import functional

from autograd_oracle import check, torch_gradients
from edgewright.reference import rotation
from edgewright.reference.convolution import (
    conv2d,
    conv2d_backward,
    conv_transpose2d,
    conv_transpose2d_backward,
    correlate,
    spread,
    weight_gradient,
)
from edgewright.reference.linear import linear, linear_backward
from edgewright.reference.windows import Window

RNG = np.random.default_rng(0)


@some.composite
def cases(draw):
    """(x, weight, bias, window, groups) in which at least one window fits."""
    pair = lambda low, high: (draw(some.integers(low, high)), draw(some.integers(low, high)))  # noqa: E731
    groups, ins, outs = (draw(some.integers(1, 3)) for _ in range(3))
    kernel, stride, dilation, sides = pair(1, 3), pair(1, 3), pair(1, 3), pair(0, 3)
    window = Window(kernel=kernel, stride=stride, dilation=dilation, padding=tuple((side, side) for side in sides))
    least = [max(1, window.reach(axis) - 2 * sides[axis]) for axis in (0, 1)]
    size = [each + draw(some.integers(0, 4)) for each in least]
    rng = np.random.default_rng(draw(some.integers(0, 99)))
    x = rng.standard_normal((draw(some.integers(1, 2)), groups * ins, *size))
    return x, rng.standard_normal((groups * outs, ins, *kernel)), rng.standard_normal(groups * outs), window, groups


def torch_settings(window: Window, groups: int) -> dict:
    padding = tuple(before for before, _ in window.padding)
    return {"stride": window.stride, "padding": padding, "dilation": window.dilation, "groups": groups}


@given(cases())
@settings(max_examples=100)
def test_values_and_gradients_are_pytorchs_for_any_stride_padding_dilation_and_groups(case):
    x, weight, bias, window, groups = case
    y, dy, wanted = torch_gradients(
        lambda x, w, b: functional.conv2d(x, w, b, **torch_settings(window, groups)), (x, weight, bias)
    )
    check([conv2d(x, weight, bias, window=window, groups=groups)], [y])
    check(conv2d_backward(dy, x, weight, window=window, groups=groups), wanted)


@given(cases())
@settings(max_examples=50)
def test_both_gradients_are_correlations_with_the_kernel_rotated_and_stride_and_dilation_exchanged(case):
    x, weight, bias, window, groups = case
    dy = RNG.standard_normal(conv2d(x, weight, bias, window=window, groups=groups).shape)
    size = x.shape[2:]
    check(
        [
            rotation.input_gradient(dy, weight, window=window, size=size, groups=groups),
            rotation.weight_gradient(dy, x, window=window, groups=groups),
        ],
        [
            spread(dy, weight, window=window, size=size, groups=groups),
            weight_gradient(dy, x, window=window, groups=groups),
        ],
    )


def test_without_the_rotation_the_gradient_would_be_another():
    x, weight, dy = np.zeros((1, 1, 3, 3)), np.arange(4.0).reshape(1, 1, 2, 2), np.zeros((1, 1, 2, 2))
    dy[0, 0, 0, 0] = 1  # y[0, 0] read x[0:2, 0:2] through the kernel as it stands
    right = rotation.input_gradient(dy, weight, window=Window.square(2), size=(3, 3))
    wrong = correlate(dy, weight, window=Window.square(2, padding=1))
    assert right[0, 0].tolist() == [[0, 1, 0], [2, 3, 0], [0, 0, 0]]
    assert wrong[0, 0].tolist() == [[3, 2, 0], [1, 0, 0], [0, 0, 0]]
    assert x.shape == right.shape


@given(cases(), some.tuples(some.integers(0, 2), some.integers(0, 2)))
@settings(max_examples=50)
def test_the_transposed_convolution_and_its_gradients_are_pytorchs(case, extra):
    x, weight, _, window, groups = case
    back = RNG.standard_normal((len(x), len(weight), 3, 2))
    extra = tuple(min(extra[axis], max(window.stride[axis], window.dilation[axis]) - 1) for axis in (0, 1))
    sizes = [
        (back.shape[2 + axis] - 1) * window.stride[axis] + window.reach(axis) - sum(window.padding[axis]) + extra[axis]
        for axis in (0, 1)
    ]
    if min(sizes) < 1:
        return
    options = torch_settings(window, groups) | {"output_padding": extra}
    y, dy, wanted = torch_gradients(lambda x, w: functional.conv_transpose2d(x, w, **options), (back, weight))
    check([conv_transpose2d(back, weight, window=window, output_padding=extra, groups=groups)], [y])
    assert y.shape[2:] == tuple(sizes)
    check(conv_transpose2d_backward(dy, back, weight, window=window, groups=groups), wanted)


SIZES = [  # size, kernel, padding, stride -> size
    (28, 3, 1, 1, 28), (28, 3, 1, 2, 14), (28, 5, 2, 1, 28), (224, 7, 3, 2, 112), (32, 5, 0, 1, 28), (32, 3, 1, 2, 16),
    (28, 4, 2, 1, 29), (28, 3, 0, 3, 9),
]  # fmt: skip


@pytest.mark.parametrize(("size", "kernel", "padding", "stride", "wanted"), SIZES)
def test_sizes_that_are_known_by_hand(size, kernel, padding, stride, wanted):
    assert Window.square(kernel, padding=padding, stride=stride).count(0, size) == wanted


def test_ceil_mode_gives_28_by_3_a_tenth_window():
    assert Window(kernel=(3, 3), stride=(3, 3), ceil=True).count(0, 28) == 10


def test_it_is_a_correlation_not_a_convolution():
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 1, 1] = 1
    kernel = np.arange(9.0).reshape(1, 1, 3, 3)
    y = conv2d(x, kernel, np.zeros(1), window=Window.square(3, padding=1))
    assert (y[0, 0] == kernel[0, 0, ::-1, ::-1]).all()


def test_shifting_the_input_shifts_the_output_away_from_borders_and_only_at_stride_1():
    x, weight = np.zeros((1, 1, 12, 12)), RNG.standard_normal((1, 1, 3, 3))
    x[0, 0, 3:8, 3:8] = RNG.standard_normal((5, 5))
    moved = np.roll(x, 1, axis=3)
    same = Window.square(3, padding=1)
    np.testing.assert_array_equal(
        correlate(moved, weight, window=same), np.roll(correlate(x, weight, window=same), 1, axis=3)
    )
    halved = Window.square(3, padding=1, stride=2)
    once, twice = (correlate(each, weight, window=halved) for each in (x, moved))
    assert min(np.abs(twice - np.roll(once, shift, axis=3)).max() for shift in range(6)) > 0.1


def test_a_grouped_convolution_is_a_dense_one_with_zeros_off_its_blocks():
    x, weight = RNG.standard_normal((2, 4, 5, 5)), RNG.standard_normal((6, 2, 3, 3))
    dense = np.zeros((6, 4, 3, 3))
    dense[:3, :2], dense[3:, 2:] = weight[:3], weight[3:]
    window = Window.square(3, padding=1)
    np.testing.assert_allclose(
        correlate(x, weight, window=window, groups=2), correlate(x, dense, window=window), atol=1e-12
    )


@given(some.lists(some.integers(1, 3), min_size=1, max_size=3), some.integers(1, 4), some.integers(1, 4))
def test_a_linear_layer_over_any_leading_axes_is_pytorchs(leading, ins, outs):
    arrays = [RNG.standard_normal(shape) for shape in ((*leading, ins), (outs, ins), (outs,))]
    y, dy, wanted = torch_gradients(functional.linear, arrays)
    check([linear(*arrays)], [y])
    check(linear_backward(dy, *arrays[:2]), wanted)


def test_a_linear_layer_is_a_convolution_as_large_as_its_map():
    x, weight, bias = RNG.standard_normal((2, 3, 4, 5)), RNG.standard_normal((6, 3, 4, 5)), RNG.standard_normal(6)
    whole = Window(kernel=(4, 5))
    got = conv2d(x, weight, bias, window=whole)[..., 0, 0]
    np.testing.assert_allclose(got, linear(x.reshape(2, -1), weight.reshape(6, -1), bias), atol=1e-12)
