"""A channel that another rounding could bring to life stays, where room for a step is asked for."""

from dataclasses import replace

import numpy as np
import pytest

from edgewright.program import Program, check
from edgewright.program.building import Builder
from edgewright.program.dead import bound_program, eliminate_dead
from edgewright.reference.integer import Grid, Window

GRID = Grid(scale=1.0, zero_point=-128, low=-128, high=127)


def two_layers(weight, bias):
    """x in 0 ... 255 -> one place of three channels, clamped below at 0 -> two sums."""
    builder = Builder()
    x = builder.tensor("x", (1, 1, 1), GRID)
    settings = {"window": Window(kernel=(1, 1)), "groups": 1}
    for source, name, codes, offset in ((x, "y", weight, bias), (None, "z", np.ones((2, 3)), np.zeros(2))):
        codes = np.asarray(codes, np.int8)
        arrays = {
            "weight_OIKK": codes.reshape(*codes.shape, 1, 1), "bias_O": np.asarray(offset, np.int32),
            "weight_scale_O": np.ones(len(codes)),
        }  # fmt: skip
        made = builder.tensor(name, (len(codes), 1, 1), GRID)
        builder.add("conv", [source or builder.tensors["y"]], made, settings=settings, arrays=arrays)
    operations = tuple(builder.operations)
    return check(Program(name="p", tensors=builder.tensors, operations=operations, inputs=("x",), outputs=("z",)))


def test_only_what_saturates_with_a_step_of_room_goes():
    """Sums are at most 0 (at the clamp), -1 (a step below it) and 255: with room for a step the first may be 0 or 1."""
    program = two_layers([[-1], [-1], [1]], [0, -1, 0])
    slim, report = eliminate_dead(program)
    assert report.kept["y"] == (2,)
    slim, report = eliminate_dead(program, slack=1)
    assert report.kept["y"] == (0, 2) and slim.tensors["y"].shape == (2, 1, 1)
    (stay,) = report.stays
    assert (stay.tensor, stay.channels) == ("y", (0,)) and stay.reason.endswith("1 step more or less elsewhere")


def test_a_constant_between_the_ends_stays():
    program = two_layers([[0], [0], [1]], [7, -9, 0])
    assert eliminate_dead(program)[1].kept["y"] == (2,)
    assert eliminate_dead(program, slack=1)[1].kept["y"] == (0, 2)


@pytest.mark.parametrize("slack", [0, 1, 3])
def test_bounds_have_the_room_that_is_asked_for(slack):
    known = bound_program(two_layers([[0], [0], [1]], [7, -9, -20]), slack=slack)["y"]
    assert (known.low.ravel() - GRID.zero_point).tolist() == [7 - slack, 0, 0]
    assert (known.high.ravel() - GRID.zero_point).tolist() == [7 + slack, 0, 235 + slack]


def test_zeros_stay_zeros_however_they_are_rounded():
    """A dead channel at the value 0 is 0 on another grid and in a mean; a live one has a step more on both sides."""
    program = two_layers([[-1], [1], [1]], [-9, 0, 0])
    builder = Builder(tensors=dict(program.tensors), operations=list(program.operations))
    other = Grid(scale=1.7, zero_point=-3, low=-128, high=127)
    y = builder.tensors["y"]
    builder.add("rescale", [y], builder.tensor("turned", y.shape, other))
    builder.add("global_average", [y], builder.tensor("mean", y.shape, other))
    builder.add("add", [y, y], builder.tensor("twice", y.shape, other), settings={"sign": 1})
    known = bound_program(
        check(replace(program, tensors=builder.tensors, operations=tuple(builder.operations))), slack=1
    )
    for name in ("turned", "mean", "twice"):
        assert known[name].low[0] == known[name].high[0] == -3
        assert known[name].low[1] == -4, "one step below the lowest code that the reference gives"


def test_tensors_can_be_kept_whole():
    program = two_layers([[-1], [-1], [1]], [0, -1, 0])
    slim, report = eliminate_dead(program, whole={"y": "it is somebody's"})
    assert slim.tensors["y"].shape == (3, 1, 1) and {each.reason for each in report.stays} == {"it is somebody's"}
