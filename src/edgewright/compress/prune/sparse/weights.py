"""The weights that count: those of convolutions and linear layers, each once, and where they may stay dense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import fx, nn

from ....errors import ConfigError, ModelError, UnsupportedError, unknown_name
from ....model import layer_of
from ....model.quantized import is_quantized
from ..scores import WEIGHTED

Values = Mapping[str, torch.Tensor]  # path of a layer -> one value per weight, of its shape


def weighted_layers(net: fx.GraphModule) -> dict[str, Any]:
    """Path -> convolution or linear layer in the order of execution; weights that several share come once.

    Raises:
        UnsupportedError: the model is quantized already.
        ModelError: it has no such layer.
    """
    if is_quantized(net):
        raise UnsupportedError("The model is quantized: make it sparse first, symmetric integers keep the zeros.")
    found: dict[str, Any] = {}
    seen: set[int] = set()
    for node in net.graph.nodes:
        layer = layer_of(net, node)
        if isinstance(layer, WEIGHTED) and id(layer.weight) not in seen:
            seen.add(id(layer.weight))
            found[str(node.target)] = layer
    if not found:
        raise ModelError("The model has no convolution and no linear layer: no weights to make zero.")
    return found


def counted_layers(net: fx.GraphModule, *, whole: Sequence[str] = (), keep_ends: bool = False) -> dict[str, Any]:
    """The layers among `weighted_layers` that may get zeros.

    Args:
        whole: paths of layers that stay dense, with * and ? as in file names.
        keep_ends: whether the first and the last layer stay dense.

    Raises:
        LookupFailed: a path names no layer.
        ConfigError: no layer is left.
    """
    layers = weighted_layers(net)
    names = list(layers)
    for pattern in whole:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise unknown_name("layer", pattern, names, command="edgewright analyze MODEL --by layer")
    dense = {name for name in names if any(fnmatchcase(name, pattern) for pattern in whole)}
    dense |= {names[0], names[-1]} if keep_ends else set()
    left = {name: layer for name, layer in layers.items() if name not in dense}
    if not left:
        raise ConfigError(f"All {len(names)} layers were asked to stay dense: leave one to make sparse.")
    return left


def zero_outside(layers: Mapping[str, nn.Module], keep: Values) -> None:
    """Make the weights outside of `keep` exactly +0.0, in place."""
    with torch.no_grad():
        for name, mask in keep.items():
            weight: torch.Tensor = layers[name].weight  # type: ignore[assignment]
            weight.masked_fill_(~mask.to(weight.device), 0.0)
