"""`Prune`: the settings of a cut, which are also the stage."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from ...analyze import cost_of
from ...errors import ConfigError, unknown_name
from ...model import ChannelGroup
from ...progress import SILENT, Progress
from ...tasks import evaluate
from ...types import Job, StageResult, plain
from .measure import refreshed
from .plan import Planner, PrunePlan
from .scores import SCORES


@dataclass(frozen=True, kw_only=True)
class Prune:
    """Remove whole channels until at most `keep_macs` of the multiply-accumulates are left, where it hurts least.

    Args:
        keep_macs: share of the MACs that may stay, in (0, 1].
        round_to: widths are multiples of this; None takes the device's number (its SIMD lanes).
        min_steps: a group of few channels is rounded more finely, by halving `round_to` until it has so many steps.
            1 never goes below `round_to` (on x86 only multiples of 8 pay).
        min_channels: no group is left with fewer channels.
        min_keep: no group is left with a smaller share of its channels.
        whole: names of groups that are not cut, with * and ? as in file names; `edgewright analyze MODEL --by channels`
            lists the groups.
        score: which channels matter; one of `SCORES`.
        sensitivity_samples: images of the train split on which every group is measured; 0 measures nothing and
            spreads the cut evenly by score.
        sensitivity_keeps: shares of a group's channels to measure it at, beside the smallest allowed.
        norm_batches: batches of 128 train images from which batch norm is re-estimated after a cut; 0 leaves it.
        augment: how the images for that are changed; what the model was trained with is best.
    """

    keep_macs: float = 0.5
    round_to: int | None = None
    min_steps: int = 4
    min_channels: int = 2
    min_keep: float = 0.1
    whole: tuple[str, ...] = ()
    score: str = "contribution"
    sensitivity_samples: int = 256
    sensitivity_keeps: tuple[float, ...] = (0.75, 0.5, 0.25)
    norm_batches: int = 8
    augment: str = "none"

    def __post_init__(self) -> None:
        for name in ("sensitivity_keeps", "whole"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # a list, when read from JSON
        for name in ("keep_macs", "min_keep"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"Prune.{name} is a share in (0, 1], got {getattr(self, name)}.")
        for name, least in (("round_to", 1), ("min_steps", 1), ("min_channels", 1), ("sensitivity_samples", 0),
                            ("norm_batches", 0)):  # fmt: skip
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"Prune.{name} is a whole number from {least}, got {value}.")
        if not all(0 < keep < 1 for keep in self.sensitivity_keeps):
            raise ConfigError(f"Prune.sensitivity_keeps are shares between 0 and 1, got {self.sensitivity_keeps}.")
        if self.score not in SCORES:
            raise unknown_name("score", self.score, SCORES, command="edgewright prune --help")

    def widths(self, group: ChannelGroup, round_to: int) -> np.ndarray:
        """The numbers of classes that a group may keep, rising; its full width is always one of them.

        Widths are multiples of `round_to` channels, halved for narrow groups until `min_steps` widths are possible.
        """
        if any(fnmatchcase(group.name, pattern) for pattern in self.whole):
            return np.array([group.num_classes])
        channels, unit = group.num_classes * group.width, round_to
        while unit > 1 and channels // unit < self.min_steps:
            unit //= 2
        step = unit // math.gcd(unit, group.width)
        least = max(self.min_channels, self.min_keep * channels)
        counts = [each for each in range(step, group.num_classes, step) if each * group.width >= least]
        return np.array([*counts, group.num_classes])

    def run(self, job: Job, *, progress: Progress = SILENT) -> StageResult:
        """The job's model, cut; batch norm re-estimated, no weight trained.

        Raises:
            BudgetError: the model cannot be cut that far; names the smallest share that can be reached.
        """
        planner = Planner(job, self)
        planner.require(self.keep_macs)
        sensitivities = planner.scan(progress=progress)
        plan = planner.plan(self.keep_macs, sensitivities)
        net = refreshed(planner.apply(plan), job, self)
        details = {"plan": plain(plan), "sensitivity": plain(sensitivities)}
        return StageResult(
            model=net,
            score=evaluate(net, job.task, job.data, "val"),
            cost=cost_of(net, job.device, "float32"),
            notes=_notes(plan),
            details=details,
        )


def _notes(plan: PrunePlan) -> tuple[str, ...]:
    cut = [group for group in plan.groups if group.dropped]
    locked = [group for group in plan.groups if group.locked is not None]
    by = "measured sensitivity" if plan.measured else "score alone, nothing was measured"
    notes = [
        f"{plan.keep_macs:.1%} of the MACs stay (asked: at most {plan.target_keep_macs:.1%}): "
        f"{len(cut)} of {len(plan.groups)} groups are narrower, {len(locked)} cannot be cut; widths by {by}."
    ]
    return (*notes, *(f"Group {group.name} cannot be cut because {group.locked}." for group in locked))
