"""Generated firmware on emulated boards: bytes that differ from the program, instructions, RAM and flash.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/firmware.py [--images N] [--only NAME] [--out FILE.json]

ResNet-8 (32 x 32) and MobileNetV1 of width 0.25 (96 x 96, 2 classes), int8, with seeded weights: instructions, RAM and
flash depend on shapes, hardly on values. Beside them stands what CMSIS-NN's kernels execute on the MLPerf Tiny models
of the same shapes, called directly, built by the same compiler and counted in the same emulator; their flash holds the
weights of those models. Needs arm-none-eabi-gcc and qemu-system-arm.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgewright.compress.quantize import observe, plan_quantizers, ranges_of, simulate
from edgewright.compress.quantize.gates import expose_gates
from edgewright.devices import device
from edgewright.export.c import emit, write
from edgewright.files import write_json
from edgewright.model import capture
from edgewright.model.fold import fold_batch_norms
from edgewright.pipeline.record import machine_facts, version_facts
from edgewright.program import Program, input_codes
from edgewright.program.lowering import lower
from edgewright.verify.firmware.on_board import BoardProof, prove_on_board
from edgewright.verify.firmware.subject import target_of
from edgewright.zoo.mobilenet_v1 import mobilenet_v1
from edgewright.zoo.resnet8 import resnet8

OUT = Path(__file__).parent / "results" / "firmware.json"
SEED = 0
NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int]]] = {
    "resnet8": (lambda: resnet8(num_classes=10, in_channels=3), (3, 32, 32)),
    "mobilenet_v1": (lambda: mobilenet_v1(num_classes=2, in_channels=3, width=0.25), (3, 96, 96)),
}
DEVICES = ("stm32l4r5", "alif-ensemble-e3")
OPEN_KERNELS = {  # CMSIS-NN 99f736a, direct calls: instructions of one inference, arena and flash bytes
    ("resnet8", "M4"): {"instructions": 29_870_000, "arena_bytes": 49_728, "flash_bytes": 105_424},
    ("resnet8", "M55"): {"instructions": 4_810_000},
    ("mobilenet_v1", "M4"): {"instructions": 24_710_000, "arena_bytes": 64_512, "flash_bytes": 273_184},
    ("mobilenet_v1", "M55"): {"instructions": 6_420_000},
}


def program_of(name: str, num_images: int) -> tuple[Program, list[dict[str, Any]]]:
    """The integer program of one net, and the codes of some images of noise."""
    build, shape = NETS[name]
    generator = torch.Generator().manual_seed(SEED)
    images_BCHW = torch.randn(8, *shape, generator=generator)
    model = build().eval()
    for weight in model.parameters():
        nn.init.uniform_(weight, -0.3, 0.5, generator=generator)
    folded = expose_gates(fold_batch_norms(capture(model, shape))[0])
    plan = plan_quantizers(folded)
    ranges = ranges_of(observe(folded, plan, images_BCHW), method="minmax")
    program = lower(simulate(folded, plan, ranges), name=name)
    (given,) = program.inputs
    return program, [{given: input_codes(program, each)} for each in images_BCHW.numpy()[:num_images]]


def rows_of(name: str, num_images: int) -> list[dict[str, Any]]:
    """One net on every device."""
    program, images = program_of(name, num_images)
    firmware = emit(program)
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / name
        write(firmware, folder)
        for device_name in DEVICES:
            began = time.perf_counter()
            proof = prove_on_board(program, folder, images, target=target_of(device(device_name)))
            rows.append(row(program, proof, firmware.macs) | {
                "net": name, "device": device_name, "arena_bytes": firmware.plan.arena_bytes,
                "seconds": round(time.perf_counter() - began, 1),
            })  # fmt: skip
    return rows


def row(program: Program, proof: BoardProof, macs: Any) -> dict[str, Any]:
    """What was measured of one net on one board."""
    core, num_macs = proof.target.board.core, sum(macs.values())
    parts = zip(program.operations, proof.layer_instructions, proof.parity.operations, strict=True)
    return {
        "core": core, "machine": proof.target.board.machine, "images": proof.parity.num_images,
        "differing_bytes": proof.parity.differing, "compared_bytes": proof.parity.total, "macs": num_macs,
        "instructions": list(proof.instructions), "instructions_per_mac": max(proof.instructions) / num_macs,
        "flash_bytes": proof.flash_bytes, "ram_bytes": proof.ram_bytes, "stack_bytes": proof.stack_bytes,
        "harness_flash_bytes": proof.sizes.harness_flash_bytes,
        "layers": [
            {"output": made.output, "kind": made.kind, "macs": macs[made.output], "instructions": count,
             "differing_bytes": held.differing}
            for made, count, held in parts
        ],
    }  # fmt: skip


def first_lines() -> dict[str, str]:
    """Versions of the programs that built and ran the firmware."""
    found = {name: shutil.which(name) for name in ("arm-none-eabi-gcc", "qemu-system-arm")}
    return {
        name: subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
        for name, path in found.items()
        if path
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--only", choices=sorted(NETS))
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    rows = []
    for name in [asked.only] if asked.only else NETS:
        for each in rows_of(name, asked.images):
            other = OPEN_KERNELS[each["net"], each["core"]]
            rows.append(each | {"open_kernels": other})
            print(f"{each['net']:13} {each['core']:4} {max(each['instructions']):11,} instructions, "
                  f"{each['instructions_per_mac']:.2f} per MAC, CMSIS-NN {other['instructions']:11,}; RAM "
                  f"{each['ram_bytes']:,}, flash {each['flash_bytes']:,}; {each['differing_bytes']} of "
                  f"{each['compared_bytes']:,} bytes differ", flush=True)  # fmt: skip
    write_json(asked.out, {
        "command": f"python benchmarks/firmware.py --images {asked.images}", "seed": SEED,
        "kernels": "portable C99", "machine": machine_facts(),
        "versions": version_facts() | first_lines(), "rows": rows,
    })  # fmt: skip


if __name__ == "__main__":
    main()
