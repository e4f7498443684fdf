"""Blocks in stripes of rows: the same codes as whole maps, with every row made once where rows are kept."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dead_programs import Builder, Growing, extreme_codes
from edgewright.errors import ConfigError
from edgewright.program import load_program, macs, run, save_program
from edgewright.program.stripes import block_between, blocks_of, striped
from edgewright.reference.integer import Window

SAME = Window(kernel=(3, 3), padding=((1, 1), (1, 1)))


def residual(height=8):
    """conv -> (conv, itself) -> add -> pool, all maps of 4 columns."""
    builder, rng = Builder(shape=(3, height, 4)), np.random.default_rng(0)
    first = builder.conv("x", rng.integers(-9, 9, (4, 3, 3, 3)), rng.integers(-99, 99, 4), window=SAME)
    second = builder.conv(first, rng.integers(-9, 9, (4, 4, 3, 3)), rng.integers(-99, 99, 4), window=SAME)
    total = builder.same("add", first, second, settings={"sign": 1})
    return builder.program(builder.pool("max_pool", total, Window(kernel=(2, 2), stride=(2, 2))))


def codes_of(program, seed=0):
    tensor = program.tensors["x"]
    return {"x": np.random.default_rng(seed).integers(tensor.grid.low, tensor.grid.high + 1, tensor.shape)}


def assert_same(program, slim, codes):
    want, got = run(program, codes), run(slim, codes)
    for name in want:
        if name in got:
            np.testing.assert_array_equal(got[name], want[name], err_msg=name)


def test_a_stripe_makes_the_rows_that_are_new_and_keeps_those_that_are_read_again():
    """Two rows of the sum take three of `conv0` ahead of them, of which the sum and the window need two again."""
    program = residual()
    slim = striped(program, block_between(program, 0, 3), rows=1)
    made = [each.output for each in slim.operations if each.kind == "conv" and each.layer == "conv0"]
    assert made == ["conv0_rows_0_3", "conv0_rows_3_5", "conv0_rows_5_7", "conv0_rows_7_8"]
    kept = [each.output for each in slim.operations if each.kind == "copy" and each.layer == "conv0"]
    assert [slim.tensors[each].shape for each in kept] == [(4, 2, 4)] * 3
    window = next(each.settings["window"] for each in slim.operations if each.output == "conv0_rows_3_5")
    assert window.padding == ((0, 0), (1, 1))
    assert slim.tensors["x_rows_2_6"].shape == (3, 4, 4)
    assert_same(program, slim, codes_of(program))


def test_kept_rows_cost_no_multiplication_and_rows_made_again_do():
    program = residual()
    block = block_between(program, 0, 3)
    dense = sum(macs(program).values())
    assert sum(macs(striped(program, block, rows=1)).values()) == dense
    patches = striped(program, block, rows=1, keep=False)
    again = sum(macs(patches).values())
    assert again > dense and not [each for each in patches.operations if each.kind == "copy"]
    assert_same(program, patches, codes_of(program))


def test_a_block_has_one_entry_and_one_exit():
    program = residual()
    assert {(each.first, each.last) for each in blocks_of(program)} == {(0, 3), (0, 2), (1, 3), (1, 2)}
    assert block_between(program, 0, 1) is None  # the sum reads the first convolution as well
    assert [each.exit for each in blocks_of(program, around=0)] == ["max_pool3", "add2"]


def test_a_stripe_of_no_row_or_of_all_rows_is_refused():
    program = residual()
    block = block_between(program, 0, 3)
    for rows in (0, 4):
        with pytest.raises(ConfigError, match=f"has 1 to 3 of its 4 rows, got {rows}"):
            striped(program, block, rows=rows)


def test_stripes_are_stored_with_the_layer_they_are_of(tmp_path):
    program = residual()
    slim = striped(program, block_between(program, 0, 3), rows=2)
    save_program(slim, tmp_path)
    again = load_program(tmp_path)
    assert [each.layer for each in again.operations] == [each.layer for each in slim.operations]
    assert {each.layer for each in again.operations} == {"", "x", "conv0", "conv1", "add2", "max_pool3"}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.data())
def test_any_block_of_a_random_program_gives_the_same_codes_in_stripes(seed, keep, data):
    growing = Growing(np.random.default_rng(seed))
    for _ in range(6):
        growing.grow()
    program = growing.finished(flat=True)
    blocks = list(blocks_of(program))
    assume(blocks)
    block = data.draw(st.sampled_from(blocks))
    rows = data.draw(st.integers(1, program.tensors[block.exit].shape[1] - 1))
    slim = striped(program, block, rows=rows, keep=keep)
    for codes in extreme_codes(program, np.random.default_rng(seed)):
        assert_same(program, slim, {"x": codes})
