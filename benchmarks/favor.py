"""Time or flash: one function for each kernel beside code for each layer, in flash, instructions and differing bytes.

    EDGEWRIGHT_TEST_DATA=... OMP_NUM_THREADS=1 python benchmarks/favor.py [--images N] [--out FILE.json]

The four networks of `firmware_nets.py` are written for a Cortex-M4 (dsp) and a Cortex-M55 (helium) as `--favor time`
and `--favor flash` do, and run on the emulated boards; every byte of every tensor is held against `program.run`.
Stripes of rows (`--favor ram`) are measured by `streaming.py`. Needs arm-none-eabi-gcc and qemu-system-arm.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from firmware_nets import NETS, Codes, load

from edgewright.devices import device
from edgewright.export.c import emit, write
from edgewright.files import write_json
from edgewright.pipeline.record import machine_facts, version_facts
from edgewright.program import Program
from edgewright.verify.firmware.on_board import prove_on_board
from edgewright.verify.firmware.subject import target_of

OUT = Path(__file__).parent / "results" / "favor.json"
CORES = (("M4", "dsp", "stm32l4r5"), ("M55", "helium", "alif-ensemble-e3"))


def proven(program: Program, images: list[Codes], *, kernels: str, on: str, compact: bool) -> dict[str, int]:
    """One firmware on the board of a device."""
    firmware = emit(program, kernels=kernels, compact=compact)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "c"
        write(firmware, folder)
        proof = prove_on_board(program, folder, images, target=target_of(device(on)), time_limit_s=600.0)
    return {
        "flash_bytes": proof.flash_bytes, "ram_bytes": proof.ram_bytes, "instructions": max(proof.instructions),
        "differing_bytes": proof.parity.differing, "compared_bytes": proof.parity.total,
    }  # fmt: skip


def told(row: dict[str, Any]) -> str:
    """A finished row in one line, as the page's table has it."""
    time, flash = row["time"], row["flash"]
    return (
        f"| {row['net']} | {row['core']} | {time['flash_bytes']:,} -> {flash['flash_bytes']:,} "
        f"({flash['flash_bytes'] / time['flash_bytes'] - 1:+.1%}) | {time['instructions'] / 1e6:.2f} -> "
        f"{flash['instructions'] / 1e6:.2f} M ({flash['instructions'] / time['instructions'] - 1:+.0%}) |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name in NETS:
        program, images = load(name, asked.images)
        for core, kernels, on in CORES:
            ways = {way: proven(program, images, kernels=kernels, on=on, compact=way == "flash")
                    for way in ("time", "flash")}  # fmt: skip
            rows.append({"net": name, "core": core, "kernels": kernels, "images": asked.images} | ways)
            print(told(rows[-1]), flush=True)
            write_json(asked.out, {
                "command": f"python benchmarks/favor.py --images {asked.images}",
                "machine": machine_facts(), "versions": version_facts(), "rows": rows,
            })  # fmt: skip


if __name__ == "__main__":
    main()
