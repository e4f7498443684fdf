"""Which layers keep more bits: the first and the last, whatever the net looks like.

The first layers read the image itself, the last ones make the outputs; both hold few of the weights and most of the
harm (Choi et al. 2018, arXiv:1805.06085, section 5). With several outputs, as detectors have, every layer from which
an output is reached past no other layer is a last one.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import fx

from ....errors import ConfigError
from ....model import layer_of
from ..placement import Plan
from ..precision import Precision
from .sides import is_layer


@dataclass(frozen=True, kw_only=True)
class Ends:
    """Nodes of the first and last layers, in graph order; a net of one layer has it in both."""

    first: tuple[str, ...]
    last: tuple[str, ...]


def find_ends(folded: fx.GraphModule) -> Ends:
    """The layers that an input reaches past no other layer, and those that reach an output so."""
    nodes = list(folded.graph.nodes)
    layers = [node for node in nodes if is_layer(layer_of(folded, node))]
    fresh = _reached([node for node in nodes if node.op == "placeholder"], layers, forwards=True)
    done = _reached([node for node in nodes if node.op == "output"], layers, forwards=False)
    return Ends(
        first=tuple(node.name for node in layers if node in fresh),
        last=tuple(node.name for node in layers if node in done),
    )


def _reached(starts: list[fx.Node], layers: list[fx.Node], *, forwards: bool) -> set[fx.Node]:
    """All nodes on ways from `starts` that end at the first layer."""
    stop, seen, waiting = set(layers), set(starts), list(starts)
    while waiting:
        node = waiting.pop()
        if node in stop or node.target is torch.ops.aten.sym_size.int:  # a size is no value
            continue
        for after in node.users if forwards else node.all_input_nodes:
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    return seen


def keep_ends(folded: fx.GraphModule, plan: Plan, precision: Precision, *, bits: int = 8) -> Precision:
    """`precision` with at least `bits` for the weights of the first and last layers and for what they read.

    What shares a grid with such an input gets its bits too.

    Raises:
        ConfigError: not 2 to 8 bits.
    """
    if not 2 <= bits <= 8:
        raise ConfigError(f"keep_ends takes 2 to 8 bits, got {bits}.")
    ends = find_ends(folded)
    names = [name for name in dict.fromkeys((*ends.first, *ends.last)) if name in plan.layers]
    layers = {name: max(bits, precision.of_layer(name)) for name in names}
    read = {plan.layers[name] for name in names}
    for group in plan.shared:
        read |= set(group) if read & set(group) else set()
    points = {name: max(bits, precision.of_point(name)) for name in plan.points if name in read}
    return dataclasses.replace(precision, layers={**precision.layers, **layers}, points={**precision.points, **points})
