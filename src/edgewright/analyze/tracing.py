"""What a model calls: one pass without data, every call with its arguments and the tensors that it makes.

    captured fx.GraphModule --trace--> Trace <--record-- any other nn.Module (see `recording`)

The model runs on tensors that have shape, type and identity of memory but no content, so that views can be told from
copies by looking instead of by a list of names.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal

import torch
from torch import fx, nn

from ..errors import ModelError, first_line
from ..model import input_shape as own_shape
from ..model import layer_of
from ..model.floats import RoundActivation
from ..model.quantized import QuantizeActivation
from .copying import Model, copied_with

META = torch.device("meta")  # tensors with shape, type and identity of memory, but no content
Kind = Literal["input", "constant", "layer", "function", "output"]
ONLY_SHAPE = frozenset(
    f"aten.{name}"
    for name in ("zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty")
)
"""Functions that look at the shape of their input alone: what they make is a constant."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One step of a model as it ran. Tensors in `args`, `kwargs` and `outputs` have no content."""

    name: str  # unique in its trace
    kind: Kind
    path: str = ""  # dotted path of the layer or the constant in the model
    scope: str = ""  # dotted path of the module in which it happens
    layer: nn.Module | None = None
    target: Any = None  # the function, where it is one
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any]
    outputs: tuple[torch.Tensor, ...]
    parameters: tuple[str, ...] = ()  # names of the parameters that a layer or constant stands for, shared ones alike

    @cached_property
    def function(self) -> str:
        """`aten.relu`, `torchvision.nms`, `python.mul`; "" for anything that is not a function call."""
        if self.kind != "function":
            return ""
        if isinstance(self.target, torch._ops.OpOverload):
            return str(self.target.overloadpacket)
        return f"python.{getattr(self.target, '__name__', self.target)}"

    @cached_property
    def inputs(self) -> tuple[torch.Tensor, ...]:
        """All tensors among the arguments, in order."""
        return tuple(tensors_in((self.args, self.kwargs)))

    @property
    def weights_key(self) -> str:
        """What is equal for two layer calls that read the same stored weights, and for no others."""
        computed = self.inputs[1:]  # weights that no parameter stores follow the data
        return f"memory {memory_of(computed[0])}" if computed else (*self.parameters, self.path)[0]

    @property
    def out(self) -> torch.Tensor:
        """The first tensor that the call makes."""
        return self.outputs[0]

    def argument(self, name: str) -> Any:
        """An argument of a function by its name in the schema, with its default filled in."""
        assert isinstance(self.target, torch._ops.OpOverload)
        return argument_of(self.target, self.args, self.kwargs, name)

    def has_argument(self, name: str) -> bool:
        """Whether the schema of a function knows an argument of this name."""
        target = self.target
        return isinstance(target, torch._ops.OpOverload) and any(each.name == name for each in target._schema.arguments)


def argument_of(function: torch._ops.OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> Any:
    """The value that `function` gets for the argument `name` of its schema, the default where none is given."""
    position, default = _parameters_of(function)[name]
    given = args[position] if position < len(args) else kwargs.get(name)
    return default if given is None else given


@cache
def _parameters_of(function: torch._ops.OpOverload) -> dict[str, tuple[int, Any]]:
    """Name -> position and default of each parameter of a function."""
    return {each.name: (position, each.default_value) for position, each in enumerate(function._schema.arguments)}


@dataclass(frozen=True, kw_only=True)
class Trace:
    """All calls of a model in order, for a batch of `batch` samples. Holds every tensor, so identities stay unique."""

    net: nn.Module
    batch: int
    calls: tuple[Call, ...]
    on_values: bool = False  # the model looked at values: the calls are those of one random input


def trace(net: fx.GraphModule, *, batch: int = 1, input_shape: tuple[int, ...] | None = None) -> Trace:
    """Run a captured model in eval mode without data. The model itself stays as it was.

    Args:
        net: what `capture` gave, or a stage.
        batch: how many samples.
        input_shape: shape of one sample; None for the one it was captured with.

    Raises:
        ModelError: it does not run on this shape.
    """
    shape = (batch, *(input_shape or own_shape(net)))
    recorder = _Walker(without_data(net))
    try:
        with torch.no_grad():
            recorder.run(torch.empty(shape, device=META))
    except RuntimeError as error:
        raise ModelError(
            f"The captured model does not run on inputs of shape {shape} ({first_line(error, most=150)}): "
            f"it was captured for {own_shape(net)}."
        ) from error
    return Trace(net=net, batch=batch, calls=tuple(recorder.calls))


def without_data(model: Model) -> Model:
    """A copy of `model` in eval mode whose parameters and buffers have no content."""
    return copied_with(model, hollow).eval()


def hollow(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor like this one without content; that of a parameter is one, too."""
    twin = torch.empty_like(tensor, device=META)
    return nn.Parameter(twin, requires_grad=False) if isinstance(tensor, nn.Parameter) else twin


KINDS: dict[str, Kind] = {
    "placeholder": "input", "get_attr": "constant", "call_module": "layer", "call_function": "function",
    "output": "output",
}  # fmt: skip


class _Walker(fx.Interpreter):
    """Runs a graph node by node and notes each as a call."""

    def __init__(self, net: fx.GraphModule) -> None:
        super().__init__(net)
        self.calls: list[Call] = []
        self._scope = ""  # the module that holds the layer before: a function stands with it

    def run_node(self, n: fx.Node) -> Any:
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        value = super().run_node(n)
        kind, path = KINDS[n.op], str(n.target) if n.op in ("call_module", "get_attr") else ""
        layer = layer_of(self.module, n)  # type: ignore[arg-type]
        if layer is not None and not isinstance(layer, (QuantizeActivation, RoundActivation)):
            self._scope = path.rpartition(".")[0]
        outputs = tuple(tensors_in(value))
        self.calls.append(
            Call(
                name=n.name, kind=kind, path=path, scope=self._scope, layer=layer, target=n.target, args=tuple(args),
                kwargs=dict(kwargs), outputs=outputs, parameters=_parameters(path, layer, outputs),
            )
        )  # fmt: skip
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


def _parameters(path: str, layer: nn.Module | None, outputs: tuple[torch.Tensor, ...]) -> tuple[str, ...]:
    if layer is not None:
        return tuple(f"{path}.{name}" for name, _ in layer.named_parameters())
    return (path,) if path and any(isinstance(each, nn.Parameter) for each in outputs) else ()


def tensors_in(value: Any) -> list[torch.Tensor]:
    """Every tensor in nested tuples, lists and dicts, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    found: list[torch.Tensor] = []
    entries = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    for entry in entries:
        if isinstance(entry, torch.Tensor):
            found.append(entry)
        elif isinstance(entry, (tuple, list, dict)):
            found += tensors_in(entry)
    return found


def memory_of(tensor: torch.Tensor) -> int:
    """The identity of a tensor's memory: views of one tensor have the same."""
    return tensor.untyped_storage()._cdata
