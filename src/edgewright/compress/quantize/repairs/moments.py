"""What the values of each channel are expected to be, known from batch normalization alone, without a single image.

A batch normalization leaves mean beta and standard deviation |gamma| in each channel. With the values between taken as
Gaussian, clamps have closed forms, sums add means and variances. Source: Nagel et al. 2019, arXiv:1906.04721, 4.2.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ....model import layer_of, tensor_specs
from ....model.functions import CLAMPS, COPIES, clamp_bounds, zero_padding

aten = torch.ops.aten
SMALLEST_STD = 1e-12  # of a channel that is constant: the formulas divide by it


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Mean and standard deviation of each channel, (C,), float64."""

    mean_C: torch.Tensor
    std_C: torch.Tensor

    def clamped(self, low: float | None, high: float | None) -> Moments:
        """Of a Gaussian with these moments after `clamp(low, high)`."""
        low, high = -math.inf if low is None else low, math.inf if high is None else high
        std = self.std_C.clamp_min(SMALLEST_STD)
        below, above = (low - self.mean_C) / std, (high - self.mean_C) / std
        inside = _cdf(above) - _cdf(below)
        mean = self.mean_C * inside - std * (_pdf(above) - _pdf(below))
        square = (self.mean_C**2 + std**2) * inside
        for bound, at, share, sign in ((low, below, _cdf(below), 1.0), (high, above, 1 - _cdf(above), -1.0)):
            if math.isfinite(bound):
                mean = mean + bound * share
                square = square + bound**2 * share + sign * std * (self.mean_C + bound) * _pdf(at)
        return Moments(mean_C=mean, std_C=(square - mean**2).clamp_min(0.0).sqrt())


def _pdf(z: torch.Tensor) -> torch.Tensor:
    return torch.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)


def _cdf(z: torch.Tensor) -> torch.Tensor:
    return 0.5 * (1 + torch.erf(z / math.sqrt(2)))


def batch_norm_moments(captured: fx.GraphModule) -> dict[str, Moments]:
    """The moments that each batch normalization of a captured, unfolded net leaves.

    Keys: the node of the normalization and the node of the layer before it, whose output has these moments once the
    normalization is folded into it.
    """
    found = {}
    for node in captured.graph.nodes:
        norm = layer_of(captured, node)
        if not isinstance(norm, _BatchNorm):
            continue
        zeros = torch.zeros(norm.num_features, dtype=torch.float64)
        mean = zeros if norm.bias is None else norm.bias.detach().double()
        std = zeros + 1 if norm.weight is None else norm.weight.detach().double().abs()
        found[node.name] = found[_first(node).name] = Moments(mean_C=mean, std_C=std)
    return found


def scaled(moments: Mapping[str, Moments], factors: Mapping[str, torch.Tensor]) -> dict[str, Moments]:
    """The moments after `equalize`, whose report has the factors."""
    changed = dict(moments)
    for name in moments.keys() & factors.keys():
        factor, before = factors[name].cpu(), moments[name]
        changed[name] = Moments(mean_C=before.mean_C * factor, std_C=before.std_C * factor)
    return changed


def duplicated(moments: Mapping[str, Moments], sources: Mapping[str, torch.Tensor]) -> dict[str, Moments]:
    """The moments after `split_outliers`, whose report says which channel each output of a layer copies."""
    changed = dict(moments)
    for name in moments.keys() & sources.keys():
        before, chosen = moments[name], sources[name]
        changed[name] = Moments(mean_C=before.mean_C[chosen], std_C=before.std_C[chosen])
    return changed


def propagate(folded: fx.GraphModule, known: Mapping[str, Moments]) -> dict[str, Moments]:
    """The moments of every tensor that can be told from the `known` ones, by node name; channels are axis 1."""
    shapes = {name: spec.shape for name, spec in tensor_specs(folded).items()}
    found: dict[str, Moments] = {}
    for node in folded.graph.nodes:
        if node.name in known:
            if _fits(known[node.name], shapes[node.name], layer_of(folded, node)):
                found[node.name] = known[node.name]
        elif node.args and isinstance(_first(node), fx.Node) and _first(node).name in found:
            moments = _rule(folded, node)(folded, node, found, shapes)
            if moments is not None:
                found[node.name] = moments
    return found


def _first(node: fx.Node) -> Any:
    first = node.args[0]
    return first[0] if isinstance(first, (tuple, list)) and first else first


def _fits(moments: Moments, shape: tuple[int, ...], layer: nn.Module | None) -> bool:
    """Whether the channels are those of axis 1: a linear layer on tokens has them on its last axis."""
    return len(moments.mean_C) == shape[1] and (len(shape) == 2 or not isinstance(layer, nn.Linear))


