"""Activations that exporters write out as several operators, read as the one function that they are.

x * sigmoid(x)                         silu
x * hardsigmoid(x)                     hardswish
0.5 * x * (1 + erf(x / sqrt(2)))       gelu, however the product is put together
"""

from __future__ import annotations

import math
from typing import Any

from torch import fx

from .elementwise import binary
from .op import Built, Op, aten
from .values import Value

GATES = {aten.sigmoid.default: aten.silu.default, aten.hardsigmoid.default: aten.hardswish.default}
SCALES: dict[Any, float] = {aten.mul.Tensor: math.sqrt(0.5), aten.div.Tensor: math.sqrt(2)}
plain = binary(aten.mul.Tensor, turned=aten.mul.Tensor)


def multiply(op: Op) -> Built:
    """A product, or the activation that it ends."""
    left, right = op.x, op.need(1)
    for x, gate in ((left, right), (right, left)):
        if gate.node is not None and gate.node.target in GATES and gate.node.args[0] is x.node:
            return op.call(GATES[gate.node.target], x)
    source = _gelu_source([left, right])
    return plain(op) if source is None else op.call(aten.gelu.default, _value(op, source, left, right))


def _value(op: Op, node: fx.Node, left: Value, right: Value) -> Value:
    """The tensor at `node`: it has the shape of the product."""
    like = left if left.node is not None else right
    return Value(node=node, seen=like.seen)


def _gelu_source(values: list[Value]) -> fx.Node | None:
    """x, where the product of `values` is 0.5 * x * (1 + erf(x / sqrt(2)))."""
    factors = [factor for value in values for factor in _factors(value)]
    numbers = [each for each in factors if not isinstance(each, fx.Node)]
    nodes = [each for each in factors if isinstance(each, fx.Node)]
    if len(nodes) != 2 or not math.isclose(math.prod(numbers), 0.5, rel_tol=1e-6):
        return None
    for x, gate in (nodes, nodes[::-1]):
        if _is_gelu_gate(gate, x):
            return x
    return None


def _factors(value: Value | fx.Node | Any, depth: int = 2) -> list[Any]:
    """Nodes and numbers whose product a value is; a constant tensor makes it something else."""
    if isinstance(value, Value):
        if value.node is None:
            return [value.seen[0].item()] if value.uniform and value.seen[0].numel() == 1 else [math.nan]
        value = value.node
    if depth and isinstance(value, fx.Node) and value.target is aten.mul.Tensor:
        return [factor for each in value.args for factor in _factors(each, depth - 1)]
    return [value]


def _is_gelu_gate(gate: fx.Node, x: fx.Node) -> bool:
    """Whether `gate` is 1 + erf(x / sqrt(2))."""
    if gate.target is not aten.add.Tensor or gate.args[1] != 1:
        return False
    erf = gate.args[0]
    if not isinstance(erf, fx.Node) or erf.target is not aten.erf.default:
        return False
    scaled = erf.args[0]
    if not isinstance(scaled, fx.Node) or scaled.args[0] is not x or not isinstance(scaled.args[1], float):
        return False
    wanted = SCALES.get(scaled.target)
    return wanted is not None and math.isclose(scaled.args[1], wanted, rel_tol=1e-6)
