"""Weights of 4 bits lie two in a byte, and every kernel that takes them apart gives the bytes of the reference."""

import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c_cases import Bench, images_of, proof_of
from dead_programs import Builder
from edgewright.export.c import emit, packing, write
from edgewright.export.c.calls import calls_of
from edgewright.export.c.gate import need_of
from edgewright.export.c.kernel_sets import KERNEL_SETS
from edgewright.export.c.layout import layouts
from edgewright.program.stripes import block_between, striped
from edgewright.reference.integer import Grid, Window
from edgewright.verify.firmware.host import compare_on_host

needs_compiler = pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler")
GRID = Grid(scale=0.04, zero_point=-3, low=-128, high=127)
WINDOWS = {
    "3x3": Window(kernel=(3, 3), padding=((1, 1), (1, 1))),
    "apart": Window(kernel=(3, 3), stride=(2, 2), padding=((0, 1), (1, 0))),
    "1x5": Window(kernel=(1, 5), padding=((0, 0), (2, 1)), dilation=(1, 1)),
    "dilated": Window(kernel=(3, 2), padding=((1, 0), (1, 1)), dilation=(1, 2)),
}
# Channels, outputs, groups, window: runs of 1, 3, 5, 9, 17 and more codes, which begin and end within a byte.
CONVS = (
    (1, 5, 1, "3x3"), (3, 6, 1, "3x3"), (3, 5, 1, "1x5"), (5, 4, 1, "dilated"), (17, 3, 1, "apart"), (8, 33, 1, "3x3"),
    (6, 9, 3, "3x3"), (15, 15, 5, "1x5"), (4, 4, 4, "3x3"), (8, 8, 8, "apart"), (17, 17, 17, "1x5"),
    (5, 5, 5, "dilated"),
)  # fmt: skip
PRODUCTS = ((1, 5), (3, 4), (5, 17), (17, 5), (33, 6), (64, 33), (12, 7))


def layer(rng, name, shape):
    """Weights of all 16 codes, and scales that spread the sums over the grid."""
    count = int(np.prod(shape[1:]))
    return {
        name: rng.integers(-8, 8, shape), "bias_O": rng.integers(-999, 999, shape[0]),
        "weight_scale_O": rng.uniform(0.5, 2.0, shape[0]) / (4.5 * np.sqrt(count)),
    }  # fmt: skip


