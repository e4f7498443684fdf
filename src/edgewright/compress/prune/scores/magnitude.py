"""Sizes of weights."""

from __future__ import annotations

from .layers import grouped, weighted
from .scoring import Scores, Scoring, gather, to_mean_one


def l1(scoring: Scoring) -> Scores:
    """Sums of |w|: see `magnitude`."""
    return magnitude(scoring, 1)


def l2(scoring: Scoring) -> Scores:
    """Sums of w^2: see `magnitude`."""
    return magnitude(scoring, 2)


def magnitude(scoring: Scoring, power: int) -> Scores:
    """The size of the weights of a class: rows of the layers that make it, columns of those that read it.

    Each layer is brought to a mean of 1 before the sum. Columns are taken with the batch norm that follows their layer
    folded in. Rows are not: what batch norm scales has unit variance whatever the row's norm.
    Li et al. 2017, arXiv:1608.08710; sums over coupled layers: Fang et al. 2023, arXiv:2301.12900.
    """
    made, read = {}, {}
    for path, layer, scale in weighted(scoring.net):
        weight = grouped(layer).abs().pow(power)
        made[path] = to_mean_one(weight.sum(dim=(2, 3)))
        read[path] = to_mean_one((weight * scale.abs().pow(power)[:, :, None, None]).sum(dim=(1, 3)))
    return {group.name: gather(group, made, "out") + gather(group, read, "in") for group in scoring.channels.free}
