"""Splitting of outlier channels."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgewright.compress.quantize import Precision
from edgewright.compress.quantize.repairs import split_outliers
from edgewright.compress.quantize.repairs.split import _choose, _halves
from edgewright.errors import ConfigError
from edgewright.model.quantized import minmax_scales


def half_up(values):
    return torch.floor(values + 0.5)


def test_halves_half_a_step_apart_round_to_the_sum_and_plain_halves_do_not():
    draws = 200 * torch.rand(100_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 100
    parts = _halves(draws.reshape(1, 1, -1), [0], torch.ones(1, dtype=torch.float64))[0]
    torch.testing.assert_close(parts[0] + parts[1], draws, rtol=1e-14, atol=0)
    assert torch.equal(half_up(parts[0]) + half_up(parts[1]), half_up(draws))
    assert torch.equal(parts.round().sum(0), draws.round())  # half to even, as the simulation rounds
    plain = (2 * half_up(draws / 2) != half_up(draws)).double().mean()
    assert 0.49 < plain < 0.51
    assert half_up(torch.tensor(5 / 2)) * 2 == 6


def test_whole_numbers_split_into_their_floor_and_ceiling():
    codes = torch.arange(-127.0, 128.0, dtype=torch.float64)
    low, high = half_up(_halves(codes.reshape(1, 1, -1), [0], torch.ones(1))[0])
    assert torch.equal(low, torch.floor(codes / 2)) and torch.equal(high, torch.ceil(codes / 2))


def test_the_column_that_bounds_the_rows_is_split_again_while_it_is_the_worst():
    largest = torch.tensor([[1.0, 9.0, 2.0], [1.0, 8.0, 3.0]])
    assert _choose(largest, 3) == [1, 1, 3]  # 9 -> 4.5 + 4.5, then both of these


@pytest.mark.parametrize("kind", ["chain", "depthwise", "grouped", "flat", "residual"])
@pytest.mark.slow
@settings(max_examples=10)
@given(seed=st.integers(0, 2**16), share=st.sampled_from([0.01, 0.2, 0.5]), select=st.booleans())
def test_the_function_stays_the_same(captured, images, kind, seed, share, select):
    net, generator = captured(kind), torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        parameter.data.normal_(generator=generator)
    split, report = split_outliers(net, share=share, precision=Precision(weights=3), select=select)
    with torch.no_grad():
        want, got = net(images[:4]), split(images[:4])
    assert (want - got).abs().max() <= 2e-5 * want.abs().max()
    assert (report.weights[1] > report.weights[0]) == bool(report.channels)


def test_one_channel_by_hand(captured):
    net = captured(nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Conv2d(2, 1, 1, bias=False)), (1, 2, 2))
    _, second = (module for module in net.modules() if isinstance(module, nn.Conv2d))
    second.weight.data = torch.tensor([6.0, 1.0]).reshape(1, 2, 1, 1)
    split, report = split_outliers(net, share=0.5, precision=Precision(weights=3), scale_of=minmax_scales)
    first, second = (module for module in split.modules() if isinstance(module, nn.Conv2d))
    step = 3 / (3 - 0.25)  # the larger half, 3 + step/4, is code 3
    torch.testing.assert_close(second.weight.flatten(), torch.tensor([3 - step / 4, 1.0, 3 + step / 4]))
    assert torch.equal(first.weight[0], first.weight[2]) and first.out_channels == 3
    assert report.weights == (4, 6) and report.macs == (16, 24)
    assert list(report.channels.values()) == [(0,)] and list(report.copied_by.values()) == ["the layer before"]


def test_a_split_outlier_makes_the_4_bit_error_smaller(captured, images, simulated):
    net = captured("chain")
    node = next(node for node in net.graph.nodes if node.name == "b")
    net.get_submodule(node.target).weight.data[:, 2] *= 10
    split, report = split_outliers(net, share=0.1, precision=Precision(weights=4))
    assert report.channels["b"] == (2,)
    with torch.no_grad():
        want = net(images)
        before, after = ((simulated(each, weights=4)(images) - want).pow(2).mean() for each in (net, split))
    assert after < 0.7 * before


def test_what_is_not_split_says_why(captured):
    refused = split_outliers(captured("depthwise"))[1].refused
    assert "works in groups" in refused["dw"] and "index_select" in refused["a"]
    with pytest.raises(ConfigError, match=r"share of the input channels in \(0, 1\], got 0"):
        split_outliers(captured("chain"), share=0)


@pytest.mark.slow
def test_a_split_net_is_written_with_integer_kernels_only(captured, simulated, images, tmp_path):
    from edgewright.export import export_onnx
    from edgewright.verify.kernels import kernels

    split, _ = split_outliers(captured("chain"), share=0.2, select=True)
    export_onnx(simulated(split), tmp_path / "out", name="split", preprocess={}, samples_BCHW=images[:4])
    found = kernels(tmp_path / "out" / "model.onnx")
    assert found.integer and not found.stayed_float
