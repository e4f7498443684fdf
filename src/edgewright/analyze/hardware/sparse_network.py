"""A network's own weights and activations on the accelerator of `column_engine`: bytes, cycles, load balance."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import nn

from ...errors import ConfigError, ModelError
from ...types import BYTES_PER_ELEMENT, ModelProfile
from .column_engine import SUMS, Cycles, run_columns, total_cycles
from .columns import ColumnEngine, CompressedColumns, compress_columns, fit_table
from .products import Product, input_columns, products, unseen, watch_layers, weight_matrices


@dataclass(frozen=True, kw_only=True)
class SparseLayer:
    """One layer on the engine, for the profile's batch."""

    name: str
    layer: str
    op: str
    macs: int
    weights: int
    nonzero_weights: int
    padding_entries: int
    weights_are_shared: bool  # False: they must still be clustered to fit the table that the bytes assume
    dense_bytes: float  # of the weights, at the profile's type
    sparse_bytes: int
    share_of_nonzero_activations: float
    run: Cycles


@dataclass(frozen=True, kw_only=True)
class SparseNetwork:
    """The convolutions and linear layers of a network on the engine, in the order of execution."""

    rows: tuple[SparseLayer, ...]
    engine: ColumnEngine
    with_images: bool  # False: every activation counts as non-zero
    unseen: tuple[str, ...] = ()  # operators whose weights no layer holds: in no sum

    def by_layer(self) -> list[dict[str, Any]]:
        """Rows of plain data."""
        rows = []
        for row in self.rows:
            facts = {each.name: getattr(row, each.name) for each in fields(row) if each.name != "run"}
            ratios = {"share_of_nonzero_weights": row.nonzero_weights / row.weights}
            rows.append({**facts, **ratios, "times_smaller": row.dense_bytes / row.sparse_bytes, **_shown(row.run)})
        return rows

    def total(self) -> dict[str, Any]:
        """The sums in one row of plain data. A layer that is called twice is stored once."""
        stored = {row.layer: row for row in self.rows}.values()
        whole = total_cycles(row.run for row in self.rows)
        names = ("weights", "nonzero_weights", "padding_entries", "dense_bytes", "sparse_bytes")
        parts = {name: sum(getattr(row, name) for row in stored) for name in names}
        ratio = parts["dense_bytes"] / parts["sparse_bytes"] if stored else None
        macs = sum(row.macs for row in self.rows)
        return {
            "macs": macs, **parts,
            "share_of_nonzero_weights": parts["nonzero_weights"] / parts["weights"] if stored else None,
            "times_smaller": ratio, "with_images": self.with_images, **(_shown(whole) if whole else {}),
            "unseen": list(self.unseen),
        }  # fmt: skip


def _shown(run: Cycles) -> dict[str, Any]:
    names = [name for name in SUMS if name != "entries"]
    return {
        **{name: getattr(run, name) for name in names}, "load_balance": run.load_balance, "speed_up": run.speed_up,
    }  # fmt: skip


def sparse_columns(
    net: nn.Module,
    profile: ModelProfile,
    *,
    images_BCHW: torch.Tensor | None = None,
    engine: ColumnEngine | None = None,
    max_windows: int | None = None,
) -> SparseNetwork:
    """Cycles and bytes of a network's own weights, and of its own activations where images are given.

    Args:
        net: the model that was profiled. Weights of a quantized layer are zero where their integer is.
        profile: its convolutions and linear layers, for its batch.
        images_BCHW: whose zero activations are skipped; None: none is zero.
        engine: that of EIE unless said.
        max_windows: look at no more windows of a layer than these, evenly spaced; None: at all.

    Raises:
        ConfigError: `max_windows` is less than 1.
        ModelError: the profile is of another model.
        ShapeError: the images do not have the shape that the model was captured for.
        UnsupportedError: images for a convolution over one or three axes.
    """
    if max_windows is not None and max_windows < 1:
        raise ConfigError(f"max_windows is at least 1, got {max_windows}.")
    chosen = engine or ColumnEngine()
    encoded: dict[str, list[CompressedColumns]] = {}
    found = list(products(net, profile))
    for each in found:
        if each.row.layer not in encoded:
            matrices = weight_matrices(each.layer).cpu().numpy()
            encoded[each.row.layer] = [compress_columns(matrix, chosen) for matrix in matrices]
    if images_BCHW is None:
        calls = {path: _all_active(matrices) for path, matrices in encoded.items()}
    else:
        calls = _watched(net, images_BCHW, encoded, max_windows)
    rows = tuple(_row(each, encoded[each.row.layer], calls[each.row.layer], profile.dtype) for each in found)
    return SparseNetwork(rows=rows, engine=chosen, with_images=images_BCHW is not None, unseen=unseen(profile, found))


@dataclass(frozen=True, kw_only=True)
class _Call:
    """One call of a layer as it was seen."""

    run: Cycles
    share_active: float
    windows: int  # looked at


def _all_active(matrices: list[CompressedColumns]) -> Iterator[_Call]:
    """The same for every call: one window in which every activation counts."""
    run = total_cycles(run_columns(matrix, np.ones(matrix.shape[1], bool)) for matrix in matrices)
    assert run is not None
    while True:
        yield _Call(run=run, share_active=1.0, windows=1)


def _watched(
    net: nn.Module, images_BCHW: torch.Tensor, encoded: dict[str, list[CompressedColumns]], most: int | None
) -> dict[str, Iterator[_Call]]:
    calls: dict[str, list[_Call]] = {path: [] for path in encoded}

    def see(path: str, layer: nn.Module, x: torch.Tensor) -> None:
        if path not in calls:
            return  # what depends on weights alone is run once, when the model is built
        active = (input_columns(layer, x) != 0).cpu().numpy()
        windows = active.shape[2]
        if most is not None and windows > most:
            active = active[:, :, np.linspace(0, windows - 1, most).round().astype(int)]
        run = total_cycles(run_columns(matrix, part) for matrix, part in zip(encoded[path], active, strict=True))
        assert run is not None
        calls[path].append(_Call(run=run, share_active=float(active.mean()), windows=active.shape[2]))

    watch_layers(net, images_BCHW, see)
    return {path: iter(seen) for path, seen in calls.items()}


def _row(product: Product, matrices: list[CompressedColumns], calls: Iterator[_Call], dtype: str) -> SparseLayer:
    call = next(calls, None)
    if call is None:
        raise ModelError(f"Layer '{product.row.layer}' was not called as often as in the profile: capture the model.")
    engine = matrices[0].engine
    bits = sum(matrix.matrix_bits for matrix in matrices) + engine.table_bits
    return SparseLayer(
        name=product.row.name, layer=product.row.layer, op=product.row.op, macs=product.row.macs,
        weights=product.num_weights, nonzero_weights=sum(matrix.num_nonzero for matrix in matrices),
        padding_entries=sum(matrix.num_padding for matrix in matrices),
        weights_are_shared=fit_table([matrix.values for matrix in matrices], engine),
        dense_bytes=product.num_weights * BYTES_PER_ELEMENT[dtype], sparse_bytes=math.ceil(bits / 8),
        share_of_nonzero_activations=call.share_active, run=call.run.times(product.positions / call.windows),
    )  # fmt: skip
