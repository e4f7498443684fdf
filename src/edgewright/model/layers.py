"""Tables of layers: how an ATen call with plain weights becomes a layer, and how a layer is written down.

`LIFTED` maps an ATen function to the layer it is; `SETTINGS` lists what must be known besides its tensors to build a
layer again (used by `store`). A new layer type is one line in each and one test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from .dynamic import DynamicConv2d, DynamicLinear
from .floats import FloatConv2d, FloatConvTranspose2d, FloatLinear, RoundActivation
from .quantized import QuantConv2d, QuantConvTranspose2d, QuantizeActivation, QuantLinear
from .weight_only import WeightOnlyConv2d, WeightOnlyConvTranspose2d, WeightOnlyLinear

aten = torch.ops.aten


@dataclass(frozen=True, kw_only=True)
class Call:
    """An ATen call, with the names and values of the parameters among its inputs."""

    node: fx.Node
    names: dict[str, str]
    tensors: dict[str, torch.Tensor]

    def arguments(self) -> dict[str, Any]:
        """All arguments by name, defaults filled in."""
        values = {}
        for position, parameter in enumerate(self.node.target._schema.arguments):  # type: ignore[union-attr]
            if position < len(self.node.args):
                values[parameter.name] = self.node.args[position]
            else:
                values[parameter.name] = self.node.kwargs.get(parameter.name, parameter.default_value)
        return values

    def name(self, argument: Any) -> str | None:
        """Dotted name of a parameter, None for anything computed."""
        return self.names.get(argument.name) if isinstance(argument, fx.Node) else None

    def tensor(self, argument: Any) -> torch.Tensor | None:
        """Value of a parameter, None for anything computed."""
        name = self.name(argument)
        return None if name is None else self.tensors.get(name)


@dataclass(frozen=True, kw_only=True)
class LayerSite:
    """A layer to put in place of a call: where it lives, what it is, what flows in, what makes two sites equal."""

    path: str
    layer: nn.Module
    inputs: tuple[fx.Node, ...]
    identity: tuple[Any, ...]


def _site(
    call: Call, make: Callable[[], nn.Module], weights: dict[str, Any], settings: tuple[Any, ...]
) -> LayerSite | None:
    """The layer with its weights copied in; None when a weight is computed instead of stored.

    A weight that is a buffer of the model (a fixed blur filter) is a parameter that is not trained.
    """
    present = {key: node for key, node in weights.items() if node is not None}
    if not present or any(call.tensor(node) is None for node in present.values()):
        return None
    with torch.random.fork_rng(devices=[]):  # a new layer draws weights, which are replaced at once
        layer = make()
    for key, node in present.items():
        source = call.tensor(node)
        value = source.detach().clone()  # type: ignore[union-attr]
        if isinstance(getattr(layer, key), nn.Parameter):
            value = nn.Parameter(value, requires_grad=isinstance(source, nn.Parameter))
        setattr(layer, key, value)
    named = tuple(call.name(node) for node in present.values())
    path = _path_of(str(named[0]))
    first = call.arguments()["input"]
    return LayerSite(path=path, layer=layer, inputs=(first,), identity=(call.node.target, named, settings))


def _path_of(weight: str) -> str:
    """Where the layer of a weight goes: `conv1` for `conv1.weight`, `attention.in_proj` for `attention.in_proj_weight`.

    Not `attention`, below which there may be another layer: what takes the place of a layer takes that one along.
    """
    module, _, name = weight.rpartition(".")
    if not module:
        return weight
    return f"{module}.{name.removesuffix('_weight')}" if name.endswith("_weight") else module


def _numbers(value: Any, count: int) -> tuple[int, ...]:
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    return tuple(values * count if len(values) == 1 else values)


def _convolution(kind: type[nn.Module], axes: int) -> Callable[[Call], LayerSite | None]:
    def build(call: Call) -> LayerSite | None:
        given = call.arguments()
        weight = call.tensor(given["weight"])
        if weight is None:
            return None
        padding = given["padding"]
        padding = padding if isinstance(padding, str) else _numbers(padding, axes)
        settings = {
            "stride": _numbers(given["stride"], axes),
            "padding": padding,
            "dilation": _numbers(given["dilation"], axes),
            "groups": given["groups"],
        }
        transposed = "output_padding" in given
        if transposed:
            settings["output_padding"] = _numbers(given["output_padding"], axes)
        inner, outer = weight.shape[1] * given["groups"], weight.shape[0]
        sizes = (outer, inner) if transposed else (inner, outer)

        def make() -> nn.Module:
            kernel = tuple(weight.shape[2:])
            return kind(*sizes, kernel, bias=given["bias"] is not None, **settings)

        return _site(call, make, {"weight": given["weight"], "bias": given["bias"]}, tuple(settings.values()))

    return build


def _linear(call: Call) -> LayerSite | None:
    given = call.arguments()
    weight = call.tensor(given["weight"])
    if weight is None or weight.dim() != 2:
        return None

    def make() -> nn.Module:
        return nn.Linear(weight.shape[1], weight.shape[0], bias=given["bias"] is not None)

    return _site(call, make, {"weight": given["weight"], "bias": given["bias"]}, ())


BATCH_NORM_BY_RANK = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}


def _batch_norm(call: Call) -> LayerSite | None:
    given = call.arguments()
    if given["running_mean"] is None:
        return None  # statistics of the batch at hand in both modes: stays a function
    channels = call.node.meta["val"].shape[1]
    kind = BATCH_NORM_BY_RANK[call.node.meta["val"].dim()]

    def make() -> nn.Module:
        return kind(channels, eps=given["eps"], momentum=given["momentum"], affine=given["weight"] is not None)

    weights = {key: given[key] for key in ("weight", "bias", "running_mean", "running_var")}
    return _site(call, make, weights, (given["eps"], given["momentum"]))


def _layer_norm(call: Call) -> LayerSite | None:
    given = call.arguments()
    shape = [int(size) for size in given["normalized_shape"]]

    def make() -> nn.Module:
        return nn.LayerNorm(
            shape, eps=given["eps"], elementwise_affine=given["weight"] is not None, bias=given["bias"] is not None
        )

    return _site(call, make, {"weight": given["weight"], "bias": given["bias"]}, (*shape, given["eps"]))


def _group_norm(call: Call) -> LayerSite | None:
    given = call.arguments()
    channels = call.node.meta["val"].shape[1]

    def make() -> nn.Module:
        return nn.GroupNorm(given["num_groups"], channels, eps=given["eps"])

    return _site(call, make, {"weight": given["weight"], "bias": given["bias"]}, (given["num_groups"], given["eps"]))


def _dropout(call: Call) -> LayerSite:
    """Dropout has no weights; it becomes a layer so that train() and eval() switch it."""
    given = call.arguments()
    layer = nn.Dropout(p=given["p"])
    return LayerSite(
        path=f"dropouts.{call.node.name}", layer=layer, inputs=(given["input"],), identity=(call.node.name,)
    )


LIFTED: dict[Any, Callable[[Call], LayerSite | None]] = {
    aten.conv1d.default: _convolution(nn.Conv1d, 1),
    aten.conv2d.default: _convolution(nn.Conv2d, 2),
    aten.conv2d.padding: _convolution(nn.Conv2d, 2),
    aten.conv3d.default: _convolution(nn.Conv3d, 3),
    aten.conv_transpose2d.input: _convolution(nn.ConvTranspose2d, 2),
    aten.linear.default: _linear,
    aten.batch_norm.default: _batch_norm,
    aten.layer_norm.default: _layer_norm,
    aten.group_norm.default: _group_norm,
    aten.dropout.default: _dropout,
}

# Functions of (input, weight, bias) whose weight may be derived from parameters; it is computed once, at capture.
WEIGHTED = frozenset(function for function in LIFTED if "conv" in str(function) or "linear" in str(function))

_CONVOLUTION = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias")
_LINEAR = ("in_features", "out_features", "bias")
_GROUPS = ("bits", "group_size", "symmetric", "signed")
_BATCH_NORM = ("num_features", "eps", "momentum", "affine")

SETTINGS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Conv1d: _CONVOLUTION,
    nn.Conv2d: _CONVOLUTION,
    nn.Conv3d: _CONVOLUTION,
    nn.ConvTranspose2d: (*_CONVOLUTION, "output_padding"),
    nn.Linear: _LINEAR,
    nn.BatchNorm1d: _BATCH_NORM,
    nn.BatchNorm2d: _BATCH_NORM,
    nn.BatchNorm3d: _BATCH_NORM,
    nn.LayerNorm: ("normalized_shape", "eps", "elementwise_affine", "bias"),
    nn.GroupNorm: ("num_groups", "num_channels", "eps", "affine"),
    nn.Dropout: ("p",),
    QuantConv2d: (*_CONVOLUTION, "bits"),
    QuantConvTranspose2d: (*_CONVOLUTION, "output_padding", "bits"),
    QuantLinear: (*_LINEAR, "bits"),
    QuantizeActivation: ("bits", "signed"),
    WeightOnlyConv2d: (*_CONVOLUTION, *_GROUPS),
    WeightOnlyConvTranspose2d: (*_CONVOLUTION, "output_padding", *_GROUPS),
    WeightOnlyLinear: (*_LINEAR, *_GROUPS),
    DynamicConv2d: (*_CONVOLUTION, "bits"),
    DynamicLinear: (*_LINEAR, "bits"),
    FloatConv2d: (*_CONVOLUTION, "format"),
    FloatConvTranspose2d: (*_CONVOLUTION, "output_padding", "format"),
    FloatLinear: (*_LINEAR, "format"),
    RoundActivation: ("format",),
}


def is_depthwise(layer: object) -> bool:
    """Whether a layer is a convolution in which each channel is filtered alone; a quantized one is one too."""
    if not isinstance(layer, _ConvNd) or isinstance(layer, _ConvTransposeNd):
        return False
    return layer.groups == layer.in_channels == layer.out_channels > 1


def settings_of(layer: nn.Module) -> dict[str, Any]:
    """The constructor arguments that rebuild `layer`, tensors apart."""
    values = {key: getattr(layer, key) for key in SETTINGS[type(layer)]}
    if "bias" in values:
        values["bias"] = values["bias"] is not None
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
