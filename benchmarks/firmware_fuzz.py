"""Random programs as firmware: every tensor of every image held against the integer reference, byte by byte.

    python benchmarks/firmware_fuzz.py [--programs N] [--seed S] [--per-build N] [--board cortex-m4 ...]
        [--kernels dsp] [--rounding tflm]

Program number S + i is `random_programs.random_program(S + i)`: small, with odd sizes and every kind of operation. On
the host they run under sanitizers; with `--board` in the emulator too, each kernel specialized for its layer as
firmware has it. The first tensor that differs is named `pSEED/TENSOR`, so that `--programs 1 --seed SEED` repeats it.
The exit code is 1 when a byte differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "shared"))

from c_cases import images_of
from edgewright.errors import EdgewrightError
from edgewright.export.c import emit
from edgewright.export.c.kernel_sets import KERNEL_SETS
from edgewright.program import Program
from edgewright.program.types import ROUNDINGS
from edgewright.verify.firmware.boards import BOARDS
from edgewright.verify.firmware.host import FirmwareParity, build_on_host, compare_with_program, run_on_host
from edgewright.verify.firmware.on_board import prove_on_board
from edgewright.verify.firmware.subject import Target
from random_programs import random_program
from suites import write_suite

IMAGES = 4
HOST = "host"
PLACES = (HOST, *(f"cortex-{core.lower()}" for core in BOARDS))


def prove(programs: Sequence[Program], where: str, *, kernels: str) -> FirmwareParity:
    """All programs in one build in one place."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        whole = write_suite(programs, folder / "c", emitted=partial(emit, kernels=kernels))
        images = images_of(whole, count=IMAGES, seed=len(programs))
        if where != HOST:
            board = BOARDS[where.removeprefix("cortex-").upper()]
            target = Target(board=board, flash_bytes=board.code_bytes, ram_bytes=1 << 20)
            return prove_on_board(whole, folder / "c", images, target=target, time_limit_s=600.0).parity
        build = build_on_host(folder / "c", folder / "build", optimize="-O0", specialize=False)
        return compare_with_program(whole, images, run_on_host(build, images))


def told(programs: Sequence[Program], where: str, *, kernels: str) -> list[str]:
    """What is wrong with one build; an error that ends it is looked for in halves."""
    try:
        parity = prove(programs, where, kernels=kernels)
    except EdgewrightError as error:
        if len(programs) == 1:
            return [f"{where} {programs[0].name}: {error}"]
        half = len(programs) // 2
        return told(programs[:half], where, kernels=kernels) + told(programs[half:], where, kernels=kernels)
    return [
        f"{where} {each.tensor}: {each.differing} of {each.total} bytes of a {each.kind} differ"
        for each in parity.operations
        if each.differing
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--per-build", type=int, default=50)
    parser.add_argument("--board", action="append", choices=PLACES[1:], default=[], help="in the emulator too")
    parser.add_argument("--kernels", choices=sorted(KERNEL_SETS), default="portable")
    parser.add_argument("--rounding", choices=ROUNDINGS, default="single")
    options = parser.parse_args()
    began, num_wrong = time.perf_counter(), 0
    end = options.seed + options.programs
    for first in range(options.seed, end, options.per_build):
        seeds = range(first, min(end, first + options.per_build))
        programs = [random_program(seed, rounding=options.rounding) for seed in seeds]
        for where in (HOST, *options.board):
            lines = told(programs, where, kernels=options.kernels)
            num_wrong += len(lines)
            spent = f"{time.perf_counter() - began:.0f} s"
            lines.append(f"{where}: programs {first} to {programs[-1].name[1:]}, {len(lines)} tensors differ, {spent}")
            print("\n".join(lines), flush=True)
    return int(num_wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
