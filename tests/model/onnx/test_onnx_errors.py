"""Files that cannot be read: one sentence that says what, where and what to do instead; nothing in them is run."""

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from edgewright.errors import ConfigError, EdgewrightError, ModelError, UnsupportedError
from edgewright.model.graph import is_captured
from edgewright.model.onnx import read_onnx

RELU = helper.make_node("Relu", ["x"], ["y"])


@pytest.fixture
def saved(files, tmp_path):
    """The path of a file with the given nodes and settings."""

    def save(*nodes, edit=None, **given):
        model = files.made(nodes or (RELU,), **given)
        if edit is not None:
            edit(model)
        (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
        return tmp_path / "m.onnx"

    return save


def test_a_missing_or_damaged_file_is_refused(saved, tmp_path):
    with pytest.raises(ModelError, match=r"none\.onnx cannot be read"):
        read_onnx(tmp_path / "none.onnx")
    path = saved()
    path.write_bytes(b"\xff" + path.read_bytes())
    with pytest.raises(ModelError, match="no ONNX file, or a damaged one: export the model again"):
        read_onnx(path)
    path.write_bytes(b"")
    with pytest.raises(ModelError, match="it holds no graph with an output"):
        read_onnx(path)


def test_an_operator_that_is_not_in_the_table_is_named(saved):
    with pytest.raises(
        UnsupportedError, match=r"at NonZero 'here': this operator is not in the table of docs/onnx\.md"
    ):
        read_onnx(saved(helper.make_node("NonZero", ["x"], ["y"], name="here")))


def test_operators_of_others_control_flow_and_integer_kernels_say_why(saved):
    other = helper.make_node("FusedConv", ["x"], ["y"], domain="com.microsoft")
    with pytest.raises(UnsupportedError, match=r"an operator of 'com\.microsoft'"):
        read_onnx(saved(other, imports=["com.microsoft"]))
    with pytest.raises(UnsupportedError, match="at If 'y': it is control flow: export the model without branches"):
        read_onnx(saved(helper.make_node("If", ["x"], ["y"])))
    with pytest.raises(UnsupportedError, match="quantize to the QDQ form"):
        read_onnx(saved(helper.make_node("ConvInteger", ["x", "x"], ["y"])))


def test_an_unusual_setting_is_named_with_its_operator(saved):
    pool = helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[2, 2], dilations=[2, 2])
    with pytest.raises(UnsupportedError, match="at AveragePool 'y': its window is dilated; give the PyTorch model"):
        read_onnx(saved(pool, opset=19))


def test_inputs_that_are_no_single_float_image_are_refused(saved):
    def second(model):
        model.graph.input.append(helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, [1]))

    def integer(model):
        model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8

    with pytest.raises(UnsupportedError, match=r"has 2 inputs \('x', 'z'\)"):
        read_onnx(saved(edit=second))
    with pytest.raises(UnsupportedError, match="takes uint8 images"):
        read_onnx(saved(edit=integer))


def test_open_sizes_must_be_given_and_fixed_ones_must_fit(saved):
    path = saved(shape=(3, "H", "W"))
    with pytest.raises(UnsupportedError, match=r"leaves sizes of its input open \(1,3,\?,\?\): say which with --input"):
        read_onnx(path)
    net = read_onnx(path, input_shape=(None, 5, 7))
    assert is_captured(net) and net.meta["input_shape"] == (3, 5, 7)
    with pytest.raises(ConfigError, match="is fixed to inputs of 1,3,8,8, got 1,3,4,4"):
        read_onnx(saved(), input_shape=(3, 4, 4))


def test_a_batch_that_is_part_of_the_computation_is_refused(saved):
    mixed = helper.make_node("ReduceMean", ["x", "axes"], ["y"], keepdims=1)
    path = saved(mixed, batch=2, constants={"axes": np.array([0])})
    with pytest.raises(UnsupportedError, match="has its batch of 2 written into the graph"):
        read_onnx(path)


