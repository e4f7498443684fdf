"""Which library models become integers that run: quantize, export, run in ONNX Runtime, compare with the float model.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/quantize_coverage.py [--only WORD ...] [--resume] [--jobs N]

Every classification model of torchvision, and of timm the smallest entry point of every architecture in every module
(chosen as in `profile_coverage.py`), each in a process of its own:

    capture -> fold -> expose gates -> plan -> observe 8 images -> simulate -> export -> run 4 other images

Weights are random, as the library draws them. With running variances of 1, signals shrink to nothing on their way
through such a net (efficientnet_b0: 1e-13), so each batch normalization is given one variance for all of its channels,
with which its output has a root mean square of 0.01 (one pass over the 8 images). Not more: where SiLU and hard-swish
bend, the largest channels of a net that is not trained grow from block to block until they alone decide (48
deviations in mobilenet_v3_small), and one grid per tensor has no codes left for the others. And not each channel by
itself: that blows up what differs little, rounding errors first (mobilenet_v2: 8 dB instead of 28).

Images are smooth noise at 2 to 64 cells a side, mean 0, deviation 1. Ranges by minimum and maximum or by percentile,
what does better on the calibration images; with equalization before it where neither is enough there.

A model succeeds when its file runs and the power of the float outputs is more than 15 dB above that of the difference.
Results are written after each model; `--resume` keeps what an earlier run of the same code found.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import torch
from profile_coverage import smallest_of_timm
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from edgewright import zoo
from edgewright.compress.quantize import observe, plan_quantizers, ranges_of, simulate
from edgewright.compress.quantize.gates import expose_gates
from edgewright.compress.quantize.repairs import equalize
from edgewright.export import export_onnx
from edgewright.model import capture
from edgewright.model.fold import fold_batch_norms
from edgewright.pipeline.record import machine_facts, version_facts
from edgewright.seeding import torch_generator
from edgewright.verify import OnnxRunner, kernels
from edgewright.zoo.torchvision_models import families

OUT = Path(__file__).parent / "results" / "quantize_coverage.json"
NUM_CALIBRATION, NUM_FRESH = 8, 4
ENOUGH_DB = 15.0
SIGNAL = 0.01
SIDES = (128, 224, None)  # smaller images take less time; None is the model's own size
METHODS = ("minmax", "percentile")
TIMEOUT_S = 900
SIZES = Path(__file__).parent / "results" / "profile_coverage.json"
LARGE = 150_000_000  # parameters


def models(again: Path | None) -> list[str]:
    """Specs of every model of this benchmark."""
    names = [f"torchvision:{name}" for name, family in families().items() if family == "classification"]
    if again is not None:
        rows = json.loads(again.read_text())["models"]
        return names + [row["model"] for row in rows if row["model"].startswith("timm:")]
    return names + [f"timm:{name}" for name in smallest_of_timm()]


def images(count: int, shape: tuple[int, ...], purpose: str) -> torch.Tensor:
    """Noise that is smooth at several scales, as photographs are: (count, *shape), mean 0, deviation 1."""
    generator = torch_generator(0, purpose)
    channels, height, width = shape
    total_BCHW = torch.zeros(count, channels, height, width)
    for cells in (2, 4, 8, 16, 32, 64):
        if cells <= min(height, width):
            coarse_BCHW = torch.randn(count, channels, cells, cells, generator=generator) / math.sqrt(cells)
            total_BCHW += nn.functional.interpolate(coarse_BCHW, (height, width), mode="bilinear")
    return total_BCHW / total_BCHW.std()


def settle(model: nn.Module, images_BCHW: torch.Tensor) -> None:
    """Give each batch normalization one variance, with which what leaves it has a root mean square of `SIGNAL`."""

    def before(norm: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        norm.running_mean.zero_()
        norm.running_var.fill_(max(inputs[0].pow(2).mean().item() / SIGNAL**2, 1e-12))

    norms = [each for each in model.modules() if isinstance(each, _BatchNorm) and each.running_mean is not None]
    hooks = [norm.register_forward_pre_hook(before) for norm in norms]
    with torch.no_grad():
        model(images_BCHW)
    for hook in hooks:
        hook.remove()


def built(spec: str) -> tuple[fx.GraphModule, torch.Tensor]:
    """A settled model, captured at the smallest image that it takes, and calibration images."""
    error: Exception | None = None
    for side in SIDES:
        try:
            made = zoo.resolve(spec, num_classes=None, image_size=side)
            images_BCHW = images(NUM_CALIBRATION, made.input_shape, "calibration")
            model = made.model.eval()
            settle(model, images_BCHW)
            return capture(model, made.input_shape, name=spec), images_BCHW
        except Exception as found:  # a size that it does not take fails in many ways
            error = found
    assert error is not None
    raise error


def quantized(folded: fx.GraphModule, images_BCHW: torch.Tensor) -> tuple[fx.GraphModule, str]:
    """The best simulation by its outputs on the calibration images, and how it was made; equalized where that fails."""
    wanted = _outputs(folded, images_BCHW)
    best: tuple[float, str, fx.GraphModule] | None = None
    for repair in ("", "equalize + "):
        net = equalize(folded)[0] if repair else folded
        plan = plan_quantizers(net)
        seen = observe(net, plan, images_BCHW)
        for method in METHODS:
            simulation = simulate(net, plan, ranges_of(seen, method=method))
            value = decibels(wanted, _outputs(simulation, images_BCHW))
            if best is None or (value or -math.inf) > best[0]:
                best = value or -math.inf, repair + method, simulation
        assert best is not None
        if best[0] > ENOUGH_DB:
            break
    return best[2], best[1]


def measure(spec: str) -> dict[str, Any]:
    """One model from its name to its outputs in the runtime."""
    began = time.perf_counter()
    net, images_BCHW = built(spec)
    folded = expose_gates(fold_batch_norms(net, absorb=True)[0])
    simulation, method = quantized(folded, images_BCHW)
    fresh_BCHW = images(NUM_FRESH, images_BCHW.shape[1:], "fresh")
    want, simulated = _outputs(folded, fresh_BCHW), _outputs(simulation, fresh_BCHW)
    with tempfile.TemporaryDirectory() as folder:
        ours = export_onnx(simulation, Path(folder) / "int8", name="model", preprocess={})
        got = _outputs(OnnxRunner(ours.model_path), fresh_BCHW)
        runs, num_bytes = kernels(ours.model_path), ours.num_bytes
    float_bytes = 4 * sum(each.numel() for each in folded.state_dict().values())
    floats = Counter(node.op for node in runs.stayed_float)
    return {
        "input_shape": list(fresh_BCHW.shape[1:]), "method": method, "sqnr_db": decibels(want, got),
        "sqnr_simulation_db": decibels(want, simulated), "sqnr_runtime_to_simulation_db": decibels(simulated, got),
        "largest_output": float(np.abs(want).max()), "bytes": num_bytes,
        "share_of_float_weights": round(num_bytes / float_bytes, 4),
        "integer_operators": sum(runs.integer.values()), "heavy_in_float": len(runs.heavy),
        "why_in_float": sorted({f"{node.op}: {node.reason}" for node in runs.heavy}),
        "float_operators": dict(floats.most_common(8)), "borders": runs.num_borders,
        "versions": {key: str(value) for key, value in version_facts().items()},
        "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip


def _outputs(net: Any, images_BCHW: torch.Tensor) -> np.ndarray:
    """All outputs in one row."""
    with torch.no_grad():
        outputs = net(images_BCHW)
    parts = outputs if isinstance(outputs, (tuple, list)) else [outputs]
    return np.concatenate([np.asarray(part).ravel() for part in parts])


def decibels(want: np.ndarray, got: np.ndarray) -> float | None:
    """Power of the wanted values over that of the difference; None where there is no power, or no number."""
    signal, noise = (float((values.astype(np.float64) ** 2).sum()) for values in (want, want - got))
    if not (math.isfinite(noise) and signal > 0):
        return None
    return round(10 * math.log10(signal / max(noise, 1e-300)), 2)


def verdict(row: dict[str, Any]) -> dict[str, Any]:
    """The row, with the reason where the model does not succeed."""
    if "failure" not in row:
        value = row["sqnr_db"]
        if value is None:
            row["failure"] = "the outputs are all 0, or not finite"
        elif value <= ENOUGH_DB:
            own = row["sqnr_simulation_db"]
            cause = "rounding, in the simulation too" if own is not None and own < value + 3 else "runtime"
            row["failure"] = f"{value:.1f} dB ({cause})"
    return row


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts by library."""
    found: dict[str, Any] = {}
    for library in ("torchvision", "timm"):
        of = [row for row in rows if row["model"].startswith(library)]
        values = [row["sqnr_db"] for row in of if row.get("sqnr_db") is not None]
        failures = {row["model"]: row["failure"] for row in of if "failure" in row}
        found[library] = {
            "models": len(of), "succeed": len(of) - len(failures),
            "percent": round(100 * (1 - len(failures) / len(of)), 1) if of else None,
            "median_sqnr_db": round(float(np.median(values)), 1) if values else None,
            "with_heavy_operators_in_float": sum(bool(row.get("heavy_in_float")) for row in of), "failures": failures,
        }  # fmt: skip
    return found


