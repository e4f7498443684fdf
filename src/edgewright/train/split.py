"""A captured graph in consecutive segments: on two devices (model parallel), or recomputed to save memory.

The segments hold the layers of the given graph, not copies of them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import fx, nn
from torch.fx.passes.split_module import split_module
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils import _pytree as pytree
from torch.utils.checkpoint import checkpoint

from ..errors import ConfigError

STAGE = "submod_"  # torch's name of a segment, followed by its number


class TwoStages(nn.Module):
    """A model whose first part computes on one device and whose second on another: each holds half of the weights.

    Outputs and gradients are those of the whole. One stage waits for the other: this makes room, not speed.

    Args:
        net: a captured model; it is copied.
        after: the layer that ends the first stage, by its path, or the node of the graph by its name.
        devices: of the two stages. Outputs come back to the first, where the targets of a training are.

    Raises:
        ConfigError: there is no such layer, or nothing is left for one of the stages.
    """

    def __init__(self, net: fx.GraphModule, *, after: str, devices: tuple[str, str]) -> None:
        super().__init__()
        place = _place_of(net, after)
        copied = copy.deepcopy(net)
        self.stages = segments(copied, [place])
        self.devices = tuple(torch.device(device) for device in devices)
        for number, device in enumerate(self.devices):
            self.stages.get_submodule(f"{STAGE}{number}").to(device)

    def forward(self, inputs: torch.Tensor) -> Any:
        return _on(_Stages(self.stages, self.devices).run(inputs), self.devices[0])


class _Stages(fx.Interpreter):
    """Runs each segment where it is, and brings what it needs there."""

    def __init__(self, stages: fx.GraphModule, devices: tuple[torch.device, ...]) -> None:
        super().__init__(stages)
        self._devices = devices

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        return super().call_module(target, _on(args, self._devices[int(target.removeprefix(STAGE))]), kwargs)


def _on(values: Any, device: torch.device) -> Any:
    return pytree.tree_map_only(torch.Tensor, lambda each: each.to(device), values)


class Recomputed(nn.Module):
    """A view of a captured model that keeps only what goes from segment to segment, and computes the rest twice.

    Outputs, gradients and running statistics are those of the model: random layers draw the same numbers again, and
    batch norms count a batch once.

    Source: Chen 2016, Training Deep Nets with Sublinear Memory Cost; the square root of the operators is its choice.
    """

    def __init__(self, net: fx.GraphModule) -> None:
        super().__init__()
        num_nodes = len(net.graph.nodes)
        num_segments = max(2, round(num_nodes**0.5))
        self.stages = segments(net, [num_nodes * cut // num_segments for cut in range(1, num_segments)])

    def forward(self, inputs: torch.Tensor) -> Any:
        if not torch.is_grad_enabled():
            return self.stages(inputs)
        return _Recompute(self.stages).run(inputs)


class _Recompute(fx.Interpreter):
    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        segment = self.fetch_attr(target)
        again = (nullcontext(), _statistics_stand(segment))
        return checkpoint(segment, *args, use_reentrant=False, context_fn=lambda: again)


@contextmanager
def _statistics_stand(segment: nn.Module) -> Iterator[None]:
    """Batch norms whose running statistics, whatever happens to them, are those of before afterwards."""
    norms = [layer for layer in segment.modules() if isinstance(layer, _BatchNorm)]
    kept = [dict(layer._buffers) for layer in norms]
    for layer in norms:
        layer._buffers.update({name: None if each is None else each.clone() for name, each in layer._buffers.items()})
    try:
        yield
    finally:
        for layer, buffers in zip(norms, kept, strict=True):
            layer._buffers.update(buffers)


def segments(net: fx.GraphModule, cuts: list[int]) -> fx.GraphModule:
    """The same model as a graph of graphs: nodes up to number `cuts[0]` (from 0) in the first, and so on."""
    number = {node: sum(place > cut for cut in cuts) for place, node in enumerate(net.graph.nodes)}
    return split_module(net, net, lambda node: number[node])  # type: ignore[arg-type,no-any-return]


def _place_of(net: fx.GraphModule, name: str) -> int:
    """The number of the node that is `name`, or the last that calls the layer at this path."""
    nodes = list(net.graph.nodes)
    found = [place for place, node in enumerate(nodes) if name in (node.name, node.op == "call_module" and node.target)]
    layers = [str(node.target) for node in nodes if node.op == "call_module"]
    if not found:
        raise ConfigError(f"The model has no layer '{name}' to split after: it has {', '.join(layers)}.")
    works = ("call_module", "call_function", "call_method")
    before, behind = nodes[: found[-1] + 1], nodes[found[-1] + 1 :]
    if not all(any(node.op in works for node in part) for part in (before, behind)):
        raise ConfigError(f"Nothing is left for one of the stages when the model is split after '{name}'.")
    return found[-1]
