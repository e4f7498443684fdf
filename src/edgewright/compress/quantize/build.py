"""From a float model to its simulation: fold, repair, place, calibrate, choose bits, simulate, repair again.

Each repair is known by name; `BEFORE` change the float model without changing its function, `AFTER` the simulation.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import fx

from ...errors import ConfigError, DataError
from ...model import capture
from ...model.fold import Folding, fold_batch_norms
from ...progress import SILENT, Progress
from ...tasks import evaluate
from ...types import Job, Score
from .gates import expose_gates
from .mixed import choose
from .placement import Plan, plan_quantizers
from .precision import Precision
from .ranges import RANGE_METHODS, observe, ranges_of, weight_scales
from .ranges.best import best_ranges, candidate_ranges
from .repairs import (
    Correction,
    Moments,
    batch_norm_moments,
    correct_bias,
    correct_bias_analytic,
    duplicated,
    equalize,
    keep_ends,
    learn_rounding,
    reestimate_rounded,
    scaled,
    split_outliers,
)
from .schemes import INTEGERS, simulate_dynamic, simulate_floats, simulate_weight_only, with_tensor_scales
from .simulate import simulate, weight_method_for

if TYPE_CHECKING:
    from .stage import Quantize

BEFORE, AFTER = ("equalize", "split", "reestimate"), ("rounding", "analytic-bias", "bias")
REPAIRS = (*BEFORE, *AFTER)  # in the order in which they work
BESIDE_REESTIMATE = ("bias",)  # the others change the weights that it measured behind, or count on biases as they were
BEST = "best"
Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Built:
    """A simulation and all that it was made from. `found` is JSON-able: what was measured and chosen on the way."""

    simulation: fx.GraphModule
    folded: fx.GraphModule
    folding: Folding
    plan: Plan
    found: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Builder:
    """Builds simulations of one model under one stage's settings, with different repairs."""

    net: fx.GraphModule  # captured, with its batch normalizations
    settings: Quantize
    job: Job
    progress: Progress = SILENT

    @staticmethod
    def of(job: Job, settings: Quantize, *, progress: Progress = SILENT) -> Builder:
        """Captures the job's model."""
        net = capture(job.model, job.data.preprocess.shape, name=job.model_name)
        return Builder(net=net, settings=settings, job=job, progress=progress)

    def build(self, repairs: tuple[str, ...]) -> Built:
        """The simulation with these repairs, whatever their order."""
        folded, folding = fold_batch_norms(self.net, absorb=True)
        folded = expose_gates(folded)
        asked = Precision(weights=self.settings.bits, activations=self.settings.activation_bits)
        folded, moments, done = self._repaired_before(folded, repairs, asked)
        plan = plan_quantizers(folded, float_output=self.settings.float_output)
        precision = keep_ends(folded, plan, asked) if self.settings.ends_at_8_bits else asked
        source = folded
        if "reestimate" in repairs:
            source, done["reestimate"] = self._reestimated(precision)
            plan = plan_quantizers(source, float_output=self.settings.float_output)
        if self.settings.scheme.mode == "static":
            simulation, found = self._calibrated(source, plan, precision)
        else:
            simulation, found = self._without_images(source, plan, precision), {"method": None}
        simulation, done_after = self._repaired_after(simulation, folded, moments, repairs)
        found = {**found, "repairs": {**done, **done_after}}
        return Built(simulation=simulation, folded=folded, folding=folding, plan=plan, found=found)

    def score(self, net: fx.GraphModule) -> Score:
        """The score of a net on val."""
        return evaluate(self.moved(net), self.job.task, self.job.data, "val", progress=self.progress)

    def moved(self, net: fx.GraphModule) -> fx.GraphModule:
        """A copy of the net on the job's accelerator; the net itself where that is the CPU."""
        return net if self.job.accelerator == "cpu" else copy.deepcopy(net).to(self.job.accelerator)

    # -- steps ------------------------------------------------------------------------------------------------------
    def _repaired_before(
        self, folded: fx.GraphModule, repairs: tuple[str, ...], precision: Precision
    ) -> tuple[fx.GraphModule, dict[str, Moments], dict[str, Any]]:
        """The net, what its batch normalizations told of each channel, and what was done."""
        done: dict[str, Any] = {}
        moments = batch_norm_moments(self.net) if "analytic-bias" in repairs else {}
        if "equalize" in repairs:
            folded, equalized = equalize(folded)
            moments = scaled(moments, equalized.factors)
            done["equalize"] = {"pairs": [list(pair) for pair in equalized.pairs], "refused": equalized.refused}
        if "split" in repairs:
            folded, splitting = split_outliers(folded, precision=precision, scale_of=self._weight_scales)
            moments = duplicated(moments, splitting.sources)
            done["split"] = {"channels": {name: len(each) for name, each in splitting.channels.items()}}
        return folded, moments, done

    def _reestimated(self, precision: Precision) -> tuple[fx.GraphModule, dict[str, Any]]:
        """The folded net with rounded weights, its normalizations measured behind them.

        Told are the least and the largest ratio of a channel's deviation behind rounded weights to the one before.
        """
        folded, report = reestimate_rounded(
            self.net, self._images(), precision=precision, scale_of=self._weight_scales, progress=self.progress
        )
        absorbed, _ = fold_batch_norms(folded, absorb=True)
        gains = [gain for pair in report.gains.values() for gain in pair]
        return expose_gates(absorbed), {"gains": [min(gains), max(gains)] if gains else None}

    def _weight_scales(self, layer: torch.nn.Module, *, bits: int) -> torch.Tensor:
        return weight_scales(layer, bits=bits, method=weight_method_for(bits, self.settings.weight_method))

    def _images(self) -> torch.Tensor:
        if len(self.job.data.split("train")) == 0:
            raise DataError(
                "Static ranges are measured on images of the train split, and it is empty: give images, or choose "
                "--scheme dynamic or weight-only."
            )
        return self.job.data.calibration(self.settings.num_calibration, self.job.seed)

    def _calibrated(
        self, folded: fx.GraphModule, plan: Plan, precision: Precision
    ) -> tuple[fx.GraphModule, dict[str, Any]]:
        """The static simulation: ranges from the calibration images, and bits where they are to be chosen."""
        settings, job = self.settings, self.job
        images_BCHW = self._images()
        observations = observe(folded, plan, images_BCHW, progress=self.progress)

        def ranges_at(wanted: Precision, method: str) -> Ranges:
            return ranges_of(observations, method=method, precision=wanted, percentile=settings.percentile)

        found: dict[str, Any] = {"calibration": job.data.calibration_subset(settings.num_calibration, job.seed)}
        if settings.method == BEST:
            candidates = candidate_ranges(observations, precision=precision, percentile=settings.percentile)
            best = best_ranges(folded, plan, candidates, images_BCHW, precision=precision)
            ranges: Ranges = best.ranges
            found |= {"method": best.method, "methods": dict(Counter(best.methods.values())),
                      "output_sqnr_db": best.output_sqnr_db}  # fmt: skip
        else:
            ranges = ranges_at(precision, settings.method)
            found["method"] = settings.method
        if settings.scheme.format != INTEGERS:
            return simulate_floats(folded, plan, format=settings.scheme.format, ranges=ranges), found

        def build(wanted: Precision) -> fx.GraphModule:
            at = ranges if wanted.points == precision.points else ranges_at(wanted, _plain_method(settings.method))
            return simulate(folded, plan, at, precision=wanted, weight_method=settings.weight_method)

        if settings.mixed is not None:
            chosen, found["mixed"] = choose(
                folded, plan, build, job=job, settings=settings.mixed, progress=self.progress
            )
            precision = replace(chosen, activations=precision.activations)
        simulation = build(precision)
        if settings.scheme.granularity == "tensor":
            simulation = with_tensor_scales(simulation)
        return simulation, found

    def _without_images(self, folded: fx.GraphModule, plan: Plan, precision: Precision) -> fx.GraphModule:
        scheme = self.settings.scheme
        if scheme.mode == "weight-only":
            return simulate_weight_only(folded, scheme=scheme, precision=precision)
        return simulate_dynamic(folded, plan, scheme=scheme, precision=precision)

    def _repaired_after(
        self, simulation: fx.GraphModule, folded: fx.GraphModule, moments: Mapping[str, Moments],
        repairs: tuple[str, ...],
    ) -> tuple[fx.GraphModule, dict[str, Any]]:  # fmt: skip
        done: dict[str, Any] = {}
        if not set(repairs) & set(AFTER):
            return simulation, done
        images_BCHW = self._images().to(self.job.accelerator)
        if "rounding" in repairs:
            simulation, rounding = learn_rounding(
                self.moved(simulation), self.moved(folded), images_BCHW, settings=self.settings.rounding,
                seed=self.job.seed, progress=self.progress,
            )  # fmt: skip
            done["rounding"] = {"layers": len(rounding.layers), "refused": rounding.refused}
        if "analytic-bias" in repairs:  # a few sums: where the float net is
            simulation, correction = correct_bias_analytic(simulation.cpu(), folded, moments)
            done["analytic-bias"] = {**_largest_shift(correction), "refused": correction.refused}
        if "bias" in repairs:
            simulation, correction = correct_bias(
                self.moved(simulation), self.moved(folded), images_BCHW, progress=self.progress
            )
            done["bias"] = _largest_shift(correction)
        return simulation.cpu(), done


def _largest_shift(correction: Correction) -> dict[str, float]:
    return {"largest_shift": max(correction.shifts.values(), default=0.0)}


def _plain_method(method: str) -> str:
    """What finds ranges for other bits than those that "best" has compared: the one of least error."""
    return "mse" if method == BEST else method


def check_repairs(repairs: tuple[str, ...]) -> None:
    """Refuse unknown names, and repairs that undo each other.

    Raises:
        ConfigError: names the repairs that there are, or the one to leave out.
    """
    unknown = [name for name in repairs if name not in REPAIRS]
    if unknown:
        raise ConfigError(f"A repair is one of {', '.join(REPAIRS)}, got '{unknown[0]}'.")
    foreign = [name for name in repairs if name not in ("reestimate", *BESIDE_REESTIMATE)]
    if "reestimate" in repairs and foreign:
        raise ConfigError(
            f"The repair reestimate measures the net behind rounded weights, and {foreign[0]} changes them or counts "
            "on them as they were: leave one of the two out."
        )


__all__ = ["BEST", "RANGE_METHODS", "REPAIRS", "Builder", "Built", "check_repairs"]
