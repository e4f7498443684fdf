"""A net run node by node on all batches at once, so that a layer can be changed after its inputs are known.

    float net     --- run to layer k ---> its outputs
    simulation    --- run to layer k ---> its inputs, as the layers before, repaired already, give them

Both nets keep the tensors of the batches that are still to be read, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from ....errors import DataError
from ....model.graph import input_shape


class Stepper:
    """Runs `net` from its start towards its end, in the order of its graph, without gradients."""

    def __init__(self, net: fx.GraphModule, batches: Sequence[torch.Tensor]) -> None:
        self.net, self.batches = net, list(batches)
        self._nodes = list(net.graph.nodes)
        self._next = 0
        self._values: dict[fx.Node, list[Any]] = {}
        position = {node: index for index, node in enumerate(self._nodes)}
        self._last = {node: max((position[user] for user in node.users), default=-1) for node in self._nodes}

    def inputs(self, name: str) -> list[torch.Tensor]:
        """What flows into node `name`, batch by batch. The node itself has not run yet."""
        self._run_to(name)
        source = self._nodes[self._next].args[0]
        assert isinstance(source, fx.Node)
        return self._values[source]

    def outputs(self, name: str) -> list[torch.Tensor]:
        """What node `name` gives, batch by batch."""
        self._run_to(name)
        node = self._nodes[self._next]
        return [self._run(node, index) for index in range(len(self.batches))]

    def _run_to(self, name: str) -> None:
        while self._nodes[self._next].name != name:
            self._step()

    def _step(self) -> None:
        node = self._nodes[self._next]
        self._values[node] = [self._run(node, index) for index in range(len(self.batches))]
        for read in {node, *node.all_input_nodes}:
            if self._last[read] <= self._next:
                self._values.pop(read, None)
        self._next += 1

    @torch.no_grad()
    def _run(self, node: fx.Node, index: int) -> Any:
        if node.op == "placeholder":
            return self.batches[index]
        if node.op == "get_attr":
            return fx.graph_module._get_attr(self.net, str(node.target))
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda each: self._values[each][index])
        if node.op == "call_module":
            return self.net.get_submodule(str(node.target))(*args, **kwargs)
        return node.target(*args, **kwargs)  # type: ignore[operator]


def batches_of(net: fx.GraphModule, images_BCHW: torch.Tensor, *, size: int) -> list[torch.Tensor]:
    """The images in batches.

    Raises:
        DataError: there are none, or they have another shape than the net's input.
    """
    expected = input_shape(net)
    if len(images_BCHW) == 0 or tuple(images_BCHW.shape[1:]) != expected:
        raise DataError(
            f"A repair needs calibration images of shape {expected}, got {tuple(images_BCHW.shape)}: "
            "pass at least one image, prepared as for the model."
        )
    return list(images_BCHW.split(size))


def channel_mean(outputs: Sequence[torch.Tensor], axis: int) -> torch.Tensor:
    """The mean over everything but `axis`, of all batches, (C,), float64."""
    total = sum(_flat(each, axis).double().sum(1) for each in outputs)
    return total / sum(_flat(each, axis).shape[1] for each in outputs)  # type: ignore[return-value, operator]


def _flat(values: torch.Tensor, axis: int) -> torch.Tensor:
    return values.transpose(0, axis).flatten(1)
