"""Automatic differentiation: a program leaves a graph behind, and derivatives walk along it, either way.

Every operation y = f(a, b, ...) knows its value and, for each input, one linear map, the Jacobian J of f with respect
to it, as two functions that never write it down:

    push   dy = J dx        a nudge of an input moves the output        (Jacobian-vector product)
    pull   dx = Jᵀ dy       a slope at the output becomes one of the input     (vector-Jacobian product)

    jvp    inputs first, pushing:   one walk gives the derivative of all outputs along ONE direction of the inputs
    vjp    output first, pulling:   one walk gives the derivative of ONE output along all directions of the inputs

Pulling needs the values that were passed on the way, so they are stored. It is the cheapest exact way to the gradient
of a loss, which is one output of very many inputs, and not the only way. An adjoint is summed over all uses of a node
and pulled on once: linear in the size of the graph, where a sum over its paths would be exponential.

Source: Griewank and Walther 2008, Evaluating Derivatives; Baydin 2018, JMLR 18.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Linear = Callable[..., Any]  # (what comes in, y, *inputs) -> what goes out


@dataclass(frozen=True, kw_only=True)
class Partial:
    """The Jacobian of an operation with respect to one of its inputs, as a map and as its transpose."""

    push: Linear
    pull: Linear


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A function of arrays, and its partial derivatives in the order of its inputs."""

    name: str
    value: Callable[..., Any]
    partials: tuple[Partial, ...]

    def __call__(self, *inputs: Any) -> Any:
        """The value; a `Node` that remembers where it came from if any input is one."""
        values = tuple(each.value if isinstance(each, Node) else each for each in inputs)
        y = self.value(*values)
        if not any(isinstance(each, Node) for each in inputs):
            return y
        return Node(y, operation=self, inputs=inputs, values=values)


class Node:
    """A value in the graph. Leaves have no operation; what is not a node is a constant."""

    def __init__(
        self, value: Any, *, operation: Operation | None = None, inputs: tuple[Any, ...] = (),
        values: tuple[Any, ...] = (),
    ) -> None:  # fmt: skip
        self.value: Array = np.asarray(value)
        self.operation = operation
        self.inputs = inputs
        self.values = values

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    def __add__(self, other: Any) -> Any:
        return ADD(self, other)

    def __sub__(self, other: Any) -> Any:
        return SUBTRACT(self, other)

    def __mul__(self, other: Any) -> Any:
        return MULTIPLY(self, other)

    def __truediv__(self, other: Any) -> Any:
        return DIVIDE(self, other)

    def __matmul__(self, other: Any) -> Any:
        return MATMUL(self, other)

    def __neg__(self) -> Any:
        return MULTIPLY(self, -1.0)

    def __radd__(self, other: Any) -> Any:
        return ADD(other, self)

    def __rsub__(self, other: Any) -> Any:
        return SUBTRACT(other, self)

    def __rmul__(self, other: Any) -> Any:
        return MULTIPLY(other, self)

    def __rtruediv__(self, other: Any) -> Any:
        return DIVIDE(other, self)

    def __rmatmul__(self, other: Any) -> Any:
        return MATMUL(other, self)

    __array_ufunc__ = None  # array * node asks the node


def topological_order(output: Node) -> list[Node]:
    """All nodes that `output` comes from, each after its inputs and `output` last."""
    order: list[Node] = []
    seen: set[int] = set()
    stack: list[tuple[Node, bool]] = [(output, False)]
    while stack:
        node, inputs_are_done = stack.pop()
        if inputs_are_done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack += [(each, False) for each in node.inputs if isinstance(each, Node)]
    return order


def vjp(output: Node, slope: Array, inputs: Sequence[Node]) -> list[Array]:
    """Reverse mode: Jᵀ slope for each of `inputs`, with J the Jacobian of `output`; one walk for all of them.

    Args:
        slope: of the shape of the output's value; 1 for a loss.
    """
    adjoints: dict[int, Array] = {id(output): np.asarray(slope, dtype=output.value.dtype)}
    for node in reversed(topological_order(output)):  # every use of a node comes before the node
        if node.operation is None or id(node) not in adjoints:
            continue
        dy = adjoints[id(node)]
        for source, partial in zip(node.inputs, node.operation.partials, strict=True):
            if isinstance(source, Node):
                dx = _summed_to(partial.pull(dy, node.value, *node.values), source.shape)
                adjoints[id(source)] = adjoints[id(source)] + dx if id(source) in adjoints else dx
    return [adjoints.get(id(each), np.zeros_like(each.value)) for each in inputs]


def jvp(output: Node, inputs: Sequence[Node], nudges: Sequence[Array]) -> Array:
    """Forward mode: J nudge, how far the output moves when every input moves along its nudge; one walk for all."""
    tangents = {id(node): np.asarray(nudge) for node, nudge in zip(inputs, nudges, strict=True)}
    for node in topological_order(output):
        if node.operation is None or id(node) in tangents:
            continue
        parts = [
            partial.push(tangents[id(source)], node.value, *node.values)
            for source, partial in zip(node.inputs, node.operation.partials, strict=True)
            if isinstance(source, Node) and id(source) in tangents
        ]
        if parts:
            tangents[id(node)] = np.sum([np.broadcast_to(part, node.shape) for part in parts], axis=0)
    return tangents.get(id(output), np.zeros_like(output.value))


def value_and_gradients(loss: Callable[..., Any], *arrays: Array) -> tuple[float, list[Array]]:
    """A loss, and its gradient by each of the arrays that it is a function of."""
    leaves = [Node(each) for each in arrays]
    output = loss(*leaves)
    return float(output.value), vjp(output, np.ones(output.shape), leaves)


def elementwise(name: str, value: Callable[..., Any], *slopes: Callable[..., Any]) -> Operation:
    """An operation whose Jacobians are diagonal: pushing and pulling both multiply by slope(y, *inputs)."""

    def partial(slope: Callable[..., Any]) -> Partial:
        def scaled(change: Any, y: Any, *inputs: Any) -> Any:
            return change * slope(y, *inputs)

        return Partial(push=scaled, pull=scaled)

    return Operation(name=name, value=value, partials=tuple(partial(each) for each in slopes))


ADD = elementwise("add", np.add, lambda y, a, b: 1.0, lambda y, a, b: 1.0)
SUBTRACT = elementwise("subtract", np.subtract, lambda y, a, b: 1.0, lambda y, a, b: -1.0)
MULTIPLY = elementwise("multiply", np.multiply, lambda y, a, b: b, lambda y, a, b: a)
DIVIDE = elementwise("divide", np.divide, lambda y, a, b: 1 / np.asarray(b), lambda y, a, b: -y / b)
MATMUL = Operation(
    name="matmul",
    value=np.matmul,
    partials=(
        Partial(push=lambda da, y, a, b: da @ b, pull=lambda dy, y, a, b: dy @ np.swapaxes(b, -1, -2)),
        Partial(push=lambda db, y, a, b: a @ db, pull=lambda dy, y, a, b: np.swapaxes(a, -1, -2) @ dy),
    ),
)


def _summed_to(slope: Any, shape: tuple[int, ...]) -> Array:
    """The transpose of broadcasting: what one value was copied to adds up in it."""
    slope = np.asarray(slope)
    slope = slope.sum(tuple(range(slope.ndim - len(shape))))
    axes = tuple(axis for axis, size in enumerate(shape) if size == 1 and slope.shape[axis] != 1)
    return slope.sum(axes, keepdims=True)
