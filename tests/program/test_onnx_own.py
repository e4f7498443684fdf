"""Our own integer ONNX files, read without PyTorch, are the programs that their simulations are lowered to."""

import subprocess
import sys
from collections import Counter

import numpy as np
import onnx
import pytest

from edgewright.export.freeze import freeze
from edgewright.export.onnx_file import to_onnx
from edgewright.program import input_codes, macs, output_values, run
from edgewright.program.lowering import lower
from edgewright.program.onnx_file import read_onnx
from edgewright.zoo import resolve
from lowered_nets import Everything, images, simulation

ZOO = {
    "resnet8": (3, 16, 16),
    "ds_cnn": (1, 49, 10),
    "mobilenet_v1:0.25": (3, 32, 32),
    "mobilenet_v2:0.35": (3, 32, 32),
}
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ZOO if name != "ds_cnn"]


@pytest.mark.parametrize("name", ["ds_cnn", *SLOW])
def test_zoo_files_give_the_codes_of_the_lowered_simulation(name, tmp_path):
    shape = ZOO[name]
    x = images(2, *shape)
    net = simulation(resolve(name, num_classes=4, image_size=shape[1:]).model, x, float_output=name == "resnet8")
    onnx.save(to_onnx(freeze(net), name="net"), tmp_path / "net.onnx")
    want, got = lower(net), read_onnx(tmp_path / "net.onnx")
    assert [each.kind for each in got.operations] == [each.kind for each in want.operations]
    assert sum(macs(got).values()) == sum(macs(want).values())
    grid = want.tensors[want.inputs[0]].grid
    codes = np.random.default_rng(0).integers(grid.low, grid.high + 1, shape)
    first, second = run(want, {want.inputs[0]: codes}), run(got, {got.inputs[0]: codes})
    for one, other in zip(want.operations, got.operations, strict=True):
        np.testing.assert_array_equal(first[one.output], second[other.output], err_msg=other.output)
        assert want.tensors[one.output].grid == got.tensors[other.output].grid
    np.testing.assert_array_equal(output_values(want, first)[0], output_values(got, second)[0])


@pytest.mark.slow
def test_every_kind_of_operation_survives_the_file(tmp_path, caplog):
    """Gates are written with another scale for the same codes, tokens with a sum behind a product of matrices."""
    x = images(2, 3, 20, 16)
    net = simulation(Everything(), x)
    onnx.save(to_onnx(freeze(net), name="net"), tmp_path / "net.onnx")
    want, got = lower(net), read_onnx(tmp_path / "net.onnx")
    assert Counter(each.kind for each in got.operations) == Counter(each.kind for each in want.operations)
    assert "rounded" not in caplog.text
    for image in x.numpy():
        codes = input_codes(want, image)
        first, second = run(want, {want.inputs[0]: codes}), run(got, {got.inputs[0]: codes})
        for one, other in zip(want.outputs, got.outputs, strict=True):
            assert np.abs(first[one] - second[other]).max() <= 1


def test_reading_loads_no_pytorch():
    check = "import sys, edgewright.program.onnx_file; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
