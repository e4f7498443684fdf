"""What was removed and what stays though it is dead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class OperationCut:
    """One operation before and after; after is 0 where it is gone altogether.

    Attributes:
        channels_before, channels_after: of its output, along the first axis.
        dead: channels of its output that are one code at all places whatever the input; None for float values.
    """

    output: str
    kind: str
    channels_before: int
    channels_after: int
    dead: int | None
    macs_before: int
    macs_after: int
    weights_before: int
    weights_after: int


@dataclass(frozen=True, kw_only=True)
class Stay:
    """Dead channels of one tensor that stay for one reason."""

    tensor: str
    channels: tuple[int, ...]
    reason: str


@dataclass(frozen=True, kw_only=True)
class DeadReport:
    """What eliminating dead channels did.

    Attributes:
        operations: one row per operation of the program as it was.
        stays: dead channels that are still there.
        kept: tensor -> its channels of before that are there after, in order; () for a tensor that is gone.
    """

    operations: tuple[OperationCut, ...]
    stays: tuple[Stay, ...]
    kept: Mapping[str, tuple[int, ...]]

    @property
    def macs_before(self) -> int:
        return sum(each.macs_before for each in self.operations)

    @property
    def macs_removed(self) -> int:
        return self.macs_before - sum(each.macs_after for each in self.operations)

    @property
    def weights_before(self) -> int:
        return sum(each.weights_before for each in self.operations)

    @property
    def weights_removed(self) -> int:
        return self.weights_before - sum(each.weights_after for each in self.operations)


def reasons(dead_C: np.ndarray, why_C: np.ndarray, *, tensor: str) -> list[Stay]:
    """The dead channels that stay, one row per reason."""
    found: dict[str, list[int]] = {}
    for channel in np.flatnonzero(dead_C):
        if why_C[channel]:
            found.setdefault(why_C[channel], []).append(int(channel))
    return [Stay(tensor=tensor, channels=tuple(each), reason=reason) for reason, each in found.items()]
