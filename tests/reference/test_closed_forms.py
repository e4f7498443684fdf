"""`edgewright calc` and the counts of `analyze` against what the reference really does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from edgewright.calc import conv_backward, hard_swish, output_size, pool_backward, transposed_size
from edgewright.reference import pooling
from edgewright.reference.activations import ACTIVATIONS
from edgewright.reference.convolution import conv_transpose2d
from edgewright.reference.rotation import stuffed
from edgewright.reference.schedules import scaled
from edgewright.reference.windows import Window
from edgewright.train.rates import scaled_lr

small, room = some.integers(1, 4), some.integers(0, 6)


@given(small, small, small, some.integers(0, 2), room, some.booleans())
def test_calculated_sizes_are_those_of_windows(kernel, stride, dilation, padding, more, ceil):
    size = max(1, dilation * (kernel - 1) + 1 - 2 * padding) + more
    sides = (padding, padding)
    window = Window(kernel=(kernel, 1), stride=(stride, 1), dilation=(dilation, 1), padding=(sides, (0, 0)), ceil=ceil)
    worked = output_size(size=size, kernel=kernel, stride=stride, padding=padding, dilation=dilation, ceil=ceil)
    assert worked.result["size"] == window.count(0, size)
    if not ceil:
        back = conv_backward(size=size, kernel=kernel, stride=stride, padding=padding, dilation=dilation).result
        dy = np.ones((1, 1, window.count(0, size), 1))
        assert back["stuffed"] == stuffed(dy, (stride, 1)).shape[2]
        assert back["size_out"] == dy.shape[2]


@given(small, small, small, some.integers(0, 2), some.integers(0, 1))
def test_calculated_transposed_sizes_are_the_shape_that_comes_out(kernel, stride, dilation, size, extra):
    extra = min(extra, max(stride, dilation) - 1)
    window = Window(kernel=(kernel, 1), stride=(stride, 1), dilation=(dilation, 1))
    y = conv_transpose2d(
        np.ones((1, 1, size + 1, 1)), np.ones((1, 1, kernel, 1)), window=window, output_padding=(extra, 0)
    )
    worked = transposed_size(size=size + 1, kernel=kernel, stride=stride, dilation=dilation, output_padding=extra)
    assert y.shape[2] == worked.result["size"]


@pytest.mark.parametrize("kind", ["max", "average"])
@given(size=some.integers(3, 6), kernel=some.integers(1, 3), stride=some.integers(1, 3), seed=some.integers(0, 9))
def test_calculated_pool_gradients_are_the_references(kind, size, kernel, stride, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 5, (1, 1, size, size)).astype(float)  # many ties
    window = Window.square(kernel, stride=stride)
    dy = rng.random((1, 1, *(window.count(axis, size) for axis in (0, 1))))
    back = {"max": pooling.max_pool2d_backward, "average": pooling.average_pool2d_backward}[kind]
    worked = pool_backward(
        values=x[0, 0].tolist(), kernel=kernel, stride=stride, kind=kind, gradients=dy[0, 0].tolist()
    )
    np.testing.assert_allclose(worked.result["gradients"], back(dy, x, window)[0, 0])


def test_calculated_hard_swish_is_the_references():
    values = [-4.0, -1.5, 0.0, 2.5, 9.0]
    worked = hard_swish(values=values).result
    found = [row["hard_swish"] for row in worked["values"]]
    np.testing.assert_allclose(found, ACTIVATIONS["hard-swish"].value(np.array(values)))
    assert worked["minimum"] == pytest.approx(-0.375)


@pytest.mark.parametrize(("rule", "root"), [("linear", False), ("sqrt", True)])
def test_the_products_scaled_rate_is_the_references(rule, root):
    ours = scaled(0.1, batch_size=8192, base_batch_size=256, root=root)
    assert scaled_lr(0.1, batch_size=8192, rule=rule) == pytest.approx(ours)
