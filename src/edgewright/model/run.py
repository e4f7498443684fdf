"""Running a captured model with eyes on every tensor: shapes without data, and values with data."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import fx
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call

from ..types import TensorSpec
from .graph import input_shape

See = Callable[[fx.Node, torch.Tensor], None]


class _Watcher(fx.Interpreter):
    def __init__(self, net: fx.GraphModule, see: See) -> None:
        super().__init__(net)
        self._see = see

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, torch.Tensor) and n.op != "output":
            self._see(n, value)
        return value


def watch(net: fx.GraphModule, inputs_BCHW: torch.Tensor, see: See) -> Any:
    """Run the model once without gradients; `see(node, tensor)` is called for each tensor as it is made."""
    with torch.no_grad():
        return _Watcher(net, see).run(inputs_BCHW)


class _WithoutStorage(_Watcher):
    """Runs on tensors without storage; the model's own are replaced on the way."""

    def fetch_attr(self, target: str) -> Any:
        value = super().fetch_attr(target)
        return value.to("meta") if isinstance(value, torch.Tensor) else value

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        layer = super().fetch_attr(target)
        tensors = {name: value.to("meta") for name, value in chain(layer.named_parameters(), layer.named_buffers())}
        return functional_call(layer, tensors, args, kwargs)


def tensor_specs(net: fx.GraphModule, *, batch: int = 1) -> dict[str, TensorSpec]:
    """Shape and type of the tensor that each node makes, by node name, for a batch of `batch` samples.

    Nothing is computed: the model runs on tensors without storage.
    """
    specs: dict[str, TensorSpec] = {}

    def see(node: fx.Node, value: torch.Tensor) -> None:
        dtype = str(value.dtype).removeprefix("torch.")
        specs[node.name] = TensorSpec(name=node.name, shape=tuple(int(size) for size in value.shape), dtype=dtype)

    shape = (batch, *input_shape(net))
    try:
        with torch.no_grad():
            _WithoutStorage(net, see).run(torch.empty(shape, device="meta"))
    except (RuntimeError, NotImplementedError):  # a tensor that the graph makes itself has storage; the two do not mix
        specs.clear()
        with FakeTensorMode(allow_non_fake_inputs=True):  # takes every graph, five times as long
            watch(net, torch.empty(shape), see)
    return specs
