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
itself: that blows up what differs little, rounding errors first (mobilenet_v2: 8 dB instead of 28). Where a library
starts the classifier at 0, so that all outputs are 0, it is drawn.

Images are smooth noise at 2 to 64 cells a side, mean 0, deviation 1. Ranges by minimum and maximum or by percentile,
what does better on the calibration images; with equalization before it where neither is enough there.

A model succeeds when its file runs and the power of the float outputs is more than 15 dB above that of the difference.
Results are written after each model; `--resume` keeps what an earlier run of the same code found.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from library_coverage import Coverage, Row, main
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from edgewright import zoo
from edgewright.compress.quantize import observe, plan_quantizers, ranges_of, simulate
from edgewright.compress.quantize.gates import expose_gates
from edgewright.compress.quantize.repairs import equalize
from edgewright.export import export_onnx
from edgewright.model import capture
from edgewright.model.fold import fold_batch_norms
from edgewright.pipeline.record import version_facts
from edgewright.seeding import torch_generator
from edgewright.verify import OnnxRunner, kernels

NUM_CALIBRATION, NUM_FRESH = 8, 4
ENOUGH_DB = 15.0
SIGNAL = 0.01
SIDES = (128, 224, None)  # smaller images take less time; None is the model's own size
METHODS = ("minmax", "percentile")


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


def give_outputs(model: nn.Module, images_BCHW: torch.Tensor) -> None:
    """Some libraries start a classifier at 0, so that all outputs are 0 and say nothing: draw such weights."""
    with torch.no_grad():
        if _outputs(model, images_BCHW[:2]).any():
            return
        generator = torch_generator(0, "zero weights")
        for value in model.parameters():
            if value.dim() > 1 and not bool(value.any()):
                value.normal_(std=0.02, generator=generator)


def built(spec: str) -> tuple[fx.GraphModule, torch.Tensor]:
    """A settled model, captured at the smallest image that it takes, and calibration images."""
    error: Exception | None = None
    for side in SIDES:
        try:
            made = zoo.resolve(spec, num_classes=None, image_size=side)
            images_BCHW = images(NUM_CALIBRATION, made.input_shape, "calibration")
            model = made.model.eval()
            settle(model, images_BCHW)
            give_outputs(model, images_BCHW)
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


def measure(spec: str) -> Row:
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


def judge(row: Row) -> str | None:
    """Why a row is no success."""
    value, own = row["sqnr_db"], row["sqnr_simulation_db"]
    if value is None:
        return "the outputs are all 0, or not finite"
    if value > ENOUGH_DB:
        return None
    cause = "rounding, in the simulation too" if own is not None and own < value + 3 else "runtime"
    return f"{value:.1f} dB ({cause})"


def figures(rows: list[Row]) -> Row:
    """Counts of one library."""
    values = [row["sqnr_db"] for row in rows if row.get("sqnr_db") is not None]
    return {
        "median_sqnr_db": round(float(np.median(values)), 1) if values else None,
        "with_heavy_operators_in_float": sum(bool(row.get("heavy_in_float")) for row in rows),
    }


BENCH = Coverage(
    script=Path(__file__).name, measure=measure, judge=judge, figures=figures,
    tell=lambda row: f"{row['sqnr_db']} dB", facts={"enough_db": ENOUGH_DB},
)  # fmt: skip

if __name__ == "__main__":
    main(BENCH, str(__doc__).splitlines()[0])
