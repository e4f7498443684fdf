"""The batch norm behind each layer of a simulation: as it was before folding, or measured where weights changed."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ....model import layer_of, watch
from ....model.fold import fold_batch_norms
from ....model.quantized import IntegerWeights
from .layers import factor_and_shift


@dataclass(frozen=True, kw_only=True, eq=False)
class Unfolded:
    """A layer before its batch norm was folded into it."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    norm: _BatchNorm
    is_measured: bool = False


def unfold(
    simulation: fx.GraphModule, original: fx.GraphModule, layers: list[str], images_BCHW: torch.Tensor
) -> dict[str, Unfolded]:
    """By node name, each of `layers` that had a batch norm behind it in `original`, taken apart again.

    Where folding `original` gives the simulation's weights, its own weights and batch norm are used. Where it does not
    (equalized, split or corrected weights), a batch norm is made up that changes nothing: it has the statistics of the
    layer's outputs on `images_BCHW`, and a factor and an offset that take them off again.

    Only norms of one value per output channel can be put back: a transposed convolution in groups stays folded.
    """
    found: dict[str, Unfolded] = {}
    changed: dict[str, _BatchNorm] = {}
    nodes = {node.name: node for node in simulation.graph.nodes}
    for name, (layer, norm) in _pairs(original).items():
        integer = layer_of(simulation, nodes[name]) if name in nodes and name in layers else None
        if not isinstance(integer, IntegerWeights) or _num_channels(integer) != norm.num_features:
            continue
        if _folds_to(layer, norm, integer):
            device = integer.weight.device
            bias = None if layer.bias is None else layer.bias.to(device)  # type: ignore[operator, union-attr]
            found[name] = Unfolded(weight=layer.weight.to(device), bias=bias, norm=norm.to(device))  # type: ignore[operator, union-attr]
        else:
            changed[name] = norm
    return {**found, **_measured(simulation, changed, images_BCHW)}


def _pairs(original: fx.GraphModule) -> dict[str, tuple[nn.Module, _BatchNorm]]:
    """Node of a layer -> copies of the layer and of the batch norm that folding puts into it, on the CPU."""
    net = copy.deepcopy(original).cpu().eval()
    folded = set(fold_batch_norms(net)[1].folded)
    pairs = {}
    for node in net.graph.nodes:
        if node.name in folded:
            layer, norm = layer_of(net, node.args[0]), layer_of(net, node)
            assert layer is not None and isinstance(norm, _BatchNorm)
            pairs[node.args[0].name] = (layer, norm)
    return pairs


def _num_channels(layer: IntegerWeights) -> int:
    return int(layer.weight.shape[layer.weight_axis])


def _folds_to(layer: nn.Module, norm: _BatchNorm, integer: IntegerWeights) -> bool:
    """Whether folding gives exactly the weights and the bias that the simulation has."""
    weight, bias, axis = layer.weight.detach(), layer.bias, integer.weight_axis  # type: ignore[operator, union-attr]
    if weight.shape != integer.weight.shape or integer.bias is None:
        return False
    with torch.no_grad():
        factor, shift = factor_and_shift(norm)
        shape = [1] * weight.dim()
        shape[axis] = -1
        folded = (weight.double() * factor.reshape(shape)).float()
        offset = (shift if bias is None else bias.double() * factor + shift).float()  # type: ignore[operator]
    return torch.equal(folded, integer.weight.cpu()) and torch.equal(offset, integer.bias.cpu())


def _measured(
    simulation: fx.GraphModule, norms: dict[str, _BatchNorm], images_BCHW: torch.Tensor
) -> dict[str, Unfolded]:
    """Each layer with a batch norm that has the statistics of the layer's own outputs and changes nothing."""
    found: dict[str, Unfolded] = {}

    def see(node: fx.Node, values: torch.Tensor) -> None:
        if node.name not in norms:
            return
        layer = layer_of(simulation, node)
        assert isinstance(layer, IntegerWeights) and layer.bias is not None
        bias, rest = layer.bias.detach(), [each for each in range(values.dim()) if each != 1]
        norm = type(norms[node.name])(len(bias), momentum=norms[node.name].momentum).to(bias.device)
        norm.running_mean = values.mean(rest) - bias
        norm.running_var = values.var(rest, unbiased=False)
        norm.weight.data.copy_((norm.running_var + norm.eps).sqrt())
        norm.bias.data.copy_(bias + norm.running_mean)
        found[node.name] = Unfolded(weight=layer.weight.detach(), bias=None, norm=norm, is_measured=True)

    if norms:
        watch(simulation, images_BCHW.to(next(simulation.parameters()).device), see)
    return found
