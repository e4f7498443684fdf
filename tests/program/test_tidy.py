"""Paddings that a window or its weights can do themselves are no operations."""

import numpy as np

from edgewright.program import Operation, Program, check, run
from edgewright.program.building import Builder, tidied
from edgewright.reference.integer import Grid, Window

GRID = Grid(scale=0.5, zero_point=3, low=-128, high=127)


def padded_convolution(widths, kernel=3):
    builder, rng = Builder(), np.random.default_rng(0)
    x = builder.tensor("x", (3, 6, 5), GRID)
    shape = tuple(size + before + behind for size, (before, behind) in zip(x.shape, widths, strict=True))
    wide = builder.add("pad", [x], builder.tensor("wide", shape, GRID), settings={"widths": widths})
    arrays = {
        "weight_OIKK": rng.integers(-127, 128, (4, shape[0], kernel, kernel)).astype(np.int8),
        "bias_O": np.array([5, -5, 0, 900], np.int32), "weight_scale_O": np.full(4, 0.01),
    }  # fmt: skip
    y = builder.tensor("y", (4, shape[1] - kernel + 1, shape[2] - kernel + 1), GRID)
    settings = {"window": Window(kernel=(kernel, kernel)), "groups": 1}
    builder.add("conv", [wide], y, settings=settings, arrays=arrays)
    operations = tuple(builder.operations)
    return check(Program(name="p", tensors=builder.tensors, operations=operations, inputs=("x",), outputs=("y",)))


def test_channels_of_zeros_go_with_the_weights_that_meet_them():
    program = padded_convolution(((1, 2), (1, 1), (0, 2)))
    slim = tidied(program)
    (conv,) = slim.operations
    assert isinstance(conv, Operation) and conv.arrays["weight_OIKK"].shape == (4, 3, 3, 3)
    assert conv.settings["window"].padding == ((1, 1), (0, 2))
    codes = {"x": np.random.default_rng(1).integers(-128, 128, (3, 6, 5))}
    np.testing.assert_array_equal(run(program, codes)["y"], run(check(slim), codes)["y"])


def test_names_become_names_of_c():
    builder = Builder()
    assert [builder.tensor(name, (1,), GRID).name for name in ("12", "a/b", "é", "")] == ["t12", "a_b", "_", "t"]
