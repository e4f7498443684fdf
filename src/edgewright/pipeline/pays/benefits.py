"""What zeros anywhere are worth where time is not the question: bytes, skipped MACs, joules, inputs that nobody reads.

Every figure is counted on the weights. Joules are those of a machine that skips zeros, which no device of ours is: its
arithmetic shrinks with the effective MACs, the movement of weights with their bytes in the smallest form, the movement
of activations stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import fx

from ...analyze.hardware import bit_operations, energy_of, sparse_columns, total_bit_operations
from ...analyze.hardware.products import products, weight_matrices
from ...compress.prune.sparse import storage, weighted_layers
from ...types import ModelProfile

DTYPE = "float32"


@dataclass(frozen=True, kw_only=True)
class Benefit:
    """One sparsity of the whole model. Bytes are those of the weights of convolutions and linear layers, float32."""

    sparsity: float
    num_bytes: Mapping[str, int]  # dense, and in each form of storage, with all indices
    macs: int
    skipped_macs: int  # whose weight is zero
    energy_j: float
    dense_energy_j: float
    share_of_read_inputs: float  # columns of all layers that a weight is left for: nobody reads the rest
    accelerator_speed_up: float | None  # on the engine for compressed columns, against a dense one of its size
    accelerator_load_balance: float | None


def benefit(
    net: fx.GraphModule, profile: ModelProfile, sparsity: float, *, images_BCHW: torch.Tensor | None = None
) -> Benefit:
    """Count what the zeros of a model are worth.

    Args:
        net: the sparse model, captured.
        profile: of the same model, at float32.
        sparsity: for the record.
        images_BCHW: whose zero activations the accelerator skips too; the profile's batch is 1.
    """
    counted = total_bit_operations(bit_operations(net, profile))
    num_bytes = {name: each[DTYPE] for name, each in storage(weighted_layers(net)).items()}
    dense, least = num_bytes["dense"], min(num_bytes.values())
    spent = energy_of(profile)
    skipped = counted["macs"] - counted["effective_macs"]
    saved = spent.of("compute_j") * skipped / counted["macs"] + spent.of("weight_movement_j") * (1 - least / dense)
    engine = sparse_columns(net, profile, images_BCHW=images_BCHW, max_windows=MOST_WINDOWS).total()
    return Benefit(
        sparsity=sparsity, num_bytes=num_bytes, macs=counted["macs"], skipped_macs=skipped,
        dense_energy_j=spent.energy_j, energy_j=spent.energy_j - saved, share_of_read_inputs=_read_inputs(net, profile),
        accelerator_speed_up=engine.get("speed_up"), accelerator_load_balance=engine.get("load_balance"),
    )  # fmt: skip


MOST_WINDOWS = 64  # of a layer, evenly spaced: all of a large image would take minutes


def _read_inputs(net: fx.GraphModule, profile: ModelProfile) -> float:
    """The share of the columns of all layers that a weight is left for."""
    layers = {each.row.layer: each.layer for each in products(net, profile)}
    used_L = [(weight_matrices(layer) != 0).any(dim=1) for layer in layers.values()]
    return sum(int(each.sum()) for each in used_L) / sum(each.numel() for each in used_L)
