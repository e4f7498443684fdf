"""Backward passes: the general form of the convolution's, done by hand, equals autograd."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from edgewright import calc
from edgewright.errors import ConfigError


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 11), st.integers(1, 4), st.integers(1, 3), st.integers(0, 4), st.integers(1, 3))
def test_the_correlations_that_the_sizes_describe_equal_autograd(size, kernel, stride, padding, dilation):
    assume(size + 2 * padding >= dilation * (kernel - 1) + 1)
    sizes = calc.conv_backward(size=size, kernel=kernel, stride=stride, padding=padding, dilation=dilation).result
    draw = torch.Generator().manual_seed(size)
    x = torch.randn(2, 3, size, size, generator=draw, dtype=torch.float64, requires_grad=True)
    w = torch.randn(4, 3, kernel, kernel, generator=draw, dtype=torch.float64, requires_grad=True)
    out = F.conv2d(x, w, stride=stride, padding=padding, dilation=dilation)
    d_out = torch.randn(out.shape, generator=draw, dtype=torch.float64)
    d_x, d_w = torch.autograd.grad(out, (x, w), d_out)

    stuffed = torch.zeros(2, 4, sizes["stuffed"], sizes["stuffed"], dtype=torch.float64)
    stuffed[:, :, ::stride, ::stride] = d_out
    pads = [sizes["pad_before"], sizes["pad_after"]] * 2
    assert sizes["size_dx"] == size
    assert torch.allclose(F.conv2d(F.pad(stuffed, pads), w.flip(2, 3).transpose(0, 1), dilation=dilation), d_x)

    padded = F.pad(x, [padding] * 4).transpose(0, 1)
    taken = F.conv2d(padded, stuffed.transpose(0, 1), stride=dilation).transpose(0, 1)
    assert taken.shape[-1] == sizes["size_dw_uncropped"]
    assert torch.allclose(taken[..., : sizes["size_dw"], : sizes["size_dw"]], d_w)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["max", "average"]), st.integers(3, 6), st.integers(1, 3), st.integers(1, 3), st.data())
def test_pool_gradients_equal_autograd(kind, size, kernel, stride, data):
    values = data.draw(
        st.lists(st.lists(st.integers(0, 3), min_size=size, max_size=size), min_size=size, max_size=size)
    )
    x = torch.tensor(values, dtype=torch.float64).view(1, 1, size, size).requires_grad_()
    pool = F.max_pool2d if kind == "max" else F.avg_pool2d
    out = pool(x, kernel, stride)
    gradients = torch.arange(1.0, out.numel() + 1, dtype=torch.float64).view(out.shape)
    (expected,) = torch.autograd.grad(out, x, gradients)
    result = calc.pool_backward(
        values=values, kernel=kernel, stride=stride, kind=kind, gradients=gradients[0, 0].tolist()
    ).result
    assert torch.allclose(torch.tensor(result["gradients"], dtype=torch.float64), expected[0, 0])


def test_a_padding_wider_than_the_kernel_reaches_is_a_crop():
    worked = calc.conv_backward(size=5, kernel=1, padding=2)
    assert worked.result["pad_before"] == -2
    assert any("crop" in note for note in worked.notes)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"values": [[1, 2], [3]]}, r"values is rows of equal length, got lengths \(2, 1\)"),
        ({"values": [[1.0, 2.0], [3.0, 4.0]], "gradients": [[1.0], [1.0]]}, "gradients has the output's 1 x 1 values"),
        ({"values": [[1, 2], [3, float("nan")]]}, "values is a finite number, got nan"),
        ({"values": [[1, 2], [3, 4]], "kind": "median"}, "kind is max or average, got 'median'"),
        ({"values": [[1, 2, 3]]}, "A window of 2 does not fit into 1"),
    ],
)
def test_bad_pools_are_refused_in_one_sentence(asked, sentence):
    with pytest.raises(ConfigError, match=sentence):
        calc.pool_backward(kernel=2, **asked)
