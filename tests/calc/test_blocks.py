"""Blocks against whole networks whose counts are known, against torch modules, and against their definitions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.models.resnet import Bottleneck
from torchvision.models.shufflenetv2 import InvertedResidual as ShuffleUnit
from torchvision.models.shufflenetv2 import channel_shuffle
from torchvision.models.squeezenet import Fire
from torchvision.ops import SqueezeExcitation

from edgewright import calc
from edgewright.errors import ConfigError


def count(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def added(*results):
    """Params and MACs of parts together."""
    return sum(result["params"] for result in results), sum(result["macs"] for result in results)


def stem(*layers, size=224):
    return calc.chain(size=size, channels=3, layers=layers).result


@pytest.mark.parametrize(("repeats", "params", "macs"), [((3, 4, 6, 3), 25_557_032, 4_089_184_256),
                                                         ((3, 8, 36, 3), 60_192_808, 11_513_626_624)])  # fmt: skip
def test_resnets_are_the_sum_of_their_bottlenecks(repeats, params, macs):
    """He 2016: ResNet-50 and ResNet-152, stride in the 3x3."""
    parts = [stem("conv 64 k7 s2 p3 nobias", "batch-norm", "pool 3 s2 p1")]
    channels, size = 64, 56
    for stage, number in enumerate(repeats):
        width, stride = 64 * 2**stage, 1 if stage == 0 else 2
        for unit in range(number):
            parts.append(
                calc.bottleneck(
                    in_channels=channels, width=width, out_channels=4 * width, stride=1 if unit else stride, size=size
                ).result
            )
            channels, size = 4 * width, size if unit else size // stride
    parts.append(calc.linear(in_features=2048, out_features=1000).result)
    assert added(*parts) == (params, macs)


def test_mobilenet_v2_is_the_sum_of_its_inverted_residuals():
    """Sandler 2018, table 2."""
    parts = [stem("conv 32 k3 s2 p1 nobias", "batch-norm")]
    channels, size = 32, 112
    for expand, out, number, stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        for unit in range(number):
            step = 1 if unit else stride
            parts.append(
                calc.inverted_residual(
                    in_channels=channels, out_channels=out, expand=expand, stride=step, size=size
                ).result
            )
            channels, size = out, size // step
    head = ["conv 1280 k1 nobias", "batch-norm", "global-pool", "linear 1000"]
    parts.append(calc.chain(size=size, channels=channels, layers=head).result)
    assert added(*parts) == (3_504_872, 300_774_272)


def test_squeezenet_1_1_is_the_sum_of_its_fires():
    """Iandola 2016, release 1.1."""
    parts, channels = [stem("conv 64 k3 s2", "pool 3 s2 ceil")], 64
    for squeeze, expand, size in (
        (16, 64, 55), (16, 64, 55), (32, 128, 27), (32, 128, 27), (48, 192, 13), (48, 192, 13), (64, 256, 13),
        (64, 256, 13),
    ):  # fmt: skip
        parts.append(calc.fire(in_channels=channels, squeeze=squeeze, expand1=expand, expand3=expand, size=size).result)
        channels = parts[-1]["out_channels"]
    parts.append(calc.chain(size=13, channels=channels, layers=["conv 1000 k1", "global-pool"]).result)
    assert added(*parts) == (1_235_496, 349_151_936)


@pytest.mark.parametrize(
    ("widths", "head", "params", "macs"),
    [
        ((48, 96, 192), 1024, 1_366_792, 40_476_448),
        ((116, 232, 464), 1024, 2_278_604, 144_907_992),
        ((244, 488, 976), 2048, 7_393_996, 583_253_464),
    ],
)
def test_shufflenet_v2_is_the_sum_of_its_units(widths, head, params, macs):
    """Ma 2018, at 0.5, 1 and 2 times."""
    parts = [stem("conv 24 k3 s2 p1 nobias", "batch-norm", "pool 3 s2 p1")]
    channels, size = 24, 56
    for width, repeats in zip(widths, (3, 7, 3), strict=True):
        parts.append(calc.shufflenet_v2_unit(in_channels=channels, out_channels=width, stride=2, size=size).result)
        channels, size = width, size // 2
        parts += [calc.shufflenet_v2_unit(in_channels=width, out_channels=width, size=size).result] * repeats
    last = [f"conv {head} k1 nobias", "batch-norm", "global-pool", "linear 1000"]
    parts.append(calc.chain(size=size, channels=channels, layers=last).result)
    assert added(*parts) == (params, macs)


def test_blocks_hold_what_torchvision_holds():
    fire = calc.fire(in_channels=96, squeeze=16, expand1=64, expand3=64).result
    assert fire["params"] == count(Fire(96, 16, 64, 64))
    wide = calc.bottleneck(in_channels=64, width=128, out_channels=256, groups=32, stride=2).result
    shortcut = nn.Sequential(nn.Conv2d(64, 256, 1, 2, bias=False), nn.BatchNorm2d(256))
    assert wide["params"] == count(Bottleneck(64, 64, 2, shortcut, groups=32, base_width=4))
    assert calc.inverted_residual(in_channels=24, out_channels=32, expand=4).result["params"] == count(
        InvertedResidual(24, 32, 1, 4)
    )
    assert calc.inverted_residual(in_channels=32, out_channels=16, expand=1).result["params"] == count(
        InvertedResidual(32, 16, 1, 1)
    )
    assert calc.squeeze_excite(channels=64).result["params"] == count(SqueezeExcitation(64, 4))
    for stride, channels in ((1, 116), (2, 24)):
        assert calc.shufflenet_v2_unit(in_channels=channels, out_channels=116, stride=stride).result["params"] == count(
            ShuffleUnit(channels, 116, stride)
        )


@given(st.integers(1, 8), st.integers(1, 6))
def test_a_shuffle_equals_torchvision_and_is_undone_by_the_other_grouping(groups, width):
    channels = groups * width
    result = calc.channel_shuffle(channels=channels, groups=groups).result
    shuffled = channel_shuffle(torch.arange(channels).view(1, channels, 1, 1), groups).flatten().tolist()
    assert result["order"] == shuffled
    back = calc.channel_shuffle(channels=channels, groups=result["groups_to_restore"]).result["order"]
    assert [shuffled[place] for place in back] == list(range(channels))


def test_a_block_without_a_size_has_unknown_macs():
    result = calc.bottleneck(in_channels=8, width=4, out_channels=8).result
    assert result["macs"] is None
    assert result["params"] == 8 * 4 + 9 * 16 + 4 * 8 + 2 * (4 + 4 + 8)


@given(st.integers(1, 60), st.integers(1, 500), st.integers(1, 500))
def test_no_pair_of_widths_moves_less_than_the_bound(size, first, second):
    result = calc.memory_access(size=size, in_channels=first, out_channels=second).result
    assert result["excess"] >= 1 - 1e-12


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: calc.channel_shuffle(channels=6, groups=4), "channels is a multiple of 4, got 6"),
        (
            lambda: calc.shufflenet_v1_unit(in_channels=240, out_channels=480),
            "stride 1 keeps its channels, got 240 -> 480",
        ),
        (
            lambda: calc.shufflenet_v1_unit(in_channels=240, out_channels=240, stride=2),
            "stride 2 concatenates its input, got 240 -> 240",
        ),
        (lambda: calc.shufflenet_v2_unit(in_channels=8, out_channels=8, stride=3), "stride is 1 or 2, got 3"),
        (lambda: calc.squeeze_excite(channels=0), "channels is a whole number of at least 1, got 0"),
        (lambda: calc.stack(count=2, kernel=1), "kernel is a whole number of at least 2, got 1"),
        (lambda: calc.fire(in_channels=8, squeeze=0, expand1=1, expand3=1), "out_channels is a whole number"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(ask, sentence):
    with pytest.raises(ConfigError, match=sentence):
        ask()
