"""Reading .tflite files: what each operator becomes, by hand, and what is refused."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewright.errors import EdgewrightError, ModelError, UnsupportedError
from edgewright.program import load_program, run, save_program
from edgewright.program.tflite_file import read_tflite
from edgewright.reference.integer import Window
from tflite_files import TfliteFile

ONE = {"scale": 1.0, "zero_point": 0}
CONV = {0: ("b", 0), 1: ("i", 2), 2: ("i", 1), 3: ("b", 0), 4: ("i", 1), 5: ("i", 1)}  # same, strides 2 and 1


@pytest.fixture
def read(tmp_path):
    def read_data(data, **more):
        (tmp_path / "net.tflite").write_bytes(data)
        return read_tflite(tmp_path / "net.tflite", **more)

    return read_data


def small() -> TfliteFile:
    """Convolution, ReLU6, flattened, a linear layer, softmax."""
    rng, file = np.random.default_rng(0), TfliteFile()
    x = file.input((1, 4, 5, 2), scale=0.1, zero_point=3)
    weight = file.constant(rng.integers(-127, 128, (3, 3, 3, 2)).astype(np.int8), scale=[0.01, 0.02, 0.03])
    bias = file.constant(rng.integers(-500, 500, 3).astype(np.int32))
    hidden = file.operator(
        "CONV_2D", [x, weight, bias], (1, 4, 3, 3), options={**CONV, 3: ("b", 3)}, scale=0.05, zero_point=-100
    )
    flat = file.operator("RESHAPE", [hidden, file.constant(np.int32([1, 36]))], (1, 36), scale=0.05, zero_point=-100)
    weight = file.constant(rng.integers(-127, 128, (4, 36)).astype(np.int8), scale=[0.01])
    logits = file.operator("FULLY_CONNECTED", [flat, weight, -1], (1, 4), options={0: ("b", 0)}, scale=0.2)
    file.operator("SOFTMAX", [logits], (1, 4), options={0: ("f", 1.0)}, scale=1 / 256, zero_point=-128)
    return file


def test_a_small_network_is_read_whole(read):
    program = read(small().data())
    assert (program.name, program.rounding, program.inputs) == ("net", "tflm", ("t0",))
    assert [each.kind for each in program.operations] == ["conv", "reshape", "linear", "softmax"]
    assert [program.tensors[each.output].shape for each in program.operations] == [(3, 4, 3), (36,), (4,), (4,)]
    conv = program.operations[0]
    window = Window(kernel=(3, 3), stride=(1, 2), padding=((1, 1), (1, 1)))
    assert conv.settings == {"window": window, "groups": 1}
    grid = program.tensors[conv.output].grid
    assert (grid.low, grid.high) == (-100, 20)  # 6 / 0.05 = 120 above the zero point
    np.testing.assert_allclose(conv.arrays["weight_scale_O"], [0.01, 0.02, 0.03], rtol=1e-7)


def test_it_is_saved_with_its_rounding_and_comes_back(read, tmp_path):
    program = read(small().data())
    save_program(program, tmp_path)
    assert load_program(tmp_path).rounding == "tflm"
    assert read(small().data(), rounding="single", name="a-b").name == "a_b"


def test_a_flattened_map_meets_its_weights_in_the_files_order(read):
    """A linear layer that picks one value each: rows, columns, channels."""
    file = TfliteFile()
    x = file.input((1, 2, 3, 2), **ONE)
    flat = file.operator("RESHAPE", [x, file.constant(np.int32([1, 12]))], (1, 12), **ONE)
    weight = file.constant(np.eye(12, dtype=np.int8), scale=[1.0])
    file.operator("FULLY_CONNECTED", [flat, weight], (1, 12), options={0: ("b", 0)}, **ONE)
    program = read(file.data())
    codes = np.arange(12).reshape(2, 3, 2)  # (H, W, C)
    assert run(program, {"t0": codes.transpose(2, 0, 1)})[program.outputs[0]].tolist() == list(range(12))
    assert [each.kind for each in program.operations] == ["reshape", "linear"]  # no code moves


def test_a_flattened_map_that_something_else_reads_is_moved(read):
    file = TfliteFile()
    x = file.input((1, 2, 3, 2), **ONE)
    file.operator("RESHAPE", [x, file.constant(np.int32([1, 12]))], (1, 12), **ONE)
    program = read(file.data())
    codes = np.arange(12).reshape(2, 3, 2)
    assert run(program, {"t0": codes.transpose(2, 0, 1)})[program.outputs[0]].tolist() == list(range(12))


def test_padding_goes_into_the_window_and_same_adds_its_odd_place_behind(read):
    file = TfliteFile()
    x = file.input((1, 4, 4, 1), **ONE)
    padded = file.operator("PAD", [x, file.constant(np.int32([[0, 0], [0, 1], [0, 1], [0, 0]]))], (1, 5, 5, 1), **ONE)
    weight = file.constant(np.ones((1, 3, 3, 1), np.int8), scale=[1.0])
    options = {0: ("b", 1), 1: ("i", 2), 2: ("i", 2), 3: ("b", 0), 4: ("i", 1), 5: ("i", 1)}
    first = file.operator("CONV_2D", [padded, weight], (1, 2, 2, 1), options=options, **ONE)
    second = file.operator("CONV_2D", [x, weight], (1, 2, 2, 1), options={**options, 0: ("b", 0)}, **ONE)
    program = read(file.data(first, second))
    assert [each.settings["window"].padding for each in program.operations] == [((0, 1), (0, 1))] * 2
    values = run(program, {"t0": np.arange(16).reshape(1, 4, 4)})
    assert [values[name].ravel().tolist() for name in program.outputs] == [[45, 39, 66, 50]] * 2


def test_a_float_input_that_is_quantized_first_is_an_input_of_codes(read):
    file = TfliteFile()
    x = file.input((1, 3), dtype="float32")
    codes = file.operator("QUANTIZE", [x], (1, 3), scale=0.5, zero_point=1)
    file.operator("DEQUANTIZE", [codes], (1, 3), dtype="float32")
    program = read(file.data())
    assert program.inputs == ("t1",)
    assert run(program, {"t1": np.array([1, 3, -1])})[program.outputs[0]].tolist() == [0.0, 1.0, -1.0]


def test_an_activation_behind_a_maximum_clamps_it(read):
    file = TfliteFile()
    x = file.input((1, 1, 2, 1), scale=1.0, zero_point=-3)
    options = {0: ("b", 1), 1: ("i", 1), 2: ("i", 1), 3: ("i", 1), 4: ("i", 1), 5: ("b", 1)}
    file.operator("MAX_POOL_2D", [x], (1, 1, 2, 1), options=options, scale=1.0, zero_point=-3)
    program = read(file.data())
    assert run(program, {"t0": np.array([[[-9, 4]]])})[program.outputs[0]].ravel().tolist() == [-3, 4]


# -- what is refused --------------------------------------------------------------------------------------------------
def one(name, *, shape=(1, 4), made=(1, 4), options=None, **more):
    file = TfliteFile()
    file.operator(name, [file.input(shape, **ONE)], made, options=options, **{**ONE, **more})
    return file


REFUSED = {
    "an unknown operator": (
        one("LOGISTIC"), r"LOGISTIC \(operator 0 of .*net\.tflite, which makes t1\) has no integer operation: replace",
    ),
    "unsigned codes": (one("RELU", dtype="uint8"), "has t1 as uint8, expected int8 of one scale: quantize the whole"),
    "a softmax with a factor": (one("SOFTMAX", options={0: ("f", 2.0)}), r"has the factor 2\.0: use softmax with beta"),
    "a ReLU that rescales": (one("RELU", scale=2.0), "RELU .* changes scale or zero point: fuse it"),
    "a batch": (one("RELU", shape=(2, 4), made=(2, 4)), r"shape \(2, 4\), expected a batch of 1 .*: convert the model"),
    "a softmax on another grid": (
        one("SOFTMAX", options={0: ("f", 1.0)}), "t1 of the kind softmax has no arithmetic in the rounding",
    ),
    "a slope below 0": (one("LEAKY_RELU", options={0: ("f", -1.0)}), r"has the slope -1\.0: use one of 0 or more"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_place_in_a_program_is_refused_with_its_place_and_a_remedy(case, read):
    file, message = REFUSED[case]
    with pytest.raises(UnsupportedError, match=message):
        read(file.data())


def test_a_float_model_is_refused(read):
    file = TfliteFile()
    file.operator("RELU", [file.input((1, 4), dtype="float32")], (1, 4), dtype="float32")
    with pytest.raises(UnsupportedError, match=r"reads t0, which is float32 and no int8: quantize the whole model"):
        read(file.data())


def test_weights_with_a_zero_point_are_refused(read):
    file = small()
    file.tensors[1]["zero_points"][0] = 1
    with pytest.raises(UnsupportedError, match=r"CONV_2D .* has weights of int8, or with a zero point: quantize them"):
        read(file.data())


def test_other_files_are_no_tflite_files(read, tmp_path):
    with pytest.raises(ModelError, match=r"net\.tflite is no \.tflite file: expected the mark TFL3 at byte 4, got b'F"):
        read(b"\x00\x00\x00\x00FFL3")
    with pytest.raises(ModelError, match="cannot be read"):
        read_tflite(tmp_path / "none.tflite")


def test_a_file_that_ends_too_early_is_damaged(read):
    data = small().data()
    for length in range(8, len(data), 37):
        with pytest.raises(ModelError, match=r"is damaged .*: convert the model again|no \.tflite"):
            read(data[:length])


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.integers(8, 2000), st.integers(0, 255)), min_size=1, max_size=4))
def test_changed_bytes_give_a_program_or_an_error_of_ours(tmp_path_factory, changes):
    data = bytearray(small().data())
    for place, value in changes:
        data[place % len(data)] = value
    path = tmp_path_factory.getbasetemp() / "changed.tflite"
    path.write_bytes(data)
    try:
        program = read_tflite(path)
    except EdgewrightError as error:
        assert str(error)
    else:
        assert program.operations and replace(program, name="again").rounding == "tflm"


def test_reading_needs_neither_tensorflow_nor_flatbuffers_nor_pytorch():
    names = "'torch', 'flatbuffers', 'tensorflow'"
    code = f"import sys, edgewright.program.tflite_file; sys.exit(bool({{{names}}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
