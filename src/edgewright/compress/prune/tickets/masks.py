"""Which weights are left: masks of a whole net, made smaller by magnitude or drawn at random.

A ticket on disk is a model whose removed weights are exactly 0: its pattern of zeros is the mask. Some initial weights
are 0 too, by design or by chance, so `masked` lifts those that are left to `ALIVE`.

Source: Frankle and Carbin 2019, The Lottery Ticket Hypothesis (arXiv:1803.03635), section 1 and appendix G.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import fx

from ..sparse import choose, weighted_layers

Masks = Mapping[str, torch.Tensor]  # path of a layer -> True where a weight is left, of its shape

ALIVE = 1e-20  # instead of an initial 0: lost in the rounding of any sum, and its products stay normal floats


def whole(net: fx.GraphModule) -> dict[str, torch.Tensor]:
    """The masks of a dense net: everything is left, whatever its value."""
    return {path: torch.ones_like(layer.weight, dtype=torch.bool) for path, layer in weighted_layers(net).items()}


def masks_of(ticket: fx.GraphModule) -> dict[str, torch.Tensor]:
    """The masks that `masked` applied: what is not exactly 0 is left."""
    return {path: layer.weight.detach() != 0 for path, layer in weighted_layers(ticket).items()}


def masked(net: fx.GraphModule, masks: Masks) -> fx.GraphModule:
    """A copy of `net` in which exactly the removed weights are 0.

    Training that keeps zeros looks at all parameters with two axes or more, so zeros among the others are lifted too;
    those that are 0 throughout are left alone, as training leaves them.
    """
    copied = copy.deepcopy(net)
    layers = weighted_layers(copied)
    removed = {id(layers[path].weight): ~left for path, left in masks.items()}
    with torch.no_grad():
        for weight in copied.parameters():
            gone = removed.get(id(weight))
            zeros = weight == 0
            if weight.dim() < 2 or (gone is None and bool(zeros.all())):
                continue
            weight[zeros] = ALIVE
            if gone is not None:
                weight[gone] = 0
    return copied


def keep_of(masks: Masks) -> float:
    """The share of all prunable weights that is left, in (0, 1]."""
    return sum(int(left.sum()) for left in masks.values()) / sum(left.numel() for left in masks.values())


def count_left(total: int, rate: float, rounds: int) -> int:
    """Weights left of `total` after so many rounds that each remove the share `rate` of those left; 1 at least.

    Counted from the total, so that rounding does not add up over rounds.
    """
    return max(1, round(total * (1 - rate) ** rounds))


def smaller(masks: Masks, trained: fx.GraphModule, counts: Mapping[tuple[str, ...], int]) -> dict[str, torch.Tensor]:
    """Masks in which only the weights of largest magnitude among those left stay.

    Args:
        masks: of the round before; what they removed stays removed, whatever its value.
        trained: the net that was trained under them.
        counts: layers that compete with each other -> how many of their weights stay in all. Each layer keeps its
            largest weight at least: a layer without weights would cut the net in two.
    """
    layers, made = weighted_layers(trained), dict[str, torch.Tensor]()
    for paths, count in counts.items():
        sizes = {path: layers[path].weight.detach().abs().masked_fill(~masks[path], -torch.inf) for path in paths}
        total = sum(each.numel() for each in sizes.values())
        made |= choose(sizes, 1 - max(count, len(paths)) / total)
    return {path: made[path] for path in masks}


def shuffled(masks: Masks, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Masks that leave as many weights of each layer, drawn at random: the control of what the mask knows."""
    drawn = {}
    for path, left in masks.items():
        order = torch.randperm(left.numel(), generator=generator)
        drawn[path] = left.flatten()[order].view_as(left)
    return drawn