def test_weights_that_are_not_finite_are_refused(saved):
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    with pytest.raises(ModelError, match="holds NaN or infinity"):
        read_onnx(saved(node, constants={"w": np.full((2, 3, 1, 1), np.nan, dtype=np.float32)}))


def test_a_damaged_graph_is_named_where_it_breaks(saved):
    with pytest.raises(ModelError, match="Relu 'y' reads 'nothing', which nothing makes"):
        read_onnx(saved(helper.make_node("Relu", ["nothing"], ["y"])))
    bad = helper.make_node("Conv", ["x", "w"], ["y"], name="stem")
    with pytest.raises(ModelError, match="damaged at Conv 'stem': it does not fit what it reads"):
        read_onnx(saved(bad, constants={"w": np.zeros((2, 5, 1, 1), dtype=np.float32)}))


def test_a_few_bytes_cannot_ask_for_all_memory(saved):
    nodes = [helper.make_node("ConstantOfShape", ["s"], ["c"]), helper.make_node("Add", ["x", "c"], ["y"])]
    with pytest.raises(UnsupportedError, match="a constant of more than 134,217,728 elements"):
        read_onnx(saved(*nodes, constants={"s": np.array([2**20, 2**20])}))


def keep_outside(model, place):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)


def test_weights_beside_the_file_are_read_and_elsewhere_never(saved, tmp_path):
    weight = np.arange(24, dtype=np.float32).reshape(8, 3, 1, 1)
    node = helper.make_node("Conv", ["x", "w"], ["y"])

    def path(place):
        return saved(node, constants={"w": weight}, edit=lambda model: keep_outside(model, place))

    (tmp_path / "w.bin").write_bytes(weight.tobytes())
    net = read_onnx(path("w.bin"))
    np.testing.assert_array_equal(next(net.parameters()).detach().numpy(), weight)
    with pytest.raises(ModelError, match=r"keeps 'w' in 'none\.bin', which is not beside it: copy both"):
        read_onnx(path("none.bin"))
    for place in ("../w.bin", "/etc/hostname"):
        with pytest.raises(ModelError, match="outside its own folder: that is never read"):
            read_onnx(path(place))
    (tmp_path / "link.bin").symlink_to("/etc/hostname")
    with pytest.raises(ModelError, match="outside its own folder"):
        read_onnx(path("link.bin"))


def test_functions_of_the_file_are_put_in_place(files, tmp_path):
    body = [helper.make_node("Sigmoid", ["a"], ["s"]), helper.make_node("Mul", ["a", "s"], ["b"])]
    own = helper.make_function("mine", "Gate", ["a"], ["b"], body, [helper.make_opsetid("", 18)])
    node = helper.make_node("Gate", ["x"], ["y"], domain="mine")
    onnx.save(files.made([node], functions=[own], imports=["mine"]), tmp_path / "f.onnx")
    net = files.agrees(tmp_path / "f.onnx", files.images(2, (3, 8, 8)))
    assert torch.ops.aten.silu.default in {each.target for each in net.graph.nodes}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_file_with_changed_bytes_is_read_or_refused_in_a_sentence(files, tmp_path_factory, data):
    weight = np.ones((4, 3, 3, 3), dtype=np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["c"], ["y"])]
    content = bytearray(files.made(nodes, constants={"w": weight}).SerializeToString())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / "m.onnx"
    path.write_bytes(bytes(content))
    try:
        assert is_captured(read_onnx(path))
    except EdgewrightError as error:
        assert str(error).endswith((".", ")"))


def test_a_layer_whose_name_lies_below_another_layer_finds_a_place(files, saved):
    nodes = [helper.make_node("Conv", ["x", "a.weight"], ["c"]), helper.make_node("Conv", ["c", "a.b.weight"], ["y"])]
    weight = np.ones((3, 3, 1, 1), dtype=np.float32)
    net = files.agrees(saved(*nodes, constants={"a.weight": weight, "a.b.weight": 2 * weight}), torch.ones(2, 3, 8, 8))
    assert [node.target for node in net.graph.nodes if node.op == "call_module"] == ["a", "a_b"]
