"""Dead channels of MLPerf Tiny's two int8 vision models: what goes, and that no code of what stays changes.

    EDGEWRIGHT_TEST_DATA=... python benchmarks/dead_channels.py [--images N] [--out FILE.json]

Each model is read from its .tflite file and run before and after on the ends of the input's grid, checkerboards of
them, noise and smooth images, and every code that is still there is compared. `expected` is an independent analysis of
the same files in its own code: convolutions alone, without the linear layer.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from tflite_logits import FILES, images

from edgewright.files import write_json
from edgewright.pipeline.record import machine_facts, version_facts
from edgewright.program import Program, run
from edgewright.program.dead import DeadReport, eliminate_dead
from edgewright.program.tflite_file import read_tflite

EXPECTED = {
    "visual_wake_words": {"macs": 7_490_000, "macs_removed": 3_690_000, "weights": 207_600, "weights_removed": 175_671},
    "image_classification": {"macs_removed": 0, "weights_removed": 0},
}
OUT = Path(__file__).parent / "results" / "dead_channels.json"


def compare(program: Program, slim: Program, report: DeadReport, *, count: int) -> dict[str, int]:
    """Codes of every tensor that is still there, and how many of them differ."""
    compared = different = 0
    for codes in images(program, count):
        before, after = (run(each, {program.inputs[0]: codes}) for each in (program, slim))
        for name, values in after.items():
            compared += values.size
            different += int((values != before[name][list(report.kept[name])]).sum())
    return {"images": count, "codes_compared": compared, "codes_different": different}


def measure(name: str, root: Path, *, count: int) -> dict[str, Any]:
    program = read_tflite(root / "mlperf-tiny" / FILES[name], rounding="single")
    slim, report = eliminate_dead(program)
    layers = [each for each in report.operations if each.weights_before]
    convolutions = [each for each in layers if each.kind == "conv"]
    return {
        "file": FILES[name],
        "macs": report.macs_before,
        "macs_removed": report.macs_removed,
        "weights": report.weights_before,
        "weights_removed": report.weights_removed,
        "convolution_weights": sum(each.weights_before for each in convolutions),
        "convolution_weights_removed": sum(each.weights_before - each.weights_after for each in convolutions),
        "expected": EXPECTED[name],
        "dead_that_stay": sum(len(each.channels) for each in report.stays),
        "layers": [[each.kind, each.channels_before, each.channels_after, each.dead] for each in layers],
        **compare(program, slim, report, count=count),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    root = Path(os.environ["EDGEWRIGHT_TEST_DATA"])
    models = {name: measure(name, root, count=args.images) for name in FILES}
    command = f"python benchmarks/dead_channels.py --images {args.images}"
    content = {"command": command, "models": models, "machine": machine_facts(), "versions": version_facts()}
    write_json(args.out, content)


if __name__ == "__main__":
    main()
