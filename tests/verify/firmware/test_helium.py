"""Helium kernels on an emulated Cortex-M55: every byte is the program's, in both roundings, at a count that is held."""

import struct
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from c_cases import images_of
from edgewright.errors import UnsupportedError
from edgewright.export.c import emit, write
from edgewright.export.c.emit import KERNELS
from edgewright.program import input_codes
from edgewright.program.lowering import lower
from edgewright.program.rounding import check_rounding
from edgewright.reference.integer import Grid
from edgewright.reference.integer.fixed_point import rescale
from edgewright.verify.firmware.boards import BOARDS
from edgewright.verify.firmware.on_board import prove_on_board
from edgewright.verify.firmware.qemu import run_firmware
from edgewright.verify.firmware.subject import Target
from edgewright.zoo.resnet8 import resnet8
from lowered_nets import images, simulation
from random_programs import random_program
from suites import write_suite

M55 = Target(board=BOARDS["M55"], flash_bytes=2 << 20, ram_bytes=1 << 20)
LANES = """
#include "{kernels}/helium/lanes.h"
void ew_small_run(void) {{
  static const ew_grid grid = {{-3, -128, 127}};
  for (int32_t i = 0; i < {count}; i += 4) {{
    const ew_lanes sums = ew_lanes_load(in + i), m = ew_lanes_load(in + {count} + i), n = ew_lanes_load(in + 2 * {count} + i);
    int8_t codes[4];
    ew_lanes_store(codes, ew_lanes_requantize(sums, m, n, 0, &grid));
    for (int32_t k = 0; k < 4; k++) out[i + k] = codes[k];
    if (in[2 * {count} + i] < 0) {{
      ew_lanes_store(codes, ew_lanes_requantize_n(sums, in[{count} + i], in[2 * {count} + i], 1, &grid));
      out[{count} + i] = codes[0];
    }}
  }}
}}
"""  # noqa: E501


@pytest.mark.slow
def test_four_lanes_round_once_as_the_reference_does(make_firmware):
    """Sums from one end of 32 bits to the other, exact halves among them, and every shift of a multiplier."""
    rng, count = np.random.default_rng(0), 4096
    shift = rng.integers(-30, 32, count)
    mantissa = rng.integers(2**30, 2**31, count)
    mantissa[::5] = 2**30  # powers of two: their halves are exact
    sums = (rng.uniform(-1, 1, count) * 2.0 ** rng.uniform(0, 31, count)).astype(np.int64)
    near = np.clip(rng.integers(-140, 140, count) * 2.0 ** (shift + 1) + 2.0**shift, -(2**31), 2**31 - 1)
    sums[::2] = near.astype(np.int64)[::2]  # about the codes' halves
    sums[:8] = [-(2**31), 2**31 - 1] * 4
    firmware = make_firmware(LANES.format(kernels=KERNELS, count=count), core="M55", words=(3 * count, 2 * count))
    given = np.concatenate([sums, mantissa, -shift]).astype("<i4").tobytes()
    (made,) = run_firmware(firmware, [[given]]).outputs
    got = np.array(struct.unpack(f"<{2 * count}i", made[0]))
    want = Grid(scale=1.0, zero_point=-3, low=-128, high=127).saturate(rescale(sums, mantissa, shift) - 3)
    np.testing.assert_array_equal(got[:count], want)
    alone = (np.arange(count) % 4 == 0) & (shift > 0)
    np.testing.assert_array_equal(got[count:][alone], want[alone])
    assert alone.sum() > 400 and (np.abs(want) < 100).sum() > 1000


@pytest.mark.slow
@pytest.mark.parametrize("rounding", ["single", "tflm"])
def test_random_programs_give_the_bytes_of_the_reference_on_the_board(rounding, tools, tmp_path):
    programs = [replace(random_program(seed), rounding=rounding) for seed in range(5, 25)]
    programs = [each for each in programs if has_rounding(each)]
    whole = replace(write_suite(programs, tmp_path / "c", emitted=partial(emit, kernels="helium")), rounding=rounding)
    parity = prove_on_board(whole, tmp_path / "c", images_of(whole, count=3, seed=1), target=M55).parity
    assert parity.total > 30_000 and len(parity.operations) > 50
    assert [each for each in parity.operations if each.differing] == []


def has_rounding(program):
    try:
        check_rounding(program)
    except UnsupportedError:
        return False
    return True


@pytest.mark.slow
def test_resnet8_takes_less_than_the_open_kernels(tools, tmp_path):
    """CMSIS-NN, called directly, executes 4.81 M instructions on a model of this shape, with an arena of 49,728."""
    x = images(2, 3, 32, 32)
    program = lower(simulation(resnet8(num_classes=10, in_channels=3), x), name="resnet8")
    firmware = emit(program, kernels="helium")
    write(firmware, tmp_path / "c")
    codes = [{program.inputs[0]: input_codes(program, each)} for each in x.numpy()]
    proof = prove_on_board(program, tmp_path / "c", codes, target=M55)
    assert proof.parity.differing == 0 and proof.parity.total > 100_000
    assert max(proof.instructions) < 2_700_000 and firmware.plan.arena_bytes < 37_000
