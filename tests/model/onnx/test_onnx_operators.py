"""Each operator by itself: what is read computes what ONNX Runtime computes, at two batch sizes."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

from edgewright.model.onnx import read_onnx
from edgewright.model.onnx.operators import BUILDERS

PAGE = Path(__file__).parents[3] / "docs" / "onnx.md"
RNG = np.random.default_rng(0)


def floats(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def ints(*values):
    return np.array(values, dtype=np.int64)


def case(kind, *constants, shape=(4, 6, 6), opset=18, outputs=1, first=None, **attributes):
    """One operator on `x` and constants; `first`: a constant that stands before x. None leaves an input out."""
    return {"kind": kind, "constants": constants, "shape": shape, "opset": opset, "outputs": outputs, "first": first,
            "attributes": attributes}  # fmt: skip


W, B, X3 = floats(6, 4, 3, 3), floats(6), (4, 5, 7)
SCALE, SHIFT, MEAN, VAR = floats(4), floats(4), floats(4), np.abs(floats(4)) + 0.5

CASES = [
    *[case(kind) for kind in ("Relu", "Sigmoid", "Tanh", "Abs", "Neg", "Exp", "Floor", "Ceil", "Round", "Sign", "Sin",
                              "Cos", "Erf", "HardSwish", "Mish", "Identity", "Softplus", "Softsign", "Reciprocal",
                              "Elu", "Selu", "Celu", "LeakyRelu", "HardSigmoid", "ThresholdedRelu")],
    case("Not", first=None, shape=(4,)), case("Sqrt"), case("Log"), case("Gelu", opset=20),
    case("Gelu", opset=20, approximate="tanh"), case("Elu", alpha=0.5), case("LeakyRelu", alpha=0.2),
    case("HardSigmoid", alpha=1 / 6, beta=0.5), case("Selu", alpha=1.5, gamma=1.2), case("Celu", alpha=0.7),
    case("Clip", np.float32(-0.5), np.float32(0.5)), case("Clip", None, np.float32(0.5)),
    case("Clip", np.float32(0), np.float32(6)), case("Clip", opset=6 + 4, min=-0.2, max=0.3), case("Clip"),
    case("PRelu", floats(4, 1, 1)), case("PRelu", floats(1)), case("PRelu", floats(4, 6, 6)), case("PRelu", floats(6)),
    case("Dropout"), case("Cast", to=onnx.TensorProto.INT32), case("Cast", to=onnx.TensorProto.FLOAT),
    # two tensors
    *[case(kind, floats(4, 1, 1)) for kind in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean")],
    *[case(kind, np.float32(2.5)) for kind in ("Add", "Sub", "Mul", "Div")],
    *[case(kind, first=np.float32(2.5)) for kind in ("Add", "Sub", "Mul", "Div")],
    case("Div", first=np.float32(1)), case("Sub", first=floats(6)), case("Pow", np.float32(2)),
    case("Pow", first=np.float32(2)), case("Mod", np.float32(0.7), fmod=1), case("Mean", floats(6), floats(1)),
    *[case(kind, np.float32(0.1)) for kind in ("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")],
    # moves
    case("Transpose", perm=[0, 2, 3, 1]), case("Transpose"), case("Reshape", ints(0, -1)),
    case("Reshape", ints(0, 2, 72)),
    case("Reshape", ints(-1, 4, 36)), case("Reshape", ints(0, 0, -1)), case("Flatten"), case("Flatten", axis=2),
    case("Flatten", axis=0), case("Flatten", axis=-1), case("Squeeze", ints(2), shape=(4, 1, 3)),
    case("Squeeze", shape=(4, 1, 3), opset=11, axes=[2]), case("Squeeze", shape=(4, 1, 3)),
    case("Unsqueeze", ints(1, -1)), case("Unsqueeze", opset=11, axes=[1]),
    case("Expand", ints(1, 4, 6, 6), shape=(4, 1, 6)), case("Expand", ints(1, 5), shape=(1,)),
    case("Tile", ints(1, 2, 1, 3)), case("Concat", axis=1), case("Slice", ints(1), ints(5), ints(2)),
    case("Slice", ints(0, -4), ints(2**40, -1), ints(1, 3), ints(2, 2)),
    case("Slice", ints(-1), ints(-(2**40)), ints(2), ints(-1)),
    case("Slice", ints(4), ints(0), ints(3), ints(-2)), case("Slice", opset=9, starts=[1], ends=[3], axes=[1]),
    case("Split", ints(1, 3), outputs=2, axis=1), case("Split", outputs=2, axis=1, num_outputs=2),
    case("Split", outputs=2, opset=11, axis=1, split=[3, 1]), case("Split", outputs=3, axis=3, num_outputs=3),
    case("Gather", np.int64(2), axis=1), case("Gather", ints(2, 0, -1), axis=2),
    case("Gather", np.array([[0, 1], [2, 3]]), axis=1),
    case("Pad", ints(0, 0, 1, 2, 0, 0, 3, 4)), case("Pad", ints(0, 1, 0, 0, 0, 0, 0, 0), np.float32(1.5)),
    case("Pad", ints(0, 0, 1, 2, 0, 0, 2, 1), mode="reflect"), case("Pad", ints(0, 0, 1, 2, 0, 0, 2, 1), mode="edge"),
    case("Pad", ints(1, 2, 0, 1), np.float32(0.5), ints(2, 3)),
    case("Pad", opset=10, pads=[0, 0, 1, 1, 0, 0, 1, 1], value=0.25),
    case("Pad", ints(0, 0, 1, 2, 0, 0, 2, 1), opset=19, mode="wrap"), case("Pad", ints(0, 0, 0, 0, 0, 0, 0, 0)),
    case("DepthToSpace", blocksize=2), case("DepthToSpace", blocksize=2, mode="CRD"), case("SpaceToDepth", blocksize=2),
    case("Trilu", upper=0), case("Trilu", np.int64(1)), case("ConstantOfShape", shape=(3,)),
    # together
    *[case(kind, ints(2, 3)) for kind in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceSumSquare")],
    case("ReduceSum", ints(-1), opset=13), case("ReduceMean", opset=13, axes=[2, 3], keepdims=0),
    case("ReduceL1", ints(1)),
    case("ReduceProd", ints(2, 3), keepdims=0), case("ReduceLogSumExp", ints(1)),
    case("ReduceMean", ints(), noop_with_empty_axes=1),
    case("Softmax"), case("Softmax", axis=1), case("Softmax", opset=11), case("Softmax", opset=11, axis=2),
    case("LogSoftmax", axis=1), case("ArgMax", axis=1), case("ArgMin", axis=2, keepdims=0), case("CumSum", np.int64(2)),
    case("TopK", ints(3), outputs=2, axis=-1),
    # windows
    case("Conv", W, B), case("Conv", W, pads=[1, 1, 1, 1], strides=[2, 2]), case("Conv", W, B, pads=[0, 1, 2, 1]),
    case("Conv", floats(8, 2, 3, 3), group=2, dilations=[2, 2], pads=[2, 2, 2, 2]),
    case("Conv", floats(5, 4, 3), shape=(4, 9)),
    *[case("Conv", W, B, auto_pad=mode, strides=[2, 2], shape=X3) for mode in ("SAME_UPPER", "SAME_LOWER", "VALID")],
    case("Conv", floats(2, 2, 2, 2, 2), shape=(2, 4, 4, 4)),
    case("ConvTranspose", floats(4, 3, 3, 3), floats(3), strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]),
    case("ConvTranspose", floats(4, 3, 2, 2), group=2, strides=[2, 2]),
    case("ConvTranspose", floats(4, 3, 3), shape=(4, 6)),
    case("ConvTranspose", floats(4, 3, 3, 3), strides=[2, 2], pads=[1, 1, 0, 0]),
    case("ConvTranspose", floats(4, 3, 3, 3), strides=[2, 2], pads=[0, 0, 1, 1]),
    case("ConvTranspose", floats(4, 3, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"),
    case("ConvTranspose", floats(4, 3, 3, 3), strides=[2, 2], output_shape=[12, 12]),
    case("MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
    case("MaxPool", kernel_shape=[3, 3], pads=[0, 0, 1, 1], strides=[2, 2]),
    case("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, shape=X3),
    case("MaxPool", kernel_shape=[2], shape=(4, 7)),
    case("MaxPool", kernel_shape=[2, 2], dilations=[2, 2]),
    case("MaxPool", kernel_shape=[3, 3], auto_pad="SAME_LOWER", strides=[2, 2]),
    case("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    case("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1, strides=[2, 2]),
    case("AveragePool", kernel_shape=[3, 3], pads=[0, 0, 1, 1], strides=[2, 2]),
    case("AveragePool", kernel_shape=[3, 3], pads=[0, 0, 1, 1], strides=[2, 2], count_include_pad=1),
    case("AveragePool", kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1, shape=X3),
    case("AveragePool", kernel_shape=[3, 3], auto_pad="SAME_UPPER", strides=[2, 2]),
    case("GlobalAveragePool"), case("GlobalMaxPool"), case("LRN", size=3, alpha=0.1, beta=0.6, bias=1.5),
    # layers
    case("Gemm", floats(4, 5), floats(5), shape=(4,)), case("Gemm", floats(5, 4), shape=(4,), transB=1, alpha=0.5),
    case("Gemm", floats(5, 4), floats(5), shape=(4,), transB=1, alpha=0.5, beta=2.0),
    case("Gemm", floats(4, 5), np.float32(2), shape=(4,)),
    case("MatMul", floats(6, 5)), case("MatMul", floats(4, 6, 3)), case("MatMul", first=floats(5, 6)),
    case("BatchNormalization", SCALE, SHIFT, MEAN, VAR, epsilon=1e-3),
    case("BatchNormalization", SCALE, SHIFT, MEAN, VAR, shape=(4,)),
    case("LayerNormalization", floats(6), floats(6)), case("LayerNormalization", floats(6, 6), axis=2),
    case("LayerNormalization", floats(1)),
    case("InstanceNormalization", SCALE, SHIFT), case("GroupNormalization", floats(2), floats(2), num_groups=2),
    case("GroupNormalization", SCALE, SHIFT, num_groups=2, opset=21), case("LpNormalization", axis=1),
    # resizing
    *[case("Resize", None, np.float32([1, 1, 2, 2]), mode=mode, coordinate_transformation_mode=where)
      for mode in ("nearest", "linear") for where in ("asymmetric", "half_pixel", "align_corners")],
    *[case("Resize", None, None, ints(2, 4, 9, 4), mode=mode, coordinate_transformation_mode=where)
      for mode in ("nearest", "linear", "cubic") for where in ("half_pixel", "align_corners", "pytorch_half_pixel")],
    *[case("Resize", None, np.float32([1, 1, 0.7, 1.6]), mode="nearest", nearest_mode=mode,
           coordinate_transformation_mode="asymmetric")
      for mode in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")],
    case("Resize", None, np.float32([1, 1, 0.7, 1.6]), mode="linear"),
    case("Resize", np.float32([1, 1, 2, 2]), opset=10),
    case("Upsample", np.float32([1, 1, 2, 2]), opset=9),
    case("Upsample", opset=7, scales=[1.0, 1.0, 2.0, 2.0], mode="linear"),
    case("Resize", None, np.float32([2, 2]), axes=[2, 3], mode="linear", coordinate_transformation_mode="asymmetric"),
]  # fmt: skip

POSITIVE = {"Sqrt", "Log", "Pow", "ReduceLogSumExp", "Mod"}


def named(each):
    attributes = "-".join(f"{key}={value}" for key, value in each["attributes"].items())
    return f"{each['kind']}-{each['opset']}-{attributes}"


def model_of(files, each):
    constants = {f"c{place}": value for place, value in enumerate(each["constants"]) if value is not None}
    inputs = ["x", *(f"c{place}" if value is not None else "" for place, value in enumerate(each["constants"]))]
    if each["first"] is not None:
        constants["first"] = each["first"]
        inputs = ["first", *inputs]
    nodes, kind = [], each["kind"]
    if kind == "Not":
        nodes.append(helper.make_node("Greater", ["x", "zero"], ["b"]))
        constants["zero"], inputs = np.float32(0), ["b"]
    if kind == "Concat":
        nodes.append(helper.make_node("Relu", ["x"], ["r"]))
        inputs = ["x", "r", "x"]
    if kind == "ConstantOfShape":
        nodes.append(helper.make_node("Shape", ["x"], ["s"]))
        inputs = ["s"]
    names = [f"y{place}" for place in range(each["outputs"])]
    nodes.append(helper.make_node(kind, inputs, names, **each["attributes"]))
    if kind == "ConstantOfShape":
        nodes.append(helper.make_node("Add", ["x", "y0"], ["y"]))
        names = ["y"]
    return files.made(nodes, shape=each["shape"], opset=each["opset"], outputs=names, constants=constants)


def batches(each):
    """Sizes that stand in the file hold for one batch only."""
    fixed = each["kind"] == "Resize" and len(each["constants"]) == 3
    return (2,) if fixed else (2, 3)


@pytest.mark.parametrize("each", CASES, ids=named)
def test_an_operator_computes_what_the_runtime_computes(each, files, tmp_path):
    path = tmp_path / "one.onnx"
    onnx.save(model_of(files, each), path)
    net = None
    for count in batches(each):
        x = files.images(count, each["shape"])
        x = x.abs() + 0.1 if each["kind"] in POSITIVE else x
        net = files.agrees(path, x, net=net)


def several(files, nodes, **settings):
    return files.made([helper.make_node(kind, given, made, **more) for kind, given, made, more in nodes], **settings)


GRAPHS = {
    "Where": ([("Greater", ["x", "c"], ["b"], {}), ("Where", ["b", "x", "c"], ["y"], {})], {"c": floats(4, 1, 1)}),
    "And, Or, Xor": (
        [("Greater", ["x", "c"], ["a"], {}), ("Less", ["x", "d"], ["b"], {}), ("And", ["a", "b"], ["e"], {}),
         ("Or", ["e", "a"], ["f"], {}), ("Xor", ["f", "b"], ["y"], {})], {"c": np.float32(-1), "d": np.float32(1)}),
    "GatherElements": ([("GatherElements", ["x", "i"], ["y"], {"axis": 3})], {"i": RNG.integers(-6, 6, (2, 4, 6, 3))}),
    "GatherND": ([("Transpose", ["x"], ["t"], {"perm": [1, 2, 3, 0]}), ("GatherND", ["t", "i"], ["y"], {})],
                 {"i": np.array([[0, 1], [3, 5]])}),
    "ScatterND": ([("ScatterND", ["z", "i", "u"], ["s"], {}), ("Add", ["x", "s"], ["y"], {})],
                  {"z": floats(6, 6), "i": np.array([[0], [2]]), "u": floats(2, 6)}),
    "ScatterElements": ([("ScatterElements", ["z", "i", "u"], ["s"], {"axis": 1}), ("Add", ["x", "s"], ["y"], {})],
                        {"z": floats(6, 6), "i": np.array([[0, -1]]), "u": floats(1, 2)}),
    "Einsum": ([("Einsum", ["x", "c"], ["y"], {"equation": "bchw,cd->bdhw"})], {"c": floats(4, 5)}),
    "Range, Cast, OneHot": (
        [("Range", ["a", "b", "c"], ["r"], {}), ("OneHot", ["r", "n", "v"], ["o"], {"axis": -1}),
        ("MatMul", ["x", "o"], ["y"], {})],
        {"a": np.int64(0), "b": np.int64(6), "c": np.int64(1), "n": np.int64(7), "v": np.float32([0, 2])}),
    "Shape, Gather, Concat, Reshape": (
        [("Shape", ["x"], ["s"], {}), ("Gather", ["s", "i"], ["n"], {"axis": 0}), ("Unsqueeze", ["n", "z"], ["u"], {}),
         ("Concat", ["u", "m"], ["t"], {"axis": 0}), ("Reshape", ["x", "t"], ["y"], {})],
        {"i": np.int64(0), "z": ints(0), "m": ints(-1)}),
    "Shape arithmetic on the batch": (
        [("Shape", ["x"], ["s"], {"end": 1}), ("Mul", ["s", "f"], ["w"], {}), ("Concat", ["w", "r"], ["t"],
        {"axis": 0}),
         ("Reshape", ["x", "t"], ["y"], {})], {"f": ints(4), "r": ints(6, 6)}),
    "Size, Div, Expand": (
        [("Size", ["x"], ["s"], {}), ("Div", ["s", "k"], ["n"], {}), ("Unsqueeze", ["n", "z"], ["u"], {}),
         ("Concat", ["u", "m"], ["t"], {"axis": 0}), ("Expand", ["c", "t"], ["e"], {}),
         ("Concat", ["x", "e"], ["y"], {"axis": 1})],
        {"k": np.int64(144), "z": ints(0), "m": ints(1, 6, 6), "c": floats(1, 2, 6, 6)}),
    "CastLike": ([("Floor", ["x"], ["f"], {}), ("CastLike", ["f", "c"], ["y"], {})], {"c": ints(1)}),
    "Constant": ([("Constant", [], ["c"], {"value_floats": [1.0, 2, 3, 4, 5, 6]}), ("Mul", ["x", "c"], ["y"], {})], {}),
    "MatMul and Add": ([("MatMul", ["x", "w"], ["m"], {}), ("Add", ["m", "fc.bias"], ["y"], {})],
                       {"w": floats(6, 3), "fc.bias": floats(3)}),
    "a linear layer read twice": (
        [("MatMul", ["x", "w"], ["m"], {}), ("Add", ["m", "b"], ["a"], {}), ("Relu", ["m"], ["r"], {}),
        ("Add", ["a", "r"], ["y"], {})],
        {"w": floats(6, 3), "b": floats(3)}),
    "MatMul of two computed": ([("Transpose", ["x"], ["t"], {"perm": [0, 1, 3, 2]}),
    ("MatMul", ["x", "t"], ["y"], {})], {}),
    "a computed weight": ([("GlobalAveragePool", ["x"], ["g"], {}), ("Conv", ["x", "w", "b"], ["c"], {}),
    ("Mul", ["c", "g"], ["y"], {})],
                          {"w": floats(4, 4, 1, 1), "b": floats(4)}),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_operators_together_compute_what_the_runtime_computes(name, files, tmp_path):
    nodes, constants = GRAPHS[name]
    path = tmp_path / "some.onnx"
    onnx.save(several(files, nodes, shape=(4, 6, 6), constants=constants), path)
    net = None
    for count in (2,) if name == "GatherElements" else (2, 3):
        net = files.agrees(path, files.images(count, (4, 6, 6)), net=net)


def test_newer_operators_are_read(files, tmp_path):
    x, path = files.images(2, (4, 6)), tmp_path / "new.onnx"
    onnx.save(several(files, [("RMSNormalization", ["x", "s"], ["r"], {}), ("Swish", ["r"], ["y"], {"alpha": 1.5})],
                      shape=(4, 6), opset=24, constants={"s": floats(6)}), path)  # fmt: skip
    scale = torch.tensor(onnx.numpy_helper.to_array(onnx.load(path).graph.initializer[0]))
    normal = x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * scale
    torch.testing.assert_close(read_onnx(path)(x), normal * torch.sigmoid(1.5 * normal))


def test_every_operator_of_the_table_is_tested():
    tested = {each["kind"] for each in CASES} | {kind for nodes, _ in GRAPHS.values() for kind, *_ in nodes}
    elsewhere = {"QuantizeLinear", "DequantizeLinear", "RMSNormalization", "Swish"}
    elsewhere |= {"BitwiseOr"}  # on stored integers alone: tests/export/test_packing.py
    assert set(BUILDERS) - tested - elsewhere == set()


def test_the_page_lists_every_operator_that_is_read_and_no_other():
    table = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert set(re.findall(r"\b[A-Z]\w+", " ".join(table))) == set(BUILDERS)
