"""MLPerf Tiny's two int8 vision models give TensorFlow Lite Micro's logits: as programs, in C, on a board."""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgewright.devices import device
from edgewright.export.c import emit, write
from edgewright.program import Program, run
from edgewright.program.tflite_file import read_tflite
from edgewright.verify.firmware.host import compare_on_host
from edgewright.verify.firmware.on_board import prove_on_board
from edgewright.verify.firmware.subject import target_of

ROOT = Path(__file__).parents[3]
FOUND = json.loads((ROOT / "benchmarks" / "results" / "tflm.json").read_text())
needs_compiler = pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler")
NAMES = sorted(FOUND["models"])


def load_benchmark():
    spec = importlib.util.spec_from_file_location("tflite_logits", ROOT / "benchmarks" / "tflite_logits.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BENCHMARK = load_benchmark()


@pytest.fixture(scope="module", params=NAMES)
def model(request, test_data) -> tuple[bytes, Program, list, list]:
    """The file, its program up to the logits, images, and the engine's logits of each."""
    path = test_data / "mlperf-tiny" / BENCHMARK.FILES[request.param]
    program = BENCHMARK.at_logits(read_tflite(path, name=request.param))
    expected = FOUND["models"][request.param]["logits"]
    codes = list(BENCHMARK.images(program, len(expected)))
    assert len(expected) == 20 and program.rounding == "tflm"
    return path.read_bytes(), program, codes, expected


def test_the_program_gives_the_engines_logits(model):
    _, program, codes, expected = model
    made = [run(program, {program.inputs[0]: each})[program.outputs[0]].tolist() for each in codes]
    assert made == expected
    assert len({tuple(each) for each in made}) > 10  # images that the network tells apart


@pytest.mark.skipif(
    importlib.util.find_spec("tflite_micro") is None,
    reason="tflite-micro is not installed: pip install 'edgewright[tflm]' (Linux on x86-64)",
)
def test_the_logits_that_are_kept_are_the_engines(model):
    data, _, codes, expected = model
    assert BENCHMARK.of_engine(BENCHMARK.file_at_logits(data), codes) == expected


@needs_compiler
@pytest.mark.slow
def test_c_on_the_host_gives_every_byte_of_the_program(model, tmp_path):
    _, program, codes, _ = model
    write(emit(program, kernels="dsp"), tmp_path / "c")
    parity = compare_on_host(program, tmp_path / "c", [{program.inputs[0]: each} for each in codes], sanitize=False)
    assert parity.differing == 0 and parity.num_images == 20


@pytest.mark.slow
@pytest.mark.parametrize(("kernels", "board", "count"), [("dsp", "stm32l4r5", 20), ("helium", "alif-ensemble-e3", 6)])
def test_firmware_gives_every_byte_of_the_program(model, kernels, board, count, tools, tmp_path):
    _, program, codes, _ = model
    write(emit(program, kernels=kernels), tmp_path / "c")
    given = [{program.inputs[0]: each} for each in codes[:count]]
    proof = prove_on_board(program, tmp_path / "c", given, target=target_of(device(board)))
    assert proof.parity.differing == 0 and proof.parity.num_images == count


def test_the_page_tells_what_was_measured():
    page = (ROOT / "docs" / "numerics.md").read_text()
    for found in FOUND["models"].values():
        assert found["images_different"] == found["softmax_different"] == 0 and found["images"] == 20
        logits, conv = found["from_one_rounding"]["logits"], found["from_one_rounding"]["own_by_kind"]["conv"]
        assert f"{logits['different']} of {logits['codes']} logits, by up to {logits['largest']}" in page
        assert f"{conv['different']:,} of {conv['codes']:,}" in page
        for cost in found["on_board"].values():
            assert cost["differing_bytes"] == 0
            assert f"{cost['instructions'] / 1e6:.2f} M" in page


def test_channels_that_need_64_bits_are_dead_ones(test_data):
    """With dead channels in it, layers of visual wake words take the general form; without, none does."""
    from edgewright.program.dead import eliminate_dead

    program = read_tflite(test_data / "mlperf-tiny" / BENCHMARK.FILES["visual_wake_words"])
    slim, _ = eliminate_dead(program)
    dense, less = (emit(each).files["model.c"] for each in (program, slim))
    assert dense.count(".high_word = 0") == 9 and less.count(".high_word = 0") == 0
    codes = np.full(program.tensors[program.inputs[0]].shape, 127)
    before, after = (run(each, {program.inputs[0]: codes})[program.outputs[0]] for each in (program, slim))
    np.testing.assert_array_equal(before, after)
