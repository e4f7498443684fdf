"""From a simulation to the net that is trained, and back.

Both have the same graph; only the modules behind it are exchanged.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import fx, nn

from ....model import layer_of, rewrite
from ....model.functions import CLAMPS, clamp_bounds
from ....model.quantized import IntegerWeights, QuantizeActivation
from ..placement import Plan
from .layers import COMPUTE, TrainedLayer
from .norms import Unfolded
from .settings import Qat
from .steps import TrainedPoint


def trained_net(
    simulation: fx.GraphModule, plan: Plan, settings: Qat, *, unfolded: Mapping[str, Unfolded]
) -> fx.GraphModule:
    """The net to train: a copy of `simulation` with its quantizers and integer layers exchanged.

    Args:
        simulation: as `simulate` made it, perhaps repaired.
        plan: which tensors share a grid, and which grids must not change.
        unfolded: layers, by node name, with the batch norms that were folded into them.
    """

    def edit(net: fx.GraphModule) -> None:
        points = _exchange_points(net, plan, settings)
        for node in net.graph.nodes:
            layer = layer_of(net, node)
            if type(layer) in COMPUTE and node.name in plan.layers:
                assert isinstance(layer, IntegerWeights)
                source = points[plan.layers[node.name]]
                trained = _trained_layer(layer, source, settings, unfolded=unfolded.get(node.name))
                net.set_submodule(str(node.target), trained)

    return rewrite(simulation, edit)


def _exchange_points(net: fx.GraphModule, plan: Plan, settings: Qat) -> dict[str, TrainedPoint]:
    """Trained quantizers in place of those of the net; by the name of the tensor that each rounds."""
    leaders = {name: group[0] for group in plan.shared for name in group}
    nodes = {node.args[0].name: node for node in net.graph.nodes if isinstance(layer_of(net, node), QuantizeActivation)}
    points: dict[str, TrainedPoint] = {}
    for name in sorted(nodes, key=lambda each: leaders.get(each, each) != each):  # leaders first
        node, leader = nodes[name], leaders.get(name, name)
        layer = layer_of(net, node)
        assert isinstance(layer, QuantizeActivation)
        shares = leader != name and leader in points and _grid(layer) == _grid(layer_of(net, nodes[leader]))
        points[name] = points[leader] if shares else _trained_point(node, layer, settings, plan)
    for name, point in points.items():
        net.set_submodule(str(nodes[name].target), point)
    return points


def _trained_point(node: fx.Node, layer: QuantizeActivation, settings: Qat, plan: Plan) -> TrainedPoint:
    source = node.args[0]
    assert isinstance(source, fx.Node)
    shared = any(source.name in group for group in plan.shared)
    is_fixed = source.name in plan.fixed or (shared and settings.steps == "observed")
    return TrainedPoint(layer, settings, is_fixed=is_fixed, largest=_largest_step(source, layer))


def _grid(layer: nn.Module | None) -> tuple[float, int, int, bool]:
    assert isinstance(layer, (QuantizeActivation, TrainedPoint))
    scale = layer.scale if isinstance(layer, QuantizeActivation) else layer.steps.value
    return scale.item(), int(layer.zero_point), layer.low, layer.high > 0


def _largest_step(source: fx.Node, layer: QuantizeActivation) -> float:
    """The step at which the grid ends where the clamp before it does: a wider grid would bring the clamp back."""
    high = clamp_bounds(source)[1] if source.target in CLAMPS else None
    codes = layer.high - int(layer.zero_point)
    return high / codes if high is not None and codes > 0 and high > 0 else float("inf")


def _trained_layer(
    layer: IntegerWeights, source: TrainedPoint, settings: Qat, *, unfolded: Unfolded | None
) -> TrainedLayer:
    if unfolded is None:
        return TrainedLayer(layer, source, settings)
    origin = (unfolded.weight, unfolded.bias)
    return TrainedLayer(layer, source, settings, norm=copy.deepcopy(unfolded.norm), origin=origin)


def simulation_of(trained: nn.Module, simulation: fx.GraphModule) -> fx.GraphModule:
    """A copy of `simulation` with what `trained` has learnt; in eval mode both compute the same numbers."""
    result = copy.deepcopy(simulation)
    exchanged = {
        path: module
        for path, module in trained.named_modules(remove_duplicate=False)
        if isinstance(module, (TrainedPoint, TrainedLayer))
    }
    prefixes = tuple(f"{path}." for path in exchanged)
    others = {name: value for name, value in trained.state_dict().items() if not name.startswith(prefixes)}
    result.load_state_dict(others, strict=False)
    with torch.no_grad():
        for path, module in exchanged.items():
            module.write_to(result.get_submodule(path))  # type: ignore[arg-type]
    return result.eval()


def begin_epoch(net: nn.Module, settings: Qat, *, number: int) -> None:
    """Freeze what is to be frozen in epoch `number` (from 1) of `settings.train.epochs`."""
    passed = (number - 1) / settings.train.epochs
    for module in net.modules():
        if isinstance(module, TrainedLayer):
            module.is_frozen = passed >= settings.freeze_batch_norm
        if isinstance(module, (TrainedPoint, TrainedLayer)):
            module.is_watching = settings.steps == "observed" and passed < settings.freeze_ranges
