"""Sets of kernels: what they call, what memory they ask for, and that their outputs lie as close as they can."""

import json
import shutil

import numpy as np
import pytest

from c_cases import images_of
from dead_programs import Builder
from edgewright.errors import ConfigError
from edgewright.export.c import emit, write
from edgewright.export.c.dsp import columns_bytes
from edgewright.export.c.memory import program as memory
from edgewright.reference.integer import Window
from edgewright.verify.firmware.host import compare_on_host

needs_compiler = pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler")


def net(channels, outputs, *, kernel=(1, 1), stride=1, size=(5, 5), depthwise=False):
    """One convolution, ahead of it one of a tap that makes its input: the input of a program never dies too early."""
    rng = np.random.default_rng(0)
    builder = Builder(shape=(channels, *size))
    groups = channels if depthwise else 1
    weight = rng.integers(-127, 128, (outputs, channels // groups, *kernel))
    window = Window(kernel=kernel, stride=(stride, stride), padding=tuple((each // 2, each // 2) for each in kernel))
    last = builder.conv("x", weight, rng.integers(-99, 99, outputs), window=window, groups=groups, scale=0.0004)
    return builder.program(last)


def test_a_set_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="no kernels 'neon': choose one of portable, dsp, helium"):
        emit(net(8, 8), kernels="neon")


def test_a_folder_names_its_set_and_holds_its_kernels():
    files = emit(net(8, 8), kernels="dsp").files
    assert {name for name in files if name.startswith("kernels/")} == {
        f"kernels/{name}.h"
        for name in (
            "dsp/dot_six", "dsp/dot_six_packed", "dsp/packed", "dsp/pointwise", "dsp/products", "dsp/requantize",
            "dsp/simd", "numbers",
        )
    }  # fmt: skip
    assert json.loads(files["layout.json"])["kernels"] == "dsp"
    assert "Kernels: dsp (Cortex-M4" in files["README.md"] and "| 48 |" in files["README.md"]


def test_what_a_set_has_no_kernel_for_stays_portable():
    assert "ew_pointwise(&" in emit(net(3, 8), kernels="dsp").files["model.c"]
    assert emit(net(3, 8), kernels="dsp").plan == emit(net(3, 8)).plan


def test_scratch_counts_as_memory_of_the_operation():
    assert columns_bytes(16) == 3 * 16 * 2 and columns_bytes(17) == 3 * 20 * 2
    made = emit(net(16, 16), kernels="dsp").plan
    (scratch,) = (each for each in made.buffers if each.name.startswith("scratch of"))
    assert scratch.num_bytes == 96 and made.arena_bytes == 25 * 16 + 96


TIGHT = {  # the least bytes that an output may begin before its input, by hand
    "pointwise of fewer channels": ({"channels": 16, "outputs": 8}, 0),
    "pointwise of more channels": ({"channels": 8, "outputs": 16}, 24 * 8),  # 24 pixels lie before the last one
    # channels 0 to 3 of all 9 pixels are written while channel 4 on of the very first pixel are still read
    "strided depthwise": ({"channels": 8, "outputs": 8, "kernel": (3, 3), "stride": 2, "depthwise": True}, 8 * 8),
    # pixels 0 to 11 are written, and pixel 12 at row 2, column 2 reads row 1 from its column 1 on; as later ones
    "convolution": ({"channels": 8, "outputs": 8, "kernel": (3, 3)}, 48),
    # pixels 0 to 5 are written, and pixel 6 at row 1, column 1 reads row 1 from its column 1 on
    "strided convolution": ({"channels": 4, "outputs": 8, "kernel": (3, 3), "stride": 2, "size": (9, 9)}, 8),
}


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "closer"), [(name, 0) for name in TIGHT] + [(name, 4) for name in TIGHT if TIGHT[name][1]]
)
def test_an_output_lies_as_close_to_its_input_as_the_kernel_allows_and_no_closer(name, closer, tmp_path, monkeypatch):
    made, lead = TIGHT[name]
    program = net(**made)
    rule = memory.Overlap
    monkeypatch.setattr(memory, "Overlap", lambda **fields: rule(**fields | {"lead": fields["lead"] - closer}))
    firmware = emit(program, kernels="dsp")
    (overlap,) = firmware.plan.overlaps
    assert overlap.lead == lead - closer
    offsets = firmware.plan.offsets
    assert offsets[overlap.input] - offsets[overlap.output] == lead - closer
    write(firmware, tmp_path / "c")
    parity = compare_on_host(program, tmp_path / "c", images_of(program, count=4, seed=5))
    assert (parity.differing == 0) == (closer == 0)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize(
    ("kernels", "channels", "kernel", "scratch"),
    [
        ("dsp", 8, (3, 3), 4 * 4 * (8 + 2) * 4),  # 8 rows of 4 pairs at once, of four channels
        ("helium", 8, (3, 3), (8 - 1 + 4) * 64), ("helium", 20, (4, 2), (8 - 1 + 4) * 64),  # 8 pixels, of 16 channels
    ],
)  # fmt: skip
def test_a_depthwise_layer_lies_in_the_place_of_its_input_unless_that_is_needed(
    kept, kernels, channels, kernel, scratch, tmp_path
):
    rng = np.random.default_rng(0)
    builder = Builder(shape=(channels, 21, 5))
    weight, padding = rng.integers(-127, 128, (channels, 1, *kernel)), tuple((1, each - 2) for each in kernel)
    window = Window(kernel=kernel, padding=padding)
    first = builder.same("rescale", "x")
    last = builder.conv(first, weight, np.zeros(channels), window=window, groups=channels, scale=0.0004)
    program = builder.program(*([first, last] if kept else [last]))
    firmware = emit(program, kernels=kernels)
    assert ("at_conv1" in firmware.files["model.c"]) == kept
    assert firmware.plan.arena_bytes == (2 if kept else 1) * channels * 105 + scratch
    write(firmware, tmp_path / "c")
    assert compare_on_host(program, tmp_path / "c", images_of(program, count=4, seed=5)).differing == 0


def test_an_output_leaves_the_place_of_its_input_where_the_arena_is_smaller_so():
    """Behind a large input: the last output begins far ahead of what it reads, which then wants to lie at the end."""
    rng = np.random.default_rng(0)
    builder = Builder(shape=(24, 32, 32))
    window = Window(kernel=(3, 3), padding=((1, 1), (1, 1)))
    x = builder.conv("x", rng.integers(-127, 128, (8, 24, 1, 1)), np.zeros(8))
    x = builder.conv(x, rng.integers(-127, 128, (8, 1, 3, 3)), np.zeros(8), window=window, groups=8)
    x = builder.conv(x, rng.integers(-127, 128, (32, 8, 1, 1)), np.zeros(32))
    made = emit(builder.program(x), kernels="dsp").plan
    assert made.offsets["conv1"] > made.offsets["conv0"]
    assert made.arena_bytes < 32 * 1024 + 1024