def run(specs: list[str], jobs: int) -> Iterator[dict[str, Any]]:
    """Rows as they are finished, the smallest models first; each in a process of its own."""
    size = {row["model"]: row["params"] for row in json.loads(SIZES.read_text())["models"]}
    with ThreadPoolExecutor(jobs) as many, ThreadPoolExecutor(max(1, jobs // 5)) as few:
        running = {}
        for spec in sorted(specs, key=lambda spec: size.get(spec, 0)):
            pool = few if size.get(spec, 0) > LARGE else many  # memory for some copies of each
            running[pool.submit(started, spec)] = spec
        for each in as_completed(running):
            yield verdict({"model": running[each], **each.result()})


def started(spec: str) -> dict[str, Any]:
    """`measure` in a fresh interpreter: a fork of a process with threads may inherit a lock that nobody opens."""
    command = [sys.executable, __file__, "--one", spec]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return {"failure": f"took more than {TIMEOUT_S} s"}
    lines = done.stdout.splitlines()
    return json.loads(lines[-1]) if lines else {"failure": f"the process died: {done.stderr.strip()[-200:]}"}


def one(spec: str) -> dict[str, Any]:
    """The row of one model."""
    try:
        return measure(spec)
    except Exception as error:  # a failure is a result here
        return {"failure": f"{type(error).__name__}: {error}"[:300]}


def save(rows: list[dict[str, Any]], out: Path) -> None:
    rows = sorted(rows, key=lambda row: row["model"])
    result = {
        "command": "python benchmarks/quantize_coverage.py", "machine": machine_facts(), "versions": version_facts(),
        "enough_db": ENOUGH_DB, "summary": summary(rows), "models": rows,
    }  # fmt: skip
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", help="models whose spec holds one of these words")
    parser.add_argument("--again", type=Path, help="take the timm models of this result instead of choosing them")
    parser.add_argument("--resume", action="store_true", help="keep the rows in --out; with --only, replace those")
    parser.add_argument("--failed", action="store_true", help="with --resume: run those again that failed")
    parser.add_argument("--one", metavar="SPEC", help="print the row of this model as JSON and end")
    parser.add_argument("--jobs", type=int, default=1, help="models at a time")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if options.one:
        print(json.dumps(one(options.one)))
        return
    done: dict[str, dict[str, Any]] = {}
    if options.resume and options.out.is_file():
        done = {row["model"]: row for row in json.loads(options.out.read_text())["models"]}
    if options.failed:
        done = {name: row for name, row in done.items() if "failure" not in row}
    specs = models(options.again)
    if options.only:
        specs = [spec for spec in specs if any(word in spec for word in options.only)]
        done = {name: row for name, row in done.items() if name not in specs}
    for row in run([spec for spec in specs if spec not in done], options.jobs):
        done[row["model"]] = row
        print(row["model"], row.get("failure") or f"{row['sqnr_db']} dB", f"{row.get('seconds')} s", flush=True)
        save(list(done.values()), options.out)
    print(json.dumps(summary(list(done.values())), indent=1), file=sys.stderr)


if __name__ == "__main__":
    main()
