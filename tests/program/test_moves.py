"""A move becomes operations that put every value where the move has put it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from edgewright.program import Program, check, run
from edgewright.program.building import Builder, add_move
from edgewright.reference.integer import Grid

GRID = Grid(scale=1.0, zero_point=0, low=-(2**15), high=2**15 - 1)


def moved(shape, ids):
    """The program of one move, None where it takes more."""
    builder = Builder()
    source = builder.tensor("x", shape, GRID)
    end = add_move(builder, source, ids, name="y")
    if end is None:
        return None
    return check(
        Program(
            name="move", tensors=builder.tensors, operations=tuple(builder.operations), inputs=("x",),
            outputs=(end.name,),
        )
    )  # fmt: skip


def assert_moves(shape, move):
    numbers = np.arange(int(np.prod(shape))).reshape(shape)
    want = move(torch.from_numpy(numbers)).numpy()
    program = moved(shape, want)
    assert program is not None
    np.testing.assert_array_equal(run(program, {"x": numbers})[program.outputs[0]], want)
    return [operation.kind for operation in program.operations]


@settings(deadline=None, max_examples=80)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=2, max_size=5).filter(lambda sizes: len(sizes) > 1),
    data=st.data(),
)
def test_any_transposition_between_reshapes_is_found(sizes, data):
    order = data.draw(st.permutations(range(len(sizes))))
    merge = data.draw(st.integers(1, len(sizes) - 1))
    shape = (int(np.prod(sizes[:merge])), int(np.prod(sizes[merge:])))
    found = assert_moves(shape, lambda x: x.reshape(sizes).permute(order).reshape(-1))
    assert len(found) <= 3 and found.count("transpose") <= 1


@settings(deadline=None, max_examples=60)
@given(shape=st.tuples(*[st.integers(1, 5)] * 3), data=st.data())
def test_any_range_of_an_axis_is_a_slice(shape, data):
    axis = data.draw(st.integers(0, 2))
    start = data.draw(st.integers(0, shape[axis] - 1))
    stop = data.draw(st.integers(start + 1, shape[axis]))
    assert len(assert_moves(shape, lambda x: x.narrow(axis, start, stop - start))) <= 1
    assert len(assert_moves(shape, lambda x: x.select(axis, start))) <= 2


def test_shuffles_and_thinned_maps():
    shuffle = ["reshape", "transpose", "reshape"]
    assert assert_moves((8, 3, 5), lambda x: F.pixel_shuffle(x, 2)) == shuffle
    assert assert_moves((2, 4, 6), lambda x: F.pixel_unshuffle(x, 2)) == shuffle
    assert assert_moves((6, 2, 3), lambda x: F.channel_shuffle(x[None], 3)[0]) == shuffle
    assert assert_moves((2, 5, 6), lambda x: x[:, ::2, ::3]) == ["max_pool"]


@pytest.mark.parametrize(
    "ids", [np.array([[5, 4, 3], [2, 1, 0]]), np.array([[0, 2], [3, 5]]), np.array([[0, 0, 0], [3, 3, 3]])],
    ids=["backwards", "scattered", "repeated"],
)  # fmt: skip
def test_other_moves_are_none(ids):
    assert moved((2, 3), ids) is None
