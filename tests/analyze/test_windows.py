"""Functions with a window: one table, and what the rest of the analysis says of each of them."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from edgewright.analyze import profile
from edgewright.analyze.formulas import FUNCTIONS
from edgewright.analyze.fusion import CLAMP_THEIR_OUTPUT
from edgewright.analyze.recognition import LAYERS
from edgewright.analyze.windows import SLIDING, names_of


class Calls(nn.Module):
    """One function of one input."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def rows_of(function, shape):
    """Rows by operator of one function as it runs."""
    measured = profile(Calls(function), input_shape=shape)
    assert measured.unknown == ()
    return {row.op: row for row in measured.rows}


@pytest.mark.parametrize("name", SLIDING)
def test_every_function_with_a_window_is_one_of_torch_and_known_everywhere(name):
    assert hasattr(torch.ops.aten, name)
    assert f"aten.{name}" in FUNCTIONS
    assert f"aten.{name}" in CLAMP_THEIR_OUTPUT
    assert (name in LAYERS) == (name in names_of("conv") and name != "convolution")


HOSTS = {
    "aten.max_pool2d": (lambda x: functional.max_pool2d(x, 2), (2, 6, 6)),
    "aten.max_pool3d": (lambda x: functional.max_pool3d(x, 2), (2, 4, 4, 4)),
    "aten.avg_pool3d": (lambda x: functional.avg_pool3d(x, 2), (2, 4, 4, 4)),
    "aten.adaptive_avg_pool1d": (lambda x: functional.adaptive_avg_pool1d(x, 2), (2, 6)),
    "aten.adaptive_avg_pool3d": (lambda x: functional.adaptive_avg_pool3d(x, 2), (2, 4, 4, 4)),
    "aten.adaptive_max_pool3d": (lambda x: functional.adaptive_max_pool3d(x, 2), (2, 4, 4, 4)),
    "aten.conv2d": (  # weights that the input decides: no layer
        lambda x: functional.conv2d(x, x[:, :, :3, :3]),
        (2, 6, 6),
    ),
    "aten.conv_transpose1d": (lambda x: functional.conv_transpose1d(x[:, :1], x), (2, 6)),
}


@pytest.mark.parametrize("host", HOSTS)
def test_a_clamp_fuses_behind_every_convolution_and_pooling(host):
    function, shape = HOSTS[host]
    rows = rows_of(lambda x: functional.relu(function(x)), shape)
    assert rows["aten.relu"].fused_into == rows[host].name


def test_an_adaptive_maximum_over_three_axes_by_hand():
    rows = rows_of(lambda x: functional.adaptive_max_pool3d(x, (3, 2, 2)), (2, 6, 4, 5))
    row = rows["aten.adaptive_max_pool3d"]
    # 3 windows of 2, 2 of 2, and of 5 values 0 to 2 and 2 to 4: a comparison less than values in each of 12 windows
    assert row.elementwise == 2 * (6 * 4 * 6 - 3 * 2 * 2)
    assert row.window is None  # 5 is no multiple of 2
    equal = rows_of(lambda x: functional.adaptive_max_pool3d(x, (3, 2, 1)), (2, 6, 4, 5))["aten.adaptive_max_pool3d"]
    assert equal.window.kernel == equal.window.stride == (2, 2, 5)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_pooling_that_says_where_its_values_were_is_the_pooling(axes):
    pool, shape = getattr(functional, f"max_pool{axes}d"), (2, *[6] * axes)
    plain, *others = rows_of(lambda x: pool(x, 2), shape).values()
    telling = rows_of(lambda x: pool(x, 2, return_indices=True), shape)[f"aten.max_pool{axes}d_with_indices"]
    assert not others
    assert (telling.elementwise, telling.window) == (plain.elementwise, plain.window)
    assert telling.elementwise == 2 * 3**axes * (2**axes - 1)


def test_the_window_of_a_pooling_does_not_hang_on_a_batch():
    found = rows_of(lambda x: torch.ops.aten.avg_pool2d(x[0], [3]), (2, 6, 6))["aten.avg_pool2d"]
    assert (found.window.kernel, found.window.stride, found.window.padding) == ((3, 3), (3, 3), (0, 0))
    assert found.elementwise == 2 * 4 * 9
