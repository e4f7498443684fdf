"""Helium kernels on an emulated Cortex-M55: instructions of each layer beside CMSIS-NN's.

    EDGEWRIGHT_TEST_DATA=... OMP_NUM_THREADS=1 python benchmarks/firmware_helium.py [--out FILE.json]

The networks of `firmware_nets.py` that were counted for CMSIS-NN too, once and apart from this script, in the same
emulator and with the same compiler: whole MLPerf Tiny models of these shapes, and single layers. Needs
arm-none-eabi-gcc and qemu-system-arm.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import firmware
from firmware_nets import load

from edgewright.devices import device
from edgewright.export.c import emit, write
from edgewright.files import write_json
from edgewright.pipeline.record import machine_facts, version_facts
from edgewright.program import Operation, Program
from edgewright.verify.firmware.on_board import prove_on_board
from edgewright.verify.firmware.subject import target_of

OUT = Path(__file__).parent / "results" / "firmware_helium.json"
DEVICE = "alif-ensemble-e3"
NETS = ("resnet8", "mobilenet_v1", "ds_cnn")
IMAGES = 2
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
    program, images = load(name, IMAGES)
    made = emit(program, kernels="helium")
    with tempfile.TemporaryDirectory() as place:
        write(made, Path(place) / name)
        proof = prove_on_board(program, Path(place) / name, images, target=target_of(device(DEVICE)))
    counted = zip(program.operations, proof.layer_instructions, strict=True)
    return firmware.board_facts(proof, made) | {
        "net": name, "device": DEVICE, "open_kernels": firmware.OPEN_KERNELS[name, "M55"]["instructions"],
        "layers": [
            {"layer": name_of(program, operation), "macs": made.macs[operation.output], "instructions": count}
            for operation, count in counted
        ],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    rows = []
    for name in NETS:
        rows.append(row_of(name))
        row = rows[-1]
        print(f"{name:13} {row['instructions']:10,} instructions, {row['instructions_per_mac']:.3f} per MAC, "
              f"CMSIS-NN {row['open_kernels']:10,}; arena {row['arena_bytes']:,}; {row['differing_bytes']} of "
              f"{row['compared_bytes']:,} bytes differ", flush=True)  # fmt: skip
        for layer in row["layers"]:
            ratio = f"{layer['instructions'] / layer['macs']:.3f} per MAC" if layer["macs"] else ""
            print(f"    {layer['layer']:32} {layer['instructions']:9,} {ratio}")
    write_json(asked.out, {
        "command": "python benchmarks/firmware_helium.py", "open_layers": OPEN_LAYERS,
        "machine": machine_facts(), "versions": version_facts() | firmware.first_lines(), "rows": rows,
    })  # fmt: skip


if __name__ == "__main__":
    main()
