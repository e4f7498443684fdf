"""Which layer a recorded function is: the model's own where it holds the weights, else one built to stand for it.

A convolution whose weight is put together from parts (weight standardization) is a convolution like any other once the
model is built, so it gets a layer to stand for it, as a capture would give it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from .tracing import META, argument_of
from .windows import SLIDING, names_of, per_axis


@dataclass(frozen=True, kw_only=True)
class Recognized:
    """A function as a layer. `tensors` are weights that no parameter stores, which it still has to compute."""

    path: str
    layer: nn.Module
    parameters: tuple[str, ...]
    tensors: tuple[torch.Tensor, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a function is called with, by the names of its schema."""

    function: torch._ops.OpOverload
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return argument_of(self.function, self.args, self.kwargs, name)

    @cached_property
    def weights(self) -> list[torch.Tensor]:
        """Weight, bias and running mean, as far as there are any."""
        names = ("weight", "bias", *(("running_mean",) if self.name == "batch_norm" else ()))
        return [each for each in (self[name] for name in names) if each is not None]

    @cached_property
    def name(self) -> str:
        return str(self.function.overloadpacket).removeprefix("aten.")


def _convolution(given: Given) -> nn.Module:
    weight, groups = given["weight"], given["groups"]
    inner, outer = weight.shape[1] * groups, weight.shape[0]
    sliding = SLIDING[given.name]
    kind = getattr(nn, f"{'ConvTranspose' if sliding.transposed else 'Conv'}{sliding.axes}d")
    sizes = (outer, inner) if sliding.transposed else (inner, outer)
    settings = {name: given[name] for name in ("stride", "padding", "dilation")}
    plain = {
        name: value if isinstance(value, str) else per_axis(value, weight.dim() - 2) for name, value in settings.items()
    }
    return kind(*sizes, tuple(weight.shape[2:]), groups=groups, bias=given["bias"] is not None, device=META, **plain)


def _linear(given: Given) -> nn.Module:
    outputs, inputs = given["weight"].shape
    return nn.Linear(inputs, outputs, bias=given["bias"] is not None, device=META)


def _batch_norm(given: Given) -> nn.Module:
    kinds = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
    channels = given["running_mean"].numel()
    return kinds[given["input"].dim()](channels, affine=given["weight"] is not None, device=META)


def _layer_norm(given: Given) -> nn.Module:
    return nn.LayerNorm(list(given["normalized_shape"]), bias=given["bias"] is not None, device=META)


def _group_norm(given: Given) -> nn.Module:
    return nn.GroupNorm(given["num_groups"], given["input"].shape[1], device=META)


CONVOLUTIONS = tuple(name for name in names_of("conv") if SLIDING[name].axes)  # of a class of layers each
LAYERS: Mapping[str, tuple[type[nn.Module], Callable[[Given], nn.Module]]] = {
    **dict.fromkeys(CONVOLUTIONS, (_ConvNd, _convolution)),
    "linear": (nn.Linear, _linear),
    "batch_norm": (_BatchNorm, _batch_norm),
    "layer_norm": (nn.LayerNorm, _layer_norm),
    "group_norm": (nn.GroupNorm, _group_norm),
}
"""Function -> the class of layers that it is, and what builds one to stand for it."""


def is_layer(given: Given) -> bool:
    """Whether a function is a layer when its weights are constants. One on the statistics of its batch is not."""
    if given.name == "batch_norm":
        return given["running_mean"] is not None and not given["training"]
    return given.name in LAYERS and bool(given.weights) and (given.name != "linear" or given["weight"].dim() == 2)


def recognize(given: Given, *, names: list[str], modules: Mapping[str, nn.Module], scope: str) -> Recognized:
    """The layer that `given` is.

    Args:
        given: a function for which `is_layer` holds.
        names: of each tensor of `given.weights` in the model, "" for one that is computed.
        modules: the model's modules by path.
        scope: path of the module in which it is called.
    """
    kind, build = LAYERS[given.name]
    path = names[0].rpartition(".")[0] or names[0] if names[0] else scope
    owner = modules.get(names[0].rpartition(".")[0]) if names[0] else None
    stored = tuple(name for name, each in zip(names, given.weights, strict=True) if isinstance(each, nn.Parameter))
    if isinstance(owner, kind) and all(names):
        return Recognized(path=path, layer=owner, parameters=stored)
    computed = tuple(each for name, each in zip(names, given.weights, strict=True) if not name)
    return Recognized(path=path, layer=build(given), parameters=stored, tensors=computed)
