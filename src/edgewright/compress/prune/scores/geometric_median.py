"""Filters that others can stand in for."""

from __future__ import annotations

import torch

from .layers import grouped, weighted
from .scoring import Scores, Scoring, gather, to_mean_one


def geometric_median(scoring: Scoring) -> Scores:
    """How far the filters that make a class are from the others of their layer.

    A filter's sum of Euclidean distances to all filters of its layer is smallest next to the geometric median, where
    the others can stand in for it, whatever its norm. Each layer is brought to a mean of 1; coupled layers are summed.

    Source: He et al. 2019, Filter Pruning via Geometric Median (FPGM), arXiv:1811.00250, equations 4 and 7.
    """
    made = {}
    for path, layer, _ in weighted(scoring.net):
        rows = grouped(layer).flatten(end_dim=1).flatten(start_dim=1)
        distances = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")
        made[path] = to_mean_one(distances.sum(dim=1))
    return {group.name: gather(group, made, "out") for group in scoring.channels.free}
