"""Hand-made files: exact weights, biases and windows; and what cannot be read is refused in one sentence."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgewright.errors import ModelError, UnsupportedError, UserError
from edgewright.program import run
from edgewright.program.onnx_file import read_onnx

FLOAT = TensorProto.FLOAT


class File:
    """A file in the making: an image of codes at scale 1/16, and whatever follows."""

    def __init__(self, *shape, batch="batch"):
        self.nodes, self.arrays, self.shape = [], {}, (batch, *shape)
        self.arrays |= {"s": np.float32(1 / 16), "z": np.uint8(100)}
        self.codes = self.add("QuantizeLinear", "image", "s", "z")
        self.x = self.add("DequantizeLinear", self.codes, "s", "z")

    def add(self, operator, *inputs, outputs=1, domain="", **attributes):
        names = [f"{operator}{len(self.nodes)}_{place}" for place in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, array):
        name = f"k{len(self.arrays)}"
        self.arrays[name] = np.asarray(array)
        return name

    def weight(self, codes, scale=0.5, zero=None, axis=0):
        inputs = [self.constant(codes), self.constant(np.float32(scale))]
        if zero is not None:
            inputs.append(self.constant(zero))
        return self.add("DequantizeLinear", *inputs, axis=axis)

    def quantized(self, name, scale=1 / 8, zero=128):
        codes = self.add("QuantizeLinear", name, self.constant(np.float32(scale)), self.constant(np.uint8(zero)))
        return self.add("DequantizeLinear", codes, self.nodes[-1].input[1], self.nodes[-1].input[2])

    def model(self, output):
        graph = helper.make_graph(
            self.nodes, "g", [helper.make_tensor_value_info("image", FLOAT, self.shape)],
            [helper.make_tensor_value_info(output, FLOAT, None)],
            [numpy_helper.from_array(np.asarray(array), name) for name, array in self.arrays.items()],
        )  # fmt: skip
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])

    def read(self, output, folder):
        onnx.save(self.model(output), folder / "hand.onnx")
        return read_onnx(folder / "hand.onnx")


def last(program):
    return program.operations[-1]


def test_unsigned_weights_and_codes_are_shifted_and_a_float_bias_is_rounded(tmp_path, caplog):
    """Weights 130 and 126 at zero point 128 are 2 and -2; the unit of the sums is 0.5 / 16, so a bias of 0.25 is 8."""
    file = File(1, 1, 2)
    weight = file.weight(np.array([130, 126], np.uint8).reshape(2, 1, 1, 1), zero=np.uint8(128))
    y = file.add("Conv", file.x, weight, file.constant(np.array([0.25, 0.0], np.float32)))
    program = file.read(file.quantized(file.add("Relu", y)), tmp_path)
    conv = last(program)
    assert conv.arrays["weight_OIKK"].ravel().tolist() == [2, -2] and conv.arrays["bias_O"].tolist() == [8, 0]
    assert "rounded" in caplog.text
    codes = run(program, {"image": np.array([[[0, -28]]])})[conv.output]
    assert codes.ravel().tolist() == [16, 2, 0, 0]  # 28 / 16 * 1 + 1/4 = 2 -> 16 steps of 1/8; below 0: the clamp


def test_an_integer_bias_of_the_sums_unit_is_taken_as_it_is(tmp_path, caplog):
    file = File(1, 1, 2)
    bias = file.weight(np.array([-7], np.int32), scale=0.5 / 16)
    y = file.add("Conv", file.x, file.weight(np.ones((1, 1, 1, 1), np.int8)), bias)
    assert last(file.read(file.quantized(y), tmp_path)).arrays["bias_O"].tolist() == [-7]
    assert not caplog.text


@pytest.mark.parametrize(("auto", "padding"), [("SAME_UPPER", ((0, 1), (1, 1))), ("SAME_LOWER", ((1, 0), (1, 1)))])
def test_automatic_padding(auto, padding, tmp_path):
    """Four rows by stride 2 with a kernel of 3 take one row of padding, five columns take two."""
    file = File(1, 4, 5)
    y = file.add("Conv", file.x, file.weight(np.ones((1, 1, 3, 3), np.int8)), auto_pad=auto, strides=[2, 2])
    program = file.read(file.quantized(y), tmp_path)
    assert last(program).settings["window"].padding == padding
    assert program.tensors[last(program).output].shape == (1, 2, 3)


def test_a_product_of_a_layer_and_a_sum_behind_it_are_one_layer(tmp_path):
    file = File(4)
    y = file.add("MatMul", file.x, file.weight(np.arange(-4, 4, dtype=np.int8).reshape(4, 2), axis=1))
    y = file.add("Add", y, file.constant(np.array([1.0, -1.0], np.float32)))
    program = file.read(file.quantized(y), tmp_path)
    (linear,) = program.operations
    assert linear.arrays["bias_O"].tolist() == [32, -32]
    assert linear.arrays["weight_OI"].tolist() == [[-4, -2, 0, 2], [-3, -1, 1, 3]]


def test_weights_moved_by_the_file_keep_their_scales(tmp_path):
    file = File(3)
    weight = file.weight(np.array([[1, 2, 3], [4, 5, 6]], np.int8), scale=np.array([0.5, 0.25]), axis=0)
    y = file.add("MatMul", file.x, file.add("Transpose", weight, perm=[1, 0]))
    linear = last(file.read(file.quantized(y), tmp_path))
    assert linear.arrays["weight_scale_O"].tolist() == [0.5, 0.25]
    assert linear.arrays["weight_OI"].tolist() == [[1, 2, 3], [4, 5, 6]]


def test_constants_per_channel_become_one_multiplication_per_channel(tmp_path):
    """y = f x + o, f in 2, -1, 0: within half a step of the output's grid."""
    file = File(3, 2, 2)
    y = file.add("Mul", file.x, file.constant(np.array([2, -1, 0], np.float32).reshape(1, 3, 1, 1)))
    program = file.read(file.quantized(y, scale=1 / 4), tmp_path)
    codes = np.random.default_rng(0).integers(-128, 128, (3, 2, 2))
    got = run(program, {"image": codes})[last(program).output] / 4
    want = (codes + 28) / 16 * np.array([2, -1, 0]).reshape(3, 1, 1)
    assert np.abs(got - np.clip(want, -32, 127 / 4)).max() <= 1 / 8


