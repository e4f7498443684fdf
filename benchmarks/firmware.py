"""Generated firmware of four trained networks: differing bytes, instructions, cycles, RAM and flash.

    EDGEWRIGHT_TEST_DATA=... OMP_NUM_THREADS=1 python benchmarks/firmware.py [--images N] [--only NET]
        [--cases TEXT ...] [--resume] [--out FILE.json]

`firmware_nets.py` says which networks and photographs. Every case (a core, a set of kernels, with or without channels
that are dead) is built and run on the host under sanitizers and on the core's emulated board, and every tensor of every
image is compared. `--cases` takes parts of names ("M4 dsp") and leaves the other cases in the output file as they
were. CMSIS-NN stands beside them as it executed, called directly, on MLPerf Tiny's models in the same emulator:
measured once, apart from this script, at commit 99f736a. Needs arm-none-eabi-gcc and qemu-system-arm; cycles of the M4
are modelled where `unicorn` is installed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from firmware_nets import NETS, load

from edgewright.devices import device
from edgewright.export.c import Firmware, emit, write
from edgewright.files import write_json
from edgewright.pipeline.record import machine_facts, version_facts
from edgewright.program import Program
from edgewright.program.dead import eliminate_dead
from edgewright.verify.firmware.boards import BOARDS
from edgewright.verify.firmware.host import build_on_host, compare_with_program, run_on_host
from edgewright.verify.firmware.on_board import BoardProof, prove_on_board
from edgewright.verify.firmware.subject import Target, target_of

OUT = Path(__file__).parent / "results" / "firmware.json"
DEVICES = {"M4": "stm32l4r5", "M7": "stm32f746", "M33": "stm32u575", "M55": "alif-ensemble-e3"}
OPEN_KERNELS: dict[tuple[str, str], dict[str, int]] = {  # instructions of one inference, arena and flash bytes
    ("resnet8", "M4"): {"instructions": 29_870_000, "arena_bytes": 49_728, "flash_bytes": 105_424},
    ("resnet8", "M7"): {"instructions": 29_930_000},
    ("resnet8", "M55"): {"instructions": 4_810_000},
    ("mobilenet_v1", "M4"): {"instructions": 24_710_000, "arena_bytes": 64_512, "flash_bytes": 273_184},
    ("mobilenet_v1", "M55"): {"instructions": 6_420_000},
    ("ds_cnn", "M4"): {"instructions": 7_840_000, "arena_bytes": 16_000, "flash_bytes": 56_856},
    ("ds_cnn", "M55"): {"instructions": 1_780_000},
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One network as one firmware on one core.

    Attributes:
        slim: without the channels that no input can change.
    """

    net: str
    core: str
    kernels: str
    slim: bool = False

    @property
    def name(self) -> str:
        return f"{self.net} {self.core} {self.kernels}{' slim' if self.slim else ''}"


FAST = (("M4", "dsp"), ("M55", "helium"))  # each core's own kernels
CASES = (
    *(Case(net=net, core=core, kernels=kernels) for net in NETS for core, kernels in FAST),
    *(Case(net="mobilenet_v1", core=core, kernels=kernels, slim=True) for core, kernels in FAST),
    *(Case(net=net, core="M4", kernels="portable") for net in NETS),
    Case(net="resnet8", core="M3", kernels="portable"),
    *(Case(net="resnet8", core=core, kernels="dsp") for core in ("M7", "M33")),
    *(Case(net=net, core="M4", kernels="dsp", slim=True) for net in NETS if net != "mobilenet_v1"),
    *(Case(net=net, core="M55", kernels="portable") for net in NETS),
)  # fmt: skip


def prepared(case: Case, count: int) -> tuple[Program, list[dict[str, np.ndarray]], dict[str, int]]:
    """The program, the codes of its images, and what went as dead."""
    program, images = _loaded(case.net, count)
    if not case.slim:
        return program, images, {}
    slim, report = eliminate_dead(program)
    return slim, images, {"macs_removed": report.macs_removed, "weights_removed": report.weights_removed}


@cache
def _loaded(net: str, count: int) -> tuple[Program, list[dict[str, np.ndarray]]]:
    return load(net, count)


