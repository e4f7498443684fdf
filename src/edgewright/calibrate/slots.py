"""From the runtime's times of its own nodes to a time for each operator of a small network.

Before the file is timed, each of its nodes is named after the layer that it comes from; the runtime keeps those names
when it fuses. What the runtime adds (changes of layout) has no such name and belongs to the test that is going on: the
one named last, or the one behind the guard named last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..analyze.latency import kind_of
from ..types import OpProfile
from .nets import MicroNet

LAYER = re.compile(r"(?<![A-Za-z0-9])([gt])(\d\d)(?!\d)([._]g(?![A-Za-z0-9]))?")
WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
OWN = {  # operators whose nodes are called otherwise: the kinds of node that are theirs
    "aten.adaptive_avg_pool2d": ("GlobalAveragePool", "AveragePool"),
    "aten.mean": ("ReduceMean", "GlobalAveragePool"),
}
PER_NODE_S, DRIFT = 3e-6, 1.1
SHORTEST_S = 2e-8  # of a node
CACHE_BYTES_S = 1e11  # a core's first cache: what a fused function moves takes that long, whatever a difference says


@dataclass(frozen=True, kw_only=True)
class NodeTime:
    """One node of the runtime's graph: its name, its type, and what one call of it took."""

    name: str
    type: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One measurement: seconds per call of the whole model, and the times of its nodes where they were asked for."""

    total_s: float
    nodes: tuple[NodeTime, ...] = ()


class _Walk:
    """Which layer is going on while names come by in order of execution."""

    def __init__(self) -> None:
        self.slot: int | None = None

    def place(self, name: str) -> tuple[int | None, bool]:
        """The slot of `name`, and whether it is a guard."""
        found = LAYER.search(name)
        if found is None:
            return self.slot, False
        letter, number, inner = found.groups()
        self.slot = int(number) + (letter == "g")
        return (int(number) if inner or letter == "g" else self.slot), letter == "g" or inner is not None


def label_nodes(graph: Any, layers: Sequence[str]) -> None:
    """Name each node of an ONNX graph, and what it makes: `LAYER` with the weights of one, `LAYER/OUTPUT` behind it.

    The tensors are named too, because the runtime names what it fuses or moves to another layout after its output.

    Args:
        layers: the paths of the layers with weights, in order.
    """
    stored = {tensor.name for tensor in graph.initializer}
    left, walk, renamed = iter(layers), _Walk(), {}
    for node in graph.node:
        if node.op_type in WEIGHTED and node.input[1] in stored:
            node.name = next(left)
            walk.place(node.name)
        else:
            node.name = f"t{walk.slot or 0:02d}/{node.output[0]}"
        renamed[node.output[0]] = node.name
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [renamed.get(name, name) for name in names]
    for value in graph.output:
        value.name = renamed.get(value.name, value.name)


def corrected(sample: Sample, call_overhead_s: float) -> tuple[NodeTime, ...]:
    """Node times that add up to the total.

    The profiler and the runtime take a little time of their own at each node, alike for all: up to `PER_NODE_S`. What
    still differs then (nodes are timed at another moment than the whole) is a factor, of at most `DRIFT`: more comes
    from one node that was interrupted, and must not change the others.
    """
    if not sample.nodes:
        return ()
    whole_s = sample.total_s - call_overhead_s
    excess = (sum(node.seconds for node in sample.nodes) - whole_s) / len(sample.nodes)
    spread = min(max(excess, -PER_NODE_S), PER_NODE_S)
    shifted = [max(node.seconds - spread, SHORTEST_S) for node in sample.nodes]
    factor = min(max(whole_s / sum(shifted), 1 / DRIFT), DRIFT)
    return tuple(
        NodeTime(name=node.name, type=node.type, seconds=seconds * factor)
        for node, seconds in zip(sample.nodes, shifted, strict=True)
    )


def by_slot(nodes: Iterable[NodeTime]) -> tuple[dict[int, list[NodeTime]], dict[int, float]]:
    """The nodes of each test, and the seconds of each guard."""
    tests: dict[int, list[NodeTime]] = {}
    guards: dict[int, float] = {}
    walk = _Walk()
    for node in nodes:
        slot, is_guard = walk.place(node.name)
        if is_guard and slot is not None:
            guards[slot] = guards.get(slot, 0.0) + node.seconds
        elif slot is not None:
            tests.setdefault(slot, []).append(node)
    return tests, guards


def rows_by_slot(rows: Iterable[OpProfile]) -> dict[int, list[OpProfile]]:
    """The operators of each test; what is fused is done by another one."""
    found: dict[int, list[OpProfile]] = {}
    walk = _Walk()
    for row in rows:
        slot, is_guard = walk.place(row.layer or row.name)
        if slot is not None and not is_guard and row.fused_into is None:
            found.setdefault(slot, []).append(row)
    return found


def points_of(
    net: MicroNet,
    rows: Sequence[OpProfile],
    nodes: Sequence[NodeTime],
    baseline: Sequence[NodeTime] = (),
) -> dict[str, list[tuple[float, ...]]]:
    """Kind -> points (work, features..., seconds) of one timed network.

    Args:
        nodes: its corrected node times, in order of execution.
        baseline: those of the network with the same guards and no functions: a function that left no node of its own
            is charged what its guard takes longer.
    """
    tests, guards = by_slot(nodes)
    plain_guards = by_slot(baseline)[1]
    points: dict[str, list[tuple[float, ...]]] = {}
    for slot, of_slot in rows_by_slot(rows).items():
        if slot >= len(net.layers) or net.layers[slot].is_guard:
            continue
        for row, seconds in _slot_times(slot, of_slot, (tests, guards, plain_guards)):
            kind, point = kind_of(row)
            if point is not None:
                points.setdefault(kind, []).append((*point, max(seconds, SHORTEST_S, _at_best(row))))
    return points


def _at_best(row: OpProfile) -> float:
    """Differences of two times can be next to nothing or negative; no operator is faster than its bytes."""
    return 0.0 if row.macs else row.activation_bytes / CACHE_BYTES_S


def _slot_times(
    slot: int,
    rows: list[OpProfile],
    found: tuple[dict[int, list[NodeTime]], dict[int, float], dict[int, float]],
) -> list[tuple[OpProfile, float]]:
    """The times of a test's operators; those of a function that became one node with its guard by difference."""
    tests, guards, plain_guards = found
    nodes = tests.get(slot, [])
    if slot in plain_guards and (not nodes or slot not in guards):
        whole = guards.get(slot, 0.0) + sum(node.seconds for node in nodes)
        return [(rows[0], whole - plain_guards[slot])] if len(rows) == 1 else []
    return _shared(rows, nodes)


def _shared(rows: list[OpProfile], nodes: list[NodeTime]) -> list[tuple[OpProfile, float]]:
    """Each operator of a test with its share of the test's nodes."""
    main = max(rows, key=lambda row: (row.macs, rows.index(row)))
    shares: Mapping[str, list[float]] = {row.name: [] for row in rows}
    for node in nodes:
        owner = next((row for row in rows if row is not main and _is_of(node, row)), main)
        shares[owner.name].append(node.seconds)
    return [(row, sum(shares[row.name])) for row in rows if shares[row.name]]


def _is_of(node: NodeTime, row: OpProfile) -> bool:
    output = node.name.partition("/")[2].partition("/")[0].removesuffix("_nchwc")
    return output == row.name or node.type in OWN.get(row.op, ())
