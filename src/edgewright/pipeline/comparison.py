"""Ways to quantize one model, side by side: each a stage of one run, then all files measured in the runtime in turns.

The directory is a run like any other: its final model is the smallest of the best and fastest, and `report.html` shows
the table.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import fx

from ..analyze import profile
from ..compress.quantize import Qat, Quantize, float_ways, other_ways, ways
from ..errors import BudgetError, ConfigError, UserError
from ..export import export_onnx
from ..files import content_key, write_json
from ..model import fingerprint
from ..model.quantized import is_quantized
from ..progress import SILENT, Progress
from ..report import write_report
from ..runs import Run, Step, open_run
from ..tasks import decide, score_of
from ..types import RUN_FILE, RUN_FORMAT, Artifact, Job, Report, plain
from ..verify import OnnxRunner, Timing, kernels, race
from .flow import prepared
from .given import AsGiven
from .record import data_facts, machine_facts, version_facts
from .suited import suited

FLOAT = "float32"  # the name of the row of the model as given
FLOAT_BITS = 32
AS_FAST = 1.1  # times the least time: closer than that, two files are equally fast on a machine with other work
TIMING = Timing(turns=5, seconds=0.3)  # two dozen files: shorter turns than where two are judged


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to quantize, by name."""

    name: str
    stage: Quantize


def variants(base: Quantize, *, bits: Sequence[int], qat: Qat | None = None) -> tuple[Variant, ...]:
    """At each width of the weights every range method, what repairs add to the best of them, bits layer by layer and
    the schemes that are not static; then the short floats.

    Args:
        base: settings that all have in common.
        bits: widths of the weights.
        qat: training through the rounding too, with these settings; it takes longer than all others together.

    Raises:
        ConfigError: no width, or one twice; a base that is not one of static integers.
    """
    if base.scheme.mode != "static" or base.scheme.format != "int":
        raise ConfigError(
            f"A comparison lays ways to make static integers side by side, got scheme {base.scheme.mode} in "
            f"{base.scheme.format}: leave --scheme and --format out."
        )
    if not bits or len(set(bits)) < len(bits):
        raise ConfigError(f"A comparison needs one or more different numbers of bits, got {list(bits)}.")
    settings = {
        f"{width} bits, {way}": {"bits": width, **changes}
        for width in bits
        for way, changes in (ways(qat=qat) | other_ways(base.scheme, bits=width)).items()
    }
    return tuple(
        Variant(name=name, stage=replace(base, **changes)) for name, changes in (settings | float_ways()).items()
    )


def compare_quantizers(
    job: Job,
    those: Sequence[Variant],
    *,
    out: Path | str,
    resume: bool = False,
    command: str | None = None,
    progress: Progress = SILENT,
) -> Report:
    """Run every variant on the job's model, write and measure every file, and report them in one table.

    Args:
        those: what to compare; names are unique.
        out: the run directory; created.
        resume: go on with a comparison that was interrupted in `out`.
        command: what the user typed, for the page.

    Raises:
        UserError: model, data or folder cannot be used, or no way can be gone (BudgetError: none is within its limits).
    """
    job = prepared(job)
    with open_run(Path(out), resume=resume, progress=progress) as run:
        given = run.step("given", "Model as given", AsGiven(), job)
        steps, refused = _steps(run, job.with_model(given.model), those)
        models = {FLOAT: given.model, **{name: step.model for name, step in steps.items()}}
        key = content_key({name: fingerprint(net) for name, net in models.items()}, job.data.fingerprint, plain(TIMING))
        measured = run.recall("comparison", key, lambda: _measure(job, models, progress))
        content = _content(run, job, {FLOAT: given, **steps}, measured, command)
        content["comparison_refused"] = refused
        write_json(run.folder / RUN_FILE, content)
        write_report(run.folder)
    return Report(folder=Path(out), content=content)


def _steps(run: Run, job: Job, those: Sequence[Variant]) -> tuple[dict[str, Step], list[dict[str, str]]]:
    """The finished stages by name, and the ways that this model cannot go, with the reason: the others go on.

    Raises:
        UserError, BudgetError: none can be gone; the first one's reason.
    """
    steps: dict[str, Step] = {}
    refused: dict[str, UserError | BudgetError] = {}
    for each in those:
        try:
            steps[each.name] = run.step("quantize", each.name, suited(each.stage, job.device), job)
        except (UserError, BudgetError) as error:
            refused[each.name] = error
    if not steps:
        raise next(iter(refused.values()))
    return steps, [{"name": name, "reason": str(error)} for name, error in refused.items()]


