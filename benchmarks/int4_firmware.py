"""Weights of 4 bits, two a byte in flash: bytes and instructions beside those of the same firmware with a byte each.

    EDGEWRIGHT_TEST_DATA=... OMP_NUM_THREADS=1 python benchmarks/int4_firmware.py [--images N] [--out FILE.json]

`resnet8` (3 x 32 x 32) learns the digits and is quantized to 4 bits of weights and 8 of activations by the stage
`Quantize`. It is written twice for each core, and run in the emulator on test images with the kernels of the core;
every byte of every tensor is held against `program.run`. Instructions and bytes are exact for the same weights. Needs
arm-none-eabi-gcc and qemu-system-arm.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgewright.compress.quantize import Quantize
from edgewright.data import load_data
from edgewright.devices import device
from edgewright.export.c import emit, write
from edgewright.files import write_json
from edgewright.model import capture
from edgewright.pipeline.record import machine_facts, version_facts
from edgewright.program import Program, input_codes, num_weights
from edgewright.program.lowering import lower
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train, train_weights
from edgewright.types import Job
from edgewright.verify.firmware.on_board import prove_on_board
from edgewright.verify.firmware.subject import target_of
from edgewright.zoo import resolve

OUT = Path(__file__).parent / "results" / "int4_firmware.json"
NETS = {"resnet8": ("resnet8", (3, 32, 32))}
CORES = (("dsp", "stm32l4r5"), ("portable", "stm32l4r5"), ("helium", "alif-ensemble-e3"))
SEED = 0
Images = list[dict[str, np.ndarray]]


def learnt(name: str, count: int) -> tuple[Program, Images, dict[str, float]]:
    """A net at 4 bits of weights, the codes of some test images, and its scores."""
    spec, shape = NETS[name]
    data = load_data("digits").fitted_to(shape)
    task = Classify(num_classes=data.num_classes)
    model = resolve(spec, num_classes=data.num_classes, channels=shape[0], seed=SEED).model
    settings = Train(epochs=3, batch_size=64, lr=3e-3)
    net = train_weights(capture(model, shape), task=task, data=data, settings=settings, seed=SEED).net
    with tempfile.TemporaryDirectory() as place:
        job = Job(
            model=net, task=task, data=data, device=device("stm32l4r5"), seed=SEED, teacher=None, workdir=Path(place)
        )  # fmt: skip
        simulation = Quantize(bits=4).run(job).model
    program = lower(simulation, name=name)
    images_BCHW = data.preprocess(data.split("test").images_BCHW[:count]).numpy()
    (given,) = program.inputs
    scores = {
        "float": evaluate(net, task, data, "test").value,
        "4 bits": evaluate(simulation, task, data, "test").value,
    }
    return program, [{given: input_codes(program, each)} for each in images_BCHW], scores


def proven(program: Program, images: Images, *, kernels: str, on: str, packs: bool) -> dict[str, Any]:
    """One firmware on the board of a device."""
    firmware = emit(program, kernels=kernels, packs=packs)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "c"
        write(firmware, folder)
        proof = prove_on_board(program, folder, images, target=target_of(device(on)), time_limit_s=600.0)
    return {
        "table_bytes": firmware.table_bytes, "flash_bytes": proof.flash_bytes, "ram_bytes": proof.ram_bytes,
        "arena_bytes": firmware.plan.arena_bytes, "instructions": max(proof.instructions),
        "differing_bytes": proof.parity.differing, "compared_bytes": proof.parity.total,
    }  # fmt: skip


def told(row: dict[str, Any]) -> str:
    """A finished row in one line."""
    before, after = row["a byte each"], row["two a byte"]
    parts = [
        f"{what.replace('_', ' ')} {before[what]:,} -> {after[what]:,} ({after[what] / before[what] - 1:+.1%})"
        for what in ("flash_bytes", "instructions", "ram_bytes")
    ]
    wrong = before["differing_bytes"] + after["differing_bytes"]
    compared = before["compared_bytes"] + after["compared_bytes"]
    return f"{row['net']} {row['kernels']}: {', '.join(parts)}; {wrong} of {compared:,} bytes differ"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in NETS:
        program, images, scores = learnt(name, asked.images)
        for kernels, on in CORES:
            ways = {
                way: proven(program, images, kernels=kernels, on=on, packs=packs)
                for way, packs in (("a byte each", False), ("two a byte", True))
            }
            facts = {"net": name, "kernels": kernels, "device": on, "images": asked.images}
            rows.append(facts | {"weights": num_weights(program), "scores": scores} | ways)
            print(told(rows[-1]), flush=True)
            write_json(asked.out, {
                "command": f"python benchmarks/int4_firmware.py --images {asked.images}",
                "machine": machine_facts(), "versions": version_facts(), "rows": rows,
            })  # fmt: skip


if __name__ == "__main__":
    main()
