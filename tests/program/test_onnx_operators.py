"""Every operator by itself, between quantizers, against ONNX Runtime: at most one step, most codes equal."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgewright.program import run
from edgewright.program.onnx_file import read_onnx
from edgewright.program.onnx_file.read import FORMS
from onnx_files import runtime

MAP, FEATURES = (4, 7, 6), (12,)
HALVES = {"AveragePool", "GlobalAveragePool", "ReduceMean", "Resize", "Add", "Sub", "Mul", "Floor"}  # often end at one


class Case:
    """An operator with its attributes and constants, on one map or on two."""

    def __init__(self, operator, *constants, shape=MAP, opset=17, inputs=1, outputs=1, domain="", **attributes):
        self.operator, self.constants, self.shape, self.opset = operator, constants, shape, opset
        self.inputs, self.outputs, self.domain, self.attributes = inputs, outputs, domain, attributes

    def __repr__(self):
        settings = ",".join(f"{key}={value}" for key, value in self.attributes.items())
        return f"{self.operator}-{self.opset}-{settings}".replace(" ", "")


def ints(*values):
    return np.array(values, np.int64)


def number(value):
    return np.float32(value)


CASES = [
    *(Case(each) for each in (
        "Relu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Elu", "Celu", "Selu", "Softplus", "Softsign", "Erf",
        "Exp", "ThresholdedRelu", "Abs", "Neg", "Floor", "Ceil", "Sign", "Sin", "Cos", "Identity")),
    Case("Round"), Case("Mish", opset=18), Case("Gelu", opset=20), Case("Gelu", opset=20, approximate="tanh"),
    Case("HardSigmoid", alpha=1 / 6),
    Case("Elu", alpha=0.5), Case("Celu", alpha=2.0), Case("QuickGelu", domain="com.microsoft", alpha=1.702),
    Case("LeakyRelu", alpha=0.2), Case("LeakyRelu", alpha=-0.5), Case("PRelu", np.full((1, 1, 1), 0.25, np.float32)),
    Case("Clip", number(-1), number(2)), Case("Clip", opset=9, min=0.0, max=6.0), Case("Clip", None, number(1)),
    Case("Min", number(1)), Case("Max", number(-0.5)), Case("Pow", number(2)), Case("Add", number(3)),
    Case("Sub", number(0.5)), Case("Mul", number(-0.7)), Case("Div", number(3)),
    Case("Add", inputs=2), Case("Sub", inputs=2), Case("Mul", inputs=2), Case("Sum", inputs=2),
    Case("Add", np.array([1, -1, 0.3, 2], np.float32).reshape(1, 4, 1, 1)),
    Case("Sub", np.array([1, -1, 0.3, 2], np.float32).reshape(1, 4, 1, 1)),
    Case("Mul", np.array([1.5, -1, 0, 0.1], np.float32).reshape(4, 1, 1)),
    Case("Div", np.array([1.5, -1, 3, 0.7], np.float32).reshape(4, 1, 1)),
    Case("BatchNormalization", *(np.array(each, np.float32) for each in (
        [1, 2, -1, 0.5], [0, 1, -1, 2], [0.1, 0, -0.3, 1], [1, 0.5, 2, 1]))),
    Case("MaxPool", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1]), Case("MaxPool", kernel_shape=[2, 2]),
    Case("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), Case("GlobalMaxPool"),
    Case("MaxPool", kernel_shape=[2, 2], dilations=[2, 2]), Case("MaxPool", kernel_shape=[3, 3], auto_pad="SAME_LOWER"),
    Case("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    Case("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1),
    Case("AveragePool", kernel_shape=[2, 3], auto_pad="SAME_UPPER"), Case("AveragePool", kernel_shape=[7, 6]),
    Case("AveragePool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, opset=19),
    Case("GlobalAveragePool"), Case("ReduceMean", axes=[2, 3]), Case("ReduceMean", axes=[-1, -2], keepdims=0),
    Case("ReduceMean", ints(3, 2), opset=18), Case("ReduceMax", axes=[2, 3]),
    Case("ReduceMax", axes=[2, 3], keepdims=0),
    Case("Softmax", axis=1), Case("Softmax", shape=FEATURES), Case("Softmax", shape=FEATURES, opset=11),
    Case("Concat", inputs=2, axis=1), Case("Concat", inputs=2, axis=-1),
    Case("Pad", ints(0, 0, 1, 2, 0, 0, 0, 1)), Case("Pad", ints(0, 1, 0, 0, 0, 2, 0, 0), number(0)),
    Case("Pad", ints(1, 1), number(0), ints(2), opset=18), Case("Pad", opset=10, pads=[0, 0, 1, 1, 0, 0, 0, 0]),
    Case("Reshape", ints(0, -1)), Case("Reshape", ints(1, 2, 14, 6)), Case("Flatten"), Case("Flatten", axis=-3),
    Case("Squeeze", ints(2, 3), shape=(4, 1, 1)), Case("Squeeze", shape=(4, 1, 1), opset=11, axes=[2, 3]),
    Case("Unsqueeze", ints(2, 3), shape=FEATURES), Case("Unsqueeze", shape=FEATURES, opset=11, axes=[2]),
    Case("Transpose", perm=[0, 2, 3, 1]), Case("Slice", ints(1), ints(3), ints(1)), Case("Expand", ints(1, 4, 7, 6)),
    Case("Slice", ints(1, 0), ints(7, 99), ints(2, 3), ints(2, 2)), Case("Slice", ints(0), ints(99), ints(2), ints(3)),
    Case("Split", ints(1, 3), outputs=2, axis=1), Case("Split", outputs=2, opset=11, axis=1),
    Case("Split", opset=18, outputs=2, axis=1, num_outputs=2), Case("Gather", ints(1, 2), axis=1),
    Case("Gather", np.array(2), axis=1), Case("Dropout"), Case("Cast", to=1),
    Case("DepthToSpace", blocksize=2), Case("DepthToSpace", blocksize=2, mode="CRD"),
    Case("SpaceToDepth", shape=(2, 6, 4), blocksize=2),
    Case("Resize", None, np.array([1, 1, 2, 3], np.float32), mode="nearest", nearest_mode="floor",
         coordinate_transformation_mode="asymmetric"),
    Case("Resize", None, np.array([1, 1, 2, 2], np.float32), mode="nearest"),
    Case("Resize", None, np.array([1, 1, 2, 1.5], np.float32), mode="linear"),
    Case("Resize", None, None, ints(1, 4, 3, 9), mode="linear", coordinate_transformation_mode="pytorch_half_pixel"),
    Case("Resize", None, None, ints(1, 4, 13, 11), mode="linear", coordinate_transformation_mode="align_corners"),
    Case("Resize", np.array([1, 1, 2, 2], np.float32), opset=10, mode="nearest"),
]  # fmt: skip
ELSEWHERE = {"QuantizeLinear", "DequantizeLinear", "Conv", "Gemm", "MatMul"}  # in every other test of files
LIKE_OTHERS = {"Log", "Sqrt", "Reciprocal", "FastGelu", "Swish", "Upsample"}  # below 0, or in no runtime here


def build(case, ranges):
    """The operator between quantizers; codes of several inputs are of one image and of its mirror."""
    arrays, nodes = {"s": np.float32(1 / 24), "z": np.uint8(120)}, []
    nodes.append(helper.make_node("QuantizeLinear", ["image", "s", "z"], ["codes"]))
    nodes.append(helper.make_node("DequantizeLinear", ["codes", "s", "z"], ["x"]))
    names = ["x"]
    if case.inputs == 2:
        arrays |= {"s2": np.float32(1 / 40), "z2": np.uint8(90)}
        nodes.append(helper.make_node("Tanh", ["x"], ["t"]))
        nodes.append(helper.make_node("QuantizeLinear", ["t", "s2", "z2"], ["tq"]))
        nodes.append(helper.make_node("DequantizeLinear", ["tq", "s2", "z2"], ["y"]))
        names.append("y")
    for place, constant in enumerate(case.constants):
        names.append("" if constant is None else f"k{place}")
        if constant is not None:
            arrays[f"k{place}"] = np.asarray(constant)
    made = [f"out{place}" for place in range(case.outputs)]
    nodes.append(helper.make_node(case.operator, names, made, domain=case.domain, **case.attributes))
    low, high = ranges
    scale = max(high - low, 1e-3) / 255
    arrays |= {"so": np.float32(scale), "zo": np.uint8(np.clip(round(-low / scale), 0, 255))}
    nodes.append(helper.make_node("QuantizeLinear", [made[-1], "so", "zo"], ["end"]))
    nodes.append(helper.make_node("DequantizeLinear", ["end", "so", "zo"], ["output"]))
    kept = {name: array for name, array in arrays.items() if any(name in node.input for node in nodes)}
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ("batch", *case.shape))],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in kept.items()],
    )  # fmt: skip
    opset = max(case.opset, 10)  # older ones have no quantizers
    domains = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=domains, ir_version=10)


def ends_of(case, image):
    """The range of what the operator makes, from the runtime without a quantizer behind it."""
    model = build(case, (-1.0, 1.0))
    nodes = [each for each in model.graph.node if "end" not in (*each.input, *each.output)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.output[0].name = nodes[-1].output[-1]
    (found,) = runtime(model).run(None, {"image": image})
    return min(float(found.min()), 0.0), max(float(found.max()), 0.0)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_the_operator_gives_the_codes_of_the_runtime(case, tmp_path):
    rng = np.random.default_rng(0)
    image = ((rng.integers(0, 256, (1, *case.shape)) - 120) / 24).astype(np.float32)
    model = build(case, ends_of(case, image))
    onnx.save(model, tmp_path / "net.onnx")
    program = read_onnx(tmp_path / "net.onnx")
    codes = np.rint(image[0] * 24).astype(np.int64) - 8
    tensor = program.tensors[program.outputs[0]]
    got = tensor.grid.values(run(program, {"image": codes})[tensor.name])
    (want,) = runtime(model).run(None, {"image": image})
    assert want.shape == (1, *got.shape)
    steps = np.abs(np.rint((got - want[0]) / tensor.grid.scale))
    assert steps.max() <= 1
    assert (steps == 0).mean() >= (0.7 if case.operator in HALVES else 0.97)


def test_every_operator_of_the_table_is_tried():
    tried = {case.operator for case in CASES} | ELSEWHERE | LIKE_OTHERS
    assert set(FORMS) <= tried