def _measure(job: Job, models: Mapping[str, fx.GraphModule], progress: Progress) -> dict[str, dict[str, Any]]:
    """Bytes, score on test and latency of each model's file, all in the same runtime."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {
            name: _export(job, net, Path(folder) / str(index)).model_path
            for index, (name, net) in enumerate(models.items())
        }
        runners = {name: OnnxRunner(path) for name, path in paths.items()}
        images_BCHW = np.random.default_rng(0).standard_normal((1, *job.data.preprocess.shape), dtype=np.float32)
        times = race(runners, images_BCHW, timing=TIMING, progress=progress).latencies
        rows = {}
        with progress.task("Score in the runtime", total=len(paths)) as bar:
            for (name, path), latency in zip(paths.items(), times, strict=True):
                ratios = np.divide(latency.turn_medians_s, times[0].turn_medians_s)
                rows[name] = {
                    "score_test": score_of(*decide(runners[name], job.task, job.data, "test"), job.task, "test"),
                    "file_bytes": path.stat().st_size,
                    "latency_s": latency.median_s,
                    "latency_ratio": float(np.median(ratios)),
                    "latency_ratio_spread": [float(ratios.min()), float(ratios.max())],
                    "num_float": len(kernels(path).heavy) if name != FLOAT else None,
                    "runtime": latency.runtime,
                }
                bar.advance(detail=name)
    return rows


def _export(job: Job, net: fx.GraphModule, folder: Path) -> Artifact:
    return export_onnx(net, folder, name=job.model_name, preprocess=plain(job.data.preprocess))


def _content(
    run: Run, job: Job, steps: Mapping[str, Step], measured: Mapping[str, Mapping[str, Any]], command: str | None
) -> dict[str, Any]:
    rows = [_row(name, step, measured[name]) for name, step in steps.items()]
    best = _best(rows[1:], steps)
    given, chosen = steps[FLOAT], steps[best["name"]]
    dtype = "int8" if is_quantized(chosen.model) else "float32"
    return plain({
        "format": RUN_FORMAT,
        "asked": {
            "model": job.model_name, "data": job.data.name, "device": job.device.name, "budget": job.budget,
            "seed": job.seed, "recipe": {"quantize": chosen.settings}, "command": command,
        },
        "versions": version_facts(),
        "machine": machine_facts(),
        "device": job.device,
        "data": data_facts(job),
        "stages": [step.as_plain() for step in run.steps],
        "chosen_stages": [given.index, chosen.index],
        "final_model": f"stages/{chosen.index:02d}-{chosen.name}",
        "profile": {
            "before": profile(given.model, device=job.device, dtype="float32"),
            "after": profile(chosen.model, device=job.device, dtype=dtype),
        },
        "scores": {"before": given.result.score, "after": chosen.result.score},
        "comparison": rows,
        "comparison_best": best["name"],
        "pareto": [_point(row, best["name"]) for row in rows],
        "verdict": {"passed": True, "sentence": _sentence(rows[0], best), "binding": [], "nearest": None, "relax": []},
    })  # fmt: skip


def _best(rows: Sequence[Mapping[str, Any]], steps: Mapping[str, Step]) -> Mapping[str, Any]:
    """The smallest file of those within one standard error of the highest score that are as fast as the fastest of
    these; of equals the higher score."""
    highest = max(rows, key=lambda row: row["score_val"])
    score = steps[highest["name"]].result.score
    assert score is not None
    equals = [row for row in rows if row["score_val"] >= score.value - score.std_error]
    least = min(row["latency_ratio"] for row in equals)
    fast = [row for row in equals if row["latency_ratio"] <= AS_FAST * least]
    return min(fast, key=lambda row: (row["file_bytes"], -row["score_val"], row["seconds"]))


def _row(name: str, step: Step, measured: Mapping[str, Any]) -> dict[str, Any]:
    settings = step.settings
    assert step.result.score is not None
    return {
        "name": name,
        **_bits(settings, step.result.details),
        "score_val": step.result.score.value,
        **measured,
        "seconds": step.result.seconds,
        "chosen_method": step.result.details.get("method"),
    }


def _bits(settings: Mapping[str, Any], details: Mapping[str, Any]) -> dict[str, float]:
    """Bits of a weight (on average, where layers differ) and of an activation; 32: as given."""
    if "scheme" not in settings:
        return {"weight_bits": FLOAT_BITS, "activation_bits": FLOAT_BITS}
    scheme = settings["scheme"]
    half = 16 if scheme["format"] != "int" else None
    weights = details["mixed"]["mean_weight_bits"] if details.get("mixed") else settings["bits"]
    computed = {"static": settings["activation_bits"], "dynamic": 8, "weight-only": FLOAT_BITS}
    activations = half if half and scheme["mode"] == "static" else computed[scheme["mode"]]
    return {"weight_bits": half or weights, "activation_bits": activations}


def _point(row: Mapping[str, Any], best: str) -> dict[str, Any]:
    kind = "start" if row["name"] == FLOAT else "chosen" if row["name"] == best else "tried"
    return {
        "label": row["name"], "kind": kind, "score": row["score_val"], "flash_bytes": row["file_bytes"],
        "latency_s": row["latency_s"],
    }  # fmt: skip


def _sentence(start: Mapping[str, Any], best: Mapping[str, Any]) -> str:
    share, ratio = best["file_bytes"] / start["file_bytes"], best["latency_ratio"]
    return (
        f"Smallest of the fastest within one standard error of the best on val: {best['name']}, "
        f"{start['score_val']:.2f} -> {best['score_val']:.2f}, {share:.0%} of the bytes, {ratio:.2f} of the time."
    )
