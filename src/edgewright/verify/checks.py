"""The checks of the gate: each turns one measurement into a verdict, and says what is to blame when it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..types import COST_LIMITS, LIMITS, Artifact, Budget, Check, Cost, Score
from .kernels import FloatNode, Kernels
from .parity import TensorParity
from .subjects import file_bytes
from .timing import Race

MIN_AGREEMENT = 99.5  # percent of final decisions, design.md section 4
# Per tensor, with the differences of all earlier tensors in it. Rounding alone reached 0.06 on a trained resnet20 and
# 1.1 on networks of 60 layers with random weights; another scale or zero point gives dozens.
MAX_MEAN_STEPS = 4.0
MAX_OWN_STEPS = 1  # of one operator alone: the rounding of a half, design.md section 4
REMEDIES = {
    "latency_s": "keep fewer MACs or allow more time",
    "ram_bytes": "use a smaller input or narrower early layers",
    "flash_bytes": "keep fewer weights",
    "energy_j": "keep fewer MACs or move fewer bytes",
}


def files(artifact: Artifact) -> Check:
    """The files are those that were exported (`read_artifact` has refused any other)."""
    count = len(artifact.manifest["files"])
    return Check(
        name="files",
        passed=True,
        value=count,
        limit=count,
        unit="files",
        how="size and SHA-256 of each, by the manifest",
    )


NOT_JUDGED = "; not judged: no score to compare with is known"


def score(
    score: Score, baseline: Score | None, budget: Budget | None, *, runtime: str = "ONNX Runtime"
) -> tuple[Check, ...]:
    """The score against the smallest that the budget accepts; without one it is told, and judges nothing."""
    limit = _lowest(baseline, budget)
    missing = 0.0 if limit is None else limit - score.value
    passed = missing <= 0
    blame = "" if passed else f"{score.metric} is {missing:.2f} points too low: cut less, or train longer."
    before = f", {baseline.value:.2f} before" if baseline is not None else ""
    if limit is None:
        before += NOT_JUDGED
    return (
        Check(name="score", passed=passed, value=score.value, limit=limit, unit="points", blame=blame,
              how=f"{score.metric} on {score.num_samples} images of {score.split} in {runtime}{before}"),
    )  # fmt: skip


def _lowest(baseline: Score | None, budget: Budget | None) -> float | None:
    if budget is None or (baseline is None and budget.min_score is None):
        return None
    return budget.lowest_score(baseline.value) if baseline is not None else budget.min_score


def agreement(share: float | None, num_samples: int, split: str, *, runtime: str = "ONNX Runtime") -> tuple[Check, ...]:
    """Final decisions equal to the simulation's."""
    if share is None:
        return ()
    passed = share >= MIN_AGREEMENT
    blame = "" if passed else "the runtime computes other integers than the simulation: see the parity of each tensor."
    return (
        Check(name="agreement", passed=passed, value=share, limit=MIN_AGREEMENT, unit="%", blame=blame,
              how=f"decisions on {num_samples} images of {split}, {runtime} against the simulation"),
    )  # fmt: skip


def parity(rows: Sequence[TensorParity], expected: Mapping[str, np.ndarray] | None) -> tuple[Check, ...]:
    """The mean difference of the worst tensor, in steps, and the largest that one operator makes by itself."""
    if not rows or expected is None:
        return ()
    worst = max(rows, key=lambda row: row.mean_steps)
    detail = f"{worst.tensor}: {100 * worst.share_equal:.2f} % equal, at most {_steps(worst.max_steps)} off"
    own = max((row.own_max_steps for row in rows if row.own_max_steps is not None), default=None)
    alone = "" if own is None else f"; an operator by itself at most {_steps(own)} off"
    blame = _parity_blame(rows)
    return (
        Check(name="parity", passed=not blame, value=worst.mean_steps, limit=MAX_MEAN_STEPS, unit="steps", blame=blame,
              how=f"mean difference of the worst of {len(rows)} tensors on {len(expected['input'])} images ({detail})"
                  f"{alone}"),
    )  # fmt: skip


def _parity_blame(rows: Sequence[TensorParity]) -> str:
    """Which operator the runtime computes otherwise; else the first tensor in which too much has come together."""
    other = next((row for row in rows if (row.own_max_steps or 0) > MAX_OWN_STEPS), None)
    if other is not None:
        return (
            f"the runtime computes {other.tensor} otherwise than the file says: "
            f"{_steps(other.own_max_steps)} off by itself, {MAX_OWN_STEPS} allowed."
        )
    first = next((row.tensor for row in rows if row.mean_steps > MAX_MEAN_STEPS), None)
    return "" if first is None else f"the first tensor that is off is {first}."


