"""`Quantize`: the settings of a quantization, which are also the stage.

fold batch norms -> calibrate -> simulate (each method; the best) -> score -> train through the rounding if need be
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import fx

from ...analyze import cost_of
from ...errors import ConfigError, UnsupportedError
from ...model import capture
from ...model.fold import Folding, fold_batch_norms
from ...model.quantized import is_quantized, quantizers
from ...progress import SILENT, Progress
from ...tasks import evaluate
from ...train import Train, train_weights
from ...types import Job, Score, StageResult, plain
from .placement import Plan, plan_quantizers
from .precision import Precision
from .ranges import BATCH, RANGE_METHODS, observe, ranges_of
from .simulate import simulate

GENTLE = Train(epochs=4, lr=1e-4, weight_decay=0.0, warmup_epochs=0.5)  # the weights are almost right: small steps


@dataclass(frozen=True, kw_only=True)
class Quantize:
    """Turn weights and activations into integers that a runtime computes with.

    Args:
        bits: of the weights, 2 to 8; activations have 8.
        method: how ranges are found: "minmax", "percentile", or "best", which takes the method whose outputs differ
            least from the float model's on the calibration images.
        percentile: the share of values, in percent, that lie below the upper end of a range (and above the lower).
        num_calibration: images of the train split that the ranges are measured on; labels are not used.
        float_output: leave the output of a last linear layer in float.
        qat: train through the rounding (straight-through estimator, ranges frozen) with these settings; None with
            `qat_if_drop_over` set takes a few gentle epochs.
        qat_if_drop_over: do so only when the score drops by more points than this on val.
    """

    bits: int = 8
    method: Literal["minmax", "percentile", "best"] = "best"
    percentile: float = 99.99
    num_calibration: int = 256
    float_output: bool = True
    qat: Train | None = None
    qat_if_drop_over: float | None = None

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 8:
            raise ConfigError(f"Quantize.bits must be from 2 to 8, got {self.bits}.")
        if self.method not in (*RANGE_METHODS, "best"):
            raise ConfigError(f"Quantize.method must be one of {', '.join(RANGE_METHODS)} or best, got {self.method}.")
        if not 50 < self.percentile <= 100:
            raise ConfigError(f"Quantize.percentile must be in (50, 100], got {self.percentile}.")
        if self.num_calibration < 1:
            raise ConfigError(f"Quantize.num_calibration must be 1 or more, got {self.num_calibration}.")
        if self.qat_if_drop_over is not None and not self.qat_if_drop_over >= 0:
            raise ConfigError(f"Quantize.qat_if_drop_over is in points, 0 or more, got {self.qat_if_drop_over}.")

    def run(self, job: Job, *, progress: Progress = SILENT) -> StageResult:
        """The simulation of the job's model in integers, scored on val.

        Raises:
            UnsupportedError: the model is quantized already.
            ModelError: it makes NaN or infinity on the calibration images.
        """
        if is_quantized(job.model):
            raise UnsupportedError("The model is quantized already: give the model as it was before.")
        net = capture(job.model, job.data.preprocess.shape, name=job.model_name)
        folded, folding = fold_batch_norms(net)
        plan = plan_quantizers(folded, float_output=self.float_output)
        simulation, calibration = self._calibrate(folded, plan, job, progress)
        float_score = evaluate(folded, job.task, job.data, "val", progress=progress)
        score = evaluate(simulation, job.task, job.data, "val", progress=progress)
        trained = self._train(simulation, float_score.value - score.value, job, progress)
        simulation, training = trained if trained is not None else (simulation, None)
        final = evaluate(simulation, job.task, job.data, "val", progress=progress) if training else score
        details = {
            **calibration,
            "score_float": float_score.value,
            "score_calibrated": score.value,
            "training": training,
            "folded": list(folding.folded),
            "not_folded": folding.refused,
            "tensors": _tensors(simulation),
            "stays_float": plan.stays_float,
        }
        return StageResult(
            model=simulation,
            score=final,
            cost=cost_of(folded, job.device, "int8"),
            notes=_notes(self, calibration["method"], float_score, score, final, folding, plan),
            details=details,
        )

    def _calibrate(
        self, folded: fx.GraphModule, plan: Plan, job: Job, progress: Progress
    ) -> tuple[fx.GraphModule, dict[str, Any]]:
        """The simulation under the chosen method, and what was tried."""
        images_BCHW = job.data.calibration(self.num_calibration, job.seed)
        histograms = observe(folded, plan, images_BCHW, progress=progress)
        methods = list(RANGE_METHODS) if self.method == "best" else [self.method]
        ranges = {each: ranges_of(histograms, method=each, percentile=self.percentile) for each in methods}
        simulations = {
            each: simulate(folded, plan, ranges[each], precision=Precision(weights=self.bits)) for each in methods
        }
        decibels = {each: signal_to_noise(folded, net, images_BCHW) for each, net in simulations.items()}
        best = max(methods, key=decibels.__getitem__)
        subset = job.data.calibration_subset(self.num_calibration, job.seed)
        return simulations[best], {"method": best, "output_sqnr_db": decibels, "calibration": subset}

    def _train(
        self, simulation: fx.GraphModule, drop: float, job: Job, progress: Progress
    ) -> tuple[fx.GraphModule, dict[str, Any]] | None:
        """The simulation after training through its rounding; None when it is not asked for or not needed."""
        asked = self.qat is not None if self.qat_if_drop_over is None else drop > self.qat_if_drop_over
        if not asked:
            return None
        outcome = train_weights(
            simulation, task=job.task, data=job.data, settings=self.qat or GENTLE, seed=job.seed,
            checkpoint=job.workdir, progress=progress,
        )  # fmt: skip
        return outcome.net, {"history": plain(outcome.history), "best_epoch": outcome.best_epoch}  # type: ignore[return-value]


def signal_to_noise(reference: fx.GraphModule, other: fx.GraphModule, images_BCHW: torch.Tensor) -> float:
    """Power of the reference's outputs over the power of the difference, in dB; infinite when they are equal."""
    signal = noise = 0.0
    with torch.no_grad():
        for batch_BCHW in images_BCHW.split(BATCH):
            want, got = (_flat(net(batch_BCHW)) for net in (reference, other))
            signal += want.double().pow(2).sum().item()
            noise += (want - got).double().pow(2).sum().item()
    return 10 * math.log10(signal / noise) if signal and noise else math.inf if signal else -math.inf


