"""One pass over a captured model without data: every call with its arguments and the tensors that it makes.

The model runs on tensors that have shape, type and identity of memory but no content, so that views can be told from
copies by looking instead of by a list of names.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from ..errors import ModelError
from ..model import input_shape, is_captured, layer_of

META = torch.device("meta")  # tensors with shape, type and identity of memory, but no content


@dataclass(frozen=True, kw_only=True)
class Call:
    """One node of the graph as it ran. Tensors in `args`, `kwargs` and `outputs` have no content."""

    node: fx.Node
    layer: nn.Module | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[torch.Tensor, ...]

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def function(self) -> str:
        """`aten.relu`, `torchvision.nms`, `python.mul`; "" for anything that is not a function call."""
        if self.node.op != "call_function":
            return ""
        target = self.node.target
        if isinstance(target, torch._ops.OpOverload):
            return str(target.overloadpacket)
        return f"python.{getattr(target, '__name__', target)}"

    @property
    def inputs(self) -> tuple[torch.Tensor, ...]:
        """All tensors among the arguments, in order."""
        return tuple(tensors_in((self.args, self.kwargs)))

    @property
    def out(self) -> torch.Tensor:
        """The first tensor that the call makes."""
        return self.outputs[0]

    def argument(self, name: str) -> Any:
        """An argument of a function by its name in the schema, with its default filled in."""
        target = self.node.target
        assert isinstance(target, torch._ops.OpOverload)
        for position, parameter in enumerate(target._schema.arguments):
            if parameter.name == name:
                given = self.args[position] if position < len(self.args) else self.kwargs.get(name)
                return parameter.default_value if given is None else given
        raise KeyError(f"{target} has no argument '{name}'")

    def has_argument(self, name: str) -> bool:
        target = self.node.target
        return isinstance(target, torch._ops.OpOverload) and any(each.name == name for each in target._schema.arguments)


@dataclass(frozen=True, kw_only=True)
class Trace:
    """All calls of a model in order, for a batch of `batch` samples. Holds every tensor, so identities stay unique."""

    net: fx.GraphModule
    batch: int
    calls: tuple[Call, ...]


def trace(net: fx.GraphModule, *, batch: int = 1) -> Trace:
    """Run `net` in eval mode without data. The model itself stays as it was.

    Raises:
        ModelError: the model is not captured.
    """
    if not is_captured(net):
        kind = type(net).__name__
        raise ModelError(f"A {kind} has no graph to analyze: capture it first with `ew.capture(model, (C, H, W))`.")
    recorder = _Recorder(_without_data(net))
    with torch.no_grad():
        recorder.run(torch.empty((batch, *input_shape(net)), device=META))
    return Trace(net=net, batch=batch, calls=tuple(recorder.calls))


def _without_data(net: fx.GraphModule) -> fx.GraphModule:
    """A copy of `net` in eval mode whose tensors have no content."""
    empty: dict[int, Any] = {id(each): nn.Parameter(_hollow(each), requires_grad=False) for each in net.parameters()}
    empty |= {id(each): _hollow(each) for each in net.buffers()}
    return copy.deepcopy(net, empty).eval()


def _hollow(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(tensor, device=META)


class _Recorder(fx.Interpreter):
    def __init__(self, net: fx.GraphModule) -> None:
        super().__init__(net)
        self.calls: list[Call] = []

    def run_node(self, n: fx.Node) -> Any:
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        value = super().run_node(n)
        layer = layer_of(self.module, n)  # type: ignore[arg-type]
        self.calls.append(
            Call(node=n, layer=layer, args=tuple(args), kwargs=dict(kwargs), outputs=tuple(tensors_in(value)))
        )
        return value

    def fetch_args_kwargs_from_env(self, n: fx.Node) -> tuple[Any, Any]:
        """Arguments, with every device replaced: tensors that the graph itself creates have no content either."""
        args, kwargs = super().fetch_args_kwargs_from_env(n)
        args = tuple(META if isinstance(each, torch.device) else each for each in args)
        if isinstance(n.target, torch._ops.OpOverload) and any(
            parameter.name == "device" and position >= len(args)
            for position, parameter in enumerate(n.target._schema.arguments)
        ):
            kwargs = {**kwargs, "device": META}
        return args, kwargs


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor in nested tuples, lists and dicts."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for entry in value:
            yield from tensors_in(entry)
    elif isinstance(value, dict):
        yield from tensors_in(tuple(value.values()))


def memory_of(tensor: torch.Tensor) -> int:
    """The identity of a tensor's memory: views of one tensor have the same."""
    return tensor.untyped_storage()._cdata
