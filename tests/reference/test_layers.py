"""The sums of layers against loops over values, and against PyTorch in float64."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from edgewright.reference.integer import Window, conv2d, conv_transpose2d, linear, matmul

RNG = np.random.default_rng(0)


def tensor(array) -> torch.Tensor:
    return torch.from_numpy(np.asarray(array, dtype=np.float64))


def test_the_worked_dot_product_gives_21537():
    x, weight = np.array([[192, 96, 255]]), np.array([[42, -85, 127]])
    acc = linear(x, weight, np.array([0]), zero_point=128)
    assert acc.item() == 21_537
    assert acc.item() * (2 / 255) * (0.6 / 127) == pytest.approx(0.798036, abs=5e-7)


def test_a_linear_layer_works_on_the_last_of_any_number_of_axes():
    x, weight, bias = RNG.integers(-128, 128, (2, 3, 4, 5)), RNG.integers(-127, 128, (6, 5)), RNG.integers(-9, 9, 6)
    got = linear(x, weight, bias, zero_point=7)
    assert got.dtype == np.int64
    assert (got == F.linear(tensor(x - 7), tensor(weight), tensor(bias)).numpy()).all()


def test_a_product_of_two_tensors_takes_both_zero_points_out():
    a, b = RNG.integers(-128, 128, (2, 4, 3, 5)), RNG.integers(-128, 128, (4, 5, 6))
    got = matmul(a, b, zero_points=(3, -8))
    assert (got == (tensor(a - 3) @ tensor(b + 8)).numpy()).all()


def test_convolution_equals_a_naive_loop_over_values():
    x, zero_point = RNG.integers(-128, 128, (2, 4, 7, 6)), 9
    weight, bias = RNG.integers(-127, 128, (8, 2, 3, 3)), RNG.integers(-500, 500, 8)
    window = Window(kernel=(3, 3), stride=(1, 2), padding=((2, 2), (2, 2)), dilation=(2, 2))
    got = conv2d(x, weight, bias, zero_point=zero_point, window=window, groups=2)
    padded = np.pad(x - zero_point, ((0, 0), (0, 0), (2, 2), (2, 2)))
    for b, o, h, w in np.ndindex(got.shape):
        total = int(bias[o])
        for c, i, j in np.ndindex(weight.shape[1:]):
            total += int(weight[o, c, i, j]) * int(padded[b, o // 4 * 2 + c, h + 2 * i, 2 * w + 2 * j])
        assert got[b, o, h, w] == total


WINDOWS = [
    (Window(kernel=(3, 3)), 1),
    (Window(kernel=(3, 3), stride=(2, 1), padding=((1, 1), (2, 2))), 1),
    (Window(kernel=(2, 3), stride=(2, 2), padding=((1, 0), (0, 1))), 1),
    (Window(kernel=(3, 2), dilation=(2, 3), padding=((2, 3), (0, 4))), 2),
    (Window(kernel=(3, 3), stride=(2, 2), padding=((0, 1), (0, 1))), 4),
]


@pytest.mark.parametrize(("window", "groups"), WINDOWS)
def test_convolution_equals_pytorch_whatever_the_window(window, groups):
    x, weight = RNG.integers(-128, 128, (2, 4, 9, 8)), RNG.integers(-127, 128, (8, 4 // groups, *window.kernel))
    bias = RNG.integers(-500, 500, 8)
    got = conv2d(x, weight, bias, zero_point=9, window=window, groups=groups)
    (above, below), (left, right) = window.padding
    padded = F.pad(tensor(x - 9), (left, right, above, below))
    want = F.conv2d(padded, tensor(weight), tensor(bias), window.stride, 0, window.dilation, groups)
    assert got.shape == tuple(want.shape) and (got == want.numpy()).all()


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(("stride", "padding", "output_padding", "dilation"), [
    ((1, 1), (0, 0), (0, 0), (1, 1)), ((2, 2), (1, 1), (1, 1), (1, 1)), ((2, 3), (0, 1), (0, 2), (2, 1)),
])  # fmt: skip
def test_transposed_convolution_equals_pytorch(stride, padding, output_padding, dilation, groups):
    x, weight = RNG.integers(-128, 128, (2, 4, 5, 6)), RNG.integers(-127, 128, (4, 3, 3, 2))
    bias = RNG.integers(-500, 500, 3 * groups)
    window = Window(
        kernel=(3, 2), stride=stride, padding=((padding[0],) * 2, (padding[1],) * 2), dilation=dilation
    )  # fmt: skip
    got = conv_transpose2d(x, weight, bias, zero_point=-4, window=window, output_padding=output_padding, groups=groups)
    want = F.conv_transpose2d(
        tensor(x + 4), tensor(weight), tensor(bias), stride, padding, output_padding, groups, dilation
    )
    assert got.shape == tuple(want.shape) and (got == want.numpy()).all()


def test_a_sum_beyond_32_bits_is_an_error():
    with pytest.raises(OverflowError, match="32 bits"):
        linear(np.full((1, 200_000), 255), np.full((1, 200_000), 127), np.array([0]), zero_point=0)
