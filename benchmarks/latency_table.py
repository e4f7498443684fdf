"""How far off is a latency table on whole models that it has not seen, and how far off is the data sheet?

    python benchmarks/latency_table.py [--quick] [--resume] [--device FILE.toml] [--json FILE]
    python benchmarks/latency_table.py --later NAME... [--device FILE.toml] [--json FILE]

Builds the table of this machine as `edgewright calibrate` does, then compares for each whole model the measured latency
(batch 1, one thread, ONNX Runtime) with the table's prediction and with the roofline of the data sheet `generic-x86`.
Whole models and small networks are timed in turns in the same run. `--later` predicts other models from a file that
is there already, so that none of them can have had a part in how the table is made.
"""

from __future__ import annotations

import argparse
import time
from datetime import date
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from edgewright.analyze import profile
from edgewright.calibrate import Calibration, calibrate, model_latency
from edgewright.calibrate.measuring import measure_file
from edgewright.calibrate.subjects import subject
from edgewright.cli.progress import progress_for
from edgewright.devices import device
from edgewright.devices.machine import cpu_name
from edgewright.files import write_json
from edgewright.model import capture
from edgewright.types import Device, Validated
from edgewright.zoo import resolve

RESULT = Path(__file__).parent / "results" / "latency_table.json"
SHEET = "generic-x86"
TYPE = "float32"


def main() -> None:
    """Measure, compare, print, keep."""
    asked = arguments()
    if asked.later:
        write_json(asked.json, later(asked.later, device(asked.device), asked.device.with_suffix(".later")))
        return
    began = time.monotonic()
    settings = Calibration(name="this-machine", quick=asked.quick)
    found = calibrate(asked.device, base=device(SHEET), settings=settings, resume=asked.resume, progress=progress_for())
    seconds = None if asked.resume else time.monotonic() - began  # a resumed one took longer than this part of it
    assert found.latency_table is not None
    rows = [compared(each, device(SHEET)) for each in found.latency_table.validation]
    content = {"what": what(found, settings), "calibration_s": seconds, "models": rows, "summary": summary(rows)}
    for row in rows:
        print(
            f"{row['model']:36s} measured {1e3 * row['measured_s']:7.2f} ms   table {row['table_error']:+6.1%}   "
            f"sheet {row['sheet_error']:+6.1%}"
        )
    print(content["summary"])
    write_json(asked.json, content)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--later", nargs="+", metavar="NAME")
    parser.add_argument("--device", type=Path, default=Path("this-machine.toml"))
    parser.add_argument("--json", type=Path, default=RESULT)
    return parser.parse_args()


def later(names: list[str], found: Device, parts: Path) -> dict[str, object]:
    """Models measured after the table was made, predicted from it; what is prepared stays in `parts`."""
    subjects = [subject(name, parts) for name in names]
    for each in subjects:
        each.prepare(0)
    for turn in range(TURNS):
        for each in subjects:
            each.time(turn, lambda one: measure_file(one, threads=1))
    seen = [
        Validated(
            name=each.name, dtype=TYPE, predicted_s=model_latency(each.rows, found), measured_s=each.best().total_s
        )
        for each in subjects
    ]
    rows = [compared(each, device(SHEET)) for each in seen]
    print(*(f"{row['model']}: {row['table_error']:+.1%}" for row in rows), summary(rows), sep="\n")
    return {"what": what(found, Calibration(turns=TURNS)), "models": rows, "summary": summary(rows)}


TURNS = 2


def compared(seen: Validated, sheet: Device) -> dict[str, object]:
    """One whole model: measured, from the table, from the data sheet."""
    model = resolve(seen.name, num_classes=None)
    estimate_s = profile(capture(model.model, model.input_shape), device=sheet, dtype=TYPE).cost.latency_s
    assert estimate_s is not None
    return {
        "model": seen.name,
        "measured_s": seen.measured_s,
        "table_s": seen.predicted_s,
        "table_error": seen.error,
        "sheet_s": estimate_s,
        "sheet_error": estimate_s / seen.measured_s - 1,
    }


def summary(rows: list[dict[str, object]]) -> dict[str, float]:
    """Median and worst size of the errors of both."""
    sizes = {key: np.abs([row[f"{key}_error"] for row in rows]) for key in ("table", "sheet")}  # type: ignore[arg-type]
    return {f"{key}_{name}": float(f(size)) for key, size in sizes.items() for name, f in FIGURES.items()}


FIGURES = {"median_error": np.median, "worst_error": np.max}


def what(found: Device, settings: Calibration) -> dict[str, object]:
    """Where, with what and how it was measured."""
    table = found.latency_table
    assert table is not None
    points = table.points[TYPE]
    return {
        "machine": cpu_name(),
        "versions": {"onnxruntime": onnxruntime.__version__, "torch": torch.__version__, "numpy": np.__version__},
        "date": date.today().isoformat(),
        "dtype": TYPE,
        "batch": 1,
        "threads": settings.threads,
        "turns": settings.rounds,
        "seed": settings.seed,
        "statistic": "processor time of the thread, lower quartile of 6 to 40 calls, least of the turns",
        "points": {kind: len(rows) for kind, rows in points.items()},
        "peak_macs_s": found.macs_per_second(TYPE),
        "bandwidth_bytes_s": found.bandwidth_bytes_s,
        "baseline": f"roofline of the data sheet {SHEET}",
        "command": "python benchmarks/latency_table.py",
    }


if __name__ == "__main__":
    main()
