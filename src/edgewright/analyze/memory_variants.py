"""Peak RAM under several conventions side by side: what is fused, what is overwritten, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .memory import Moment, timeline
from .operators import Schedule, schedule
from .ordering import MAX_STATES, best_order, reordered
from .tracing import Trace


@dataclass(frozen=True, kw_only=True)
class Convention:
    """What shares memory, and whether the input counts (it does not where a sensor delivers it row by row)."""

    name: str
    fused: bool = True
    add_in_place: bool = False
    depthwise_in_place: bool = False
    counts_input: bool = True


DEFAULT = Convention(name="fused")
CONVENTIONS: tuple[Convention, ...] = (
    DEFAULT,
    Convention(name="unfused", fused=False),
    Convention(name="add in place", add_in_place=True),
    Convention(name="depthwise in place", depthwise_in_place=True),
    Convention(name="add and depthwise in place", add_in_place=True, depthwise_in_place=True),
    Convention(name="input not counted", counts_input=False),
)


def memory_variants(traced: Trace, dtype: str = "float32", *, max_states: int = MAX_STATES) -> list[dict[str, Any]]:
    """The peak of a traced model in each convention; a second row with the best order where that needs less.

    Rows hold `variant`, `order` (given or best), `peak_bytes`, `peak_at` (the operator), `alive` (what is alive there:
    the node that wrote it and its bytes, the largest first), `share_of_default` (of the fused peak in the given order)
    and `is_optimal` (proven that no order needs less; None: the search gave up before it knew).

    Args:
        traced: the calls of a model, for its batch.
        dtype: of the activations.
        max_states: limit of each search for an order, see `best_order`.
    """
    plans = {fused: schedule(traced, fused=fused) for fused in (True, False)}
    default = max(each.num_bytes for each in timeline(plans[True], dtype))
    rows = []
    for convention in CONVENTIONS:
        rows += _rows(plans[convention.fused], dtype, convention, max_states=max_states)
    return [{**row, "share_of_default": row["peak_bytes"] / default} for row in rows]


def _rows(plan: Schedule, dtype: str, convention: Convention, *, max_states: int) -> list[dict[str, Any]]:
    sharing = {"add_in_place": convention.add_in_place, "depthwise_in_place": convention.depthwise_in_place}
    found = best_order(plan, dtype, **sharing, max_states=max_states)
    ways = [("given", plan, found.given)]
    if found.is_better:
        ways.append(("best", reordered(plan, found.order), found.peak))
    rows = []
    for order, arranged, moment in ways:
        proven = moment.num_bytes == found.lower_bound_bytes
        known = None if moment is found.peak and not proven else proven
        if not convention.counts_input:  # the search counts it, so it proves nothing here
            moment, known = _without_input(arranged, dtype), None
        rows.append(_row(convention.name, order, moment, is_optimal=known))
    return rows


def _without_input(plan: Schedule, dtype: str) -> Moment:
    inputs = {plan.names[buffer] for buffer in plan.inputs}
    moments = [
        Moment(operator=each.operator, live={name: size for name, size in each.live.items() if name not in inputs})
        for each in timeline(plan, dtype)
    ]
    return max(moments, key=lambda each: each.num_bytes)


def _row(variant: str, order: str, moment: Moment, *, is_optimal: bool | None) -> dict[str, Any]:
    return {
        "variant": variant,
        "order": order,
        "peak_bytes": moment.num_bytes,
        "peak_at": moment.operator,
        "alive": dict(sorted(moment.live.items(), key=lambda pair: -pair[1])),
        "is_optimal": is_optimal,
    }
