"""The planner: what it takes to answer, for one model, which channels should leave for any target."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np
from torch import fx

from ...analyze import cost_of
from ...analyze.sensitivity import Sensitivity, rise, scan
from ...errors import BudgetError, unknown_name
from ...model import ChannelGroup, ChannelMap, capture, cut, find_channels, fingerprint, is_captured
from ...progress import SILENT, Progress
from ...types import Cost, Job
from .allocate import Allocator
from .cost import CutCost
from .forecast import Forecaster
from .measure import Measure
from .plan import GroupPlan, PrunePlan
from .quantities import NEAR, QUANTITIES
from .ranking import RANKINGS, Contest, topology
from .scores import SCORES, Scoring

if TYPE_CHECKING:
    from .stage import Prune

MAX_LOOKS = 8  # cuts that are counted while widths are sought whose cost is only forecast
AFTER_ROUNDING = 1 + 1e-12  # a share of whole MACs
Choose = Callable[[float], tuple[int, ...]]  # limit on the cost -> classes kept in each group
AS_FORECAST = 1e-6  # a cost this near its forecast leaves nothing to correct


def captured(job: Job) -> fx.GraphModule:
    """The job's model, captured if it is not yet."""
    if is_captured(job.model):
        return job.model  # type: ignore[return-value]
    return capture(job.model, job.data.preprocess.shape, name=job.model_name)