def test_functions_of_one_tensor_are_one_table(tmp_path):
    """x * min(max(x + 3, 0), 6) / 6, written with five operators."""
    file = File(1, 4, 4)
    gate = file.add("Add", file.x, file.constant(np.float32(3)))
    gate = file.add("Clip", gate, file.constant(np.float32(0)), file.constant(np.float32(6)))
    y = file.add("Div", file.add("Mul", file.x, gate), file.constant(np.float32(6)))
    program = file.read(file.quantized(y), tmp_path)
    assert [each.kind for each in program.operations] == ["look_up"]
    codes = np.arange(-128, -112).reshape(1, 4, 4)
    x = (codes + 28) / 16
    want = np.floor(x * np.clip(x + 3, 0, 6) / 6 * 8 + 0.5)
    np.testing.assert_array_equal(run(program, {"image": codes})[last(program).output], want)


def test_an_input_that_is_turned_before_it_is_quantized_has_the_turned_shape(tmp_path):
    file = File(2, 2)
    file.shape, file.nodes = ("batch", 4, 5, 3), []
    turned = file.add("Transpose", "image", perm=[0, 3, 1, 2])
    file.x = file.add("DequantizeLinear", file.add("QuantizeLinear", turned, "s", "z"), "s", "z")
    y = file.add("Conv", file.x, file.weight(np.ones((2, 3, 1, 1), np.int8)))
    program = file.read(file.quantized(y), tmp_path)
    assert program.tensors["image"].shape == (3, 4, 5) and len(program.operations) == 1


def test_codes_with_another_scale_are_a_function_of_the_first(tmp_path):
    """The same codes at half their scale, 100 above zero: x / 2 + 100 / 32 for x = (q - 100) / 16."""
    file = File(1, 4, 4)
    half = file.add("DequantizeLinear", file.codes, file.constant(np.float32(1 / 32)), file.constant(np.uint8(0)))
    program = file.read(file.quantized(half), tmp_path)
    codes = np.arange(-8, 8).reshape(1, 4, 4)
    want = np.floor((codes + 128) / 32 * 8 + 0.5)
    np.testing.assert_array_equal(run(program, {"image": codes})[last(program).output], want)


def without_quantizer(file):
    return file.add("Sigmoid", file.add("Conv", file.x, file.weight(np.ones((1, 1, 1, 1), np.int8))))


def off_zero(file):
    return file.add("Conv", file.x, file.weight(np.array([[[[0]]]], np.uint8), zero=np.uint8(130)))


def transposed(file):
    return file.add("ConvTranspose", file.x, file.weight(np.ones((1, 1, 2, 2), np.int8)))


def attention(file):
    return file.add("MatMul", file.x, file.x)


def smoothed(file):
    scales = file.constant(np.array([1, 1, 2, 2], np.float32))
    return file.add("Resize", file.x, "", scales, mode="linear", coordinate_transformation_mode="asymmetric")


