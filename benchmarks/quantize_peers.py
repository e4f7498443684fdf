"""Our quantizer beside those of ONNX Runtime, NNCF and torchao: one model, the same 256 calibration images, one run.

    EDGEWRIGHT_TEST_DATA=... python benchmarks/quantize_peers.py [--nets DIR] [--cases NAME,...] [--out FILE]
        [--resume] [--quick]

Each quantizer works in a process of its own and writes its files. Every file is then scored in the runtime that it was
made for, its decisions are compared with the float model's, and all files that a runtime loads are timed in it in
turns, batch 1 on one thread, as ratios to the float model in the same runtime. What is missing or fails is a row that
says why. The peers: pip install 'edgewright[openvino,executorch]' nncf torchao.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from isolated import alone
from quantizers import FOR_TIMES, QUANTIZERS, Case, Made, prepare

from edgewright.devices.machine import cpu_name, package_versions
from edgewright.export import EXPORTERS
from edgewright.files import write_json
from edgewright.tasks import Classify, decide
from edgewright.verify import OnnxRunner, Timing, race
from edgewright.verify.conditions import load_average

TRAINED = ("resnet20", "mobilenet_v2")
FOR_TIME = ("torchvision:mobilenet_v2", "torchvision:mobilenet_v3_small", "torchvision:resnet18",
            "torchvision:efficientnet_b0")  # fmt: skip
FLOAT = "fp32"
PACKAGES = ("onnxruntime", "openvino", "nncf", "torch", "torchao", "executorch", "onnx", "numpy")
TIMEOUT_S = 1800


def make_float(case: Case, folder: Path) -> Made:
    """The float model in every format, beside `case.float_onnx`."""
    files, failed = {}, {}
    for format_, runtime in (("onnx", "onnxruntime"), ("openvino", "openvino"), ("executorch", "executorch")):
        try:
            artifact = EXPORTERS[format_](case.net(), folder / format_, name=case.name, preprocess={})
            files[runtime] = str(artifact.model_path)
        except Exception as error:  # a format that is not installed here
            failed[runtime] = f"{type(error).__name__}: {error}"[:300]
    if "onnxruntime" in files:
        files["inductor"] = "eager"
    return {"files": files, "failed": failed, "seconds": 0.0}


def _open_openvino(path: str, case: Case) -> Any:
    from edgewright.verify.openvino_runner import OpenVinoRunner

    return OpenVinoRunner(Path(path))


def _open_executorch(path: str, case: Case) -> Any:
    from edgewright.verify.executorch_runner import ExecuTorchRunner

    return ExecuTorchRunner(Path(path))


def _open_inductor(path: str, case: Case) -> Any:
    """A module for the inductor compiler; "eager" stands for the float model itself."""
    from edgewright.verify.torch_runner import TorchRunner

    if path == "eager":
        net: Any = case.net()
    else:
        import torchao.quantization.pt2e  # noqa: F401  (its operators)

        net = torch.export.load(path).module()
    return TorchRunner(torch.compile(net, dynamic=False), runtime="inductor")


OPEN: Mapping[str, Callable[[str, Case], Any]] = {
    "onnxruntime": lambda path, case: OnnxRunner(Path(path)),
    "openvino": _open_openvino,
    "executorch": _open_executorch,
    "inductor": _open_inductor,
}
ONE_BY_ONE = ("executorch", "inductor")  # these have a fixed batch of 1


def decisions_of(case: Case, runtime: str, path: str) -> dict[str, Any]:
    """What a file decides on the test images, and what is right."""
    data = case.data()
    model, size = OPEN[runtime](path, case), 1 if runtime in ONE_BY_ONE or "torchao" in path else 100
    found, targets = decide(model, Classify(num_classes=data.num_classes), data, "test", batch_size=size)
    return {"decisions": found.tolist(), "targets": targets.tolist()}


def times_in(case: Case, runtime: str, paths: Mapping[str, str], timing: Timing) -> dict[str, Any]:
    """All files that `runtime` loads, in turns; medians and ratios to the float model's, turn by turn."""
    models, failed = {}, {}
    shape = case.data().preprocess.shape
    image_BCHW = np.random.default_rng(0).standard_normal((1, *shape), dtype=np.float32)
    for name, path in paths.items():
        try:
            models[name] = OPEN[runtime](path, case)
            models[name](image_BCHW)
        except Exception as error:  # a file that this runtime does not load
            models.pop(name, None)
            failed[name] = f"{type(error).__name__}: {error}"[:300]
    if FLOAT not in models:
        return {"failed": failed, "rows": {}}
    found = race(models, image_BCHW, timing=timing)
    base = found.latencies[0]
    rows = {}
    for each in found.latencies:
        ratios = [a / b for a, b in zip(each.turn_medians_s, base.turn_medians_s, strict=True)]
        rows[each.artifact] = {
            "median_ms": 1e3 * each.median_s, "min_ms": 1e3 * each.min_s, "ratio": float(np.median(ratios)),
            "ratio_range": [min(ratios), max(ratios)],
        }  # fmt: skip
    return {"rows": rows, "failed": failed, "runtime": base.runtime}


def file_bytes(path: str) -> int:
    """Of the file and, for OpenVINO, the numbers beside it."""
    numbers = Path(path).with_suffix(".bin")
    return Path(path).stat().st_size + (numbers.stat().st_size if path.endswith(".xml") else 0)