def _flat(outputs: Any) -> torch.Tensor:
    """One vector of all outputs."""
    parts = outputs if isinstance(outputs, (tuple, list)) else [outputs]
    return torch.cat([part.flatten() for part in parts])


def _tensors(net: fx.GraphModule) -> list[dict[str, Any]]:
    """Each quantized tensor with its grid and the range that the grid covers."""
    rows = []
    for name, layer in quantizers(net).items():
        spec = layer.spec
        scale, zero_point = spec.scale[0], spec.zero_point[0]
        low, high = ((code - zero_point) * scale for code in (spec.low, spec.high))
        rows.append({"name": name, "scale": scale, "zero_point": zero_point, "low": low, "high": high})
    return rows


def _notes(
    settings: Quantize, method: str, float_score: Score, calibrated: Score, final: Score, folding: Folding, plan: Plan
) -> tuple[str, ...]:
    notes = [
        f"{len(plan.layers)} layers with int{settings.bits} weights, {len(plan.points)} tensors of int8 activations "
        f"({method}); {calibrated.metric} on val {float_score.value:.2f} -> {calibrated.value:.2f}."
    ]
    if final is not calibrated:
        notes.append(f"Training through the rounding: {calibrated.value:.2f} -> {final.value:.2f}.")
    if settings.bits < 8:
        notes.append(
            f"The {settings.bits}-bit weights are stored and priced as int8: this version packs nothing smaller."
        )
    if folding.refused:
        notes.append(f"{len(folding.refused)} batch normalizations stay: {next(iter(folding.refused.values()))}.")
    if plan.stays_float:
        notes.append(f"{len(plan.stays_float)} operators compute in float: {', '.join(list(plan.stays_float)[:5])}.")
    return tuple(notes)
