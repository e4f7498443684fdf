"""A float net in which one layer's weights, or one tensor of activations, can be put on a grid and back again.

Grids are those of real simulations, one per number of bits, built once; a probe is then switched in place, which takes
microseconds where building a simulation takes a second.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import fx, nn

from ....model import rewrite
from ....model.quantized import IntegerWeights, QuantizeActivation, quantizers
from ..placement import Plan
from ..precision import WEIGHT_BITS, Precision

Build = Callable[[Precision], fx.GraphModule]  # the simulation at a precision
Kind = Literal["weights", "activations"]


@dataclass(frozen=True, kw_only=True)
class Part:
    """What has bits of its own: the weights of a layer, or a tensor of activations (with those that share its grid)."""

    kind: Kind
    name: str  # of the node


class Switch(nn.Module):
    """Hands on what it is given, rounded to a grid if it has one. `offset`: zeros to differentiate by, if asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.quantizer: nn.Module | None = None
        self.wants_offset = False
        self.offset: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x if self.quantizer is None else self.quantizer(x)
        if self.wants_offset:
            self.offset = torch.zeros_like(x, requires_grad=True)
            return x + self.offset
        return x


class Probe:
    """A copy of a folded net with a switch behind each point of its plan.

    Args:
        net: folded, in float.
        plan: where its integers are.
        build: makes the simulation of `net` at a precision.
    """

    def __init__(self, net: fx.GraphModule, plan: Plan, build: Build) -> None:
        self.plan, self._build = plan, build
        self.members = members_of(plan)
        self._simulations: dict[int, fx.GraphModule] = {}
        self.net = rewrite(net, self._insert).eval()
        paths = {node.name: str(node.target) for node in self.net.graph.nodes if node.op == "call_module"}
        self.layers: dict[str, nn.Module] = {name: self.net.get_submodule(paths[name]) for name in plan.layers}
        self.switches: dict[str, Switch] = {name: self.net.get_submodule(_path(name)) for name in plan.points}  # type: ignore[misc]

    def parts(self, kind: Kind) -> tuple[Part, ...]:
        """Everything of a kind that has bits of its own, in the order of the plan."""
        names = self.plan.layers if kind == "weights" else self.members
        return tuple(Part(kind=kind, name=name) for name in names)

    @contextmanager
    def at(self, part: Part, bits: int) -> Iterator[nn.Module]:
        """The net with `part` on its grid of `bits`, all else in float."""
        switch = self._weights_at if part.kind == "weights" else self._activations_at
        with switch(part.name, bits):
            yield self.net

    def rounded_weight(self, name: str, bits: int) -> torch.Tensor:
        """The weights of a layer on their grid of `bits`."""
        simulation = self._simulation(bits)
        layer = next(node.target for node in simulation.graph.nodes if node.name == name)
        integer = simulation.get_submodule(str(layer))
        assert isinstance(integer, IntegerWeights)
        return integer.rounded_weight().detach()

    def quantizer(self, name: str, bits: int) -> QuantizeActivation:
        """What rounds a tensor to its grid of `bits`."""
        return quantizers(self._simulation(bits))[f"{name}_codes"]

    @contextmanager
    def _weights_at(self, name: str, bits: int) -> Iterator[None]:
        weight: torch.Tensor = self.layers[name].weight  # type: ignore[assignment]
        exact = weight.detach().clone()
        with torch.no_grad():
            weight.copy_(self.rounded_weight(name, bits))
        try:
            yield
        finally:
            with torch.no_grad():
                weight.copy_(exact)

    @contextmanager
    def _activations_at(self, name: str, bits: int) -> Iterator[None]:
        for member in self.members[name]:
            self.switches[member].quantizer = self.quantizer(member, bits)
        try:
            yield
        finally:
            for member in self.members[name]:
                self.switches[member].quantizer = None

    def _simulation(self, bits: int) -> fx.GraphModule:
        if bits not in self._simulations:
            weights = bits if bits in WEIGHT_BITS else max(WEIGHT_BITS)
            self._simulations[bits] = self._build(Precision(weights=weights, activations=bits))
        return self._simulations[bits]

    def _insert(self, net: fx.GraphModule) -> None:
        nodes = {node.name: node for node in net.graph.nodes}
        _unshare(net, [nodes[name] for name in self.plan.layers])
        for name in self.plan.points:
            net.add_submodule(_path(name), Switch())
            with net.graph.inserting_after(nodes[name]):
                switch = net.graph.create_node("call_module", _path(name), (nodes[name],))
            nodes[name].replace_all_uses_with(switch, delete_user_cb=lambda user, own=switch: user is not own)


def members_of(plan: Plan) -> Mapping[str, tuple[str, ...]]:
    """Points that must have the same bits because they have one grid, by the first of them; most stand alone."""
    leader = {name: name for name in plan.points}
    for group in plan.shared:
        first = leader[group[0]]
        joined = {leader[name] for name in group}
        leader = {name: first if lead in joined else lead for name, lead in leader.items()}
    found: dict[str, tuple[str, ...]] = {}
    for name, lead in leader.items():
        found[lead] = (*found.get(lead, ()), name)
    return found


def _path(name: str) -> str:
    return f"switches.{name}"


def _unshare(net: fx.GraphModule, nodes: list[fx.Node]) -> None:
    """A layer that is called twice gets one form per call, as in the simulation."""
    seen: set[str] = set()
    for node in nodes:
        path = str(node.target)
        if path in seen:
            own = f"calls.{node.name}"
            net.add_submodule(own, copy.deepcopy(net.get_submodule(path)))
            node.target = own
        seen.add(path)
