"""What a channel adds to a layer's sums, where that is the same number whatever the input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...reference.integer import convolve
from ..types import Operation, Program
from .bounds import Bounds, Known


@dataclass(frozen=True, kw_only=True, eq=False)
class Folds:
    """For a layer that reads every input channel I in every output channel O.

    Attributes:
        can_IO: the input channel adds one number to all places of the output channel: it can go into the bias.
        sums_IO: this number, in units of the bias; 0 where it cannot.
    """

    can_IO: np.ndarray
    sums_IO: np.ndarray


def is_dense(operation: Operation, program: Program) -> bool:
    """Whether each output channel of a layer reads all input channels: no groups, and features (I,) of a linear."""
    if operation.kind == "linear":
        return len(program.tensors[operation.inputs[0]].shape) == 1
    return operation.kind == "conv" and operation.settings["groups"] == 1


def folds_of(operation: Operation, program: Program, known: Known) -> Folds:
    """What can go into the bias of a dense layer: what no weight reads, and fixed channels that padding does not break.

    A fixed channel next to padding is a sum with fewer terms there, unless its code is the zero point: such a channel
    adds a different number at the border, and cannot be part of a bias.
    """
    x, grid = known[operation.inputs[0]], program.tensors[operation.inputs[0]].grid
    assert grid is not None, "a layer reads codes"
    if operation.kind == "conv":
        return _conv_folds(operation, x, grid.zero_point)
    weight_IO = operation.arrays["weight_OI"].T.astype(np.int64)
    sums_IO = np.where(x.fixed_C[:, None], (x.low - grid.zero_point)[:, None] * weight_IO, 0)
    return Folds(can_IO=(weight_IO == 0) | x.fixed_C[:, None], sums_IO=sums_IO)


def _conv_folds(operation: Operation, x: Bounds, zero_point: int) -> Folds:
    weight_OIKK = operation.arrays["weight_OIKK"]
    can_IO = np.logical_not(weight_OIKK.any((2, 3)).T)
    sums_IO = np.zeros(can_IO.shape, np.int64)
    for channel in np.flatnonzero(x.fixed_C):
        values_HW = x.low[channel] - zero_point
        if not values_HW.any():
            can_IO[channel] = True
            continue
        read_O1KK = weight_OIKK[:, channel : channel + 1]
        added = convolve(values_HW[None, None], read_O1KK, fill=0, window=operation.settings["window"])[0]
        added_OP = added.reshape(len(weight_OIKK), -1)
        even_O = added_OP.min(1) == added_OP.max(1)
        can_IO[channel] |= even_O
        sums_IO[channel] = np.where(even_O, added_OP[:, 0], 0)
    return Folds(can_IO=can_IO, sums_IO=sums_IO)