def build_bench():
    bench, rng = Bench(), np.random.default_rng(0)
    for channels, outputs, groups, name in CONVS:
        window = WINDOWS[name]
        arrays = layer(rng, "weight_OIKK", (outputs, channels // groups, *window.kernel))
        after = tuple(window.count(axis, (5, 6)[axis]) for axis in (0, 1))
        settings = {"window": window, "groups": groups}
        bench.add("conv", [((channels, 5, 6), GRID)], (outputs, *after), GRID, settings=settings, arrays=arrays)
    for inputs, outputs in PRODUCTS:
        pointwise = layer(rng, "weight_OIKK", (outputs, inputs, 1, 1))
        settings = {"window": Window(kernel=(1, 1)), "groups": 1}
        bench.add("conv", [((inputs, 3, 5), GRID)], (outputs, 3, 5), GRID, settings=settings, arrays=pointwise)
        for grid in (GRID, None):
            arrays = layer(rng, "weight_OI", (outputs, inputs))
            bench.add("linear", [((inputs,), GRID)], (outputs,), grid, arrays=arrays)
    return bench.program("packed")


def net(weights, *, kernel=(1, 1)):
    """Convolutions one behind the other, so that outputs lie over inputs."""
    builder, last = Builder(shape=(weights[0].shape[1], 7, 7)), "x"
    for weight in weights:
        window = Window(kernel=kernel, padding=tuple((each // 2, each // 2) for each in kernel))
        last = builder.conv(last, weight, np.arange(len(weight)), window=window, groups=1, scale=0.02)
    return builder.program(last)


def four_bits(outputs, inputs, *, kernel=(1, 1)):
    return np.random.default_rng(outputs).integers(-8, 8, (outputs, inputs, *kernel))


def tables(program, kernels):
    (call,) = calls_of(program, program.operations[0], layouts(program), kernels=kernels)
    return call, {each.role: each.values for each in call.constants}


def test_the_earlier_of_two_neighbours_lies_in_the_lower_half():
    """1 and -2 (0xE) are 0xE1, less 256 as int8: -31; the last code of an odd row is alone."""
    np.testing.assert_array_equal(packing.neighbours(np.array([[1, -2, 3]])), [[-31, 3]])


def test_a_word_has_four_codes_in_its_lower_halves_and_the_next_four_in_its_upper():
    """Of six codes the last four, 2 to 5 by place, are read as four of their own."""
    made = packing.words(np.array([[1, 2, 3, 4, 5, 6]]))
    np.testing.assert_array_equal(made, [[1 + 16 * 3, 2 + 16 * 4, 3 + 16 * 5, 4 + 16 * 6]])


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5), st.integers(4, 40), st.integers(0, 2**31))
def test_every_order_gives_its_codes_back(num_rows, count, seed):
    rows = np.random.default_rng(seed).integers(-8, 8, (num_rows, count))
    halves = lambda made: ((made << 4).astype(np.int8) >> 4, made >> 4)  # noqa: E731 - of bytes
    pairs = np.stack(halves(packing.neighbours(rows)), axis=2).reshape(num_rows, -1)
    np.testing.assert_array_equal(pairs[:, :count], rows)
    words = np.stack(halves(packing.words(rows).reshape(num_rows, -1, 4)), axis=2).reshape(num_rows, -1)
    whole, fours = count - count % 4, -(-count // 4) * 4
    np.testing.assert_array_equal(words[:, :whole], rows[:, :whole])
    np.testing.assert_array_equal(words[:, fours - 4 : fours], rows[:, count - 4 :])
    assert not words[:, fours:].any()
    even = rows[:, : count // 2 * 2]
    np.testing.assert_array_equal(np.concatenate(halves(packing.halves(even)), axis=1), even)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("kernels", KERNEL_SETS)
def test_packed_layers_of_every_kind_give_the_bytes_of_the_reference(kernels, tmp_path):
    program = build_bench()
    parity = proof_of(program, tmp_path / "c", seed=1, kernels=kernels)
    assert [each for each in parity.values() if each.differing] == [] and len(parity) == len(program.operations)
    found = {call.kernel for each in program.operations
             for call in calls_of(program, each, layouts(program), kernels=kernels)
             if any(constant.role.endswith("4") for constant in call.constants)}  # fmt: skip
    for kind in ("conv", "depthwise", "pointwise", "linear", "linear_float"):
        prefix = "" if kernels == "portable" or (kernels, kind) == ("helium", "depthwise") else f"{kernels}/"
        assert f"{prefix}{kind}" in {name.removesuffix("_packed") for name in found}


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("kernels", KERNEL_SETS)
def test_packed_layers_leave_their_inputs_whole_while_they_read_them(kernels, tmp_path):
    program = net([four_bits(o, i) for o, i in ((16, 16), (24, 16), (24, 24), (6, 24))])
    firmware = emit(program, kernels=kernels)
    assert firmware.plan.overlaps
    write(firmware, tmp_path / "c")
    assert compare_on_host(program, tmp_path / "c", images_of(program, count=4, seed=5)).differing == 0


@pytest.mark.parametrize(("kernels", "table_bytes"), [("portable", 8 * 36), ("dsp", 8 * 36), ("helium", 8 * 36)])
def test_flash_holds_half_a_byte_for_each_weight(kernels, table_bytes):
    """8 outputs of 72 weights; beside them a bias, a mantissa and a shift for each: 9 bytes."""
    program = net([four_bits(8, 8, kernel=(3, 3))], kernel=(3, 3))
    made, before = emit(program, kernels=kernels), emit(program, kernels=kernels, packs=False)
    assert made.table_bytes == table_bytes + 8 * 9 and before.table_bytes == 2 * table_bytes + 8 * 9
    assert need_of(before).tables - need_of(made).tables == table_bytes
    assert "_weight4[288]" in made.files["weights.c"] and "_weight[576]" in before.files["weights.c"]
    assert made.may_overflow == before.may_overflow


def test_one_code_beyond_4_bits_keeps_a_byte_for_each_weight():
    weight = four_bits(8, 8)
    weight[3, 2] = 8
    assert "weight4" not in tables(net([weight]), "dsp")[1]
    weight[3, 2] = -8
    assert "weight4" in tables(net([weight]), "dsp")[1]


def test_a_layer_that_whole_words_would_not_make_smaller_is_not_packed():
    call, made = tables(net([four_bits(8, 4)]), "dsp")
    assert call.kernel == "dsp/pointwise" and made["weight"].nbytes == 32


def test_parts_of_a_striped_layer_share_one_packed_table():
    program = net([four_bits(8, 8, kernel=(3, 3)), four_bits(8, 8, kernel=(3, 3))], kernel=(3, 3))
    parts = striped(program, block_between(program, 0, 1), rows=2)
    assert len(parts.operations) > 2
    assert emit(parts, kernels="dsp").table_bytes == emit(program, kernels="dsp").table_bytes
