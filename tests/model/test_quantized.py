"""Grids, the fake-quantize operator and the integer layers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from edgewright.errors import ConfigError, ModelError
from edgewright.model.quantized import (
    QUANTIZED,
    QuantConvTranspose2d,
    QuantizeActivation,
    QuantLinear,
    affine_spec,
    minmax_scales,
    symmetric_spec,
)  # fmt: skip

fake_quantize = torch.ops.edgewright.fake_quantize

# range, bits, signed -> scale, zero point, {value: (code, what it stands for)}: the table of facts, section 4
TABLE = [
    ((-1, 3), 8, False, 4 / 255, 64, {-0.3: (45, -0.298039), 1.7: (172, 1.694118), 3: (255, 2.996078)}),
    ((-1, 3), 8, False, 4 / 255, 64, {0.5: (96, 0.501961)}),
    ((-1, 3), 8, True, 4 / 255, -64, {-0.3: (-83, -0.298039), 0.5: (-32, 0.501961), 1.7: (44, 1.694118)}),
    ((-1, 3), 4, False, 4 / 15, 4, {-0.3: (3, -0.266667), 0.5: (6, 0.533333), 1.7: (10, 1.6)}),
    ((-1, 3), 4, True, 4 / 15, -4, {-0.3: (-5, -0.266667), 0.5: (-2, 0.533333), 1.7: (2, 1.6)}),
    ((0, 6), 8, False, 6 / 255, 0, {0.5: (21, 0.494118), 5: (212, 4.988235)}),
    ((0, 6), 8, True, 6 / 255, -128, {0.5: (21 - 128, 0.494118), 5: (212 - 128, 4.988235)}),
    ((1, 5), 8, False, 5 / 255, 0, {3: (153, 3.0)}),
    ((-10.2, 15.3), 8, False, 0.1, 102, {-1: (92, -1.0)}),
]  # fmt: skip


@pytest.mark.parametrize(("bounds", "bits", "signed", "scale", "zero_point", "values"), TABLE)
def test_affine_grids_equal_the_worked_table(bounds, bits, signed, scale, zero_point, values):
    spec = affine_spec(*bounds, bits=bits, signed=signed)
    assert spec.scale[0] == pytest.approx(scale, rel=1e-7)
    assert spec.zero_point == (zero_point,)
    layer = QuantizeActivation.of(spec)
    for value, (code, stands_for) in values.items():
        x = torch.tensor([float(value)])
        assert layer.codes(x).item() == code
        assert layer(x).item() == pytest.approx(stands_for, abs=6e-7)


def test_values_outside_the_range_saturate():
    layer = QuantizeActivation.of(affine_spec(-1, 3, signed=False))
    assert layer.codes(torch.tensor([-1.0, -9.0, 99.0])).tolist() == [0, 0, 255]
    assert layer(torch.tensor([-1.0])).item() == pytest.approx(-1.003922, abs=1e-6)


@pytest.mark.parametrize(("bits", "codes"), [(8, {-0.3: -13, 0.5: 21, 1.7: 72}), (4, {-0.3: -1, 0.5: 1, 1.7: 4})])
def test_symmetric_grids_equal_the_worked_table(bits, codes):
    spec = symmetric_spec(3.0, bits=bits)
    assert spec.scale[0] == pytest.approx(3 / (2 ** (bits - 1) - 1), rel=1e-7) and spec.zero_point == (0,)
    scale, zero = torch.tensor(spec.scale[0]), torch.zeros((), dtype=torch.int32)
    for value, code in codes.items():
        got = fake_quantize(torch.tensor(value), scale, zero, spec.low, spec.high).item()
        assert got == pytest.approx(code * spec.scale[0], rel=1e-6)


def test_a_symmetric_grid_has_twice_the_step_of_an_affine_one_on_relu_data():
    step = symmetric_spec(6.0).scale[0] / affine_spec(0.0, 6.0, signed=False).scale[0]
    assert step == pytest.approx(2.00787, abs=5e-6)  # 255 / 127


def test_sixteen_bits_resolve_a_range_into_65535_steps():
    layer = QuantizeActivation.of(affine_spec(-1, 3, bits=16))
    assert (layer.low, layer.high) == (-32768, 32767) and layer.spec.scale[0] == pytest.approx(4 / 65535)
    assert layer.codes(torch.tensor([-1.0, 0.0, 3.0])).tolist() == [-32768, -16384, 32767]


def test_one_scale_for_a_tensor_is_that_of_its_largest_channel():
    layer = nn.Conv2d(2, 3, 1, bias=False)
    layer.weight.data = torch.tensor([[1.0, -2.0], [0.5, 0.25], [0.0, 0.0]]).reshape(3, 2, 1, 1)
    assert minmax_scales(layer).tolist() == pytest.approx([2 / 127, 0.5 / 127, 1.0])
    assert minmax_scales(layer, per_tensor=True).tolist() == pytest.approx([2 / 127] * 3)


def test_a_rounding_tie_goes_to_the_even_code():
    zero = torch.zeros((), dtype=torch.int32)
    got = fake_quantize(torch.tensor([0.5, 1.5, 2.5, -0.5]), torch.tensor(1.0), zero, -8, 7)
    assert got.tolist() == [0.0, 2.0, 2.0, 0.0]


@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.integers(2, 8), st.booleans())
def test_zero_is_on_every_grid_and_the_zero_point_is_a_code(low, high, bits, signed):
    spec = affine_spec(min(low, high), max(low, high), bits=bits, signed=signed)
    assert spec.low <= spec.zero_point[0] <= spec.high
    assert QuantizeActivation.of(spec)(torch.zeros(1)).item() == 0.0


@given(st.floats(-100, 100), st.floats(-100, 100), st.lists(st.floats(-100, 100), min_size=1, max_size=20))
def test_quantizing_twice_changes_nothing_more(low, high, values):
    layer = QuantizeActivation.of(affine_spec(min(low, high), max(low, high)))
    once = layer(torch.tensor(values, dtype=torch.float32))
    assert torch.equal(layer(once), once)


def test_a_tensor_that_is_always_zero_has_a_grid():
    assert affine_spec(0.0, 0.0).scale == (1.0,)


def test_a_range_that_is_not_finite_is_refused():
    with pytest.raises(ModelError, match=r"from nan to 1\.0 cannot be quantized"):
        affine_spec(float("nan"), 1.0)


def test_the_gradient_is_one_inside_the_clip_range_and_zero_outside():
    x = torch.tensor([-1.3, -0.9, 0.0, 0.4, 2.9, 3.4], requires_grad=True)
    QuantizeActivation.of(affine_spec(-1, 3))(x).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 1.0, 0.0]


LAYERS = [
    nn.Conv2d(4, 6, 3, stride=2, padding=1),
    nn.Conv2d(4, 4, 3, groups=4, bias=False),
    nn.Conv2d(4, 6, 3, padding="same"),
    nn.ConvTranspose2d(4, 6, 3, stride=2, output_padding=1),
    nn.ConvTranspose2d(4, 6, 3, groups=2),
    nn.Linear(5, 6),
]


def integer_form(layer: nn.Module, *, bits: int = 8, input_scale: float = 0.01) -> nn.Module:
    from edgewright.model.layers import settings_of

    integer = QUANTIZED[type(layer)](**settings_of(layer), bits=bits)
    integer.load_state_dict(layer.state_dict(), strict=False)
    integer.set_grid(weight_scale=minmax_scales(layer, bits=bits), input_scale=torch.tensor(input_scale))
    return integer


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: f"{type(layer).__name__}-{getattr(layer, 'groups', 1)}")
def test_an_integer_layer_computes_with_what_its_codes_stand_for(layer):
    torch.manual_seed(0)
    integer = integer_form(layer)
    codes, shape = integer.weight_codes(), [1] * layer.weight.dim()
    shape[integer.weight_axis] = -1
    assert codes.dtype == torch.int8 and codes.abs().max() == 127
    weight = codes.float() * integer.weight_scale.reshape(shape)
    assert (weight - layer.weight).abs().max() <= integer.weight_scale.max() / 2 * (1 + 1e-5)
    rounded = type(layer)(**{**settings(layer)})
    rounded.weight.data = weight
    if layer.bias is not None:
        assert integer.bias_codes().dtype == torch.int32
        rounded.bias.data = integer.bias_codes().float() * integer.bias_scale
    x = torch.randn(2, 5) if isinstance(layer, nn.Linear) else torch.randn(2, 4, 6, 6)
    torch.testing.assert_close(integer(x), rounded(x), rtol=1e-5, atol=1e-5)


def settings(layer: nn.Module) -> dict:
    from edgewright.model.layers import settings_of

    return settings_of(layer)


def test_a_channel_of_zeros_stays_zero():
    layer = nn.Linear(4, 2, bias=False)
    layer.weight.data[1] = 0
    integer = integer_form(layer)
    assert integer.weight_scale[1] == 1.0 and (integer.weight_codes()[1] == 0).all()


@pytest.mark.parametrize(("bits", "top"), [(2, 1), (4, 7), (8, 127)])
def test_weight_codes_use_the_whole_symmetric_range_of_their_bits(bits, top):
    integer = integer_form(nn.Linear(64, 3), bits=bits)
    assert integer.weight_codes().amax().item() <= top and integer.weight_codes().abs().amax().item() == top


def test_a_bias_beyond_32_bits_saturates():
    integer = integer_form(nn.Linear(4, 2), input_scale=1e-12)
    integer.bias.data.fill_(1e6)
    assert (integer.bias_codes() == 2**31 - 128).all()


def test_weights_are_quantized_to_2_to_8_bits():
    with pytest.raises(ConfigError, match="2 to 8 bits, got 9"):
        QuantLinear(4, 2, bits=9)


def test_a_transposed_convolution_in_groups_has_one_bias_scale_per_output_channel():
    integer = QuantConvTranspose2d(4, 6, 3, groups=2)
    assert integer.weight_scale.shape == (3,) and integer.bias_scale.shape == (6,)
