from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from edgewright.errors import BudgetError
from edgewright.metrics import paired_std_error
from edgewright.pipeline.rounds import Round, Solver, best_of
from edgewright.recipes import Recipe
from edgewright.types import Budget, Cost, Score


def score(value: float) -> Score:
    return Score(metric="top-1", value=value, num_samples=100, split="val")


def a_round(number: int, keep: float, value: float, *, accepted: bool, ram: int = 10) -> Round:
    return Round(
        number=number, target=keep, keep_macs=keep, steps=(), score=score(value), drop=90 - value, accepted=accepted,
        reason="", cost=Cost(ram_bytes=ram, latency_s=keep), estimated_latency_s=keep,
    )  # fmt: skip


def solver(budget: Budget, recipe: Recipe | None = None) -> Solver:
    start = SimpleNamespace(result=SimpleNamespace(score=score(90.0)))
    return Solver(
        job=SimpleNamespace(budget=budget), start=start, recipe=recipe or Recipe(), planner=None, measured=()
    )  # fmt: skip


def test_the_error_of_a_change_counts_only_images_on_which_the_models_differ():
    before, after = np.array([1, 1, 1, 1, 0], dtype=bool), np.array([1, 1, 1, 0, 0], dtype=bool)
    # changes 0, 0, 0, -1, 0: mean -.2, variance .16, error sqrt(.16 / 5) = .17889
    assert paired_std_error(before, after) == pytest.approx(17.889, abs=1e-3)
    assert paired_std_error(before, before) == 0.0


def test_a_fixed_share_may_use_the_whole_allowed_drop():
    fixed = solver(Budget(max_drop=1.0), Recipe(keep_macs=0.5))
    assert fixed.judged_again(a_round(1, 0.5, 89.0, accepted=False)).accepted
    assert not fixed.judged_again(a_round(1, 0.5, 88.9, accepted=True)).accepted


def test_a_fixed_share_is_not_planned_again():
    fixed = solver(Budget(latency_s=0.1), Recipe(keep_macs=0.5))
    assert fixed.corrected(a_round(1, 0.5, 90, accepted=True), 9.0) is None


def test_the_smallest_accepted_round_is_chosen():
    rounds = [
        a_round(1, 0.5, 90, accepted=True),
        a_round(2, 0.3, 89.8, accepted=True),
        a_round(3, 0.2, 80, accepted=False),
    ]
    assert best_of(rounds, Budget()).number == 2


def test_without_an_accepted_round_the_best_score_within_the_limits_is_chosen():
    rounds = [
        a_round(1, 0.5, 85, accepted=False),
        a_round(2, 0.7, 88, accepted=False),
        a_round(3, 1, 90, accepted=False, ram=99),
    ]
    assert best_of(rounds, Budget(ram_bytes=50)).number == 2


def test_when_every_round_breaks_a_limit_the_nearest_is_chosen():
    rounds = [a_round(1, 0.5, 90, accepted=False, ram=99), a_round(2, 0.3, 80, accepted=False, ram=60)]
    assert best_of(rounds, Budget(ram_bytes=50)).number == 2


def test_no_round_at_all_is_an_error():
    with pytest.raises(BudgetError, match="No cut was possible"):
        best_of([], Budget())


def test_a_measured_latency_within_the_limit_plans_nothing_again():
    assert solver(Budget(latency_s=1.0)).corrected(a_round(1, 0.5, 90, accepted=True), 0.9) is None
    assert solver(Budget()).corrected(a_round(1, 0.5, 90, accepted=True), 9.0) is None


def test_a_measured_latency_over_the_limit_scales_the_estimate_and_judges_again():
    known = a_round(1, 0.5, 90, accepted=True)
    corrected = solver(Budget(latency_s=0.8)).corrected(known, 1.0)
    assert corrected is not None and corrected.correction == 2.0
    again = corrected.judged_again(known)
    assert again.cost.latency_s == 1.0
    assert not again.accepted and "latency on the device is 1.25 times the limit" in again.reason


@pytest.mark.parametrize(("value", "accepted"), [(89.5, True), (89.4, False)])
def test_a_round_may_use_half_of_the_allowed_drop(value, accepted):
    judged = solver(Budget(max_drop=1.0)).judged_again(replace(a_round(1, 0.5, value, accepted=False)))
    assert judged.accepted is accepted
