"""Which kernels a whole program calls: the fastest of a set, or those that take less flash."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .kernel_sets import SLOWER
from .scene import Call

Calls = Sequence[tuple[Call, ...]]  # of each operation
KERNEL_BYTES = 1500  # code of one kernel more, at most: smaller tables have to save it first


def smallest_calls(make: Callable[[str], Calls], kernels: str) -> list[tuple[Call, ...]]:
    """The calls of a set, but those of a kernel from a slower set where this saves more tables than a kernel takes.

    Args:
        make: the calls of all operations with the kernels of a set.
    """
    best = list(make(kernels))
    for other in (make(name) for name in SLOWER[kernels]):
        names = {call.kernel for own in best for call in own}
        for name in sorted(names):
            places = [index for index, own in enumerate(best) if any(call.kernel == name for call in own)]
            saved = _table_bytes(best, places) - _table_bytes(other, places)
            if saved > KERNEL_BYTES:
                for index in places:
                    best[index] = other[index]
    return best


def _table_bytes(calls: Calls, places: Sequence[int]) -> int:
    """Of some operations' tables; equal ones, as those of a layer's parts, are there once."""
    constants = (constant.values for index in places for call in calls[index] for constant in call.constants)
    return sum({values.tobytes(): values.nbytes for values in constants}.values())