def measured(case: Case, count: int) -> dict[str, Any]:
    """One case on the host and on its board."""
    began = time.perf_counter()
    program, images, removed = prepared(case, count)
    firmware = emit(program, kernels=case.kernels)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "c"
        write(firmware, folder)
        built = build_on_host(folder, Path(place) / "host", specialize=False)
        host = compare_with_program(program, images, run_on_host(built, images))
        proof = prove_on_board(program, folder, images, target=target(case.core), time_limit_s=600.0)
    return asdict(case) | removed | board_facts(proof, firmware) | {
        "host": {"differing_bytes": host.differing, "compared_bytes": host.total},
        "open_kernels": OPEN_KERNELS.get((case.net, case.core)), "layers": list(layer_facts(proof, firmware)),
        "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip


def target(core: str) -> Target:
    """The device that has the core, or a memory of its size where none of ours has it."""
    if core in DEVICES:
        return target_of(device(DEVICES[core]))
    return Target(board=BOARDS[core], flash_bytes=1 << 20, ram_bytes=320 << 10)


def board_facts(proof: BoardProof, firmware: Firmware) -> dict[str, Any]:
    """The whole network."""
    count, num_macs = max(proof.instructions), sum(firmware.macs.values())
    return {
        "images": proof.parity.num_images, "differing_bytes": proof.parity.differing,
        "compared_bytes": proof.parity.total, "macs": num_macs, "instructions": count,
        "fewest_instructions": min(proof.instructions), "instructions_per_mac": count / num_macs,
        "cycles": None if proof.cycles is None else asdict(proof.cycles), "arena_bytes": firmware.plan.arena_bytes,
        "ram_bytes": proof.ram_bytes, "stack_bytes": proof.stack_bytes, "flash_bytes": proof.flash_bytes,
        "harness_flash_bytes": proof.sizes.harness_flash_bytes, "table_bytes": firmware.table_bytes,
    }  # fmt: skip


def layer_facts(proof: BoardProof, firmware: Firmware) -> Iterator[dict[str, Any]]:
    """Each operation, with the call of the hook behind it."""
    cycles = proof.layer_cycles or (None,) * len(proof.layer_instructions)
    parts = zip(proof.parity.operations, proof.layer_instructions, cycles, strict=True)
    for held, count, modelled in parts:
        num_macs = firmware.macs[held.tensor]
        yield {
            "output": held.tensor, "kind": held.kind, "macs": num_macs, "instructions": count,
            "per_mac": round(count / num_macs, 3) if num_macs else None, "modelled_cycles": modelled,
            "differing_bytes": held.differing,
        }  # fmt: skip


def first_lines() -> dict[str, str]:
    """Versions of the programs that built and ran the firmware."""
    found = {name: shutil.which(name) for name in ("arm-none-eabi-gcc", "qemu-system-arm")}
    return {
        name: subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
        for name, path in found.items()
        if path
    }


def told(row: dict[str, Any], case: Case) -> str:
    """One line of a finished case."""
    other = (row["open_kernels"] or {}).get("instructions")
    beside = f", CMSIS-NN {other:,}" if other else ""
    wrong = row["differing_bytes"] + row["host"]["differing_bytes"]
    return (
        f"{case.name}: {row['instructions']:,} instructions, {row['instructions_per_mac']:.2f} per MAC{beside}; arena "
        f"{row['arena_bytes']:,}, RAM {row['ram_bytes']:,}, flash {row['flash_bytes']:,}; {wrong} of "
        f"{row['compared_bytes'] + row['host']['compared_bytes']:,} bytes differ ({row['seconds']} s)"
    )


def kept_rows(path: Path) -> dict[str, dict[str, Any]]:
    """Cases of an earlier run."""
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return {Case(**{name: row[name] for name in Case.__dataclass_fields__}).name: row for row in rows if "slim" in row}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--only", choices=sorted(NETS))
    parser.add_argument("--cases", nargs="*", default=[], help="parts of names of cases; the others stay as they were")
    parser.add_argument("--resume", action="store_true", help="go on with the cases that the output file lacks")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = kept_rows(asked.out) if asked.cases or asked.only or asked.resume else {}
    for case in CASES:
        wanted = asked.only in (None, case.net) and all(part in case.name.split() for part in asked.cases)
        if wanted and not (asked.resume and case.name in rows):
            rows[case.name] = measured(case, asked.images)
            print(told(rows[case.name], case), flush=True)
            write_json(asked.out, {
                "command": f"python benchmarks/firmware.py --images {asked.images}", "machine": machine_facts(),
                "versions": version_facts() | first_lines(),
                "rows": [rows[each.name] for each in CASES if each.name in rows],
            })  # fmt: skip


if __name__ == "__main__":
    main()
