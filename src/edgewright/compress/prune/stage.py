"""`Prune`: the settings of a cut, which are also the stage."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np

from ...analyze import cost_of
from ...errors import ConfigError, unknown_name
from ...model import ChannelGroup
from ...progress import SILENT, Progress
from ...tasks import evaluate
from ...types import BYTES_PER_ELEMENT, Job, StageResult, plain
from .measure import refreshed
from .plan import PrunePlan
from .planner import Planner
from .quantities import NEAR, QUANTITIES
from .ranking import RANKINGS
from .scores import SCORES

DEFAULT_KEEP_MACS = 0.5


@dataclass(frozen=True, kw_only=True)
class Prune:
    """Remove whole channels until at most a share of the MACs (or of what else is asked for) is left.

    One of the five shares is set, in (0, 1]; `keep_macs` is 0.5 where none is. The cut keeps at most that share, and at
    least 98 % of it where the widths allow that.

    Args:
        keep_macs: share of the multiply-accumulates that may stay.
        keep_params: share of the parameters.
        keep_bytes: share of the bytes of weights that ship, at `dtype`.
        keep_latency: share of the latency on the job's device at `dtype`, by its table of measured operators where it
            has one, else by the roofline.
        keep_ram: share of the peak RAM on the job's device at `dtype`.
        dtype: float32, float16, int8 or int4, for the three shares above.
        round_to: widths are multiples of this; None takes the device's number (its SIMD lanes).
        min_steps: a group of few channels is rounded more finely, by halving `round_to` until it has so many steps.
            1 goes below `round_to` only where a group has fewer channels (on x86 only multiples of 8 pay).
        min_channels: no group is left with fewer channels.
        min_keep: no group is left with a smaller share of its channels.
        whole: names of groups that are not cut, with * and ? as in file names; `edgewright analyze MODEL --by channels`
            lists the groups.
        score: which channels matter; one of `SCORES`.
        ranking: which channels compete: "planned" measures each group and chooses widths at the least loss; "local"
            keeps the same share of every group; "global" compares the scores of all, "isomorphic" those of groups of
            the same structure.
        sensitivity_samples: images of the train split on which every group is measured; 0 measures nothing and
            spreads the cut evenly by score.
        sensitivity_keeps: shares of a group's channels to measure it at, beside the smallest allowed.
        norm_batches: batches of 128 train images from which batch norm is re-estimated after a cut; 0 leaves it.
        augment: how the images for that are changed; what the model was trained with is best.
    """

    keep_macs: float | None = None
    keep_params: float | None = None
    keep_bytes: float | None = None
    keep_latency: float | None = None
    keep_ram: float | None = None
    dtype: str = "float32"
    round_to: int | None = None
    min_steps: int = 4
    min_channels: int = 2
    min_keep: float = 0.1
    whole: tuple[str, ...] = ()
    score: str = "contribution"
    ranking: str = "planned"
    sensitivity_samples: int = 256
    sensitivity_keeps: tuple[float, ...] = (0.75, 0.5, 0.25)
    norm_batches: int = 8
    augment: str = "none"

    def __post_init__(self) -> None:
        for name in ("sensitivity_keeps", "whole"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # a list, when read from JSON
        self._check_target()
        if not 0 < self.min_keep <= 1:
            raise ConfigError(f"Prune.min_keep is a share in (0, 1], got {self.min_keep}.")
        for name, least in (("round_to", 1), ("min_steps", 1), ("min_channels", 1), ("sensitivity_samples", 0),
                            ("norm_batches", 0)):  # fmt: skip
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"Prune.{name} is a whole number from {least}, got {value}.")
        if not all(0 < keep < 1 for keep in self.sensitivity_keeps):
            raise ConfigError(f"Prune.sensitivity_keeps are shares between 0 and 1, got {self.sensitivity_keeps}.")
        if self.score not in SCORES:
            raise unknown_name("score", self.score, SCORES, command="edgewright prune --help")
        if self.ranking not in ("planned", *RANKINGS):
            raise unknown_name("ranking", self.ranking, ("planned", *RANKINGS), command="edgewright prune --help")

    def _check_target(self) -> None:
        asked = [f"keep_{name}" for name in QUANTITIES if getattr(self, f"keep_{name}") is not None]
        if len(asked) > 1:
            raise ConfigError(f"Prune aims at one share, got {' and '.join(asked)}: leave all but one out.")
        if not asked:
            object.__setattr__(self, "keep_macs", DEFAULT_KEEP_MACS)
        for name in asked:
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"Prune.{name} is a share in (0, 1], got {getattr(self, name)}.")
        if self.dtype not in BYTES_PER_ELEMENT:
            raise ConfigError(f"Prune.dtype is one of {', '.join(BYTES_PER_ELEMENT)}, got '{self.dtype}'.")

    @property
    def target(self) -> tuple[str, float]:
        """The quantity that is aimed at, one of `QUANTITIES`, and the share of it that may stay."""
        shares = {name: getattr(self, f"keep_{name}") for name in QUANTITIES}
        return next((name, share) for name, share in shares.items() if share is not None)

    def aiming_at(self, target: str, keep: float) -> Prune:
        """The same settings for another quantity, share or both."""
        nothing: dict[str, float | None] = {f"keep_{name}": None for name in QUANTITIES}
        return replace(self, **{**nothing, f"keep_{target}": keep})  # type: ignore[arg-type]

    def widths(self, group: ChannelGroup, round_to: int, *, at_first: int | None = None) -> np.ndarray:
        """The numbers of classes that a group may keep, rising; its full width is always one of them.

        Widths are multiples of `round_to` channels, halved for narrow groups until `min_steps` widths are possible.

        Args:
            at_first: classes that the group had before it was cut the first time; None: it was not.
        """
        if any(fnmatchcase(group.name, pattern) for pattern in self.whole):
            return np.array([group.num_classes])
        channels, unit = (at_first or group.num_classes) * group.width, round_to
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
        planner, (target, keep) = Planner(job, self), self.target
        planner.require(keep, target)
        sensitivities = planner.scan(progress=progress)
        plan = planner.plan(keep, sensitivities, target=target, near=NEAR)
        net = refreshed(planner.apply(plan), job, self)
        details = {"plan": plain(plan), "sensitivity": plain(sensitivities)}
        return StageResult(
            model=net,
            score=evaluate(net, job.task, job.data, "val"),
            cost=cost_of(net, job.device, "float32"),
            notes=plan_notes(plan),
            details=details,
        )


def plan_notes(plan: PrunePlan) -> tuple[str, ...]:
    """What a plan does and where it falls short, in sentences."""
    cut = [group for group in plan.groups if group.dropped]
    locked = [group for group in plan.groups if group.locked is not None]
    how = "score alone" if plan.ranking == "planned" else f"{plan.ranking} ranking of the scores"
    by = "measured sensitivity" if plan.measured else f"{how}, nothing was measured"
    counted = f" ({plan.counted})" if plan.counted else ""
    notes = [
        f"{plan.keep:.1%} of the {plan.title}{counted} stay (asked: at most {plan.target_keep:.1%}): "
        f"{len(cut)} of {len(plan.groups)} groups are narrower, {len(locked)} cannot be cut; widths by {by}."
    ]
    if not plan.is_near:
        notes.append(
            f"No choice of widths was found that keeps {1 - NEAR:.0%} to 100% of the asked share: what stays is the "
            "cut that loses least below it. Smaller steps (--round-to) come nearer."
        )
    return (*notes, *(f"Group {group.name} cannot be cut because {group.locked}." for group in locked))
