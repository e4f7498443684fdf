"""Peak RAM of activations: the liveness bound of a graph in its own order.

At every operator the bytes of all live buffers are added up: what it reads, what it writes, and what a later operator
or the caller still needs. The largest of these sums is the bound: no plan of addresses needs less, a planner may need
more. The input buffer counts until its last reader, output buffers until the end. A tensor and its views lie in one
buffer, and so does what is folded, fused or overwritten (see `fusion`). Two more ways to share are asked for apart:

- `add_in_place`: a sum is written over one of its terms, when nothing reads that term later;
- `depthwise_in_place`: a depthwise convolution goes channel by channel over its own input, one plane beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..model.layers import is_depthwise
from .buffers import View
from .operators import Operator, Schedule


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One execution point: an operator, and the bytes of each live buffer by the name of the node that wrote it."""

    operator: str
    live: dict[str, int]

    @property
    def num_bytes(self) -> int:
        return sum(self.live.values())


def peak(plan: Schedule, dtype: str, *, add_in_place: bool = False, depthwise_in_place: bool = False) -> Moment:
    """The moment of a schedule at which the most bytes are alive, at `dtype`."""
    moments = timeline(plan, dtype, add_in_place=add_in_place, depthwise_in_place=depthwise_in_place)
    return max(moments, key=lambda moment: moment.num_bytes)


def timeline(
    plan: Schedule, dtype: str, *, add_in_place: bool = False, depthwise_in_place: bool = False
) -> tuple[Moment, ...]:
    """What is alive while each operator runs, in order. A model without operators has one moment, at no operator."""
    running = [each for each in plan.operators if each.fused_into is None]
    sharing = _Sharing(plan, running)
    for index, operator in enumerate(running):
        choices = overwritable(plan, operator, add_in_place=add_in_place, depthwise_in_place=depthwise_in_place)
        sharing.overwrite(index, operator, choices)
    return tuple(sharing.moments(running, dtype))


def overwritable(
    plan: Schedule, operator: Operator, *, add_in_place: bool, depthwise_in_place: bool
) -> list[tuple[View, View | None]]:
    """What an operator may write its output over if nothing needs that later, and what it keeps beside meanwhile.

    Never the model's inputs and outputs: they belong to the caller.
    """
    plane = depthwise_in_place and is_depthwise(operator.call.layer)
    if not plane and not (add_in_place and operator.op == "aten.add"):
        return []
    (made,) = operator.writes
    beside = None
    if plane:
        elements = made.elements // operator.call.out.shape[1]
        beside = View(buffer=made.buffer, elements=elements, element_bytes=made.element_bytes)
    caller = {*plan.inputs, *plan.outputs}
    return [
        (view, beside)
        for view in operator.reads
        if view.buffer not in caller and view.elements >= made.elements and view.element_bytes == made.element_bytes
    ]


class _Sharing:
    """Who lies in whose buffer, and until when each buffer is needed."""

    def __init__(self, plan: Schedule, running: list[Operator]) -> None:
        self.plan = plan
        self.root = {buffer: buffer for buffer in plan.buffers}
        self.planes: dict[str, View] = {}
        self.last = {view.buffer: index for index, each in enumerate(running) for view in (*each.writes, *each.reads)}
        self.last |= {buffer: len(running) for buffer in plan.outputs}

    def overwrite(self, index: int, operator: Operator, choices: list[tuple[View, View | None]]) -> None:
        """Put the output of `operator` over the first choice that it is the last to read, if any."""
        for view, beside in choices:
            over = self.root[view.buffer]
            if self.last[over] != index:
                continue
            made = operator.writes[0].buffer
            self.root[made] = over
            self.last[over] = self.last[made]
            if beside is not None:
                self.planes[operator.name] = beside
            return

    def moments(self, running: list[Operator], dtype: str) -> list[Moment]:
        sizes: dict[int, int] = {}
        for buffer, views in self.plan.buffers.items():
            largest = max(view.num_bytes(dtype) for view in views)
            sizes[self.root[buffer]] = max(largest, sizes.get(self.root[buffer], 0))
        alive, found = list(self.plan.inputs), []
        for index, operator in enumerate(running):
            born = dict.fromkeys(self.root[view.buffer] for view in operator.writes)
            alive += [buffer for buffer in born if buffer not in alive]
            live = {self.plan.names[buffer]: sizes[buffer] for buffer in alive}
            if operator.name in self.planes:
                live[f"one plane of {operator.name}"] = self.planes[operator.name].num_bytes(dtype)
            found.append(Moment(operator=operator.name, live=live))
            alive = [buffer for buffer in alive if self.last.get(buffer, -1) > index]
        if not found:
            found.append(Moment(operator="", live={self.plan.names[buffer]: sizes[buffer] for buffer in alive}))
        return found
