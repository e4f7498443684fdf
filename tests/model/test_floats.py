"""Short floats: the room `formats` as the oracle of the rounding, scales of 8-bit tensors, gradients."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from edgewright.errors import ConfigError
from edgewright.formats import FLOAT_FORMATS
from edgewright.model.floats import DTYPES, FLOATS, RoundActivation, float_scale
from edgewright.model.layers import settings_of

ONE = torch.ones(())
SHORT = sorted(DTYPES)


def rounded(x, form, scale=ONE):
    return torch.ops.edgewright.round_float(x, scale, form)


@pytest.mark.parametrize("form", SHORT)
def test_rounding_equals_the_format_bit_by_bit(form):
    rng = np.random.default_rng(0)
    values = (rng.standard_normal(5000) * np.exp2(rng.integers(-30, 20, 5000))).astype(np.float32)
    overflow = "saturate" if form.startswith("fp8") else "special"
    got = rounded(torch.from_numpy(values), form).double().numpy()
    assert np.array_equal(got, FLOAT_FORMATS[form].round(values, overflow=overflow))


def test_beyond_the_range_16_bits_overflow_and_8_bits_saturate():
    x = torch.tensor([1e5, -1e6])
    assert rounded(x, "fp16").tolist() == [math.inf, -math.inf]
    assert rounded(x, "fp8-e4m3").tolist() == [448, -448] and rounded(x, "fp8-e5m2").tolist() == [57344, -57344]


def test_a_scale_brings_the_largest_value_to_the_end_of_the_range():
    x = torch.tensor([0.001, -0.014, 0.007])
    scale = float_scale(x.abs().amax(), "fp8-e4m3")
    assert scale.item() == pytest.approx(0.014 / 448)
    assert rounded(x, "fp8-e4m3", scale).tolist() == pytest.approx([0.001, -0.014, 0.007], rel=2**-4)
    assert float_scale(torch.tensor(0.0), "fp8-e5m2").item() == 1.0 and float_scale(ONE, "bf16").item() == 1.0


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(3, 4, 2), nn.Linear(3, 4)], ids=lambda each: type(each).__name__
)
@pytest.mark.parametrize("form", SHORT)
def test_a_layer_computes_with_its_rounded_weight(layer, form):
    torch.manual_seed(0)
    short = FLOATS[type(layer)](**settings_of(layer), format=form)
    short.load_state_dict(layer.state_dict(), strict=False)
    short.fit_scale()
    plain = type(layer)(**settings_of(layer))
    plain.weight.data, plain.bias.data = short.rounded_weight().detach(), short.rounded_bias().detach()
    x = torch.randn(2, 3) if isinstance(layer, nn.Linear) else torch.randn(2, 3, 5, 5)
    assert torch.equal(short(x), plain(x))
    assert (short.bits == 8) == form.startswith("fp8") == torch.equal(short.rounded_bias(), layer.bias)
    relative = 2.0 ** -(FLOAT_FORMATS[form].mantissa_bits + 1)
    least = FLOAT_FORMATS[form].smallest_subnormal * short.weight_scale
    error = (short.rounded_weight() - layer.weight).abs()
    assert (error <= layer.weight.abs() * relative * 1.001 + least).all()


def test_the_gradient_is_one_within_the_range_and_zero_beyond():
    x = torch.tensor([0.1, 500.0, -3.0], requires_grad=True)
    rounded(x, "fp8-e4m3").sum().backward()
    assert x.grad.tolist() == [1.0, 0.0, 1.0]


def test_an_unknown_format_is_refused():
    with pytest.raises(ConfigError, match="A float format is one of fp16, bf16, fp8-e4m3, fp8-e5m2, got 'fp4'"):
        RoundActivation("fp4")
