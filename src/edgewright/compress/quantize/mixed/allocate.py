"""Bits for every layer and tensor within limits at the least predicted loss, and all trades that there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ....errors import BudgetError
from ..precision import Precision
from .costs import BitCosts, Limits, Spent
from .front import front_of_sums
from .programme import Programme
from .sensitivity import BitSensitivity, losses_of


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """A choice of bits, the rise of the measure that its sensitivities add up to, and what it costs."""

    precision: Precision
    predicted_loss: float
    spent: Spent


def allocate(rows: Iterable[BitSensitivity], costs: BitCosts, limits: Limits) -> Allocation:
    """The choice of least predicted loss within all limits, by exact optimization.

    The predicted loss is the sum of the rows' rises. A part without rows has 8 bits.

    Args:
        rows: of one measure, all parts that are to be chosen, at every number of bits that they may have.
        costs: of the same network.
        limits: what it may cost.

    Raises:
        BudgetError: no choice is within the limits; names the smallest value that can be reached.
        ConfigError: rows of another network, or a latency to limit that is not known.
    """
    programme = Programme(losses_of(rows), costs)
    precision = programme.cheapest(limits)
    if precision is None:
        raise _impossible(programme, limits)
    return _allocation(programme, precision)


def pareto_front(
    rows: Iterable[BitSensitivity], costs: BitCosts, *, cost: str = "weight_bytes"
) -> tuple[Allocation, ...]:
    """Every choice that no other one betters in both predicted loss and `cost`, cost falling; of equals one.

    Sums (weight bytes, bit operations, latency) by dynamic programming, the peak of activation bytes by lowering the
    limit until nothing fits; both exact.

    Raises:
        UnsupportedError: the front has more points than can be listed.
        ConfigError: rows of another network, or a cost that is not known.
    """
    programme = Programme(losses_of(rows), costs)
    found = _lowered(programme) if cost == "activation_bytes" else front_of_sums(programme, cost)
    return tuple(_allocation(programme, precision) for precision in found)


def _allocation(programme: Programme, precision: Precision) -> Allocation:
    return Allocation(
        precision=precision, predicted_loss=programme.loss(precision), spent=programme.costs.spent(precision)
    )


def _lowered(programme: Programme) -> list[Precision]:
    """The front of the peak: its values are few, one for each way to fill the fullest execution point."""
    found: list[Precision] = []
    limits = Limits()
    while (precision := programme.cheapest(limits)) is not None:
        if found and programme.loss(precision) <= programme.loss(found[-1]):
            found.pop()  # as good, and cheaper
        found.append(precision)
        peak = programme.costs.spent(precision).activation_bytes
        if peak <= 1:
            break
        limits = Limits(activation_bytes=peak - 1)
    return found


def _impossible(programme: Programme, limits: Limits) -> BudgetError:
    """Which limit cannot be reached, alone or beside the others, and how far one can get."""
    remedy = "raise it, or allow fewer bits"
    for name, limit in limits.given().items():
        least = programme.least(name, Limits())
        if least is not None and least > limit:
            return BudgetError(
                f"No choice of bits reaches {name} of {limit:,}: the smallest possible is {least:,}; {remedy}."
            )
    for name, limit in limits.given().items():
        least = programme.least(name, replace(limits, **{name: None}))
        if least is not None:
            return BudgetError(
                f"No choice of bits reaches {name} of {limit:,} within the other limits: the smallest possible beside "
                f"them is {least:,}; {remedy}."
            )
    return BudgetError(f"No choice of bits is within all of {limits.given()} at once: {remedy}.")