def _steps(count: int | None) -> str:
    return "1 step" if count == 1 else f"{count} steps"


def integer_kernels(found: Kernels, *, runtime: str = "ONNX Runtime") -> tuple[Check, ...]:
    """Convolutions, linear layers and matrix products that stayed in float, against none."""
    heavy = found.heavy
    light = [node for node in found.stayed_float if not node.heavy]
    how = f"the graph as {runtime} optimized it: {sum(found.integer.values())} integer operators"
    if light:
        how += f"; small operators in float: {_listed(light)}"
    return (
        Check(name="integer kernels", passed=not heavy, value=len(heavy), limit=0, unit="layers in float", how=how,
              blame=f"{_listed(heavy)}." if heavy else ""),
    )  # fmt: skip


def _listed(nodes: Sequence[FloatNode], most: int = 5) -> str:
    texts = [f"{node.name} ({node.op}: {node.reason})" for node in nodes[:most]]
    rest = f" and {len(nodes) - most} more" if len(nodes) > most else ""
    return ", ".join(texts) + rest


def size(artifact: Artifact, fp32: Artifact | None, max_share: float) -> tuple[Check, ...]:
    """Bytes of the file as a share of the fp32 file's."""
    if fp32 is None:
        return ()
    ours, other = file_bytes(artifact.model_path), file_bytes(fp32.model_path)
    share = ours / other
    passed = share <= max_share
    blame = "" if passed else "prune more: int8 alone keeps a quarter of the weights' bytes, plus scales and biases."
    return (
        Check(name="file size", passed=passed, value=share, limit=max_share, unit="of the fp32 file", blame=blame,
              how=f"{ours} bytes against {other}"),
    )  # fmt: skip


def speed(times: Race, has_fp32: bool, found: Kernels, *, binding: bool) -> tuple[Check, ...]:
    """The time of a call against the fp32 file's in the same runtime; without `binding` for information only."""
    if not has_fp32 or times.ratio is None:
        return ()
    ours, other = times.latencies[:2]
    passed = times.ratio < 1 or not binding
    spread = f"{min(times.ratios):.3f} to {max(times.ratios):.3f} over {len(times.ratios)} turns"
    how = (
        f"{1e3 * ours.median_s:.3f} ms against {1e3 * other.median_s:.3f} ms (medians), batch {ours.batch}, "
        f"{ours.threads} thread, {ours.runtime}, ratio {spread}"
    )
    return (
        Check(name="latency against fp32", passed=passed, value=times.ratio, limit=1.0 if binding else None,
              unit="of the fp32 time", how=how if binding else f"{how}; this machine is not the device",
              blame="" if passed else why_slow(found)),
    )  # fmt: skip


def why_slow(found: Kernels) -> str:
    """What a slow file of integers owes its time to, and what would help."""
    if found.stayed_float:
        return f"operators in float between integers: {_listed(found.stayed_float)}; {found.num_borders} conversions."
    return (
        "all operators are integer, but too narrow for integer kernels to pay: ONNX Runtime's fast ones make 16 "
        "channels at a time, so keep multiples of 16 (depthwise layers first)."
    )


def limits(cost: Cost | None, budget: Budget | None, artifact: Artifact) -> tuple[Check, ...]:
    """Each limit of the budget in the device's units. Flash is the size of the file, the rest as `cost` knows it."""
    if cost is None or budget is None:
        return ()
    cost = cost.measured(flash_bytes=file_bytes(artifact.model_path))
    found = []
    for name in COST_LIMITS:
        value, limit = getattr(cost, name), getattr(budget, name)
        if value is None or limit is None:
            continue
        passed = value <= limit
        blame = "" if passed else f"{LIMITS[name].title} is {value / limit:.2f} times the limit: {REMEDIES[name]}."
        found.append(
            Check(
                name=name,
                passed=passed,
                value=value,
                limit=limit,
                unit=LIMITS[name].unit,
                how=cost.how.get(name, "estimated"),
                blame=blame,
            )
        )
    return tuple(found)


def processor(warning: str, *, quantized: bool) -> tuple[Check, ...]:
    """A word about saturating kernels, where it concerns this artifact."""
    if not warning or not quantized:
        return ()
    return (Check(name="processor", passed=True, value=None, limit=None, unit="", how="/proc/cpuinfo", blame=warning),)
