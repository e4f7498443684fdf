"""A program as a folder of C: the same bytes each time, readable, refused where the kernels end."""

import numpy as np
import pytest

from dead_programs import Builder
from edgewright.errors import ConfigError, UnsupportedError
from edgewright.export.c import emit
from edgewright.export.c.layout import layouts, loops, places
from edgewright.export.c.multipliers import folded_bias, multipliers
from edgewright.export.c.text import array_body, initializer, number
from edgewright.program import Operation, Program, Tensor
from edgewright.reference.integer import Grid

WHOLE = Grid(scale=0.05, zero_point=0, low=-128, high=127)


def small_program():
    builder = Builder()
    rng = np.random.default_rng(0)
    x = builder.conv("x", rng.integers(-127, 128, (4, 3, 3, 3)), rng.integers(-99, 99, 4))
    x = builder.flat(x)
    return builder.program(builder.linear(x, rng.integers(-127, 128, (2, *builder.shape(x))), np.array([5, -7])))


def test_the_same_program_gives_the_same_bytes():
    image = {"x": np.zeros((3, 6, 5), dtype=np.int64)}
    assert emit(small_program(), [image]).files == emit(small_program(), [image]).files


def test_a_folder_holds_only_the_kernels_that_are_called_and_what_they_include():
    names = {name for name in emit(small_program()).files if name.startswith("kernels/")}
    assert names == {f"kernels/{name}.h" for name in ("conv", "linear", "dot", "nibbles", "numbers", "window")}


def test_generated_c_names_no_allocation_and_no_library_but_string_h():
    files = emit(small_program(), [{"x": np.zeros((3, 6, 5), dtype=np.int64)}]).files
    text = "\n".join(content for name, content in files.items() if name.endswith((".c", ".h")))
    assert "malloc" not in text and "printf" not in text
    assert {line for line in text.splitlines() if line.startswith("#include <")} == {
        "#include <stdint.h>", "#include <string.h>",
    }  # fmt: skip


def test_memory_holds_channels_last():
    assert places((2, 1, 3)).tolist() == [0, 3, 1, 4, 2, 5]
    assert places((4,)).tolist() == [0, 1, 2, 3]


def test_a_flattened_map_keeps_its_order_for_a_linear_layer_and_moves_for_the_caller():
    program = small_program()
    flat = next(each.output for each in program.operations if each.kind == "reshape")
    assert len(layouts(program)[flat]) == 3
    handed_out = Program(
        name="m", tensors=program.tensors, operations=program.operations, inputs=program.inputs,
        outputs=(*program.outputs, flat),
    )  # fmt: skip
    assert len(layouts(handed_out)[flat]) == 1
    assert "ew_transpose(" in emit(handed_out).files["model.c"]


def test_nested_loops_are_read_off_places():
    indices = np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1).ravel()
    found = [loop for loop in loops(indices, name="y") if loop[0] > 1]
    assert found == [(4, 1), (6, 4)]
    with pytest.raises(UnsupportedError, match="operation y moves codes"):
        loops(np.array([0, 1, 3, 2, 5]), name="y")


def test_a_multiplier_is_five_bytes_and_one_of_zero_costs_no_second_form():
    mantissas, shifts = multipliers([0.5, 0.25, 0.0, 3.0])
    assert mantissas.dtype == np.int32 and shifts.dtype == np.int8
    assert mantissas.tolist() == [2**30, 2**30, 0, 3 * 2**29] and shifts.tolist() == [0, 1, 2, -2]


def test_a_zero_point_is_folded_into_the_bias():
    x = Grid(scale=1.0, zero_point=-3, low=-128, high=127)
    assert folded_bias(np.array([10]), np.array([[2, -5]]), x).tolist() == [10 + 3 * (2 - 5)]


def test_a_bias_beyond_32_bits_is_folded_modulo_and_the_layer_that_could_overflow_is_named():
    x = Grid(scale=1.0, zero_point=-1, low=-128, high=127)
    assert folded_bias(np.array([2**31 - 1]), np.array([[3]]), x).tolist() == [-(2**31) + 2]
    builder = Builder()
    name = builder.linear(builder.flat("x"), np.full((1, 90), 127), np.array([2**31 - 1]))
    firmware = emit(builder.program(name))
    assert firmware.may_overflow == (name,) and "beyond 32 bits" in firmware.files["README.md"]
    assert emit(small_program()).may_overflow == ()


def test_codes_of_sixteen_bits_are_refused():
    wide = Grid(scale=0.05, zero_point=0, low=-(2**15), high=2**15 - 1)
    tensors = {"x": Tensor(name="x", shape=(4,), grid=wide), "y": Tensor(name="y", shape=(4,), grid=WHOLE)}
    operation = Operation(kind="rescale", inputs=("x",), output="y")
    program = Program(name="m", tensors=tensors, operations=(operation,), inputs=("x",), outputs=("y",))
    with pytest.raises(UnsupportedError, match="x has codes from -32768 to 32767"):
        emit(program)


def test_a_program_without_operations_or_with_a_name_that_c_lacks_is_refused():
    tensors = {"x": Tensor(name="x", shape=(4,), grid=WHOLE)}
    with pytest.raises(ConfigError, match="has no operations"):
        emit(Program(name="m", tensors=tensors, operations=(), inputs=("x",), outputs=("x",)))
    program = small_program()
    with pytest.raises(ConfigError, match="'my net' is no name in C"):
        emit(
            Program(name="my net", tensors=program.tensors, operations=program.operations, inputs=program.inputs,
                    outputs=program.outputs)
        )  # fmt: skip


@pytest.mark.parametrize("value", [0.1, 1.0, 1e-20, -3.5, 16777216.0, 1e30])
def test_a_float_in_c_is_the_float_to_the_bit(value):
    assert np.float32(number(np.float32(value), np.dtype("float32"))[:-1]) == np.float32(value)
    assert float(number(value, np.dtype("float64"))) == value


def test_the_smallest_integer_and_structs_are_written_as_c_reads_them():
    assert array_body(np.array([-(2**31), 7], dtype=np.int32)).strip() == "(-2147483647 - 1), 7,"
    assert initializer({"a": 1, "b": {"c": -2}, "d": (3, 4)}) == "{.a = 1, .b = {.c = -2}, .d = {3, 4}}"


def test_an_output_that_the_last_operation_reads_is_not_overwritten_by_it():
    builder = Builder()
    first = builder.same("rescale", "x", grid=WHOLE)
    second = builder.same("rescale", first, grid=WHOLE)
    offsets = emit(builder.program(first, second)).plan.offsets
    assert abs(offsets[first] - offsets[second]) >= 90
    assert emit(builder.program(second)).plan.arena_bytes == 92
