"""The heavy layers of a model as matrix products, timed with the zeros that its own weights would have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from ...analyze.hardware.products import Product, products, weight_matrices
from ...progress import SILENT, Progress
from ...types import ModelProfile
from ...verify.sparse_times import ProductTimes, time_product
from ...verify.timing import Timing

OWN_ZEROS = 0.01  # a layer with fewer zeros than this was not made sparse


@dataclass(frozen=True, kw_only=True)
class LayerAnswer:
    """Layers of one shape: the first of them was measured, with its own weights."""

    layers: tuple[str, ...]
    op: str
    rows: int
    columns: int
    positions: int
    share_of_macs: float  # of all these layers, of the model's
    own_sparsity: float  # of the one that was measured
    times: ProductTimes
    break_even: float | None


def time_layers(
    net: nn.Module,
    profile: ModelProfile,
    *,
    sparsities: Sequence[float],
    most: int,
    timing: Timing,
    seed: int = 0,
    progress: Progress = SILENT,
) -> tuple[LayerAnswer, ...]:
    """Time the shapes of layers with the most MACs, each at every sparsity.

    A layer that has zeros is measured with them too, and at no smaller sparsity. Grouped and depthwise layers are no
    matrix products worth the name (nine columns, one row) and are left out.

    Args:
        net: the model that was profiled.
        most: shapes of layers to measure.
    """
    heavy = _by_shape(net, profile)[:most]
    found = []
    with progress.task("Time layers", total=len(heavy)) as bar:
        for those in heavy:
            found.append(_answer(those, profile.macs, sparsities, timing=timing, seed=seed))
            bar.advance(detail=found[-1].layers[0])
    return tuple(found)


def _by_shape(net: nn.Module, profile: ModelProfile) -> list[list[Product]]:
    """Calls of layers that share a shape, those with the most MACs in sum first."""
    shapes: dict[tuple[int, int, int], list[Product]] = {}
    for each in products(net, profile):
        if each.groups == 1:
            shapes.setdefault((each.rows, each.columns, each.positions), []).append(each)
    return sorted(shapes.values(), key=lambda those: -sum(each.row.macs for each in those))


def _answer(
    those: Sequence[Product], macs: int, sparsities: Sequence[float], *, timing: Timing, seed: int
) -> LayerAnswer:
    first = those[0]
    matrix_RC = weight_matrices(first.layer)[0].float().cpu().numpy()
    own = 1 - float(np.count_nonzero(matrix_RC)) / matrix_RC.size
    times = time_product(matrix_RC, first.positions, sparsities=with_own(sparsities, own), timing=timing, seed=seed)
    return LayerAnswer(
        layers=tuple(dict.fromkeys(each.row.layer for each in those)), op=first.row.op, rows=first.rows,
        columns=first.columns, positions=first.positions, own_sparsity=own, times=times,
        share_of_macs=sum(each.row.macs for each in those) / macs, break_even=times.break_even,
    )  # fmt: skip


def with_own(sparsities: Sequence[float], own: float) -> tuple[float, ...]:
    """The sparsities that are asked for, less those below what there is already, which is measured too."""
    if not OWN_ZEROS <= own < 1:
        return tuple(sorted(set(sparsities)))
    return (own, *sorted({each for each in sparsities if each > own}))
