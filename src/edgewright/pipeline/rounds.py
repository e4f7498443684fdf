"""One round: plan for a share of the MACs, cut, recover from the original, make integers, score on val."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import fx

from ..analyze import cost_of, profile
from ..analyze.sensitivity import Sensitivity
from ..compress.prune import Planner, Prune, PrunePlan
from ..compress.prune.measure import refreshed
from ..errors import BudgetError
from ..files import content_key
from ..model import fingerprint
from ..progress import SILENT, Progress
from ..recipes import Recipe
from ..runs import Run, Step
from ..targets import GRID, largest_affordable, nearest
from ..tasks import evaluate
from ..types import Budget, Cost, Job, Score, StageResult, plain
from .firmware import need_on_device, takes_c
from .suited import suited


@dataclass(frozen=True, kw_only=True)
class CutTo:
    """The stage that carries out a plan: `keep` says how many classes stay in each coupled group."""

    keep: Mapping[str, int]
    prune: Prune

    def run(self, job: Job, *, progress: Progress = SILENT) -> StageResult:
        """The job's model, cut, its batch normalization re-estimated; no weight is trained."""
        net = refreshed(Planner(job, self.prune).cut(self.keep), job, self.prune)
        before, after = profile(job.model), profile(net)  # type: ignore[arg-type]
        macs, params = after.macs / before.macs, after.params / before.params
        notes = (f"{macs:.1%} of the MACs and {params:.1%} of the parameters stay.",)
        score = evaluate(net, job.task, job.data, "val", progress=progress)
        return StageResult(model=net, score=score, cost=cost_of(net, job.device, "float32"), notes=notes)


@dataclass(frozen=True, kw_only=True)
class Round:
    """What came of one target. `cost` is the int8 model's on the device, latency corrected by what was measured."""

    number: int
    target: float
    keep_macs: float
    steps: tuple[Step, ...]
    score: Score  # of the int8 simulation, on val
    drop: float
    accepted: bool
    reason: str
    cost: Cost
    estimated_latency_s: float | None

    @property
    def model(self) -> fx.GraphModule:
        return self.steps[-1].model

    def as_plain(self) -> dict[str, Any]:
        """The entry of this round in `run.json`."""
        return {
            "round": self.number,
            "target_keep_macs": self.target,
            "keep_macs": self.keep_macs,
            "score_val": self.score.value,
            "drop_val": self.drop,
            "accepted": self.accepted,
            "reason": self.reason,
            "cost": plain(self.cost),
        }


