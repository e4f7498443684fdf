"""Dead channels leave an ONNX file of MLPerf Tiny's visual wake words: size, time and outputs in ONNX Runtime.

    EDGEWRIGHT_TEST_DATA=... python benchmarks/dead_channels_onnx.py [--images N] [--turns N] [--out FILE.json]

The .tflite file becomes a program, the program an ONNX file with quantizers (`qdq_file.py`), and
`export.remove_dead_channels` cuts that. Both files run in turns, one thread, one image at a time; outputs are compared
on codes of the whole range.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
from qdq_file import write_qdq
from tflite_images import images

from edgewright.export import remove_dead_channels
from edgewright.files import write_json
from edgewright.pipeline.record import machine_facts, version_facts
from edgewright.program import run
from edgewright.program.onnx_file import read_onnx
from edgewright.program.sums import code_values
from edgewright.program.tflite_file import read_tflite

FILE = "mlperf-tiny/visual_wake_words/vww_96_int8.tflite"
OUT = Path(__file__).parent / "results" / "dead_channels_onnx.json"
CALLS = 40  # in a turn


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def measure(root: Path, folder: Path, *, count: int, turns: int) -> dict[str, Any]:
    program = read_tflite(root / FILE, rounding="single")
    whole, slim = folder / "whole.onnx", folder / "slim.onnx"
    write_qdq(program, whole)
    report = remove_dead_channels(whole, slim)
    entry = program.tensors[program.inputs[0]]
    assert entry.grid is not None
    pictures = [code_values(codes, entry.grid)[None] for codes in images(program, count)]
    sessions = [session(path) for path in (whole, slim)]
    results = [[each.run(None, {entry.name: image})[0] for image in pictures] for each in sessions]
    seconds = [[turn(each, entry.name, pictures[0]) for each in sessions] for _ in range(turns)]
    return {
        "file": FILE,
        "macs": report.macs_before, "macs_removed": report.macs_removed,
        "weights": report.weights_before, "weights_removed": report.weights_removed,
        "stays": [[each.tensor, len(each.channels), each.reason] for each in report.stays],
        "bytes": [path.stat().st_size for path in (whole, slim)],
        "images": count,
        "outputs_that_differ": sum(a.tobytes() != b.tobytes() for a, b in zip(*results, strict=True)),
        "ms_least": [1000 * min(each[place] for each in seconds) for place in (0, 1)],
        "ratio_median": statistics.median(each[1] / each[0] for each in seconds),
        "turns": turns, "calls_in_a_turn": CALLS,
        "steps_from_program": steps(program, whole, pictures[:4]),
    }  # fmt: skip


def turn(running: onnxruntime.InferenceSession, name: str, image: np.ndarray) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    for _ in range(CALLS):
        running.run(None, {name: image})
    return (time.perf_counter() - start) / CALLS


def steps(program: Any, path: Path, pictures: list[np.ndarray]) -> int:
    """The largest difference between the outputs of the program and of the program read back from the file."""
    again, found = read_onnx(path), 0
    grid = program.tensors[program.inputs[0]].grid
    for image in pictures:
        codes = grid.nearest(image[0])
        first, second = (run(each, {each.inputs[0]: codes})[each.outputs[0]] for each in (program, again))
        found = max(found, int(np.abs(first - second).max()))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--turns", type=int, default=21)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        found = measure(Path(os.environ["EDGEWRIGHT_TEST_DATA"]), Path(folder), count=asked.images, turns=asked.turns)
    command = f"python benchmarks/dead_channels_onnx.py --images {asked.images} --turns {asked.turns}"
    write_json(asked.out, {"command": command, **found, "machine": machine_facts(), "versions": version_facts()})
    for key, value in found.items():
        print(f"{key}: {value}")


if __name__ == "__main__":
    main()
