"""Ranges of the tensor at hand: ONNX's own operator as the oracle, and the layers around it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from edgewright.model.dynamic import DYNAMIC, DynamicQuantizeActivation, dynamic_grid
from edgewright.model.layers import settings_of
from edgewright.model.quantized import minmax_scales


def test_a_range_by_hand():
    x = torch.tensor([-1.0, 0.5, 3.0])
    scale, zero_point = dynamic_grid(x)
    assert scale.item() == pytest.approx(4 / 255) and zero_point.item() == 64
    assert DynamicQuantizeActivation().codes(x).tolist() == [0, 96, 255]
    assert DynamicQuantizeActivation()(x).tolist() == pytest.approx([-1.003922, 0.501961, 2.996078], abs=1e-6)


def test_a_range_without_zero_is_widened_and_zeros_have_a_grid():
    assert [each.item() for each in dynamic_grid(torch.tensor([1.0, 5.0]))] == pytest.approx([5 / 255, 0])
    assert [each.item() for each in dynamic_grid(torch.zeros(3))] == [1.0, 0.0]


@pytest.mark.parametrize("seed", range(20))
def test_codes_scale_and_zero_point_equal_those_of_the_runtime(seed):
    onnxruntime = pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper

    made = [("q", TensorProto.UINT8), ("s", TensorProto.FLOAT), ("z", TensorProto.UINT8)]
    node = helper.make_node("DynamicQuantizeLinear", ["x"], [name for name, _ in made])
    given_x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])
    graph = helper.make_graph([node], "g", [given_x], [helper.make_tensor_value_info(*each, None) for each in made])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = torch.randn(500, generator=torch.Generator().manual_seed(seed)) * 3 + seed / 5 - 2
    codes, scale, zero_point = session.run(None, {"x": x.numpy()})
    ours = dynamic_grid(x)
    assert (ours[0].item(), ours[1].item()) == (scale.item(), zero_point.item())
    assert np.array_equal(DynamicQuantizeActivation().codes(x).numpy(), codes)


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=30))
def test_every_value_lies_within_a_step(values):
    x = torch.tensor(values)
    scale, _ = dynamic_grid(x)
    assert (DynamicQuantizeActivation()(x) - x).abs().max() <= scale * (1 + 1e-4)


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(4, 6, 3, padding=1), nn.Linear(5, 6)], ids=lambda each: type(each).__name__
)
def test_a_layer_computes_integer_sums_of_codes(layer):
    torch.manual_seed(0)
    form = DYNAMIC[type(layer)](**settings_of(layer))
    form.load_state_dict(layer.state_dict(), strict=False)
    form.set_grid(weight_scale=minmax_scales(layer), input_scale=torch.ones(()))
    x = torch.randn(2, 5) if isinstance(layer, nn.Linear) else torch.randn(2, 4, 6, 6)
    scale, zero_point = dynamic_grid(x)
    codes = form.quantize.codes(x).double() - zero_point.double()
    plain = type(layer)(**{**settings_of(layer), "bias": False}).double()
    plain.weight.data = form.weight_codes().double()
    shape = (-1, 1, 1) if isinstance(layer, nn.Conv2d) else (-1,)
    expected = plain(codes) * (scale * form.weight_scale).double().reshape(shape) + layer.bias.double().reshape(shape)
    torch.testing.assert_close(form(x).double(), expected, rtol=1e-5, atol=1e-5)
    assert form.rounded_bias() is form.bias
