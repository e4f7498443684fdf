"""A program is refused where it could not run."""

import subprocess
import sys

import pytest

from edgewright.errors import ModelError
from edgewright.program import Operation, Program, Tensor
from edgewright.reference.integer import Grid

GRID = Grid(scale=0.5, zero_point=0, low=-128, high=127)


def program(*operations, outputs=("y",), names="xy"):
    tensors = {name: Tensor(name=name, shape=(2, 3, 4), grid=GRID) for name in names}
    return Program(name="p", tensors=tensors, operations=operations, inputs=("x",), outputs=outputs)


def test_a_tensor_has_as_many_values_as_its_shape_says():
    assert program(Operation(kind="rescale", inputs=("x",), output="y")).tensors["y"].num_values == 24


def test_what_reads_before_it_is_made_is_refused():
    with pytest.raises(ModelError, match="y reads z, which nothing before it makes"):
        program(Operation(kind="rescale", inputs=("z",), output="y"))


def test_a_tensor_has_one_maker():
    twice = [Operation(kind="rescale", inputs=("x",), output="y")] * 2
    with pytest.raises(ModelError, match="y is made twice"):
        program(*twice)


def test_an_output_that_nothing_makes_is_refused():
    with pytest.raises(ModelError, match="no tensor z"):
        program(Operation(kind="rescale", inputs=("x",), output="y"), outputs=("z",))


def test_a_tensor_that_nothing_makes_is_refused():
    with pytest.raises(ModelError, match="p has the tensor z, which nothing makes: leave it out, or add the operation"):
        program(Operation(kind="rescale", inputs=("x",), output="y"), names="xyz")


def test_kinds_and_their_settings_are_known():
    with pytest.raises(ModelError, match="no operation of the kind 'convolve'"):
        Operation(kind="convolve", inputs=("x",), output="y")
    with pytest.raises(ModelError, match=r"y of the kind add has the settings \[\], expected \['sign'\]"):
        Operation(kind="add", inputs=("x", "x"), output="y")


def test_a_program_needs_no_pytorch():
    code = "import sys, edgewright.program; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
