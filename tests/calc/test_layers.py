"""Layer formulas against worked numbers (Dumoulin & Visin 2016; Howard 2017) and against torch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgewright import calc
from edgewright.errors import ConfigError


@pytest.mark.parametrize(
    ("size", "kernel", "padding", "stride", "expected"),
    [
        (28, 3, 1, 1, 28),
        (28, 3, 1, 2, 14),
        (28, 5, 2, 1, 28),
        (224, 7, 3, 2, 112),
        (32, 5, 0, 1, 28),
        (32, 3, 1, 2, 16),
        (28, 4, 2, 1, 29),
    ],
)
def test_output_size_of_the_usual_windows(size, kernel, padding, stride, expected):
    worked = calc.output_size(size=size, kernel=kernel, padding=padding, stride=stride)
    assert worked.result["size"] == expected


def test_pool_3_by_3_on_28_uses_27_pixels_and_ceil_mode_gives_10():
    floored = calc.output_size(size=28, kernel=3, stride=3)
    assert floored.result["size"] == 9
    assert floored.notes == ("the last 1 of the 28 are not read",)
    assert calc.output_size(size=28, kernel=3, stride=3, ceil=True).result["size"] == 10


@pytest.mark.parametrize("ceil", [False, True])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_output_size_equals_torch_pooling(ceil, data):
    size, kernel = data.draw(st.integers(4, 40)), data.draw(st.integers(1, 4))
    stride, padding = data.draw(st.integers(1, 4)), data.draw(st.integers(0, kernel // 2))
    made = nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil)(torch.zeros(1, size, size)).shape[-1]
    assert calc.output_size(size=size, kernel=kernel, stride=stride, padding=padding, ceil=ceil).result["size"] == made


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 20), st.integers(1, 5), st.integers(1, 3), st.integers(1, 2), st.integers(0, 1))
def test_transposed_size_equals_torch(size, kernel, stride, dilation, output_padding):
    if output_padding >= max(stride, dilation):
        return
    layer = nn.ConvTranspose1d(1, 1, kernel, stride, padding=0, output_padding=output_padding, dilation=dilation)
    made = layer(torch.zeros(1, 1, size)).shape[-1]
    worked = calc.transposed_size(
        size=size, kernel=kernel, stride=stride, output_padding=output_padding, dilation=dilation
    )
    assert worked.result["size"] == made


def test_full_padding_grows_by_kernel_minus_one_and_same_padding_keeps_the_size():
    assert calc.output_size(size=20, kernel=5, padding=4).result["size"] == 24
    assert calc.conv(size=20, in_channels=1, out_channels=1, kernel=5, padding="same", dilation=3).result[
        "shape_out"
    ] == [1, 20, 20]


def test_standard_convolution_64_to_128_at_112():
    result = calc.conv(size=112, in_channels=64, out_channels=128, kernel=3, padding=1, bias=False).result
    assert (result["macs"], result["weights"], result["flops"]) == (924_844_032, 73_728, 1_849_688_064)


def test_separable_convolution_64_to_128_at_112():
    result = calc.separable(size=112, in_channels=64, out_channels=128).result
    assert (result["depthwise_macs"], result["depthwise_weights"]) == (7_225_344, 576)
    assert (result["pointwise_macs"], result["pointwise_weights"]) == (102_760_448, 8_192)
    assert (result["macs"], result["weights"]) == (109_985_792, 8_768)
    assert result["reduction"] == pytest.approx(8.408759, abs=5e-7)
    assert result["standard_weights"] / result["weights"] == pytest.approx(result["reduction"])


@pytest.mark.parametrize(
    ("channels", "kernel", "reduction"),
    [
        (32, 3, 7.024),
        (64, 3, 7.890),
        (72, 3, 8.000),
        (128, 3, 8.409),
        (256, 3, 8.694),
        (512, 3, 8.845),
        (1024, 3, 8.922),
        (128, 5, 20.915),
    ],
)
def test_separable_reduction_by_output_channels(channels, kernel, reduction):
    result = calc.separable(size=14, in_channels=64, out_channels=channels, kernel=kernel).result
    assert result["reduction"] == pytest.approx(reduction, abs=5e-4)
    assert 1 / result["fraction"] == pytest.approx(result["reduction"])


def test_separable_fraction_at_256_channels():
    assert calc.separable(size=14, in_channels=64, out_channels=256).result["fraction"] == pytest.approx(
        0.115017, abs=5e-7
    )


def test_group_convolution_divides_the_weights():
    assert (
        calc.conv(size=8, in_channels=64, out_channels=128, kernel=3, groups=4, bias=False).result["weights"] == 18_432
    )


def test_fully_connected_on_an_image_against_a_convolution():
    dense = calc.linear(in_features=224 * 224 * 3, out_features=1000, bias=False).result
    small = calc.conv(size=224, in_channels=3, out_channels=64, kernel=3, padding=1, bias=False).result
    assert dense["weights"] == 150_528_000
    assert (small["weights"], small["macs"]) == (1_728, 86_704_128)
    assert dense["weights"] / small["weights"] == pytest.approx(87_111.1, abs=0.05)


def test_small_cnn_layer_by_layer():
    first = calc.conv(size=28, in_channels=1, out_channels=8, kernel=3, padding=1).result
    second = calc.conv(size=14, in_channels=8, out_channels=16, kernel=3, padding=1).result
    third, last = (
        calc.linear(in_features=784, out_features=64).result,
        calc.linear(in_features=64, out_features=10).result,
    )
    assert [layer["params"] for layer in (first, second, third, last)] == [80, 1_168, 50_240, 650]
    assert [layer["macs"] for layer in (first, second, third, last)] == [56_448, 225_792, 50_176, 640]


def test_small_cnn_with_3_by_3_pools():
    assert calc.pool(size=28, channels=8, kernel=3).result["shape_out"] == [8, 9, 9]
    assert calc.pool(size=9, channels=16, kernel=3).result["shape_out"] == [16, 3, 3]
    macs = 56_448 + calc.conv(size=9, in_channels=8, out_channels=16, kernel=3, padding=1).result["macs"]
    macs += calc.linear(in_features=144, out_features=64).result["macs"] + 640
    assert macs == 159_616


@pytest.mark.parametrize(("count", "field", "saved"), [(2, 5, 28.0), (3, 7, 44.9)])
def test_stacked_3_by_3_layers_see_more_with_fewer_weights(count, field, saved):
    assert calc.receptive_field(layers=[(3, 1)] * count).result["receptive_field"] == field
    stack = count * calc.conv(size=9, in_channels=8, out_channels=8, kernel=3, bias=False).result["weights"]
    one = calc.conv(size=9, in_channels=8, out_channels=8, kernel=field, bias=False).result["weights"]
    assert 100 * (1 - stack / one) == pytest.approx(saved, abs=0.05)


def test_receptive_field_grows_with_the_strides_before_and_with_dilation():
    result = calc.receptive_field(layers=[(7, 2), (3, 2), (3, 1, 2)]).result
    assert result == {"receptive_field": 7 + 2 * 2 + 2 * 2 * 4, "jump": 4}


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_conv_and_transposed_parameters_and_shapes_equal_torch(data):
    groups = data.draw(st.sampled_from([1, 2, 4]))
    cin, cout = 4 * data.draw(st.integers(1, 3)), 4 * data.draw(st.integers(1, 3))
    kernel, stride = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    both = {"kernel_size": kernel, "stride": stride, "groups": groups}
    for make, formula in ((nn.Conv2d, calc.conv), (nn.ConvTranspose2d, calc.transposed)):
        layer = make(cin, cout, **both)
        asked = {
            "size": (9, 7),
            "in_channels": cin,
            "out_channels": cout,
            "kernel": kernel,
            "stride": stride,
            "groups": groups,
        }
        result = formula(**asked).result
        assert result["params"] == sum(weight.numel() for weight in layer.parameters())
        assert result["shape_out"] == list(layer(torch.zeros(1, cin, 9, 7)).shape[1:])


def test_transposed_macs_are_inputs_times_weights():
    result = calc.transposed(size=7, in_channels=8, out_channels=4, kernel=4, stride=2, padding=1).result
    assert result["shape_out"] == [4, 14, 14]
    assert result["macs"] == 7 * 7 * 8 * 4 * 4 * 4


def test_pool_costs_compares_or_adds_and_no_macs():
    assert calc.pool(size=4, channels=3, kernel=2).result["elementwise"] == 3 * 4 * 3
    assert calc.pool(size=4, channels=3, kernel=2, kind="average").result["elementwise"] == 3 * 4 * 4


def test_batch_norm_costs_4_or_2_per_element_and_nothing_when_folded():
    result = calc.batch_norm(size=5, channels=3).result
    assert result == {
        "params": 6,
        "buffers": 7,
        "elementwise_as_written": 300,
        "elementwise": 150,
        "elementwise_folded": 0,
    }


@pytest.mark.parametrize(
    ("worked", "float32", "int8"),
    [
        (calc.conv(size=112, in_channels=64, out_channels=128, kernel=3, padding=1), 186.30, 745.19),
        (calc.depthwise(size=112, channels=64, padding=1), 2.249, 8.997),
        (calc.conv(size=112, in_channels=64, out_channels=128, kernel=1), 21.26, 85.04),
        (calc.linear(in_features=4096, out_features=4096), 0.49976, None),
        (calc.linear(in_features=4096, out_features=4096, batch=8), 3.984, None),
        (calc.linear(in_features=4096, out_features=4096, batch=64), 31.03, None),
    ],
)
def test_intensity_with_ideal_reuse(worked, float32, int8):
    assert worked.result["flops_per_byte_float32"] == pytest.approx(float32, rel=3e-4)
    if int8 is not None:
        assert worked.result["flops_per_byte_int8"] == pytest.approx(int8, rel=3e-4)


def test_worked_text_shows_formula_numbers_and_result():
    lines = calc.linear(in_features=784, out_features=64).lines()
    assert lines[0] == "Linear 784 -> 64"
    assert "  MACs: B n_in n_out = 1 x 784 x 64 = 50,176" in lines


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: calc.output_size(size=0, kernel=3), "size is a whole number of at least 1, got 0"),
        (lambda: calc.output_size(size=2, kernel=5), "A window of 5 does not fit into 2"),
        (
            lambda: calc.conv(size=8, in_channels=6, out_channels=4, groups=4),
            "groups divides both channel counts, got 4 for 6 -> 4",
        ),
        (lambda: calc.conv(size=8, in_channels=1, out_channels=1, kernel=2, padding="same"), "padding 'same' needs"),
        (lambda: calc.conv(size=8, in_channels=1, out_channels=1, padding="valid"), "'same', got 'valid'"),
        (lambda: calc.conv(size=(8, 8, 8), in_channels=1, out_channels=1), "size is one whole number or two"),
        (lambda: calc.pool(size=8, channels=1, kernel=2, kind="median"), "kind is max or average, got 'median'"),
        (lambda: calc.receptive_field(layers=[]), "layers is a list of"),
        (lambda: calc.receptive_field(layers=[(3,)]), "A layer is \\(kernel, stride\\)"),
        (lambda: calc.transposed_size(size=4, kernel=2, stride=2, output_padding=2), "output_padding is smaller than"),
        (lambda: calc.transposed_size(size=1, kernel=1, padding=4), "leaves nothing of the transposed output"),
        (lambda: calc.linear(in_features=2.5, out_features=1), "in_features is a whole number of at least 1, got 2.5"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(ask, sentence):
    with pytest.raises(ConfigError, match=sentence):
        ask()
