"""One walk over a captured graph that gives every tensor its channel ids and couples what must stay equal.

The walk runs the graph at batch 1 on labels instead of numbers. Anything that carries no channels (sizes, index
tables, constants) is computed for real.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from ..run import tensor_specs
from .layer_rules import LAYER_RULES
from .rules import RULES
from .space import Labels, compact, nobody
from .trace import Trace, name_of, refuse

INPUT = "they are the model's input"
OUTPUT = "they are the model's output"
LARGEST_LOOSE = 1 << 20  # elements; a larger loose tensor is a weight of an operator without a rule, and is never cut


def trace(net: fx.GraphModule) -> Trace:
    """Label every tensor of `net`."""
    shapes = {name: spec.shape for name, spec in tensor_specs(net).items()}
    seen = Trace(net=net, shapes=shapes)
    for node in net.graph.nodes:
        if node.op == "placeholder":
            seen.values[node] = _input(seen, node)
        elif node.op == "get_attr":
            seen.values[node] = _loose(seen, str(node.target))
        elif node.op == "output":
            for labels in seen.labels_in(_resolve(seen, node.args)):
                seen.space.lock(labels.ids, OUTPUT)
        elif node.op == "call_module":
            seen.values[node] = _layer(seen, node)
        else:
            seen.values[node] = _function(seen, node)
    return seen


def _layer(seen: Trace, node: fx.Node) -> Any:
    layer = seen.net.get_submodule(str(node.target))
    rule = LAYER_RULES.get(type(layer))
    inputs = _resolve(seen, node.args)
    return rule(seen, node, layer, *inputs) if rule else refuse(seen, node, inputs, {})


def _function(seen: Trace, node: fx.Node) -> Any:
    args, kwargs = _resolve(seen, node.args), _resolve(seen, node.kwargs)
    if not seen.labels_in([args, kwargs]):
        with torch.no_grad():
            return node.target(*args, **kwargs)  # type: ignore[operator]
    rule = RULES.get(name_of(node.target), refuse)
    return rule(seen, node, args, kwargs)


def _resolve(seen: Trace, argument: Any) -> Any:
    return fx.node.map_arg(argument, lambda node: seen.values[node])


def _input(seen: Trace, node: fx.Node) -> Labels:
    shape = seen.shapes[node.name]
    if len(shape) < 2:
        return nobody(shape)
    ids = seen.space.fresh(shape[1])
    seen.space.lock(ids, INPUT)
    return compact(ids.view(1, -1, *[1] * (len(shape) - 2)).expand(shape))


def _loose(seen: Trace, name: str) -> Any:
    """A parameter or buffer that belongs to no layer: one id per element, so that any use of it can be followed."""
    value = getattr(seen.net, name)
    if not value.is_floating_point():
        return value.detach()
    if value.numel() > LARGEST_LOOSE:
        return nobody(value.shape)
    if name not in seen.params:
        ids = seen.space.fresh(value.numel(), made=False)
        seen.params[name] = Labels(ids.view(value.shape), tuple(value.shape))
    return seen.params[name]