def _rule(net: fx.GraphModule, node: fx.Node) -> Any:
    if isinstance(layer_of(net, node), nn.Dropout):
        return _same
    return RULES.get(node.target, _unknown)


def _unknown(net: Any, node: fx.Node, found: dict[str, Moments], shapes: Any) -> Moments | None:
    return None


def _same(net: Any, node: fx.Node, found: dict[str, Moments], shapes: Any) -> Moments | None:
    return found[_first(node).name]


def _clamp(net: Any, node: fx.Node, found: dict[str, Moments], shapes: Any) -> Moments | None:
    return found[_first(node).name].clamped(*clamp_bounds(node))


def _average(net: Any, node: fx.Node, found: dict[str, Moments], shapes: Any) -> Moments | None:
    """A mean keeps the mean; the spread shrinks by an unknown amount, and is left as an upper bound."""
    rank = len(shapes[_first(node).name])
    if node.target is aten.mean.dim and any(int(axis) % rank < 2 for axis in node.args[1]):  # type: ignore[union-attr, arg-type]
        return None
    return found[_first(node).name]


def _sum(net: Any, node: fx.Node, found: dict[str, Moments], shapes: Any) -> Moments | None:
    """Means add; variances too, as if both were independent."""
    if node.kwargs.get("alpha", 1) != 1 or len({shapes.get(each.name) for each in node.all_input_nodes}) != 1:
        return None
    parts = [found.get(each.name) for each in node.args[:2] if isinstance(each, fx.Node)]
    if len(parts) != 2 or parts[0] is None or parts[1] is None:
        return None
    std = (parts[0].std_C ** 2 + parts[1].std_C ** 2).sqrt()
    return Moments(mean_C=parts[0].mean_C + parts[1].mean_C, std_C=std)


def _concatenation(net: Any, node: fx.Node, found: dict[str, Moments], shapes: Any) -> Moments | None:
    axis = node.args[1] if len(node.args) > 1 else 0
    parts = [found.get(each.name) for each in node.all_input_nodes]
    if axis != 1 or any(part is None for part in parts):
        return None
    return Moments(
        mean_C=torch.cat([part.mean_C for part in parts if part]),
        std_C=torch.cat([part.std_C for part in parts if part]),
    )


def _slice(net: Any, node: fx.Node, found: dict[str, Moments], shapes: Any) -> Moments | None:
    axis = int(node.args[1]) if len(node.args) > 1 else 0  # type: ignore[arg-type]
    return found[_first(node).name] if axis >= 2 else None


def _pad(net: Any, node: fx.Node, found: dict[str, Moments], shapes: Any) -> Moments | None:
    """Channels of zeros before and behind; zeros around a map are as little looked at as those of a convolution."""
    widths = zero_padding(node, rank=len(shapes[node.name]))
    if widths is None:
        return None
    before, behind, moments = widths[0][1], widths[1][1], found[_first(node).name]
    pad = nn.functional.pad
    return Moments(mean_C=pad(moments.mean_C, (before, behind)), std_C=pad(moments.std_C, (before, behind)))


def _join(net: Any, node: fx.Node, found: dict[str, Moments], shapes: Any) -> Moments | None:
    """A map flattened behind its channels: each channel's moments once per position."""
    before, after = shapes[_first(node).name], shapes[node.name]
    if len(after) < 2 or len(before) < len(after) or after[1] % before[1]:
        return None
    if math.prod(before[1:]) != math.prod(after[1:]) or (len(after) > 2 and after[1] != before[1]):
        return None
    moments, count = found[_first(node).name], after[1] // before[1]
    return Moments(mean_C=moments.mean_C.repeat_interleave(count), std_C=moments.std_C.repeat_interleave(count))


def _selection(net: fx.GraphModule, node: fx.Node, found: dict[str, Moments], shapes: Any) -> Moments | None:
    axis, index = node.args[1:3]
    if axis != 1 or not isinstance(index, fx.Node) or index.op != "get_attr":
        return None
    chosen = operator.attrgetter(str(index.target))(net).cpu()
    moments = found[_first(node).name]
    return Moments(mean_C=moments.mean_C[chosen], std_C=moments.std_C[chosen])


RULES: dict[Any, Any] = {
    **dict.fromkeys(CLAMPS, _clamp),
    **dict.fromkeys(COPIES, _same),
    **dict.fromkeys((aten.avg_pool2d.default, aten.adaptive_avg_pool2d.default, aten.mean.dim), _average),
    **dict.fromkeys((aten.flatten.using_ints, aten.view.default, aten.reshape.default), _join),
    **dict.fromkeys((aten.constant_pad_nd.default, aten.pad.default), _pad),
    aten.add.Tensor: _sum,
    aten.cat.default: _concatenation,
    aten.slice.Tensor: _slice,
    aten.index_select.default: _selection,
}
