"""`choose`: measure, price and allocate in one call, as the quantizer does between ranges and simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from torch import fx

from ....errors import ConfigError
from ....progress import SILENT, Progress
from ....seeding import torch_generator
from ....types import Job, plain
from ..placement import Plan
from ..precision import ACTIVATION_BITS, WEIGHT_BITS, Precision
from .allocate import Allocation, allocate, pareto_front
from .costs import BitCosts, Limits, bit_costs
from .curvature import curvature_rows, mean_traces
from .probe import Build, Kind, Probe
from .sensitivity import BATCH, Batches, BitSensitivity, output_error, score_lost, sensitivities, task_loss

FRONT_POINTS = 16  # as many rows as a terminal shows at once
MEASURES = ("mse", "loss", "score", "hessian")


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """How bits are chosen layer by layer.

    Args:
        limits: what the choice may cost.
        mean_weight_bits: no more bytes of weights than this many bits each would take; beside the limits.
        measure: what a part's bits are judged by: "mse" the error of the outputs (no labels), "loss" the rise of the
            task's loss, "score" the drop of its score, "hessian" the curvature of the loss times the rounding error.
        weights: numbers of bits that a layer's weights may have.
        activations: numbers of bits that a tensor of activations may have; one number: there is no choice.
        num_images: of the train split to measure on.
        num_draws: random vectors per layer and batch of 64 images, for the curvature.
        front: list the best choice at `FRONT_POINTS` sizes of the weights too, see `front_rows`.
    """

    limits: Limits = field(default_factory=Limits)
    mean_weight_bits: float | None = None
    measure: Literal["mse", "loss", "score", "hessian"] = "mse"
    weights: tuple[int, ...] = (8, 6, 4, 3, 2)
    activations: tuple[int, ...] = (8,)
    num_images: int = 256
    num_draws: int = 2
    front: bool = False

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise ConfigError(f"Mixed.measure must be one of {', '.join(MEASURES)}, got {self.measure}.")
        for name, allowed in (("weights", WEIGHT_BITS), ("activations", ACTIVATION_BITS)):
            given = tuple(getattr(self, name))  # a list, where it comes from a file
            object.__setattr__(self, name, given)
            if not given or not set(given) <= set(allowed):
                raise ConfigError(f"Mixed.{name} are numbers of bits from {list(allowed)}, got {list(given)}.")
        if self.mean_weight_bits is not None and not 2 <= self.mean_weight_bits <= 8:
            raise ConfigError(f"Mixed.mean_weight_bits must be in [2, 8], got {self.mean_weight_bits}.")
        if self.num_images < 1 or self.num_draws < 1:
            raise ConfigError(
                f"Mixed.num_images and num_draws must be 1 or more, got {self.num_images} and {self.num_draws}."
            )

    @property
    def bits(self) -> dict[Kind, Sequence[int]]:
        """What is to be measured: weights always, activations where they may have other than 8 bits."""
        wanted: dict[Kind, Sequence[int]] = {"weights": self.weights}
        if self.activations != (8,):
            wanted["activations"] = self.activations
        return wanted


def choose(
    net: fx.GraphModule, plan: Plan, build: Build, *, job: Job, settings: Mixed, progress: Progress = SILENT
) -> tuple[Precision, dict[str, Any]]:
    """The bits of each layer and tensor, and how they were found (JSON-able).

    Args:
        net: folded, in float.
        plan: where its integers are.
        build: makes the simulation of `net` at a precision; its grids are those that are judged.
        job: gives images, labels, task, device and seed.
        settings: what is asked for.

    Raises:
        BudgetError: no choice of bits is within the limits.
    """
    probe = Probe(net, plan, build)
    rows = measure_rows(probe, job, settings, progress=progress)
    costs = bit_costs(net, plan, device=job.device)
    limits = within_mean(settings.limits, costs, settings.mean_weight_bits)
    found = allocate(rows, costs, limits)
    details = {
        "measure": settings.measure,
        "limits": limits.given(),
        "layers": dict(found.precision.layers),
        "points": dict(found.precision.points),
        "predicted_loss": found.predicted_loss,
        "spent": plain(found.spent),
        "mean_weight_bits": 8 * found.spent.weight_bytes / sum(costs.weights.values()),
        "sensitivities": [plain(row) for row in rows],
        **({"front": front_rows(pareto_front(rows, costs), costs)} if settings.front else {}),
    }
    return found.precision, details


def front_rows(found: Sequence[Allocation], costs: BitCosts) -> list[dict[str, float]]:
    """Of a front in weight bytes (falling) the best choices at evenly spaced sizes, as bits per weight on average.

    Each row is the best that there is within its bytes; rows that two sizes share stand once.
    """
    sizes = [each.spent.weight_bytes for each in found]
    limits = [sizes[0] - step * (sizes[0] - sizes[-1]) / (FRONT_POINTS - 1) for step in range(FRONT_POINTS)]
    places = dict.fromkeys(next(place for place, size in enumerate(sizes) if size <= limit) for limit in limits)
    num_weights = sum(costs.weights.values())
    return [
        {
            "mean_weight_bits": 8 * sizes[place] / num_weights,
            "weight_bytes": sizes[place],
            "predicted_loss": found[place].predicted_loss,
        }
        for place in places
    ]


def within_mean(limits: Limits, costs: BitCosts, mean_bits: float | None) -> Limits:
    """The limits with the one on weight bytes that stands for `mean_bits` a weight; of two the lower holds."""
    if mean_bits is None:
        return limits
    asked = [costs.weight_bytes_at(mean_bits), limits.weight_bytes]
    return replace(limits, weight_bytes=min(limit for limit in asked if limit is not None))


def measure_rows(probe: Probe, job: Job, settings: Mixed, *, progress: Progress = SILENT) -> tuple[BitSensitivity, ...]:
    """The sensitivities under one measure, on images of the job's train split."""
    if settings.measure == "mse":
        images_BCHW = job.data.calibration(settings.num_images, job.seed)
        measure = output_error(probe.net, images_BCHW)
        return sensitivities(probe, measure, bits=settings.bits, title="mse", progress=progress)
    batches = labelled(job, settings.num_images)
    if settings.measure == "hessian":
        traces = mean_traces(
            probe, job.task, batches, kinds=tuple(settings.bits), num_draws=settings.num_draws, seed=job.seed,
            progress=progress,
        )  # fmt: skip
        return curvature_rows(probe, traces, batches, bits=settings.bits)
    made = {"loss": task_loss, "score": score_lost}[settings.measure](job.task, batches)
    return sensitivities(probe, made, bits=settings.bits, title=settings.measure, progress=progress)


def labelled(job: Job, num_images: int) -> Batches:
    """A fixed subset of the train split, with labels."""
    generator = torch_generator(job.seed, "quantize.mixed")
    return list(job.data.batches("train", batch_size=BATCH, generator=generator, num_images=num_images))
