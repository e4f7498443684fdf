"""Pools of random windows against PyTorch's autograd; ties and overlaps by hand."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as some
from torch.nn import functional

from autograd_oracle import check, torch_gradients
from edgewright.reference import pooling
from edgewright.reference.windows import Window

RNG = np.random.default_rng(0)


@some.composite
def windows(draw, *, dilated: bool):
    """A window whose padding is at most half of its kernel, as PyTorch asks, and a map into which it fits."""
    kernel = (draw(some.integers(1, 3)), draw(some.integers(1, 3)))
    stride = (draw(some.integers(1, 3)), draw(some.integers(1, 3)))
    apart = (draw(some.integers(1, 2)), draw(some.integers(1, 2))) if dilated else (1, 1)
    sides = [draw(some.integers(0, size // 2)) for size in kernel]
    window = Window(
        kernel=kernel, stride=stride, dilation=apart, padding=tuple((side, side) for side in sides),
        ceil=draw(some.booleans()),
    )  # fmt: skip
    least = [max(1, window.reach(axis) - 2 * sides[axis]) for axis in (0, 1)]
    rng = np.random.default_rng(draw(some.integers(0, 99)))
    return window, rng.standard_normal((2, 2, *(size + draw(some.integers(0, 5)) for size in least)))


def torch_settings(window: Window) -> dict:
    sides = tuple(before for before, _ in window.padding)
    return {"kernel_size": window.kernel, "stride": window.stride, "padding": sides, "ceil_mode": window.ceil}


@given(windows(dilated=True))
@settings(max_examples=60)
def test_maximum_pooling_is_pytorchs(case):
    window, x = case
    if not np.isfinite(pooling.max_pool2d(x, window)).all():
        return  # all places of a dilated window in the padding: PyTorch 2.15 then writes outside of the gradient
    y, dy, wanted = torch_gradients(
        lambda x: functional.max_pool2d(x, **torch_settings(window), dilation=window.dilation), [x]
    )
    check([pooling.max_pool2d(x, window)], [y])
    check([pooling.max_pool2d_backward(dy, x, window)], wanted)


@given(windows(dilated=False), some.booleans())
@settings(max_examples=60)
def test_average_pooling_is_pytorchs(case, count_padding):
    window, x = case
    y, dy, wanted = torch_gradients(
        lambda x: functional.avg_pool2d(x, **torch_settings(window), count_include_pad=count_padding), [x]
    )
    check([pooling.average_pool2d(x, window, count_padding=count_padding)], [y])
    check([pooling.average_pool2d_backward(dy, x, window, count_padding=count_padding)], wanted)


@given(some.tuples(some.integers(1, 7), some.integers(1, 7)), some.tuples(some.integers(1, 4), some.integers(1, 4)))
def test_adaptive_pooling_is_pytorchs(full, size):
    x = RNG.standard_normal((2, 3, *full))
    y, dy, wanted = torch_gradients(lambda x: functional.adaptive_avg_pool2d(x, size), [x])
    check([pooling.adaptive_average_pool2d(x, size)], [y])
    check([pooling.adaptive_average_pool2d_backward(dy, x)], wanted)


def test_global_pooling_is_adaptive_pooling_to_one_place():
    x, dy = RNG.standard_normal((2, 3, 4, 5)), RNG.standard_normal((2, 3))
    check([pooling.global_average_pool2d(x)], [pooling.adaptive_average_pool2d(x, (1, 1))[..., 0, 0]])
    check(
        [pooling.global_average_pool2d_backward(dy, x)],
        [pooling.adaptive_average_pool2d_backward(dy[..., None, None], x)],
    )


def test_where_windows_overlap_the_gradients_of_one_winner_add_up():
    x = np.array([[1.0, 2, 3], [4, 9, 5], [6, 7, 8]])[None, None]
    dx = pooling.max_pool2d_backward(np.ones((1, 1, 2, 2)), x, Window.square(2))
    assert dx[0, 0].tolist() == [[0, 0, 0], [0, 4, 0], [0, 0, 0]]


def test_of_equal_values_the_first_in_reading_order_takes_the_gradient():
    window, x = Window.square(2), np.zeros((1, 1, 2, 2))
    _, dy, wanted = torch_gradients(lambda x: functional.max_pool2d(x, 2), [x])
    dx = pooling.max_pool2d_backward(dy, x, window)
    check([dx], wanted)
    assert np.count_nonzero(dx) == 1 and dx[0, 0, 0, 0] == dy.item()


def test_a_pool_of_3_on_28_places_reads_27_of_them():
    ones = np.ones((1, 1, 28, 28))
    dx = pooling.average_pool2d_backward(np.ones((1, 1, 9, 9)), ones, Window.square(3, stride=3))
    assert (dx[0, 0, :27, :27] == 1 / 9).all() and not dx[0, 0, 27].any() and not dx[0, 0, :, 27].any()


def test_maps_of_integers_have_gradients_too():
    x = np.arange(16).reshape(1, 1, 4, 4)
    dy = np.full((1, 1, 2, 2), 0.5)
    window = Window.square(2, stride=2)
    assert pooling.max_pool2d_backward(dy, x, window)[0, 0, 1].tolist() == [0, 0.5, 0, 0.5]
    assert (pooling.average_pool2d_backward(dy, x, window) == 0.125).all()
    assert (pooling.adaptive_average_pool2d_backward(dy, x) == 0.125).all()
