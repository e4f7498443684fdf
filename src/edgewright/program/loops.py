"""Places in memory as nested loops, which is what moves codes on a device."""

from __future__ import annotations

import numpy as np


def nested_loops(places: np.ndarray) -> list[tuple[int, int]] | None:
    """The loops that read `places` (integers, one axis) one after the other, as (count, step), the outermost first.

    None where no loops do.
    """
    found: list[tuple[int, int]] = []
    while len(places) > 1:
        step = int(places[1] - places[0])
        ends = np.flatnonzero(np.diff(places) != step)
        count = int(ends[0]) + 1 if len(ends) else len(places)
        if len(places) % count:
            return None
        blocks = places.reshape(-1, count)
        if (blocks - blocks[:, :1] != step * np.arange(count)).any():
            return None
        found.insert(0, (count, step))
        places = blocks[:, 0]
    return found