def measure(case: Case, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Everything about one case."""
    print(f"{case.name}: {alone(prepare, case, timeout_s=TIMEOUT_S)}", flush=True)
    made = {FLOAT: alone(make_float, case, _new(folder / FLOAT), timeout_s=TIMEOUT_S)}
    names = tuple(QUANTIZERS) if case.subject is not None else FOR_TIMES
    if options.only:
        names = tuple(options.only.split(","))
    for index, name in enumerate(names):
        place = _new(folder / f"{index}-{name.split()[0]}")
        made[name] = alone(QUANTIZERS[name], case, place, timeout_s=TIMEOUT_S)
        print(f"{case.name}: {name}: {made[name].get('failure') or made[name]['files']}", flush=True)
    rows = {name: _row(each) for name, each in made.items()}
    if case.subject is not None:
        _add_scores(case, made, rows)
    for runtime in OPEN:
        paths = {name: each["files"][runtime] for name, each in made.items() if runtime in each.get("files", {})}
        found = alone(times_in, case, runtime, paths, timing_of(options), timeout_s=TIMEOUT_S)
        print(f"{case.name}: {runtime}: {found}", flush=True)
        for name in paths:
            row = found.get("rows", {}).get(name)
            reason = found.get("failure") or found.get("failed", {}).get(name)
            rows[name]["latency"][runtime] = row or {"failure": reason}
    return rows


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _row(made: Made) -> dict[str, Any]:
    if "failure" in made:
        return {"failure": made["failure"], "latency": {}}
    sizes = {runtime: file_bytes(path) for runtime, path in made["files"].items() if Path(path).is_file()}
    kept = {key: made[key] for key in ("seconds", "note", "failed") if made.get(key)}
    return {**kept, "bytes": sizes, "latency": {}, "scores": {}}


def _add_scores(case: Case, made: Mapping[str, Made], rows: dict[str, dict[str, Any]]) -> None:
    """Score, and share of decisions equal to the float model's in ONNX Runtime."""
    asked = (case, "onnxruntime", made[FLOAT]["files"]["onnxruntime"])
    base = np.asarray(alone(decisions_of, *asked, timeout_s=TIMEOUT_S)["decisions"])
    for name, each in made.items():
        for runtime, path in list(each.get("files", {}).items())[: 3 if name.startswith("edgewright") else 1]:
            found = alone(decisions_of, case, runtime, path, timeout_s=TIMEOUT_S)
            if "failure" in found:
                rows[name]["scores"][runtime] = {"failure": found["failure"]}
                continue
            decisions, targets = np.asarray(found["decisions"]), np.asarray(found["targets"])
            rows[name]["scores"][runtime] = {
                "top1": 100 * float(np.mean(decisions == targets)),
                "agreement": 100 * float(np.mean(decisions == base)), "num_images": len(targets),
            }  # fmt: skip
        print(f"{case.name}: {name}: {rows[name].get('scores')}", flush=True)


def cases_of(options: argparse.Namespace, folder: Path) -> dict[str, Case]:
    """The cases by name, with the place of each one's float file."""
    root = Path(os.environ["EDGEWRIGHT_TEST_DATA"])
    found = {}
    for name in (*TRAINED, *FOR_TIME):
        place = folder / name.replace(":", "-")
        if name in TRAINED:
            found[name] = Case(
                name=name, folder=place, subject=name, root=root, nets=options.nets, num_test=options.num_test
            )
        else:
            found[name] = Case(name=name, folder=place, spec=name, num_calibration=8)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", type=Path, default=Path("runs/quantize_nets"))
    parser.add_argument("--cases", default=",".join((*TRAINED, *FOR_TIME)))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "quantize_peers.json")
    parser.add_argument("--only", help="quantizers to run, with commas between them")
    parser.add_argument("--num-test", type=int, default=None, help="score on so many of the test images")
    parser.add_argument("--quick", action="store_true", help="few turns; the numbers say little")
    parser.add_argument("--resume", action="store_true", help="keep the other cases that --out holds")
    options = parser.parse_args()
    torch.set_num_threads(1)
    before = load_average()
    results = json.loads(options.out.read_text())["results"] if options.resume and options.out.is_file() else {}
    with tempfile.TemporaryDirectory() as folder:
        cases = cases_of(options, Path(folder))
        for name in options.cases.split(","):
            place = _new(Path(folder) / name.replace(":", "-"))
            case = cases[name]
            results[name] = {"num_calibration": case.num_calibration, "rows": measure(case, place, options)}
            write_json(options.out, _told(results, before, options))  # what is done is kept when a later case fails


def _told(results: Mapping[str, Any], load_before: float | None, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "claim": "no worse in score than the best peer, no slower in the same runtime", "results": results,
        "machine": {"processor": cpu_name(), "cores": os.cpu_count(), "architecture": platform.machine(),
                    "load_before": load_before, "load_after": load_average()},
        "timing": asdict(timing_of(options)), "versions": package_versions(PACKAGES), "seed": 0,
    }  # fmt: skip


def timing_of(options: argparse.Namespace) -> Timing:
    """Turns and calls of a race."""
    return Timing(turns=3, runs=10) if options.quick else Timing(turns=15, runs=50)


if __name__ == "__main__":
    main()
