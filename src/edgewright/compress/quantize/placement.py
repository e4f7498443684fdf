"""Where integers begin and end: which tensors of a graph are quantized, decided before anything is changed.

A runtime turns an operator into an integer kernel when its inputs arrive as integers and its output leaves as
integers, so the plan follows the data through the graph (roles: see `flow`). A convolution is always quantized on both
sides; a linear layer's output only where integers go on; whatever else a strong operator reads is quantized for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import fx, nn

from ...model import layer_of
from ...model.functions import CLAMPS, clamp_bounds
from .flow import STRONG, Flow

aten = torch.ops.aten
SOFTMAX = {aten.softmax.int, aten._softmax.default}
PROBABILITIES = (0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What becomes integer, by node name, in graph order.

    Attributes:
        points: nodes behind which a quantizer stands.
        shared: groups of points with one grid; the first one's range holds the others.
        layers: nodes whose weights become integers -> the point whose grid their input has.
        stays_float: every other operator that computes -> why.
        fixed: points whose range does not depend on the data.
    """

    points: tuple[str, ...]
    shared: tuple[tuple[str, ...], ...]
    layers: dict[str, str]
    stays_float: dict[str, str]
    fixed: dict[str, tuple[float, float]]


def plan_quantizers(net: fx.GraphModule, *, float_output: bool = True) -> Plan:
    """Decide which tensors of a captured, folded graph become integers.

    Args:
        float_output: leave the output of a last linear layer as it is; its accumulators are exact.
    """
    flow = Flow(net)
    points = _points(flow, float_output=float_output)
    order = {node: index for index, node in enumerate(net.graph.nodes)}
    return Plan(
        points=tuple(point.name for point in sorted(set(points.values()), key=order.__getitem__)),
        shared=_shared(flow, points),
        layers={node.name: points[flow.inputs(node)[0]].name for node in flow.nodes if flow.is_layer(node)},
        stays_float={node.name: reason for node in flow.nodes if (reason := _why_float(flow, points, node))},
        fixed={points[node].name: PROBABILITIES for node in flow.nodes if _is_integer_softmax(flow, points, node)},
    )


def _is_integer_softmax(flow: Flow, points: dict[fx.Node, fx.Node], node: fx.Node) -> bool:
    """Whether a softmax stands between integers: ONNX Runtime 1.31 then computes it in integers, and returns 0 for
    every probability that does not fit the output's range instead of the largest code."""
    return node.target in SOFTMAX and node in points and all(each in points for each in flow.inputs(node))


def _points(flow: Flow, *, float_output: bool) -> dict[fx.Node, fx.Node]:
    """Quantized node -> the node behind which its quantizer stands."""
    demanded = {each for node in flow.nodes if flow.is_strong(node) for each in flow.inputs(node)}
    points: dict[fx.Node, fx.Node] = {}
    for node in flow.nodes:
        if node.op == "output" or flow.is_passing(node):
            continue
        point = flow.point(node)
        wanted = _is_integer(flow, points, node, float_output=float_output) or point in demanded
        if wanted:
            points[node] = points[point] = point
    return points


def _is_integer(flow: Flow, points: dict[fx.Node, fx.Node], node: fx.Node, *, float_output: bool) -> bool:
    """Whether the node itself leaves integers, though nothing demands them."""
    if node.target in STRONG or isinstance(layer_of(flow.net, node), nn.Linear):
        return not float_output and any(reader.op == "output" for reader in flow.readers(flow.point(node)))
    if flow.is_layer(node):
        return True
    if node.target in CLAMPS:
        return flow.inputs(node)[0] in points
    return flow.is_following(node) and _integers_arrive(flow, points, node)


def _integers_arrive(flow: Flow, points: dict[fx.Node, fx.Node], node: fx.Node) -> bool:
    """Whether all inputs are integers. A gate (one side of a product) that is not is quantized for its sake."""
    inputs = flow.inputs(node)
    if not inputs or any(each.op == "get_attr" for each in inputs):
        return False
    if node.target is aten.mul.Tensor and any(each in points for each in inputs):
        points.update({each: each for each in inputs if each not in points})
    return all(each in points for each in inputs)


def _shared(flow: Flow, points: dict[fx.Node, fx.Node]) -> tuple[tuple[str, ...], ...]:
    """Inputs that only a concatenation reads take its grid: their integers are copied, not rounded a second time."""
    groups = []
    for node in flow.nodes:
        if node.target is not aten.cat.default or node not in points:
            continue
        parts = [points[each] for each in flow.inputs(node) if each in points]  # others arrive in float
        alone = [part.name for part in parts if flow.readers(part) == [node] and part.target is not aten.cat.default]
        bounds = {clamp_bounds(part) if part.target in CLAMPS else None for part in parts}
        if alone and len(bounds) == 1:  # or a clamp would not vanish
            groups.append((points[node].name, *dict.fromkeys(alone)))
    return tuple(groups)


def _why_float(flow: Flow, points: dict[fx.Node, fx.Node], node: fx.Node) -> str | None:
    """Why an operator computes in float, None when it does not."""
    if node.op in ("placeholder", "output", "get_attr") or flow.is_passing(node) or flow.is_strong(node):
        return None
    if node.target in CLAMPS or flow.is_following(node):
        arrive = all(each in points for each in flow.inputs(node)) and node in points
        return None if arrive or points.get(node) is node else "not all of its inputs are integers"
    return "there is no integer form of it"


__all__ = ["Plan", "plan_quantizers"]
