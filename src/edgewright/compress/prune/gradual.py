"""A cut in several steps, and a cut that was planned before: the stages that a run puts together.

Between two steps the model recovers, so each step ranks and measures what came out of the one before. All steps aim at
shares of the model as it came and choose from its widths. No channel comes back, and early steps go far where the last
ones have little left to take: so each step first chooses widths for the last share and stays at or above them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...analyze import cost_of, profile
from ...analyze.sensitivity import Sensitivity
from ...errors import ConfigError
from ...model import fingerprint
from ...progress import SILENT, Progress
from ...tasks import evaluate
from ...types import Job, StageResult, plain
from .measure import refreshed
from .plan import PrunePlan, apply_plan
from .planner import Planner, captured
from .quantities import NEAR
from .stage import Prune, plan_notes


@dataclass(frozen=True, kw_only=True)
class CutStep:
    """One of several cuts.

    Args:
        prune: how; its share is of the model as it came, before the first cut.
        step: which one it is, from 1, of `steps`.
        start: that quantity in the model as it came.
        sizes: group -> classes of the model as it came.
        last_keep: the share that the last of the cuts is to leave; None: that of this one.
        scanned: rows of a scan of the model as it came; None scans the model that this cut is given.
    """

    prune: Prune
    step: int
    steps: int
    start: float
    sizes: Mapping[str, int]
    last_keep: float | None = None
    scanned: tuple[Mapping[str, Any], ...] | None = None

    def __post_init__(self) -> None:
        keep = self.prune.target[1]
        if self.last_keep is not None and not 0 < self.last_keep <= keep:
            raise ConfigError(
                f"CutStep.last_keep is a share in (0, {keep:.4g}], no larger than that of this step, "
                f"got {self.last_keep}."
            )
        if self.scanned is not None:
            object.__setattr__(self, "scanned", tuple(self.scanned))  # a list, when read from JSON

    def run(self, job: Job, *, progress: Progress = SILENT) -> StageResult:
        """The job's model, cut further; batch norm re-estimated, no weight trained.

        Raises:
            BudgetError: the model cannot be cut that far; names the smallest share that can be reached.
        """
        planner, keep = Planner(job, self.prune, sizes=self.sizes), self.prune.target[1]
        plan, sensitivities = self._planned(planner, progress)
        net = refreshed(planner.apply(plan), job, self.prune)
        counted = f" ({plan.counted})" if plan.counted else ""
        first = (
            f"Step {self.step} of {self.steps}: {plan.after / self.start:.1%} of the {plan.title}{counted} of the "
            f"model as it came stay (asked: at most {keep:.1%})."
        )
        return StageResult(
            model=net, score=evaluate(net, job.task, job.data, "val"), cost=cost_of(net, job.device, "float32"),
            notes=(first, *plan_notes(plan)[1:]), details={"plan": plain(plan), "sensitivity": plain(sensitivities)},
        )  # fmt: skip

    def _planned(self, planner: Planner, progress: Progress) -> tuple[PrunePlan, tuple[Sensitivity, ...]]:
        """The plan of this cut, from which the share of the last one can still be reached, and what was measured."""
        target, keep = self.prune.target
        last_keep = keep if self.last_keep is None else self.last_keep
        share, last_share = (min(each * self.start / planner.value(target), 1.0) for each in (keep, last_keep))
        planner.require(last_share, target)
        sensitivities = self._sensitivities(planner, progress)
        plan = planner.plan(last_share, sensitivities, target=target, near=NEAR)
        if share > last_share:
            plan = planner.no_narrower(plan).plan(share, sensitivities, target=target, near=NEAR)
        return plan, sensitivities

    def _sensitivities(self, planner: Planner, progress: Progress) -> tuple[Sensitivity, ...]:
        if self.scanned is None:
            return planner.scan(progress=progress)
        now = {group.name: group.num_classes for group in planner.channels.free}
        return rebased([Sensitivity(**row) for row in self.scanned], self.sizes, now)


def rebased(rows: Sequence[Sensitivity], then: Mapping[str, int], now: Mapping[str, int]) -> tuple[Sensitivity, ...]:
    """A scan of a model as it was, read as one of the narrower model that it is now.

    Args:
        rows: keeps are shares of the classes in `then`.
        then: group -> classes when the rows were measured.
        now: group -> classes now; groups that are not named are left out.

    Returns:
        Rows whose keeps are shares of the classes in `now`; the loss at 1.0 is read off between two measurements, where
        one that is not finite counts as in `rise`.
    """
    found = []
    for name, count in now.items():
        own = sorted((row for row in rows if row.group == name), key=lambda row: row.keep)
        if not own:
            continue
        own = _finite(own)
        width, keeps = count / then[name], np.array([row.keep for row in own])
        loss = float(np.interp(width, keeps, [row.loss for row in own]))
        found.append(Sensitivity(group=name, keep=1.0, loss=loss, score=None))
        narrower = [row for row in own[::-1] if row.keep < width * (1 - 1e-9)]
        found += [replace(row, keep=row.keep / width) for row in narrower]
    return tuple(found)


def _finite(rows: Sequence[Sensitivity]) -> list[Sensitivity]:
    """Rows of one group, the widest last, with ten times its largest finite rise for a loss that is not finite."""
    base = rows[-1].loss
    largest = max(abs(row.loss - base) for row in rows if math.isfinite(row.loss))
    return [row if math.isfinite(row.loss) else replace(row, loss=base + 10 * largest) for row in rows]


def composed(plans: Sequence[PrunePlan], *, asked: float) -> PrunePlan:
    """Several plans, each for the model that the one before leaves, as one plan for the first model.

    Args:
        asked: the share of the first model that all of them together were to leave.

    Raises:
        ConfigError: there is none.
    """
    if not plans:
        raise ConfigError("There are no plans to put together: give at least one.")
    whole, last = plans[0], plans[-1]
    for plan in plans[1:]:
        later = {group.name: group for group in plan.groups}
        groups = [
            replace(each, dropped=_both(each.num_classes, each.dropped, later[each.name].dropped),
                    rise=each.rise + later[each.name].rise)
            for each in whole.groups
        ]  # fmt: skip
        whole = replace(whole, groups=tuple(groups))
    return replace(whole, target_keep=asked, after=last.after, macs_after=last.macs_after,
                   params_after=last.params_after)  # fmt: skip


def _both(count: int, first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
    """Indices among `count` that leave when `second` are indices into what `first` leaves over."""
    gone = set(first)
    left = [index for index in range(count) if index not in gone]
    return tuple(sorted([*first, *(left[index] for index in second)]))


@dataclass(frozen=True, kw_only=True)
class ApplyPlan:
    """Carry out a plan that was made before, class by class.

    Args:
        plan: made for a model with the same groups; other weights are told in a note.
        prune: how batch norm is measured afresh; nothing else of it is looked at.
    """

    plan: PrunePlan
    prune: Prune = field(default_factory=Prune)

    def run(self, job: Job, *, progress: Progress = SILENT) -> StageResult:
        """The job's model without what the plan drops; batch norm re-estimated, no weight trained.

        Raises:
            ConfigError: the plan was made for another model.
        """
        net = captured(job)
        before = profile(net)
        if (before.macs, before.params) != (self.plan.macs_before, self.plan.params_before):
            raise ConfigError(
                f"The plan was made for another model, of {self.plan.macs_before:,} MACs and "
                f"{self.plan.params_before:,} parameters: {job.model_name} has {before.macs:,} and {before.params:,}. "
                "Plan again for this model."
            )
        cut = refreshed(apply_plan(net, self.plan), job, self.prune)
        notes = list(plan_notes(self.plan))
        if self.plan.weights not in ("", fingerprint(net)):
            notes.append("The plan was made for other weights: their channels were ranked, not those of this model.")
        return StageResult(
            model=cut, score=evaluate(cut, job.task, job.data, "val"), cost=cost_of(cut, job.device, "float32"),
            notes=tuple(notes), details={"plan": plain(self.plan), "sensitivity": []},
        )  # fmt: skip
