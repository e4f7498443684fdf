"""What leaves a model, decided and written down before anything is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import fx

from ...analyze.sensitivity import Sensitivity, rise, scan
from ...errors import BudgetError, ConfigError, unknown_name
from ...model import ChannelGroup, ChannelMap, capture, cut, find_channels, is_captured
from ...progress import SILENT, Progress
from ...types import Job
from .allocate import Allocator
from .cost import CutCost
from .measure import Measure
from .scores import SCORES, Scoring

if TYPE_CHECKING:
    from .stage import Prune


@dataclass(frozen=True, kw_only=True)
class GroupPlan:
    """What happens to one group of coupled channels. `dropped` are indices of its classes."""

    name: str
    num_classes: int
    width: int  # channels that leave with a class
    dropped: tuple[int, ...] = ()
    rise: float = 0.0  # expected rise of the loss
    locked: str | None = None

    @property
    def keep(self) -> float:
        """The share of the classes that stays."""
        return 1 - len(self.dropped) / self.num_classes


@dataclass(frozen=True, kw_only=True)
class PrunePlan:
    """A cut as plain data: `types.plain` writes it, `from_plain` reads it."""

    target_keep_macs: float
    macs_before: int
    macs_after: int
    params_before: int
    params_after: int
    score: str  # which channels matter
    measured: bool  # whether `rise` comes from measurements; else it is minus the log of the share of the score kept
    groups: tuple[GroupPlan, ...]

    @property
    def keep_macs(self) -> float:
        """The share of the MACs that stays."""
        return self.macs_after / self.macs_before

    @property
    def drop(self) -> dict[str, tuple[int, ...]]:
        """Group -> classes that leave, for `model.cut`."""
        return {group.name: group.dropped for group in self.groups if group.dropped}

    @staticmethod
    def from_plain(content: Mapping[str, Any]) -> PrunePlan:
        """The plan that `types.plain` turned into `content`."""
        groups = tuple(GroupPlan(**{**group, "dropped": tuple(group["dropped"])}) for group in content["groups"])
        return PrunePlan(**{**content, "groups": groups})


def captured(job: Job) -> fx.GraphModule:
    """The job's model, captured if it is not yet."""
    if is_captured(job.model):
        return job.model  # type: ignore[return-value]
    return capture(job.model, job.data.preprocess.shape, name=job.model_name)


