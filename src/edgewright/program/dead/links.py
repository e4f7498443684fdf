"""Which channels of an operation's inputs and output go or stay together.

The channel of a value is its index along the first axis, of maps (C, H, W) and of features (I,) alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..types import Operation, Program

CHANNELWISE = frozenset(
    {"max_pool", "average_pool", "global_average", "look_up", "rescale", "copy", "leaky_relu", "nearest", "bilinear"}
)
"""Kinds whose channel c is made of the channel c of each input."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Link:
    """The channel `inputs[i]` of the tensor `name` goes into the channel `outputs[i]` of the output.

    Attributes:
        shared: the one channel of the input is broadcast over the output's, so it goes only when they all do.
    """

    name: str
    inputs: np.ndarray
    outputs: np.ndarray
    shared: bool = False


def links_of(operation: Operation, program: Program) -> list[Link] | None:
    """One link for each input; None for an operation all of whose channels depend on each other."""
    shapes = [program.tensors[name].shape for name in operation.inputs]
    out = program.tensors[operation.output].shape
    if operation.kind in CHANNELWISE:
        return [_same(operation.inputs[0], out[0])]
    rule = RULES.get(operation.kind)
    return rule(operation, shapes, out) if rule else None


Shape = tuple[int, ...]


def _same(name: str, count: int) -> Link:
    return Link(name=name, inputs=np.arange(count), outputs=np.arange(count))


def _broadcast(operation: Operation, shapes: list[Shape], out: Shape) -> list[Link] | None:
    found = []
    for name, shape in zip(operation.inputs, shapes, strict=True):
        if len(shape) < len(out):  # its first axis is not that of the output
            return None
        if shape[0] == out[0]:
            found.append(_same(name, out[0]))
        else:
            found.append(Link(name=name, inputs=np.zeros(out[0], int), outputs=np.arange(out[0]), shared=True))
    return found


def _concat(operation: Operation, shapes: list[Shape], out: Shape) -> list[Link]:
    if operation.settings["axis"] != 0:
        return [_same(name, out[0]) for name in operation.inputs]
    ends = np.cumsum([shape[0] for shape in shapes])
    return [
        Link(name=name, inputs=np.arange(shape[0]), outputs=np.arange(end - shape[0], end))
        for name, shape, end in zip(operation.inputs, shapes, ends, strict=True)
    ]


def _slice(operation: Operation, shapes: list[Shape], out: Shape) -> list[Link]:
    start = operation.settings["start"] if operation.settings["axis"] == 0 else 0
    return [Link(name=operation.inputs[0], inputs=np.arange(start, start + out[0]), outputs=np.arange(out[0]))]


def _pad(operation: Operation, shapes: list[Shape], out: Shape) -> list[Link] | None:
    return [_same(operation.inputs[0], out[0])] if tuple(operation.settings["widths"][0]) == (0, 0) else None


def _moved(operation: Operation, shapes: list[Shape], out: Shape) -> list[Link]:
    """Follows every value to where a reshape or a transposition brings it."""
    places = np.arange(math.prod(out)).reshape(shapes[0])
    if operation.kind == "transpose":
        places = places.transpose(operation.settings["order"])
    inputs = places.ravel() // math.prod(shapes[0][1:])
    outputs = np.arange(math.prod(out)) // math.prod(out[1:])
    pairs = np.unique(np.stack([inputs, outputs]), axis=1)
    return [Link(name=operation.inputs[0], inputs=pairs[0], outputs=pairs[1])]


Rule = Callable[[Operation, list[Shape], Shape], list[Link] | None]
RULES: dict[str, Rule] = {
    "add": _broadcast, "mul": _broadcast, "concat": _concat, "slice": _slice, "pad": _pad, "reshape": _moved,
    "transpose": _moved,
}  # fmt: skip
