"""The masked twin of a cut: the whole model, with the channels that would leave hidden from all that read them.

    >>> hidden = masked(net, {"layer1.0.conv1": [3, 7, 8]})
    >>> torch.testing.assert_close(hidden(images), cut(net, {"layer1.0.conv1": [3, 7, 8]})(images))

What it computes is what the cut model must compute, and it shares with the cut no more than the knowledge of which
elements belong to which channel. A channel that escapes its label shows in the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn

from .channels import ChannelMap, find_channels
from .channels.rules import STATISTICS
from .channels.space import Labels
from .channels.trace import name_of


def masked(
    net: fx.GraphModule, drop: Mapping[str, Sequence[int]], *, channels: ChannelMap | None = None
) -> Callable[[torch.Tensor], Any]:
    """A function that runs `net` (in eval mode) with the dropped classes of channels hidden from every reader.

    Layers, products and sums read 0 instead of a dropped channel. Means over channels, and norms that take statistics
    over them (layer, group, RMS), take them over those that stay. Everything else runs as it is.

    Args:
        drop: name of a channel group -> indices of the classes that leave it, as for `cut`.
        channels: what `find_channels(net)` returned, if it is at hand.

    Raises:
        LookupFailed: no such group.
        ConfigError: the group is locked, an index is out of range, or nothing would stay.
    """
    twin = _Masked(net, channels if channels is not None else find_channels(net), drop)

    def run(inputs_BCHW: torch.Tensor) -> Any:
        with torch.no_grad():
            return twin.run(inputs_BCHW)

    return run


class _Masked(fx.Interpreter):
    def __init__(self, net: fx.GraphModule, channels: ChannelMap, drop: Mapping[str, Sequence[int]]) -> None:
        super().__init__(net)
        self._trace = channels.trace
        self._gone = channels.dropped(drop)

    def run_node(self, n: fx.Node) -> Any:
        self._node = n
        return super().run_node(n)

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        layer, x = self.fetch_attr(target), args[0]
        stays = self._stays(self._node.args[0], x)
        if stays is None:
            return layer(x)
        norm = NORMS.get(type(layer))
        return layer(x * stays) if norm is None else norm(layer, x, stays)

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        kind, nodes = name_of(target), self._node.args
        if kind in FIRST_FACTOR:
            args = (self._hidden(args[0], nodes[0]), *args[1:])
        elif kind == "einsum":
            args = (args[0], [self._hidden(args[1][0], nodes[1][0]), *args[1][1:]])  # type: ignore[index]
        elif kind in FUNCTION_NORMS and (stays := self._stays(nodes[0], args[0])) is not None:
            return FUNCTION_NORMS[kind](stays, *args)
        elif kind in STATISTICS and (stays := self._stays(nodes[0], args[0])) is not None:
            return self._statistic(target, args, kwargs, stays)
        return super().call_function(target, args, kwargs)

    def _hidden(self, x: torch.Tensor, node: Any) -> torch.Tensor:
        stays = self._stays(node, x)
        return x if stays is None else x * stays

    def _stays(self, node: Any, x: torch.Tensor) -> torch.Tensor | None:
        """1 where an element stays and 0 where it leaves, broadcast to `x` (any batch); None if all of them stay."""
        labels = self._trace.values.get(node)
        if not isinstance(labels, Labels) or not labels.axes:
            return None  # classes that fill a whole tensor cannot leave
        ids = self._trace.space.find(labels.ids)
        stays = (~torch.isin(ids, self._gone)).to(x.dtype)
        folded = len(x) // len(stays) if len(stays) > 1 else 1  # samples that are folded into the first axis
        return stays.repeat(folded, *[1] * (stays.dim() - 1))

    def _statistic(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any], stays: torch.Tensor) -> Any:
        """Sums and lengths read zeros; a mean over channels is divided by the share of those that stay."""
        found = super().call_function(target, (args[0] * stays, *args[1:]), kwargs)
        if name_of(target) != "mean":
            return found
        whole = stays.expand(torch.broadcast_shapes(stays.shape, (1, *args[0].shape[1:])))
        share = super().call_function(target, (whole, *args[1:]), kwargs)
        return found / share.clamp(min=torch.finfo(share.dtype).tiny)  # a plane that leaves has a mean of zero


FIRST_FACTOR = {"matmul", "bmm", "scaled_dot_product_attention"}  # a channel that one factor hides adds nothing


def _standardized(x: torch.Tensor, stays: torch.Tensor, axes: Sequence[int], eps: float) -> torch.Tensor:
    """Mean 0 and variance 1 along `axes`, both over the elements that stay."""
    stays = stays.expand(torch.broadcast_shapes(stays.shape, (1, *x.shape[1:])))
    count = stays.sum(tuple(axes), keepdim=True).clamp(min=1)
    mean = (x * stays).sum(tuple(axes), keepdim=True) / count
    variance = ((x - mean).pow(2) * stays).sum(tuple(axes), keepdim=True) / count
    return (x - mean) * torch.rsqrt(variance + eps)


def _affine(x: torch.Tensor, weight: torch.Tensor | None, bias: torch.Tensor | None) -> torch.Tensor:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _last(shape: Sequence[int]) -> list[int]:
    return list(range(-len(shape), 0))


def _layer_norm(layer: Any, x: torch.Tensor, stays: torch.Tensor) -> torch.Tensor:
    return _affine(_standardized(x, stays, _last(layer.normalized_shape), layer.eps), layer.weight, layer.bias)


def _group_norm(layer: Any, x: torch.Tensor, stays: torch.Tensor) -> torch.Tensor:
    groups = (layer.num_groups, -1)
    rows = x.reshape(x.shape[0], *groups)
    kept = stays.expand(stays.shape[0], *x.shape[1:]).reshape(stays.shape[0], *groups)
    view = (-1, *[1] * (x.dim() - 2))
    weight, bias = (None if each is None else each.view(view) for each in (layer.weight, layer.bias))
    return _affine(_standardized(rows, kept, (-1,), layer.eps).reshape(x.shape), weight, bias)


NORMS: dict[type[nn.Module], Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]] = {
    nn.LayerNorm: _layer_norm,
    nn.GroupNorm: _group_norm,
}


def _layer_norm_function(
    stays: torch.Tensor, x: torch.Tensor, shape: Sequence[int], weight: Any = None, bias: Any = None, *rest: Any
) -> torch.Tensor:
    eps = rest[0] if rest else 1e-5
    return _affine(_standardized(x, stays, _last(shape), eps), weight, bias)


def _rms_norm_function(
    stays: torch.Tensor, x: torch.Tensor, shape: Sequence[int], weight: Any = None, eps: float | None = None
) -> torch.Tensor:
    axes, eps = tuple(_last(shape)), torch.finfo(x.dtype).eps if eps is None else eps
    stays = stays.expand(torch.broadcast_shapes(stays.shape, (1, *x.shape[1:])))
    mean = (x.pow(2) * stays).sum(axes, keepdim=True) / stays.sum(axes, keepdim=True).clamp(min=1)
    return _affine(x * torch.rsqrt(mean + eps), weight, None)


FUNCTION_NORMS: dict[str, Callable[..., torch.Tensor]] = {
    "layer_norm": _layer_norm_function,
    "rms_norm": _rms_norm_function,
}