def huge(file):
    return file.add("Resize", file.x, "", file.constant(np.array([1, 1, 2.0**20, 2.0**20], np.float32)), mode="nearest")


def many_values(file):
    return file.add("Expand", file.add("ConstantOfShape", file.constant(np.array([2**20, 2**20]))), "image")


def own_domain(file):
    return file.add("Secret", file.x, domain="org.example")


def by_place(file):
    return file.add("Add", file.x, file.constant(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            without_quantizer,
            r"Sigmoid at Sigmoid4_0 .*reads Conv3_0 in float.*: put a QuantizeLinear behind Conv3_0",
        ),
        (off_zero, r"Conv at .*a zero point that leaves 8 bits: quantize weights symmetrically"),
        (transposed, r"ConvTranspose at .*has no integer operation: replace it"),
        (attention, r"MatMul at .*multiplies two activations: attention has no integer operation"),
        (smoothed, r"Resize at .*resizes by linear with asymmetric coordinates: use nearest"),
        (huge, r"Resize at .*makes 17592186044416 values"),
        (many_values, r"ConstantOfShape at .*would make a constant of 1099511627776 values"),
        (own_domain, r"Secret at .*has no integer operation"),
        (by_place, r"Add at .*constants that differ from place to place: use one per channel"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_what_has_no_integers_is_refused_with_place_and_remedy(build, words, tmp_path):
    file = File(1, 4, 4)
    output = build(file)
    with pytest.raises(UnsupportedError, match=words):
        file.read(file.quantized(output), tmp_path)


def test_open_sizes_and_fixed_batches_are_refused(tmp_path):
    for batch, shape in ((4, (1, 4, 4)), ("batch", (1, "height", 4))):
        file = File(*shape, batch=batch)
        with pytest.raises(UnsupportedError, match="expected one image of static size: export the file with a batch"):
            file.read(file.quantized(file.x), tmp_path)


def test_a_float_end_is_refused(tmp_path):
    file = File(1, 4, 4)
    y = file.add("Conv", file.x, file.weight(np.ones((1, 1, 1, 1), np.int8)))
    with pytest.raises(UnsupportedError, match="is computed in float: put a QuantizeLinear behind it"):
        file.read(y, tmp_path)


def test_cycles_and_tensors_that_nothing_makes_are_damage(tmp_path):
    file = File(1, 4, 4)
    file.add("Relu", "later")
    file.nodes.append(helper.make_node("Relu", [file.nodes[-1].output[0]], ["later"]))
    with pytest.raises(ModelError, match="reads 'later', which nothing before it makes"):
        file.read("later", tmp_path)


def test_names_that_break_lines_do_not_break_the_sentence(tmp_path):
    file = File(1, 4, 4)
    file.nodes.append(helper.make_node("Relu", ["not\nthere"], ["y"], name="two\nlines"))
    with pytest.raises(ModelError, match=r"Relu two\?lines reads 'not\?there', which nothing before it makes"):
        file.read("y", tmp_path)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        read_onnx(tmp_path / "no.onnx")
    with pytest.raises(ModelError, match="is no regular file"):
        read_onnx(tmp_path)


def test_weights_beside_the_file_must_be_there(tmp_path):
    file = File(1, 4, 4)
    y = file.quantized(file.add("Conv", file.x, file.weight(np.ones((1, 1, 1, 1), np.int8))))
    onnx.save(
        file.model(y), tmp_path / "net.onnx", save_as_external_data=True, location="net.bin", size_threshold=0,
        convert_attribute=False,
    )  # fmt: skip
    assert read_onnx(tmp_path / "net.onnx").operations
    (tmp_path / "net.bin").unlink()
    with pytest.raises(ModelError, match=r"keeps .* in 'net.bin', which is not beside it"):
        read_onnx(tmp_path / "net.onnx")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    file = File(3, 6, 6)
    y = file.quantized(file.add("Conv", file.x, file.weight(np.ones((4, 3, 3, 3), np.int8), scale=np.full(4, 0.1))))
    y = file.quantized(file.add("GlobalAveragePool", file.add("Relu", y)))
    y = file.add("Gemm", file.add("Flatten", y), file.weight(np.ones((2, 4), np.int8)), transB=1)
    return file.model(file.quantized(y)).SerializeToString(), tmp_path_factory.mktemp("bytes") / "net.onnx"


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_changed_bytes_are_read_or_refused_in_one_sentence(whole, data):
    content, path = whole
    changed = bytearray(content)
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        changed[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(len(content) // 2, len(content)))
    path.write_bytes(changed[:cut] if data.draw(st.booleans()) else changed)
    try:
        read_onnx(path)
    except UserError as error:
        assert "\n" not in str(error) and str(error).count(str(path)) >= 1