class Planner:
    """Plans for one model: finds its groups, ranks their channels and prices cuts once, then answers for any target."""

    def __init__(self, job: Job, settings: Prune) -> None:
        self.job, self.settings = job, settings
        self.net = captured(job)
        self.channels: ChannelMap = find_channels(self.net)
        scoring = Scoring(net=self.net, channels=self.channels, seed=job.seed, job=job)
        self._scores = {name: each.numpy() for name, each in SCORES[settings.score](scoring).items()}
        order = {name: np.argsort(-each, kind="stable").tolist() for name, each in self._scores.items()}
        self.cost = CutCost(self.net, self.channels, order)
        self._order = order
        _check_whole(settings.whole, list(order))
        self._round_to = settings.round_to or job.device.round_to

    @cached_property
    def options(self) -> dict[str, np.ndarray]:
        """Group -> numbers of classes that it may keep."""
        return {name: self.settings.widths(self.channels.group(name), self._round_to) for name in self._order}

    @property
    def macs(self) -> int:
        """MACs of the model as it is."""
        return self.cost.macs.at(self.cost.full)

    @property
    def smallest(self) -> float:
        """The smallest share of the MACs that any plan reaches."""
        return self.cost.macs.at([int(each[0]) for each in self.options.values()]) / self.macs

    def drop(self, kept: Mapping[str, int]) -> dict[str, list[int]]:
        """Group -> classes that leave when it keeps so many of those that matter most."""
        return {name: sorted(self._order[name][count:]) for name, count in kept.items()}

    def cut(self, kept: Mapping[str, int]) -> fx.GraphModule:
        """The model with so many classes left in each group named."""
        return cut(self.net, self.drop(kept), channels=self.channels)

    def apply(self, plan: PrunePlan) -> fx.GraphModule:
        """The model without what a plan of this planner drops."""
        return cut(self.net, plan.drop, channels=self.channels)

    def require(self, keep_macs: float) -> None:
        """Refuse a share that no plan reaches.

        Raises:
            BudgetError: names the smallest share that can be reached.
        """
        if self.smallest > keep_macs:
            raise BudgetError(self._too_far(keep_macs))

    def scan(self, *, progress: Progress = SILENT) -> tuple[Sensitivity, ...]:
        """Measure each group at a few widths, on images of the train split. Empty if the settings ask for no images."""
        if not self.settings.sensitivity_samples:
            return ()
        wide = [name for name, options in self.options.items() if len(options) > 1]
        keeps = {name: self._scan_keeps(name) for name in wide}
        return scan(wide, keeps, measure=Measure(self), progress=progress)

    def _scan_keeps(self, name: str) -> list[float]:
        """The options nearest to the wanted shares, and the smallest one."""
        options, full = self.options[name], int(self.options[name][-1])
        nearest = [int(options[np.argmin(np.abs(options - keep * full))]) for keep in self.settings.sensitivity_keeps]
        return sorted({count / full for count in [*nearest, int(options[0])]})

    def plan(self, keep_macs: float, sensitivities: Sequence[Sensitivity] = ()) -> PrunePlan:
        """The cut to at most `keep_macs` of the MACs that is expected to lose least.

        Raises:
            BudgetError: the model cannot be cut that far; names the smallest share that can be reached.
        """
        self.require(keep_macs)
        rises, allocator = self._allocator(tuple(sensitivities))
        kept = allocator.within(keep_macs * self.macs * (1 + 1e-12))  # a share of whole MACs, after rounding
        chosen = dict(zip(self.options, kept, strict=True))
        drop = self.drop(chosen)
        groups = [self._group_plan(group, drop.get(group.name, ()), rises) for group in self.channels.groups]
        full = self.cost.full
        return PrunePlan(
            target_keep_macs=keep_macs,
            macs_before=self.macs,
            macs_after=self.cost.macs.at(kept),
            params_before=self.cost.params.at(full),
            params_after=self.cost.params.at(kept),
            score=self.settings.score,
            measured=bool(sensitivities),
            groups=tuple(groups),
        )

    @lru_cache(maxsize=4)  # noqa: B019 - a planner and what it knows live equally long
    def _allocator(self, sensitivities: tuple[Sensitivity, ...]) -> tuple[dict[str, np.ndarray], Allocator]:
        """Expected rise of the loss of each option of each group, and who chooses among them."""
        rises = {name: self._rises(name, sensitivities) for name in self.options}
        return rises, Allocator(list(self.options.values()), list(rises.values()), self.cost.macs)

    def _group_plan(self, group: ChannelGroup, dropped: Sequence[int], rises: Mapping[str, np.ndarray]) -> GroupPlan:
        index = int(np.searchsorted(self.options.get(group.name, [0]), group.num_classes - len(dropped)))
        return GroupPlan(
            name=group.name,
            num_classes=group.num_classes,
            width=group.width,
            dropped=tuple(dropped),
            rise=float(rises[group.name][index]) if dropped else 0.0,
            locked=group.locked,
        )

    def _rises(self, name: str, sensitivities: Sequence[Sensitivity]) -> np.ndarray:
        options = self.options[name]
        if len(options) == 1:
            return np.zeros(1)
        if sensitivities:
            return rise(sensitivities, name, options / options[-1])
        share = np.cumsum(np.sort(self._scores[name])[::-1]) / max(self._scores[name].sum(), np.finfo(float).tiny)
        return -np.log(np.clip(share[options - 1], np.finfo(float).tiny, 1.0))

    def _too_far(self, keep_macs: float) -> str:
        locked = [group for group in self.channels.groups if group.locked is not None]
        why = f"; {len(locked)} of {len(self.channels.groups)} groups cannot be cut" if locked else ""
        widths = f"widths in steps of {self._round_to}, at least {self.settings.min_keep:.4g} of each group"
        return (
            f"Cannot cut {self.job.model_name} to {keep_macs:.4g} of its MACs: "
            f"the smallest share is {self.smallest:.4g} ({widths}{why})."
        )


def _check_whole(patterns: Sequence[str], names: Sequence[str]) -> None:
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise unknown_name("channel group", pattern, names, command="edgewright analyze MODEL --by channels")


def plan_prune(
    job: Job,
    settings: Prune,
    *,
    sensitivities: Sequence[Sensitivity] | None = None,
    progress: Progress = SILENT,
) -> PrunePlan:
    """Decide what leaves the job's model, without changing it.

    Args:
        job: its model is captured.
        settings: target, rounding, score and scan.
        sensitivities: what an earlier scan of the same model found; None scans now.

    Raises:
        BudgetError: the model cannot be cut that far; names the smallest share that can be reached.
    """
    planner = Planner(job, settings)
    planner.require(settings.keep_macs)  # before the scan, which takes time
    measured = planner.scan(progress=progress) if sensitivities is None else sensitivities
    return planner.plan(settings.keep_macs, measured)


def apply_plan(net: fx.GraphModule, plan: PrunePlan) -> fx.GraphModule:
    """The model without what the plan drops. `net` stays as it was.

    Raises:
        ConfigError: the plan was made for a model with other groups.
    """
    channels = find_channels(net)
    found = {group.name: group.num_classes for group in channels.groups}
    for group in plan.groups:
        if found.get(group.name) != group.num_classes:
            got = str(found[group.name]) if group.name in found else "none"
            raise ConfigError(
                f"The plan was made for another model: group '{group.name}' has {group.num_classes} classes in it "
                f"and {got} here. Plan again for this model."
            )
    return cut(net, plan.drop, channels=channels)
