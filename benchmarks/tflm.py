"""The rounding "tflm" beside TensorFlow Lite Micro itself, and beside one rounding: bytes, differences, instructions.

    EDGEWRIGHT_TEST_DATA=... python benchmarks/tflm.py [--images N] [--out FILE.json]

MLPerf Tiny's two int8 vision models, on constants, checkerboards, noise and waves. Their logits are compared, since
softmax hides differences: the file's output is pointed at the last linear layer. The result keeps TensorFlow Lite
Micro's logits, so that a machine without its wheel can be held against them. Instructions are those of whole networks
on an emulated Cortex-M4 and M55. Needs tflite-micro, arm-none-eabi-gcc and qemu-system-arm.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from firmware import first_lines
from tflite_logits import FILES, at_logits, file_at_logits, images, of_engine

from edgewright.devices import device
from edgewright.export.c import emit, write
from edgewright.files import write_json
from edgewright.pipeline.record import machine_facts, version_facts
from edgewright.program import Program, run
from edgewright.program.dead import eliminate_dead
from edgewright.program.dead.evaluate import evaluate
from edgewright.program.tflite_file import read_tflite
from edgewright.verify.firmware.on_board import prove_on_board
from edgewright.verify.firmware.subject import target_of

BOARDS = {"portable": "stm32l4r5", "dsp": "stm32l4r5", "helium": "alif-ensemble-e3"}  # Cortex-M4, M4 and M55
OUT = Path(__file__).parent / "results" / "tflm.json"


def differences(program: Program, codes: Sequence[np.ndarray]) -> dict[str, Any]:
    """Where one rounding gives another code: of each layer from the same codes, and of the whole network's logits."""
    single, kinds, logits = replace(program, rounding="single"), dict[str, list[int]](), [0, 0, 0]
    for each in codes:
        twice, once = (run(way, {program.inputs[0]: each}) for way in (program, single))
        for operation in program.operations:
            own = evaluate(operation, [twice[name] for name in operation.inputs], single)
            counted = kinds.setdefault(operation.kind, [0, 0])
            counted[0] += int((own != twice[operation.output]).sum())
            counted[1] += own.size
        apart = np.abs(once[program.outputs[0]] - twice[program.outputs[0]])
        logits = [logits[0] + int((apart > 0).sum()), logits[1] + apart.size, max(logits[2], int(apart.max()))]
    return {
        "own_by_kind": {kind: {"different": counted[0], "codes": counted[1]} for kind, counted in kinds.items()},
        "logits": {"different": logits[0], "codes": logits[1], "largest": logits[2]},
    }  # fmt: skip


def instructions(program: Program, codes: Sequence[np.ndarray]) -> dict[str, Any]:
    """Whole networks on boards, by set of kernels and rounding; bytes that differ from the program."""
    given, found = [{program.inputs[0]: each} for each in codes], {}
    slim, _ = eliminate_dead(program)
    for kernels, net, note in (
        ("portable", program, ""), ("dsp", program, ""), ("dsp", slim, ", no dead channels"), ("helium", program, ""),
    ):  # fmt: skip
        for rounding in ("single", "tflm"):
            way = replace(net, rounding=rounding)
            with tempfile.TemporaryDirectory() as place:
                write(emit(way, kernels=kernels), Path(place) / "c")
                proof = prove_on_board(way, Path(place) / "c", given, target=target_of(device(BOARDS[kernels])))
            found[f"{kernels}, {rounding}{note}"] = {
                "instructions": max(proof.instructions), "differing_bytes": proof.parity.differing,
                "flash_bytes": proof.flash_bytes,
            }  # fmt: skip
    return found


def measure(name: str, root_folder: Path, *, count: int) -> dict[str, Any]:
    path = root_folder / "mlperf-tiny" / FILES[name]
    program = at_logits(read_tflite(path, name=name))
    codes = list(images(program, count))
    expected = of_engine(file_at_logits(path.read_bytes()), codes)
    made = [run(program, {program.inputs[0]: each})[program.outputs[0]].ravel().tolist() for each in codes]
    whole = read_tflite(path)
    softmax = [run(whole, {whole.inputs[0]: each})[whole.outputs[0]].ravel().tolist() for each in codes]
    return {
        "file": FILES[name], "images": count, "logits": expected,
        "images_different": sum(one != other for one, other in zip(expected, made, strict=True)),
        "softmax_different": sum(
            one != other for one, other in zip(of_engine(path.read_bytes(), codes), softmax, strict=True)
        ),
        "from_one_rounding": differences(program, codes),
        "on_board": instructions(program, [codes[0], codes[4], codes[5]]),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    folder = Path(os.environ["EDGEWRIGHT_TEST_DATA"])
    models = {name: measure(name, folder, count=args.images) for name in FILES}
    engine = {"tflite-micro": version("tflite-micro")}
    content = {
        "command": f"python benchmarks/tflm.py --images {args.images}", "models": models,
        "machine": machine_facts(), "versions": version_facts() | engine | first_lines(),
    }  # fmt: skip
    write_json(args.out, content)


if __name__ == "__main__":
    main()
