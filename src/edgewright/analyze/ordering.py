"""The best order of operators: the one whose peak is smallest, among all that the data allow.

A graph only says what must come before what. Where it branches, the order in between is free, and the peak depends on
it: the branch that shrinks most should run while the least else is alive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import ConfigError
from ..program.order_search import Over, Problem, Step, search
from .memory import Moment, overwritable, peak
from .operators import Operator, Schedule

MAX_STATES = 50_000  # a few seconds of search
BEAM_WIDTH = 128


@dataclass(frozen=True, kw_only=True)
class Ordering:
    """An order of the operators that run, and its peak against that of the graph's own order."""

    order: tuple[str, ...]
    peak: Moment
    given: Moment
    is_optimal: bool  # no order has a smaller peak
    lower_bound_bytes: int  # proven: no order needs less
    num_states: int  # sets of done operators that were looked at

    @property
    def is_better(self) -> bool:
        """Whether the order differs from the given one and needs less."""
        return self.peak.num_bytes < self.given.num_bytes


def best_order(
    plan: Schedule,
    dtype: str,
    *,
    add_in_place: bool = False,
    depthwise_in_place: bool = False,
    max_states: int = MAX_STATES,
) -> Ordering:
    """The order of a schedule's operators with the smallest peak; the given one where none is better.

    Folded, fused and overwriting calls share memory as the schedule says, and what shares it keeps its order.

    Args:
        plan: the operators in the graph's order.
        dtype: of the activations.
        add_in_place: a sum is written over one of its terms where nothing reads that later.
        depthwise_in_place: a depthwise convolution is written over its input, with one plane beside it.
        max_states: sets of done operators that the exact search may look at. Past it a beam search goes on, and
            `is_optimal` is only true if what it finds meets the lower bound.

    Raises:
        ConfigError: `max_states` is negative.
    """
    if max_states < 0:
        raise ConfigError(f"max_states counts sets of operators from 0 upwards, got {max_states}.")
    given = peak(plan, dtype, add_in_place=add_in_place, depthwise_in_place=depthwise_in_place)
    running = [each for each in plan.operators if each.fused_into is None]
    problem = _problem(plan, running, dtype, add_in_place=add_in_place, depthwise_in_place=depthwise_in_place)
    found = search(problem, below=given.num_bytes, max_states=max_states, beam_width=BEAM_WIDTH)
    order, best = tuple(each.name for each in running), given
    if found.order is not None:
        order = tuple(running[index].name for index in found.order)
        sharing = {"add_in_place": add_in_place, "depthwise_in_place": depthwise_in_place}
        best = peak(reordered(plan, order), dtype, **sharing)
    return Ordering(
        order=order,
        peak=best,
        given=given,
        is_optimal=best.num_bytes == found.lower_bound,
        lower_bound_bytes=found.lower_bound,
        num_states=found.num_states,
    )


def reordered(plan: Schedule, order: Sequence[str]) -> Schedule:
    """The same schedule with its running operators in another order, each followed by what it does on the side.

    Raises:
        ConfigError: the names are not those of the running operators, each once, or one runs before what it needs.
    """
    running = [each for each in plan.operators if each.fused_into is None]
    place = {name: index for index, name in enumerate(order)}
    if len(place) != len(order) or set(place) != {each.name for each in running}:
        raise ConfigError(f"An order names each of the {len(running)} operators that run once, got {len(order)} names.")
    for operator, needs in zip(running, _needs(running), strict=True):
        for before in needs:
            if place[running[before].name] > place[operator.name]:
                raise ConfigError(f"'{operator.name}' needs '{running[before].name}': put it later in the order.")
    hosts = {each.name: each.fused_into for each in plan.operators}

    def position(operator: Operator) -> int:
        name = operator.name
        while (host := hosts[name]) is not None:
            name = host
        return place[name]

    return replace(plan, operators=tuple(sorted(plan.operators, key=position)))


def _needs(running: Sequence[Operator]) -> list[set[int]]:
    """For each operator those that must come before: who made what it reads, and who used what it overwrites."""
    writer: dict[int, int] = {}
    readers: dict[int, set[int]] = {}
    found = []
    for index, operator in enumerate(running):
        written = {view.buffer for view in operator.writes}
        read = {view.buffer for view in operator.reads}
        needs = {writer[buffer] for buffer in read | written if buffer in writer}
        needs |= {reader for buffer in written for reader in readers.get(buffer, ())}
        for buffer in read:
            readers.setdefault(buffer, set()).add(index)
        for buffer in written:
            writer[buffer], readers[buffer] = index, set()
        found.append(needs - {index})
    return found


def _problem(
    plan: Schedule, running: Sequence[Operator], dtype: str, *, add_in_place: bool, depthwise_in_place: bool
) -> Problem:
    """A schedule as numbers: operators as bits, buffers with their bytes."""
    sizes = {buffer: max(view.num_bytes(dtype) for view in views) for buffer, views in plan.buffers.items()}
    users: dict[int, int] = {}
    born: set[int] = set(plan.inputs)
    steps = []
    for index, (operator, needs) in enumerate(zip(running, _needs(running), strict=True)):
        touched = dict.fromkeys(view.buffer for view in (*operator.writes, *operator.reads))
        fresh = tuple(buffer for buffer in dict.fromkeys(view.buffer for view in operator.writes) if buffer not in born)
        born.update(fresh)
        for buffer in touched:
            users[buffer] = users.get(buffer, 0) | 1 << index
        over = overwritable(plan, operator, add_in_place=add_in_place, depthwise_in_place=depthwise_in_place)
        steps.append(
            Step(
                needs=sum(1 << before for before in needs),
                born=fresh,
                touched=tuple(touched),
                over=tuple(
                    Over(buffer=view.buffer, beside=beside.num_bytes(dtype) if beside else 0) for view, beside in over
                ),
            )
        )
    return Problem(steps=tuple(steps), sizes=sizes, users=users, inputs=plan.inputs, kept=frozenset(plan.outputs))
