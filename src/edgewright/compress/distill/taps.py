"""Looking inside two captured models at the same places while one of them is trained."""

from __future__ import annotations

import copy

import torch
from torch import fx, nn

from ...model import is_captured, layer_of, tensor_specs
from ...model.functions import MOVES

aten = torch.ops.aten
HANDED_ON = MOVES | {aten.constant_pad_nd.default, aten.pad.default}  # what they give is no feature map of its own


def shared_maps(student: nn.Module, teacher: nn.Module) -> tuple[str, ...]:
    """Names of the feature maps to compare: per resolution the last map that both models make in the same shape.

    After a cut inside of residual blocks these are the ends of the stages, whose channels the cut left whole. Models
    that share no such map, or are not captured, give none.
    """
    if not (is_captured(student) and is_captured(teacher)):
        return ()
    ours, theirs = (tensor_specs(net) for net in (student, teacher))  # type: ignore[arg-type]
    last: dict[tuple[int, ...], str] = {}
    for node in student.graph.nodes:  # type: ignore[union-attr]
        spec = ours.get(node.name)
        if spec is None or not _computes(student, node) or len(spec.shape) != 4 or spec.shape[2:] == (1, 1):
            continue
        if node.name in theirs and theirs[node.name].shape == spec.shape:
            last[spec.shape[2:]] = node.name
    return tuple(last.values())


def _computes(net: nn.Module, node: fx.Node) -> bool:
    layer = layer_of(net, node)  # type: ignore[arg-type]
    return node.op != "placeholder" and node.target not in HANDED_ON and not isinstance(layer, nn.Dropout)


def tapped(net: fx.GraphModule, names: tuple[str, ...]) -> fx.GraphModule:
    """A view of `net`, with the same layers and weights, that gives (outputs, [the named tensors])."""
    graph = copy.deepcopy(net.graph)
    output = next(node for node in graph.nodes if node.op == "output")
    by_name = {node.name: node for node in graph.nodes}
    output.args = ((output.args[0], [by_name[name] for name in names]),)
    return fx.GraphModule(net, graph)


def map_distance(student: list[torch.Tensor], teacher: list[torch.Tensor]) -> torch.Tensor:
    """Mean squared difference of each pair, in units of the teacher map's variance, averaged over the pairs.

    Source: Romero 2015, FitNets (hints), with the identity for a regressor since the shapes are equal.
    """
    distances = []
    for ours, theirs in zip(student, teacher, strict=True):
        theirs = theirs.float()
        distances.append((ours.float() - theirs).square().mean() / theirs.var(correction=0).clamp_min(1e-12))
    return torch.stack(distances).mean()
