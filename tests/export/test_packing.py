"""Weights of fewer than 8 bits: as many bytes as the formula says, the same integers, the same kernels."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from edgewright.compress.quantize import Precision, observe, plan_quantizers, ranges_of, simulate
from edgewright.errors import ConfigError, UnsupportedError
from edgewright.export import export_onnx
from edgewright.export.packing import bits_by_layer, pack_weights
from edgewright.model.fold import fold_batch_norms
from edgewright.model.onnx import read_onnx
from edgewright.model.packed import pack, packed_bytes, unpack
from edgewright.model.quantized import quant_specs
from edgewright.verify.kernels import kernels

# --- the layout -----------------------------------------------------------------------------------------------------


def test_four_2_bit_codes_share_a_byte():
    """1 = 01, -1 = 11, 0 = 00, -2 = 10, the first in the lowest bits; the group of eight ends with zeros."""
    assert pack(torch.tensor([1, -1, 0, -2]), bits=2).tolist() == [[0b10_00_11_01], [0]]


def test_3_bits_are_a_field_of_2_and_one_of_1():
    """-4 to 3 are 100 101 110 111 000 001 010 011: low fields 0 1 2 3 twice, high bits 1 1 1 1 0 0 0 0."""
    assert pack(torch.arange(-4, 4), bits=3).tolist() == [[0b11_10_01_00], [0b11_10_01_00], [0b00001111]]


@given(st.integers(2, 7), st.integers(0, 70), st.integers(0, 2**31))
def test_packing_is_undone_and_takes_the_bytes_of_the_formula(bits, count, seed):
    codes = np.random.default_rng(seed).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), count, dtype=np.int8)
    packed = pack(torch.from_numpy(codes), bits=bits)
    assert torch.equal(unpack(packed, [count]), torch.from_numpy(codes))
    assert packed.numel() == packed_bytes(count, bits) and packed.numel() - count * bits / 8 < bits


def test_a_byte_holds_a_code_of_8_bits():
    assert packed_bytes(13, 8) == 13
    with pytest.raises(ConfigError, match="2 to 7 bits are packed, got 8"):
        pack(torch.zeros(8), bits=8)
    with pytest.raises(ConfigError, match=r"4 bits lie in \[-8, 7\], got 0 to 8"):
        pack(torch.tensor([0, 8]), bits=4)


# --- in a file, without a model -------------------------------------------------------------------------------------


def stored(shape, *, bits):
    """A file that multiplies its input by a stored matrix of `bits`-bit codes, and the codes."""
    top = 2 ** (bits - 1) - 1
    codes = np.random.default_rng(bits).integers(-top, top + 1, shape, dtype=np.int8)
    nodes = [helper.make_node("DequantizeLinear", ["fc.weight", "s0", "z0"], ["d0"], axis=1),
             helper.make_node("MatMul", ["image", "d0"], ["output"])]  # fmt: skip
    tensors = {"fc.weight": codes, "s0": np.full(shape[1], 0.5, np.float32), "z0": np.zeros(shape[1], np.int8)}
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", shape[0]])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", shape[1]])],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), codes


def run_bytes(model, x):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"image": x})[0]


@pytest.mark.parametrize("shape", [(4, 6), (3, 5)])  # whole groups of eight, and a group with an end to drop
@pytest.mark.parametrize("bits", range(2, 8))
def test_a_runtime_widens_what_was_packed(bits, shape):
    model, codes = stored(shape, bits=bits)
    assert pack_weights(model, {"fc": bits, "gone": 4}) == {"fc": bits}
    onnx.checker.check_model(model)
    packed = next(each for each in model.graph.initializer if each.name == "fc.weight")
    assert len(packed.raw_data) == packed_bytes(codes.size, bits)
    identity = np.eye(shape[0], dtype=np.float32)
    assert np.array_equal(run_bytes(model, identity), 0.5 * codes)


def test_eight_bits_change_nothing():
    model, _ = stored((4, 6), bits=8)
    before = model.SerializeToString(deterministic=True)
    assert pack_weights(model, {"fc": 8}) == {"fc": 8}
    assert model.SerializeToString(deterministic=True) == before


def test_a_packed_file_is_read_with_its_bits(tmp_path):
    model, codes = stored((3, 5), bits=3)
    pack_weights(model, {"fc": 3})
    onnx.save(model, tmp_path / "a.onnx")
    net = read_onnx(tmp_path / "a.onnx")
    assert net.fc.bits == 3 and torch.equal(net.fc.weight.T, 0.5 * torch.from_numpy(codes).float())


def test_bits_of_what_is_not_stored_are_refused(tmp_path):
    model, _ = stored((4, 6), bits=5)
    pack_weights(model, {"fc": 5})
    next(node for node in model.graph.node if node.op_type == "BitwiseOr").input[0] = "image"
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(UnsupportedError, match="it computes on the bits of a tensor that is not stored"):
        read_onnx(tmp_path / "a.onnx")


# --- a whole model --------------------------------------------------------------------------------------------------


class Odd(nn.Module):
    """27 and 15 weights a channel: groups that end early; a transposed layer and a linear layer on tokens."""

    def __init__(self):
        super().__init__()
        self.stem, self.depthwise = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 5, 3, groups=5)
        self.tokens, self.fc = nn.Linear(5, 7), nn.Linear(7, 3)

    def forward(self, x):
        x = nn.functional.relu(self.depthwise(self.stem(x)))
        return self.fc(self.tokens(x.flatten(2).transpose(1, 2)).mean(1))


@pytest.fixture(scope="module")
def mixed(nets):
    """The float net, a simulation with a width of its own for every layer, and one with the same codes in 8 bits."""
    folded, _ = fold_batch_norms(nets.captured(nets.seeded(Odd), (3, 12, 12)))
    plan = plan_quantizers(folded)
    ranges = ranges_of(observe(folded, plan, nets.x), method="minmax", percentile=100.0)
    widths = dict(zip(plan.layers, (3, 4, 5, 2), strict=True))
    return simulate(folded, plan, ranges, precision=Precision(layers=widths))


def unpacked(net, folder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("edgewright.export.artifact.pack_weights", lambda model, bits: bits)
        return export_onnx(net, folder, name="odd", preprocess={})


@pytest.mark.slow
def test_packed_and_wide_files_run_the_same_kernels_bit_for_bit(nets, mixed, tmp_path, monkeypatch):
    packed = export_onnx(mixed, tmp_path / "p", name="odd", preprocess={})
    wide = unpacked(mixed, tmp_path / "w", monkeypatch)
    assert packed.manifest["weight_bits"] == bits_by_layer(mixed)
    assert kernels(packed.model_path) == kernels(wide.model_path) and not kernels(packed.model_path).heavy
    outputs = []
    for artifact in (packed, wide):
        session = onnxruntime.InferenceSession(str(artifact.model_path), providers=["CPUExecutionProvider"])
        outputs.append(session.run(None, {"image": nets.x.numpy()})[0])
    assert np.array_equal(*outputs)


@pytest.mark.slow
def test_each_stored_weight_takes_the_bytes_of_the_formula_and_equal_models_equal_files(mixed, tmp_path):
    first, second = (export_onnx(mixed, tmp_path / name, name="odd", preprocess={}) for name in ("a", "b"))
    assert first.model_path.read_bytes() == second.model_path.read_bytes()
    sizes = {each.name: len(each.raw_data) for each in onnx.load(first.model_path).graph.initializer}
    for path, bits in bits_by_layer(mixed).items():
        assert sizes[f"{path}.weight"] == packed_bytes(mixed.get_submodule(path).weight.numel(), bits)


@pytest.mark.slow
def test_a_packed_file_is_read_as_the_simulation_that_it_was_written_from(nets, mixed, tmp_path):
    artifact = export_onnx(mixed, tmp_path / "a", name="odd", preprocess={})
    again = read_onnx(artifact.model_path)
    assert bits_by_layer(again) == bits_by_layer(mixed)
    want = {name: spec for name, spec in quant_specs(mixed).items() if name.endswith(".weight")}
    assert {name: spec for name, spec in quant_specs(again).items() if name.endswith(".weight")} == want
    with torch.no_grad():
        assert torch.equal(again(nets.x), mixed(nets.x))
