"""Networks in stripes of rows: arena, multiply-accumulates, flash and instructions beside those of whole maps.

    EDGEWRIGHT_TEST_DATA=... python benchmarks/streaming.py [--only NAME] [--images N] [--out FILE.json]

The four networks of `firmware_nets.py`, int8 with trained weights and nothing removed, kernels of a Cortex-M4: once
with whole maps, once with the smallest arena that `fit_memory` finds. Both are run in the emulator on test images, and
every byte of every tensor is held against `program.run`. Instructions and bytes are exact, the same in every run. Needs
arm-none-eabi-gcc and qemu-system-arm.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from firmware_nets import NETS, load

from edgewright.devices import device
from edgewright.export.c import emit, write
from edgewright.export.c.streaming import Streamed, fit_memory
from edgewright.files import write_json
from edgewright.pipeline.record import machine_facts, version_facts
from edgewright.program import Program
from edgewright.verify.firmware.on_board import prove_on_board
from edgewright.verify.firmware.subject import target_of

OUT = Path(__file__).parent / "results" / "streaming.json"
KERNELS = "dsp"
DEVICE = "stm32l4r5"  # a Cortex-M4


def proven(program: Program, images: list[dict[str, np.ndarray]]) -> dict[str, Any]:
    """The firmware of a program on the board."""
    firmware = emit(program, kernels=KERNELS)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "c"
        write(firmware, folder)
        proof = prove_on_board(program, folder, images, target=target_of(device(DEVICE)))
    return {
        "operations": len(program.operations), "arena_bytes": firmware.plan.arena_bytes,
        "bound_bytes": firmware.plan.bound_bytes, "macs": sum(firmware.macs.values()),
        "table_bytes": firmware.table_bytes, "flash_bytes": proof.flash_bytes, "ram_bytes": proof.ram_bytes,
        "stack_bytes": proof.stack_bytes, "instructions": max(proof.instructions),
        "differing_bytes": proof.parity.differing, "compared_bytes": proof.parity.total,
    }  # fmt: skip


def row(name: str, num_images: int) -> dict[str, Any]:
    """One net with whole maps and in stripes."""
    program, images = load(name, num_images)
    began = time.perf_counter()
    found: Streamed = fit_memory(program, kernels=KERNELS)
    return {
        "net": name, "device": DEVICE, "images": num_images, "whole": proven(program, images),
        "stripes": proven(found.program, images), "chosen": [dataclasses.asdict(each) for each in found.chosen],
        "tried": [dataclasses.asdict(each) for each in found.tried],
        "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=sorted(NETS))
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    rows = []
    for name in [asked.only] if asked.only else NETS:
        rows.append(row(name, asked.images))
        for way in ("whole", "stripes"):
            each = rows[-1][way]
            print(f"{name:18} {way:8} arena {each['arena_bytes']:7,} flash {each['flash_bytes']:8,} instructions "
                  f"{each['instructions']:11,} MACs {each['macs']:11,}; {each['differing_bytes']} of "
                  f"{each['compared_bytes']:,} bytes differ", flush=True)  # fmt: skip
        write_json(asked.out, {
            "command": f"python benchmarks/streaming.py --images {asked.images}", "kernels": KERNELS,
            "machine": machine_facts(), "versions": version_facts(), "rows": rows,
        })  # fmt: skip


if __name__ == "__main__":
    main()
