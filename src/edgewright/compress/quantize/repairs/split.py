"""Outlier channel splitting: the input channels with the largest weights are read twice, each time by half of them.

    W x = sum_c w_c x_c        w_c x_c = (w_c - s/2)/2 x_c + (w_c + s/2)/2 x_c        s: the scale of the weights' grid

The range shrinks, and with it the step. Halves that are half a step apart (the quantization-aware form) round to codes
whose sum is the code that w_c would have at the finer step, so the split itself adds no rounding error. Source: Zhao et
al. 2019, arXiv:1901.09504, section 3.

Where the doubled values come from: from doubled output channels of the layer before, when only this layer reads it (no
operator more in the file). Everywhere else an `index_select` in front would be needed: ONNX Runtime 1.31 carries it out
on codes, but leaves its own layout for it (resnet20: 11 Gather and 18 Transpose more), so it is only done when asked.
Both cost time there: layers of 17 channels fall off its kernels for 16 (resnet20 0.32 ms, split 0.53 and 0.58).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import fx, nn

from ....errors import ConfigError
from ....model import layer_of, rewrite, tensor_specs
from ....model.quantized import QUANTIZED
from ..precision import Precision
from ..ranges.weights import weight_scales
from ..simulate import weight_method_for
from .links import Link, find_links
from .sides import TRANSPOSED, sided, unsided

aten = torch.ops.aten
DEFAULT = Precision()
SETTLE = 12  # rounds until scale and halves agree: the error shrinks at least to a quarter in each (2 bits)
ScaleOf = Callable[..., torch.Tensor]


def auto_scales(layer: nn.Module, *, bits: int) -> torch.Tensor:
    """The scales of a layer's weights that `simulate` uses unless told otherwise."""
    return weight_scales(layer, bits=bits, method=weight_method_for(bits))


@dataclass(frozen=True, kw_only=True)
class Splitting:
    """What was split.

    Attributes:
        channels: node of a layer -> the input channels that are read once more, in the order they were chosen.
        copied_by: node of a layer -> who doubles the values, "the layer before" or "index_select".
        sources: node of a layer whose outputs were doubled -> which channel each of its outputs is, (C_out',).
        refused: node of each other layer -> why not.
        weights, macs: of the layers of the net, before and after; MACs of one image.
    """

    channels: dict[str, tuple[int, ...]]
    copied_by: dict[str, str]
    sources: dict[str, torch.Tensor]
    refused: dict[str, str]
    weights: tuple[int, int]
    macs: tuple[int, int]


def split_outliers(
    folded: fx.GraphModule,
    *,
    share: float = 0.02,
    precision: Precision = DEFAULT,
    select: bool = False,
    scale_of: ScaleOf = auto_scales,
) -> tuple[fx.GraphModule, Splitting]:
    """A copy of `folded` with the same function and `share` of each layer's input channels split.

    Args:
        share: of the input channels, rounded up. The paper finds most of the gain below 0.05.
        precision: bits of each layer, which decide the step that the halves lie apart.
        select: also split where that takes an `index_select`.
        scale_of: `scale_of(layer, bits=...)`, the scales that the simulation will use.

    Raises:
        ConfigError: `share` is out of range.
    """
    if not 0 < share <= 1:
        raise ConfigError(f"split_outliers needs a share of the input channels in (0, 1], got {share}.")
    channels: dict[str, tuple[int, ...]] = {}
    copied_by: dict[str, str] = {}
    sources: dict[str, torch.Tensor] = {}
    refused: dict[str, str] = {}
    ranks = {name: len(spec.shape) for name, spec in tensor_specs(folded).items()}

    def edit(changed: fx.GraphModule) -> None:
        links = {link.second: link for link in find_links(changed).found}
        for node in [each for each in changed.graph.nodes if type(layer_of(changed, each)) in QUANTIZED]:
            link = links.get(node)
            doubles = link is not None and _can_double(changed, link)
            reason = _obstacle(changed, node, doubles=doubles or select)
            if reason is not None:
                refused[node.name] = reason
                continue
            chosen = _split_layer(changed, node, share=share, bits=precision.of_layer(node.name), scale_of=scale_of)
            channels[node.name] = tuple(chosen)
            if link is not None and doubles:
                sources[link.first.name] = _double_outputs(changed, link.first, chosen)
                copied_by[node.name] = "the layer before"
            else:
                _select_inputs(changed, node, chosen, rank=ranks[node.args[0].name])
                copied_by[node.name] = "index_select"

    split = rewrite(folded, edit).eval()
    before, after = layer_sizes(folded), layer_sizes(split)
    return split, Splitting(
        channels=channels, copied_by=copied_by, sources=sources, refused=refused,
        weights=(before[0], after[0]), macs=(before[1], after[1]),
    )  # fmt: skip


def layer_sizes(net: fx.GraphModule) -> tuple[int, int]:
    """Weights and MACs (of one image) of a net's layers, one call each."""
    specs = tensor_specs(net)
    weights = macs = 0
    for node in net.graph.nodes:
        layer = layer_of(net, node)
        if type(layer) not in QUANTIZED:
            continue
        at = node.args[0] if isinstance(layer, TRANSPOSED) else node
        count, shape = layer.weight.numel(), specs[at.name].shape  # type: ignore[union-attr, operator]
        positions = shape[1:-1] if isinstance(layer, nn.Linear) else shape[2:]
        weights, macs = weights + count, macs + count * math.prod(positions)
    return weights, macs


