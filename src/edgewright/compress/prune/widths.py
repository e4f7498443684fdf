"""Widths of tensors as functions of how many classes each group keeps, and sums of products of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

ONE = 0  # the width that is always 1


class Widths:
    """Counts of channels as functions of how many classes each group keeps. Width 0 is always 1.

    Args:
        owner: class id -> (group, rank); rank 0 is kept longest.
        sizes: classes of each group.
    """

    def __init__(self, owner: Mapping[int, tuple[int, int]], sizes: Sequence[int]) -> None:
        self.sizes = list(sizes)
        self._owner = owner
        self._fixed = [1]
        self._rows: list[list[int]] = [[] for _ in sizes]  # group -> widths that it takes part in
        self._counts: list[list[np.ndarray]] = [[] for _ in sizes]  # and their channels by classes kept

    def add(self, roots: torch.Tensor) -> int:
        """The width of a tensor axis with these class ids."""
        counts: dict[int, np.ndarray] = {}
        fixed = 0
        for root in roots.tolist():
            group, rank = self._owner.get(root, (-1, 0))
            if group < 0:
                fixed += 1
            else:
                counts.setdefault(group, np.zeros(self.sizes[group] + 1, dtype=np.int64))[rank + 1] += 1
        width = len(self._fixed)
        self._fixed.append(fixed)
        for group, each in counts.items():
            self._rows[group].append(width)
            self._counts[group].append(np.cumsum(each))
        return width

    def at(self, kept: Sequence[int]) -> np.ndarray:
        """All widths when group g keeps `kept[g]` classes."""
        values = np.array(self._fixed, dtype=np.int64)
        for group, count in enumerate(kept):
            rows, table = self.of(group)
            values[rows] += table[:, count]
        return values

    def of(self, group: int) -> tuple[np.ndarray, np.ndarray]:
        """The widths (R,) that a group takes part in, and its share of each (R, classes kept)."""
        rows = np.array(self._rows[group], dtype=np.int64)
        return rows, np.array(self._counts[group], dtype=np.int64).reshape(len(rows), self.sizes[group] + 1)


class Choice:
    """A choice of classes that moves from one question to the next, and all widths under it.

    Args:
        widths: those that exist now; what is added later is not seen.
    """

    def __init__(self, widths: Widths) -> None:
        self._shares = [widths.of(group) for group in range(len(widths.sizes))]
        self._kept = list(widths.sizes)
        self._values = widths.at(self._kept)

    def at(self, kept: Sequence[int]) -> np.ndarray:
        """All widths (W,) when group g keeps `kept[g]` classes; not to be written to."""
        for group, (now, then) in enumerate(zip(kept, self._kept, strict=True)):
            if now != then:
                rows, table = self._shares[group]
                self._values[rows] += table[:, now] - table[:, then]
                self._kept[group] = now
        return self._values

    def vary(self, kept: Sequence[int], group: int, counts: np.ndarray) -> np.ndarray:
        """All widths (W, C) when `group` keeps each of `counts` (C,) classes and all others what `kept` says."""
        rows, table = self._shares[group]
        values = np.repeat(self.at(kept)[:, None], len(counts), axis=1)
        values[rows] += table[:, counts] - table[:, [kept[group]]]
        return values

    def touching(self, *uses: np.ndarray) -> list[np.ndarray]:
        """Group -> which places of `uses` (arrays of equal length, of widths) hold a width that it takes part in."""
        return [np.flatnonzero(np.any([np.isin(each, rows) for each in uses], axis=0)) for rows, _ in self._shares]


class Sum:
    """sum of `factor * width * width / divisor`, every term a whole number; ready to be asked often.

    Args:
        widths: complete as far as the terms need them.
        terms: (factor, width, width, divisor) each.
    """

    def __init__(self, widths: Widths, terms: Sequence[tuple[int, int, int, int]]) -> None:
        self._factor, self._first, self._second, self._divisor = np.array(terms, dtype=np.int64).reshape(-1, 4).T
        self._choice = Choice(widths)
        self._touched = self._choice.touching(self._first, self._second)

    def at(self, kept: Sequence[int]) -> int:
        """The value when group g keeps `kept[g]` classes."""
        return int(self._terms(slice(None), self._choice.at(kept)[:, None]).sum())

    def vary(self, kept: Sequence[int], group: int, counts: np.ndarray) -> np.ndarray:
        """The values when `group` keeps each of `counts` classes and all others what `kept` says."""
        values = self._choice.vary(kept, group, counts)
        now = self._choice.at(kept)[:, None]
        touched = self._touched[group]
        rest = self._terms(slice(None), now).sum() - self._terms(touched, now).sum()
        return rest + self._terms(touched, values).sum(axis=0)

    def _terms(self, which: Any, values: np.ndarray) -> np.ndarray:
        products = self._factor[which, None] * values[self._first[which]] * values[self._second[which]]
        return products // self._divisor[which, None]


class Terms(list[tuple[int, int, int, int]]):
    """Terms of a `Sum` that is being put together."""

    def add(self, factor: int, first: int = ONE, second: int = ONE, *, divisor: int = 1) -> None:
        self.append((factor, first, second, divisor))
