"""Helium kernels on an emulated Cortex-M55: instructions of each layer beside CMSIS-NN's.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/firmware_helium.py [--out FILE.json]

ResNet-8, MobileNetV1 0.25 (96 x 96) and DS-CNN (49 x 10), int8 with seeded weights. CMSIS-NN was counted once, apart
from this script, in the same emulator and with the same compiler: whole MLPerf Tiny models of these shapes, and single
layers. Needs arm-none-eabi-gcc and qemu-system-arm.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import firmware

from edgewright.devices import device
from edgewright.export.c import emit, write
from edgewright.files import write_json
from edgewright.pipeline.record import machine_facts, version_facts
from edgewright.program import Operation, Program
from edgewright.verify.firmware.on_board import prove_on_board
from edgewright.verify.firmware.subject import target_of
from edgewright.zoo.ds_cnn import ds_cnn

OUT = Path(__file__).parent / "results" / "firmware_helium.json"
DEVICE = "alif-ensemble-e3"
NETS = firmware.NETS | {"ds_cnn": (lambda: ds_cnn(num_classes=12, in_channels=1), (1, 49, 10))}
OPEN_KERNELS = {"resnet8": 4_810_000, "mobilenet_v1": 6_420_000, "ds_cnn": 1_780_000}  # CMSIS-NN 99f736a, direct calls
OPEN_LAYERS = {  # the same, instructions per MAC
    "3x3, 32x32, 3 to 16": 1.36, "3x3, 32x32, 16 to 16": 0.39, "3x3, 8x8, 64 to 64": 0.21,
    "1x1, 12x12, 64 to 64": 0.39, "1x1, 6x6, 128 to 128": 0.28, "depthwise 3x3, 48x48, 8": 5.21,
    "depthwise 3x3, 12x12, 64": 2.30,
}  # fmt: skip


def name_of(program: Program, operation: Operation) -> str:
    """A layer by its window, the size of its output and its channels; others by their kind and size."""
    (channels, *size), (before, *old) = (
        program.tensors[each].shape for each in (operation.output, operation.inputs[0])
    )
    place = "x".join(map(str, size))
    if operation.kind != "conv":
        return f"{operation.kind}, {'x'.join(map(str, old)) + ', ' if old else ''}{before}"
    window, alone = operation.settings["window"], operation.settings["groups"] == channels
    stride = "" if max(window.stride) == 1 else f" / {max(window.stride)}"
    kernel = f"{'depthwise ' if alone else ''}{window.kernel[0]}x{window.kernel[1]}{stride}"
    return f"{kernel}, {place}, {channels}" if alone else f"{kernel}, {place}, {before} to {channels}"


def row_of(name: str) -> dict[str, Any]:
    """One net: instructions of the whole and of its layers."""
    program, images = firmware.program_of(name, 2)
    made = emit(program, kernels="helium")
    with tempfile.TemporaryDirectory() as place:
        write(made, Path(place) / name)
        proof = prove_on_board(program, Path(place) / name, images, target=target_of(device(DEVICE)))
    counted = zip(program.operations, proof.layer_instructions, strict=True)
    return firmware.row(program, proof, made.macs) | {
        "net": name, "device": DEVICE, "arena_bytes": made.plan.arena_bytes, "open_kernels": OPEN_KERNELS[name],
        "layers": [
            {"layer": name_of(program, operation), "macs": made.macs[operation.output], "instructions": count}
            for operation, count in counted
        ],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    firmware.NETS.update(NETS)
    rows = []
    for name in NETS:
        rows.append(row_of(name))
        row = rows[-1]
        print(f"{name:13} {max(row['instructions']):10,} instructions, {row['instructions_per_mac']:.3f} per MAC, "
              f"CMSIS-NN {row['open_kernels']:10,}; arena {row['arena_bytes']:,}; {row['differing_bytes']} of "
              f"{row['compared_bytes']:,} bytes differ", flush=True)  # fmt: skip
        for layer in row["layers"]:
            ratio = f"{layer['instructions'] / layer['macs']:.3f} per MAC" if layer["macs"] else ""
            print(f"    {layer['layer']:32} {layer['instructions']:9,} {ratio}")
    write_json(asked.out, {
        "command": "python benchmarks/firmware_helium.py", "seed": firmware.SEED, "open_layers": OPEN_LAYERS,
        "machine": machine_facts(), "versions": version_facts() | firmware.first_lines(), "rows": rows,
    })  # fmt: skip


if __name__ == "__main__":
    main()