def _obstacle(net: fx.GraphModule, node: fx.Node, *, doubles: bool) -> str | None:
    layer = layer_of(net, node)
    calls = sum(each.op == "call_module" and each.target == node.target for each in net.graph.nodes)
    if calls > 1:
        return f"the layer {node.target} is used {calls} times"
    if getattr(layer, "groups", 1) != 1:
        return "it works in groups: a channel read twice would need outputs of its own"
    if not doubles:
        return "no layer before it can double the channels for it alone: it would take an index_select"
    return None


def _split_layer(net: fx.GraphModule, node: fx.Node, *, share: float, bits: int, scale_of: ScaleOf) -> list[int]:
    """Split the worst input channels of a layer in place; the channels, in the order of the new columns."""
    layer = layer_of(net, node)
    assert layer is not None
    weight_OIK = sided(layer, layer.weight.detach())[0]  # type: ignore[operator]
    columns = _choose(weight_OIK.abs().amax(2), math.ceil(share * weight_OIK.shape[1]))
    wider = copy.deepcopy(layer)
    scale_O = torch.zeros(weight_OIK.shape[0], dtype=torch.float64, device=weight_OIK.device)
    for _ in range(SETTLE):
        parts_OIK = _halves(weight_OIK.double(), columns, scale_O)
        wider.weight = nn.Parameter(unsided(layer, parts_OIK[None]).to(weight_OIK.dtype))  # type: ignore[union-attr]
        scale_O = scale_of(wider, bits=bits).to(scale_O)
    _set_width(wider, "in", parts_OIK.shape[1])
    net.set_submodule(str(node.target), wider)
    origin = list(range(weight_OIK.shape[1]))
    for column in columns:
        origin.append(origin[column])
    return origin[weight_OIK.shape[1] :]


def _choose(largest_OI: torch.Tensor, count: int) -> list[int]:
    """Columns to split one after the other; a column that was split is split again when it is still the worst.

    With a scale per output channel, the power of the rounding noise goes with the sum of the squared largest weights.
    The column whose split takes most of it away is the next.
    """
    columns: list[int] = []
    for _ in range(count):
        top_O2 = largest_OI.topk(min(2, largest_OI.shape[1]), dim=1).values
        others_OI = torch.where(largest_OI == top_O2[:, :1], top_O2[:, -1:], top_O2[:, :1])
        if top_O2.shape[1] == 1:
            others_OI = torch.zeros_like(largest_OI)
        after_OI = torch.maximum(others_OI, largest_OI / 2)
        gain_I = (top_O2[:, :1] ** 2 - after_OI**2).sum(0)
        worst_I = gain_I if gain_I.max() > 0 else largest_OI.amax(0)  # equal ones, that only together take noise away
        column = int(worst_I.argmax())
        columns.append(column)
        half_O = largest_OI[:, column] / 2
        largest_OI = torch.cat([largest_OI, half_O[:, None]], 1)
        largest_OI[:, column] = half_O
    return columns


def _halves(weight_OIK: torch.Tensor, columns: list[int], scale_O: torch.Tensor) -> torch.Tensor:
    """The weights with each of `columns` in turn replaced by its lower half, the upper half appended."""
    apart = scale_O.reshape(-1, 1) / 4  # each half is a quarter of a step off the middle
    parts = weight_OIK.clone()
    for column in columns:
        half_OK = parts[:, column] / 2
        parts[:, column] = half_OK - apart
        parts = torch.cat([parts, (half_OK + apart)[:, None]], 1)
    return parts


def _can_double(net: fx.GraphModule, link: Link) -> bool:
    """Whether more outputs of the layer before fit: no groups, no sizes and no parameters per channel between."""
    per_channel = (aten.prelu.default, aten.view.default, aten.reshape.default, aten.flatten.using_ints)
    grouped = getattr(layer_of(net, link.first), "groups", 1) != 1
    return not grouped and link.repeat == 1 and all(node.target not in per_channel for node in link.between)


def _double_outputs(net: fx.GraphModule, node: fx.Node, chosen: list[int]) -> torch.Tensor:
    """Give a layer copies of some output channels, in place; which channel each output is."""
    layer = layer_of(net, node)
    assert layer is not None
    weight_GOIK = sided(layer, layer.weight.detach())  # type: ignore[operator]
    index = torch.tensor([*range(weight_GOIK.shape[1]), *chosen], device=weight_GOIK.device)
    wider = copy.deepcopy(layer)
    wider.weight = nn.Parameter(unsided(layer, weight_GOIK[:, index]).contiguous())  # type: ignore[union-attr]
    if wider.bias is not None:
        wider.bias = nn.Parameter(wider.bias.detach()[index])  # type: ignore[union-attr, index, operator]
    _set_width(wider, "out", len(index))
    net.set_submodule(str(node.target), wider)
    return index.cpu()


def _select_inputs(net: fx.GraphModule, node: fx.Node, chosen: list[int], *, rank: int) -> None:
    """Put an `index_select` in front of a layer."""
    layer, source = layer_of(net, node), node.args[0]
    assert layer is not None and isinstance(source, fx.Node)
    weight: torch.Tensor = layer.weight  # type: ignore[assignment]
    width = sided(layer, weight).shape[2] - len(chosen)
    name = f"{node.name}_channels"
    net.register_buffer(name, torch.tensor([*range(width), *chosen], device=weight.device))
    axis = rank - 1 if isinstance(layer, nn.Linear) else 1
    with net.graph.inserting_before(node):
        index = net.graph.get_attr(name)
        selected = net.graph.call_function(aten.index_select.default, (source, axis, index))
    node.args = (selected,)


def _set_width(layer: nn.Module, side: str, width: int) -> None:
    kind = "features" if isinstance(layer, nn.Linear) else "channels"
    setattr(layer, f"{side}_{kind}", width)
