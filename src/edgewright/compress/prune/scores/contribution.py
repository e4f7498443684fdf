"""What a class carries to its readers, on images."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from ....model import layer_of, watch
from .layers import WEIGHTED, grouped, weighted
from .scoring import Scores, Scoring, gather, images_of, to_mean_one

NUM_IMAGES = 256  # of the calibration set; variances of 256 images times positions are steady


def contribution(scoring: Scoring) -> Scores:
    """How much of what its readers compute a class carries, measured on images.

    Sum over the layers that read the class of the variance of its channels times the squared norm of their columns,
    each layer brought to a mean of 1. The variance, not the energy: what is constant moves into batch norm or bias.

    Raises:
        ConfigError: there are no images.
    """
    _, data = images_of(scoring, "contribution")
    variances = _read_variances(scoring, data.calibration(NUM_IMAGES, scoring.seed))
    read = {}
    for path, layer, scale in weighted(scoring.net):
        columns = (grouped(layer).pow(2) * scale.pow(2)[:, :, None, None]).sum(dim=(1, 3))
        read[path] = to_mean_one(columns.reshape(-1) * variances[path])
    return {group.name: gather(group, read, "in") for group in scoring.channels.free}


def _read_variances(scoring: Scoring, images_BCHW: torch.Tensor) -> dict[str, torch.Tensor]:
    """Layer -> variance over samples and positions of each channel that it reads; a shared layer's uses are summed."""
    readers: dict[str, list[Any]] = {}
    for node in scoring.net.graph.nodes:
        if isinstance(layer_of(scoring.net, node), WEIGHTED):
            readers.setdefault(node.all_input_nodes[0].name, []).append(node)
    variances: dict[str, torch.Tensor] = {}

    def see(node: fx.Node, value: torch.Tensor) -> None:
        for reader in readers.get(node.name, ()):
            layer = scoring.net.get_submodule(str(reader.target))
            axis = value.dim() - 1 - len(getattr(layer, "kernel_size", ()))
            rows = value.double().movedim(axis, -1).flatten(end_dim=-2)
            variances[str(reader.target)] = variances.get(str(reader.target), 0) + rows.var(dim=0, correction=0)

    watch(scoring.net, images_BCHW, see)
    return variances