@dataclass(frozen=True, kw_only=True)
class Solver:
    """What is known about the start: its groups, how much each minds, and how far the latency estimate is off."""

    job: Job
    start: Step
    recipe: Recipe
    planner: Planner
    measured: tuple[Sensitivity, ...]
    correction: float = 1.0  # measured over estimated latency

    @staticmethod
    def of(run: Run, job: Job, start: Step, recipe: Recipe) -> Solver:
        """Find the groups and scan them (once: the scan is kept on disk)."""
        planner = Planner(job, recipe.prune)
        planner.require(recipe.keep_macs or 1.0)
        inputs = [fingerprint(start.model), job.data.fingerprint, plain(job.data.preprocess), plain(job.task), job.seed]
        key = content_key(inputs, plain(recipe.prune), job.device.round_to)
        rows = run.recall("sensitivity", key, lambda: planner.scan(progress=run.progress))
        measured = tuple(Sensitivity(**row) for row in rows)
        return Solver(job=job, start=start, recipe=recipe, planner=planner, measured=measured)

    @property
    def smallest(self) -> float:
        """The smallest share of MACs that a cut reaches."""
        return self.planner.smallest

    def plan(self, share: float) -> PrunePlan:
        """The plan for a share of the MACs, or for the smallest reachable if that is more."""
        return self.planner.plan(max(share, self.smallest), self.measured)

    def cost_at(self, share: float) -> Cost | None:
        """Cost in int8 of the model cut to a share, None when it cannot be cut that far. Nothing is trained."""
        if share < self.smallest:
            return None
        return self._cost(self.planner.apply(self.plan(share)) if share < 1 else self.start.model)

    def ceiling(self) -> float:
        """The largest share that meets every limit; when none does, the one that breaks them least."""
        affordable = largest_affordable(self.cost_at, self.job.budget, floor=self.smallest)
        if affordable is not None:
            return affordable
        costs = {share: self.cost_at(share) for share in (*GRID, self.smallest)}
        points = [(str(share), cost) for share, cost in costs.items() if cost is not None]
        return float(nearest(points, self.job.budget)[0])

    def round(self, run: Run, share: float, *, number: int) -> Round:
        """Carry out one round."""
        steps: list[Step] = []
        job = self.job
        if share < 1:
            keep = self._kept(self.plan(share))
            steps.append(run.step("prune", f"Round {number}: prune", CutTo(keep=keep, prune=self.recipe.prune), job))
            job = job.with_model(steps[-1].model)
            steps.append(run.step("recover", f"Round {number}: recover by distillation", self.recipe.recover, job))
            job = job.with_model(steps[-1].model)
        quantize = suited(self.recipe.quantize, job.device)
        steps.append(run.step("quantize", f"Round {number}: quantize to int8", quantize, job))
        return self._judged(steps, share, number)

    def judged_again(self, known: Round) -> Round:
        """An earlier round under this solver's correction."""
        if known.estimated_latency_s is None:
            return known
        before = self.start.result.score
        assert before is not None
        cost = replace(known.cost, latency_s=known.estimated_latency_s * self.correction)
        accepted, reason = self._verdict(before.value, known.score.value, cost)
        return replace(known, cost=cost, accepted=accepted, reason=reason)

    def corrected(self, chosen: Round, measured_s: float | None) -> Solver | None:
        """A solver that plans with the measured latency; None when the measurement breaks no limit."""
        limit, estimated = self.job.budget.latency_s, chosen.estimated_latency_s
        if limit is None or measured_s is None or not estimated or measured_s <= limit or self.recipe.keep_macs:
            return None  # nothing measured over the limit, or a share that is fixed whatever it costs
        return replace(self, correction=measured_s / estimated)

    def groups_table(self) -> list[dict[str, Any]]:
        """One row per coupled group: width, layers, and why it is locked if it is."""
        return [
            {
                "group": group.name,
                "classes": group.num_classes,
                "channels_per_class": group.width,
                "layers": list(dict.fromkeys(member.path for member in group.members)),
                "locked": group.locked,
            }
            for group in self.planner.channels.groups
        ]

    def sensitivity_rows(self) -> list[dict[str, Any]]:
        """The scan as plain rows."""
        return [plain(each) for each in self.measured]

    def _kept(self, plan: PrunePlan) -> dict[str, int]:
        return {group.name: group.num_classes - len(group.dropped) for group in plan.groups if group.dropped}

    def _judged(self, steps: Sequence[Step], share: float, number: int) -> Round:
        before, score = self.start.result.score, steps[-1].result.score
        assert before is not None and score is not None
        model = steps[0].model if share < 1 else self.start.model
        cost = self._cost(model, steps[-1].model)
        accepted, reason = self._verdict(before.value, score.value, cost)
        return Round(
            number=number, target=share, keep_macs=profile(model).macs / profile(self.start.model).macs,
            steps=tuple(steps), score=score, drop=before.value - score.value, accepted=accepted, reason=reason,
            cost=cost, estimated_latency_s=cost_of(model, self.job.device, "int8").latency_s,
        )  # fmt: skip

    def _verdict(self, before: float, score: float, cost: Cost) -> tuple[bool, str]:
        """A round is accepted when it meets every limit and uses at most its part of the allowed drop on val.

        A share that is fixed is not chosen by its score, so nothing is held in reserve for the choice.
        """
        part = 1.0 if self.recipe.keep_macs is not None else self.recipe.reserve
        lowest = before - part * (before - self.job.budget.lowest_score(before))
        broken = [f"{each.title} is {each.factor:.2f} times the limit" for each in self.job.budget.overruns(cost)]
        if score < lowest:
            broken.append(f"the score on val, {score:.2f}, is below {lowest:.2f}")
        return not broken, "; ".join(broken) or f"meets every limit, {score:.2f} on val (at least {lowest:.2f})"

    def _cost(self, net: fx.GraphModule, simulation: fx.GraphModule | None = None) -> Cost:
        """In int8 on the device. Where that takes C, RAM and flash are those of the firmware as it is planned.

        Args:
            simulation: of `net`, where there is one already.
        """
        cost = cost_of(net, self.job.device, "int8")
        need = need_on_device(self.job, simulation or net) if takes_c(self.job) else None
        if need is not None:
            cost = replace(cost, ram_bytes=need.ram_bytes, flash_bytes=need.flash_bytes)
        if cost.latency_s is None or self.correction == 1.0:
            return cost
        return replace(cost, latency_s=cost.latency_s * self.correction)


def best_of(rounds: Sequence[Round], budget: Budget) -> Round:
    """The accepted round with the fewest MACs; without one the best score within the limits, else the nearest to them.

    Raises:
        BudgetError: there was no round at all.
    """
    if not rounds:
        raise BudgetError("No cut was possible: give the model another share with --keep-macs.")
    accepted = [each for each in rounds if each.accepted]
    if accepted:
        return min(accepted, key=lambda each: each.keep_macs)
    within = [each for each in rounds if not budget.overruns(each.cost)]
    if within:
        return max(within, key=lambda each: each.score.value)
    number, _ = nearest([(str(each.number), each.cost) for each in rounds], budget)
    return next(each for each in rounds if str(each.number) == number)
