"""Looking inside two captured models at the same places while one of them is trained."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import fx, nn

from ...model import is_captured, layer_of, tensor_specs
from ...model.functions import MOVES

aten = torch.ops.aten
HANDED_ON = MOVES | {aten.constant_pad_nd.default, aten.pad.default}  # what they give is no feature map of its own
Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two feature maps to hold against each other: node names, and shapes (C, H, W)."""

    student: str
    teacher: str
    student_shape: Shape
    teacher_shape: Shape

    def __str__(self) -> str:
        ours, theirs = ("x".join(map(str, shape)) for shape in (self.student_shape, self.teacher_shape))
        return f"{self.student} ({ours}) and {self.teacher} ({theirs})"


def shared_maps(student: nn.Module, teacher: nn.Module) -> tuple[str, ...]:
    """Names of the feature maps to compare: per resolution the last map that both models make in the same shape.

    After a cut inside of residual blocks these are the ends of the stages, whose channels the cut left whole. Models
    that share no such map, or are not captured, give none.
    """
    if not (is_captured(student) and is_captured(teacher)):
        return ()
    theirs = _maps(teacher)
    last = {shape[1:]: name for name, shape in _maps(student).items() if theirs.get(name) == shape}
    return tuple(last.values())


def paired_maps(student: nn.Module, teacher: nn.Module) -> tuple[Pair, ...]:
    """The ends of the stages of two models, whatever their names and channels.

    The end of a stage is the last map of a resolution. Ends of equal resolution are a pair; models that share no
    resolution are paired by depth, the last with the last, as far as both go. Models that are not captured give none.
    """
    if not (is_captured(student) and is_captured(teacher)):
        return ()
    ours, theirs = stage_ends(student), stage_ends(teacher)
    sizes = [(size, size) for size in ours if size in theirs]
    if not sizes:
        sizes = list(zip(reversed(ours), reversed(theirs), strict=False))[::-1]
    return tuple(
        Pair(
            student=ours[mine][0], teacher=theirs[other][0], student_shape=ours[mine][1], teacher_shape=theirs[other][1]
        )
        for mine, other in sizes
    )


def stage_ends(net: nn.Module) -> dict[Shape, tuple[str, Shape]]:
    """(H, W) -> name and (C, H, W) of the last map of this resolution, in the order of the net.

    A map of one pixel is no map, and a model that is not captured shows none.
    """
    ends: dict[Shape, tuple[str, Shape]] = {}
    for name, shape in _maps(net).items() if is_captured(net) else ():
        ends[shape[1:]] = (name, shape)
    return ends


def _maps(net: nn.Module) -> dict[str, Shape]:
    """Name -> (C, H, W) of every feature map that is computed, not merely moved."""
    specs = tensor_specs(net)  # type: ignore[arg-type]
    found: dict[str, Shape] = {}
    for node in net.graph.nodes:  # type: ignore[union-attr]
        spec = specs.get(node.name)
        if spec is not None and len(spec.shape) == 4 and spec.shape[2:] != (1, 1) and _computes(net, node):
            found[node.name] = tuple(spec.shape[1:])
    return found


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
