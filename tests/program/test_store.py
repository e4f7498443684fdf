"""A program on disk: the same bytes for the same program, the same program back, and nothing odd is believed."""

import json

import numpy as np
import pytest
import safetensors.numpy

from edgewright.errors import DataError, ModelError
from edgewright.program import input_codes, load_program, run, save_program
from edgewright.program.lowering import lower
from lowered_nets import Everything, images, simulation


@pytest.fixture(scope="module")
def program():
    return lower(simulation(Everything(), images(2, 3, 20, 16)), name="everything")


@pytest.fixture
def folder(program, tmp_path):
    save_program(program, tmp_path)
    return tmp_path


def test_a_program_comes_back_as_it_was(program, folder):
    back = load_program(folder)
    assert (back.name, back.inputs, back.outputs) == (program.name, program.inputs, program.outputs)
    assert back.tensors == program.tensors
    for first, second in zip(back.operations, program.operations, strict=True):
        assert (first.kind, first.inputs, first.output) == (second.kind, second.inputs, second.output)
        assert first.settings == second.settings and first.arrays.keys() == second.arrays.keys()
        for name, array in first.arrays.items():
            assert array.dtype == second.arrays[name].dtype
            np.testing.assert_array_equal(array, second.arrays[name])
    codes = {"x": input_codes(program, images(3, 20, 16).numpy())}
    before, after = run(program, codes), run(back, codes)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_the_same_program_is_the_same_bytes(program, folder, tmp_path_factory):
    again = tmp_path_factory.mktemp("again")
    save_program(load_program(folder), again)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["program.json", "program.safetensors"]
    assert [(folder / name).read_bytes() for name in names] == [(again / name).read_bytes() for name in names]


def test_missing_and_foreign_files_are_refused(folder, tmp_path_factory):
    with pytest.raises(ModelError, match=r"No program in .*: program.json is missing"):
        load_program(tmp_path_factory.mktemp("empty"))
    (folder / "program.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelError, match=r"damaged .*write it again"):
        load_program(folder)
    (folder / "program.safetensors").unlink()
    with pytest.raises(ModelError, match=r"program.safetensors is missing"):
        load_program(folder)
    (folder / "program.json").write_text('{"format": "other"}')
    with pytest.raises(DataError, match=r"has the format 'other', this version reads 'edgewright.program/1'"):
        load_program(folder)


def first(described, kind):
    return next(each for each in described["operations"] if each["kind"] == kind)


SPOILED = {
    "a name that is C": (lambda d: d["tensors"][0].update(name="x; system()"), "holds the name 'x; system"),
    "an unknown kind": (lambda d: first(d, "add").update(kind="import"), "no operation of the kind 'import'"),
    "a scale of 0": (lambda d: d["tensors"][0]["grid"].update(scale=0.0), "positive scale"),
    "ends the wrong way": (lambda d: d["tensors"][0]["grid"].update(low=200), "positive scale and codes of 16"),
    "another shape": (lambda d: d["tensors"][1]["shape"].append(2), "makes the shape|does not fit"),
    "a stride of 0": (lambda d: first(d, "conv")["settings"]["window"].update(stride=[0, 1]), "0 is not positive"),
    "a slice beyond": (lambda d: first(d, "slice")["settings"].update(stop=1000), "does not fit .*to 1000"),
    "an axis beyond": (lambda d: first(d, "softmax")["settings"].update(axis=3), "does not fit .*axis 3"),
    "no grid inside": (lambda d: d["tensors"][3].update(grid=None), "has no grid"),
    "text as a number": (lambda d: first(d, "add")["settings"].update(sign="1"), "'1' is no integer"),
    "a missing part": (lambda d: d.pop("outputs"), "damaged .*outputs"),
    "a missing array": (lambda d: first(d, "conv")["arrays"].remove("bias_O"), "expected .*bias_O"),
    "a setting too many": (lambda d: first(d, "add")["settings"].update(axis=0), "has the settings"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_what_does_not_fit_is_refused(case, folder):
    spoil, message = SPOILED[case]
    described = json.loads((folder / "program.json").read_text())
    spoil(described)
    (folder / "program.json").write_text(json.dumps(described))
    with pytest.raises(ModelError, match=message):
        load_program(folder)


def test_arrays_of_another_type_and_arrays_of_nobody_are_refused(folder):
    path = folder / "program.safetensors"
    arrays = safetensors.numpy.load(path.read_bytes())
    bias = next(name for name in arrays if name.endswith("bias_O"))
    path.write_bytes(safetensors.numpy.save({**arrays, bias: arrays[bias].astype(np.float32)}))
    with pytest.raises(ModelError, match="bias_O of the program is float32, expected int32"):
        load_program(folder)
    path.write_bytes(safetensors.numpy.save({**arrays, "more.bias_O": arrays[bias]}))
    with pytest.raises(ModelError, match="belongs to nothing"):
        load_program(folder)
