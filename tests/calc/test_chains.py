"""Networks in words against torch, against known counts, and what is refused."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgewright import calc
from edgewright.errors import ConfigError

VGG16 = [
    layer
    for width, repeats in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
    for layer in [f"conv {width} k3 p1", "relu"] * repeats + ["pool 2"]
] + ["linear 4096", "relu", "dropout", "linear 4096", "relu", "dropout", "linear 1000"]


def mobilenet_v1(width: float) -> list[str]:
    """Howard 2017, table 1."""
    wide = [int(channels * width) for channels in (32, 64, 128, 128, 256, 256, *[512] * 6, 1024, 1024)]
    layers = [f"conv {wide[0]} k3 s2 p1 nobias", "batch-norm", "relu"]
    for number, channels in enumerate(wide[1:], start=1):
        stride = 2 if number in (2, 4, 6, 12) else 1
        layers += [
            f"depthwise k3 s{stride} p1 nobias",
            "batch-norm",
            f"conv {channels} k1 nobias",
            "batch-norm",
            "relu",
        ]
    return [*layers, "global-pool", "linear 1000"]


def test_vgg_16_in_words():
    result = calc.chain(size=224, channels=3, layers=VGG16).result
    assert (result["params"], result["macs"]) == (138_357_544, 15_470_264_320)


@pytest.mark.parametrize(
    ("width", "params", "macs"),
    [
        (1, 4_231_976, 568_740_352),
        (0.75, 2_585_560, 325_400_448),
        (0.5, 1_331_592, 149_497_088),
        (0.25, 470_072, 41_030_272),
    ],
)
def test_mobilenet_v1_in_words(width, params, macs):
    result = calc.chain(size=224, channels=3, layers=mobilenet_v1(width)).result
    assert (result["params"], result["macs"]) == (params, macs)


def test_the_rows_of_a_chain_give_shares():
    """MobileNet V1: .9486 of the MACs are pointwise, .0306 depthwise, .0191 in the first layer, .0018 in the last."""
    result = calc.chain(size=224, channels=3, layers=mobilenet_v1(1)).result
    shares = [
        sum(row["macs"] for row in result["layers"] if " ".join(row["layer"].split()[::2]).startswith(kind))
        / result["macs"]
        for kind in ("conv k1", "depthwise s", "conv k3", "linear")
    ]
    assert shares == pytest.approx([0.9486, 0.0306, 0.0191, 0.0018], abs=5e-5)
    pointwise = sum(row["params"] for row in result["layers"] if " k1 " in row["layer"])
    assert pointwise / result["params"] == pytest.approx(0.742, abs=5e-4)


def test_every_kind_of_layer_has_the_shape_and_params_of_torch():
    layers = {
        "conv 12 k3 s2 p1 d2 g2 nobias": nn.Conv2d(4, 12, 3, 2, 1, 2, groups=2, bias=False),
        "batch-norm": nn.BatchNorm2d(12),
        "prelu per-channel": nn.PReLU(12),
        "depthwise k5 same": nn.Conv2d(12, 12, 5, padding=2, groups=12),
        "transposed 8 k3 s2 p1 o1": nn.ConvTranspose2d(12, 8, 3, 2, 1, 1),
        "pool 3 s2 p1 ceil": nn.MaxPool2d(3, 2, 1, ceil_mode=True),
        "average-pool 2": nn.AvgPool2d(2),
        "relu6": nn.ReLU6(),
        "flatten": nn.Flatten(),
        "linear 7 nobias": nn.Linear(8 * 8 * 8, 7, bias=False),
    }
    rows = calc.chain(size=31, channels=4, layers=list(layers)).result["layers"]
    values = torch.zeros(1, 4, 31, 31)
    for row, (text, module) in zip(rows, layers.items(), strict=True):
        values = module(values)
        assert (row["layer"], row["shape_out"]) == (text, list(values.shape[1:]))
        assert row["params"] == sum(weight.numel() for weight in module.parameters())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["conv 3 k3 p1", "conv 5 k1 s2", "pool 2 ceil", "depthwise same", "relu"]), max_size=6))
def test_the_totals_are_the_sums_of_the_rows(layers):
    result = calc.chain(size=19, channels=2, layers=[*layers, "linear 3"]).result
    for key in ("params", "macs", "elementwise"):
        assert result[key] == sum(row[key] for row in result["layers"])


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ([], "layers is a list such as"),
        (["convolution 8"], "A layer starts with one of conv, depthwise, .* got 'convolution 8'"),
        (["conv k3"], "conv needs its out channels after it, got 'conv k3'"),
        (["relu 3"], "relu takes no settings, got '3' in 'relu 3'"),
        (["pool 2 k3"], "pool takes sN, pN, same, full, ceil, got 'k3'"),
        (["conv 8 x4"], "conv takes kN, .*got 'x4' in 'conv 8 x4'"),
        (["linear 8", "conv 8"], "'conv 8' needs an image, but gets \\(8\\)"),
        (["conv 8 k9"], "A window of 9 does not fit"),
    ],
)
def test_what_is_no_network_is_refused_in_one_sentence(layers, sentence):
    with pytest.raises(ConfigError, match=sentence):
        calc.chain(size=4, channels=1, layers=layers)