class Planner:
    """Plans for one model: finds its groups, ranks their channels and prices cuts once, then answers for any target.

    Args:
        job: its model is captured if it is not yet.
        settings: scores, rounding and scan; what they aim at is not looked at.
        sizes: group -> classes that it had in the model as it came, for a model that was cut before: widths are
            chosen from those of that model, so that a cut in steps and a cut at once have the same to choose from.
    """

    def __init__(self, job: Job, settings: Prune, *, sizes: Mapping[str, int] | None = None) -> None:
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
        self._sizes = sizes or {}
        self._costs: dict[tuple[int, ...], Cost] = {}

    @cached_property
    def options(self) -> dict[str, np.ndarray]:
        """Group -> numbers of classes that it may keep."""
        groups = [self.channels.group(name) for name in self._order]
        widths = self.settings.widths
        return {each.name: widths(each, self._round_to, at_first=self._sizes.get(each.name)) for each in groups}

    @property
    def macs(self) -> int:
        """MACs of the model as it is."""
        return self.cost.macs.at(self.cost.full)

    @property
    def smallest(self) -> float:
        """The smallest share of the MACs that any plan reaches."""
        return self.smallest_of("macs")

    def smallest_of(self, target: str) -> float:
        """The smallest share of a quantity that any plan reaches."""
        return self.value(target, [int(each[0]) for each in self.options.values()]) / self.value(target)

    def value(self, target: str, kept: Sequence[int] | None = None) -> float:
        """A quantity of the model when its groups keep so many classes, None for all, as `analyze` counts it."""
        quantity, kept = QUANTITIES[target], tuple(self.cost.full if kept is None else kept)
        if quantity.exact:
            return quantity.forecast(self._forecaster).at(kept)
        if kept not in self._costs:
            whole = list(kept) == self.cost.full
            net = self.net if whole else self.cut(dict(zip(self._order, kept, strict=True)))
            self._costs[kept] = cost_of(net, self.job.device, self.settings.dtype)
        return quantity.of(self._costs[kept])

    @cached_property
    def _forecaster(self) -> Forecaster:
        return Forecaster(self.cost, self.job.device, self.settings.dtype)

    def drop(self, kept: Mapping[str, int]) -> dict[str, list[int]]:
        """Group -> classes that leave when it keeps so many of those that matter most."""
        return {name: sorted(self._order[name][count:]) for name, count in kept.items()}

    def cut(self, kept: Mapping[str, int]) -> fx.GraphModule:
        """The model with so many classes left in each group named."""
        return cut(self.net, self.drop(kept), channels=self.channels)

    def apply(self, plan: PrunePlan) -> fx.GraphModule:
        """The model without what a plan of this planner drops."""
        return cut(self.net, plan.drop, channels=self.channels)

    def require(self, keep: float, target: str = "macs") -> None:
        """Refuse a share that no plan reaches.

        Raises:
            BudgetError: names the smallest share that can be reached.
        """
        if self.smallest_of(target) > keep:
            raise BudgetError(self._too_far(keep, target))

    def no_narrower(self, plan: PrunePlan) -> Planner:
        """This planner, but for plans that leave every group at least what `plan`, one of its own, leaves it."""
        least = {group.name: group.num_classes - len(group.dropped) for group in plan.groups}
        wider = copy.copy(self)
        wider.options = {name: each[each >= least[name]] for name, each in self.options.items()}
        return wider

    def scan(self, *, progress: Progress = SILENT) -> tuple[Sensitivity, ...]:
        """Measure each group at a few widths, on images of the train split. Empty if the settings ask for no images.

        Only the ranking "planned" asks for measurements.
        """
        if not self.settings.sensitivity_samples or self.settings.ranking != "planned":
            return ()
        wide = [name for name, options in self.options.items() if len(options) > 1]
        keeps = {name: self._scan_keeps(name) for name in wide}
        return scan(wide, keeps, measure=Measure(self), progress=progress)

    def _scan_keeps(self, name: str) -> list[float]:
        """The options nearest to the wanted shares, and the smallest one."""
        options, full = self.options[name], int(self.options[name][-1])
        nearest = [int(options[np.argmin(np.abs(options - keep * full))]) for keep in self.settings.sensitivity_keeps]
        return sorted({count / full for count in [*nearest, int(options[0])]})

    def plan(
        self, keep: float, sensitivities: Sequence[Sensitivity] = (), *, target: str = "macs", near: float | None = None
    ) -> PrunePlan:
        """The cut to at most `keep` of a quantity that is expected to lose least.

        Args:
            sensitivities: what `scan` found; empty: widths follow from the scores.
            target: the quantity, one of `QUANTITIES`.
            near: of the cuts that use at least `1 - near` of the share, if any is found; None: however little is used.

        Raises:
            BudgetError: the model cannot be cut that far; names the smallest share that can be reached.
        """
        self.require(keep, target)
        rises, choose = self._chooser(tuple(sensitivities), target, near)
        kept = self._steered(choose, keep * self.value(target) * AFTER_ROUNDING, target=target, near=near)
        chosen = dict(zip(self.options, kept, strict=True))
        drop = self.drop(chosen)
        groups = [self._group_plan(group, drop.get(group.name, ()), rises) for group in self.channels.groups]
        full = self.cost.full
        return PrunePlan(
            target=target,
            target_keep=keep,
            before=self.value(target),
            after=self.value(target, kept),
            macs_before=self.macs,
            macs_after=self.cost.macs.at(kept),
            params_before=self.cost.params.at(full),
            params_after=self.cost.params.at(kept),
            score=self.settings.score,
            ranking=self.settings.ranking,
            measured=bool(sensitivities),
            groups=tuple(groups),
            counted="" if QUANTITIES[target].exact else f"{self.job.device.name}, {self.settings.dtype}",
            weights=self._fingerprint,
        )

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self.net)

    def _steered(self, choose: Choose, limit: float, *, target: str, near: float | None) -> tuple[int, ...]:
        """Widths whose cost is within the limit when it is counted, and not only by forecast.

        Where the two differ the limit of the forecast is moved by their ratio, a few times.
        """
        forecast = QUANTITIES[target].forecast(self._forecaster)
        if QUANTITIES[target].exact:
            return choose(limit)
        best = tuple(int(each[0]) for each in self.options.values())
        least, aim = forecast.at(best), limit
        for _ in range(MAX_LOOKS):
            kept = choose(max(aim, least))
            value, expected = self.value(target, kept), forecast.at(kept)
            if self.value(target, best) < value <= limit:
                best = kept
            as_forecast = abs(value - expected) <= AS_FORECAST * value
            if value <= limit and (as_forecast or value >= (1 - (near or NEAR)) * limit):
                break
            aim *= limit / value
        return best

    @lru_cache(maxsize=4)  # noqa: B019 - a planner and what it knows live equally long
    def _chooser(
        self, sensitivities: tuple[Sensitivity, ...], target: str, near: float | None
    ) -> tuple[dict[str, np.ndarray], Choose]:
        """Expected rise of the loss of each option of each group, and who chooses among them."""
        rises = {name: self._rises(name, sensitivities) for name in self.options}
        options, forecast = list(self.options.values()), QUANTITIES[target].forecast(self._forecaster)
        if self.settings.ranking in RANKINGS:
            falling = [np.sort(self._scores[name])[::-1] for name in self.options]
            kinds = [topology(self.net, self.channels.group(name)) for name in self.options]
            contest = Contest(options=options, scores=falling, topology=kinds, cost=forecast)
            return rises, partial(RANKINGS[self.settings.ranking], contest)
        return rises, partial(Allocator(options, list(rises.values()), forecast).within, near=near)

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

    def _too_far(self, keep: float, target: str) -> str:
        locked = [group for group in self.channels.groups if group.locked is not None]
        why = f"; {len(locked)} of {len(self.channels.groups)} groups cannot be cut" if locked else ""
        widths = f"widths in steps of {self._round_to}, at least {self.settings.min_keep:.4g} of each group"
        return (
            f"Cannot cut {self.job.model_name} to {keep:.4g} of its {QUANTITIES[target].title}: "
            f"the smallest share is {self.smallest_of(target):.4g} ({widths}{why})."
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
    planner, (target, keep) = Planner(job, settings), settings.target
    planner.require(keep, target)  # before the scan, which takes time
    measured = planner.scan(progress=progress) if sensitivities is None else sensitivities
    return planner.plan(keep, measured, target=target, near=NEAR)
