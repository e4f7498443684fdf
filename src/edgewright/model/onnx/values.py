"""What is known about each tensor of a file while it is read: content, or shape alone, at several batch sizes.

Every tensor is looked at for each of a few batch sizes (`batches` of the emitter). Sizes that differ between them
follow the batch; content that needs no input (masks, position indices, target shapes) is computed for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx

from ...types import QuantSpec


@dataclass(frozen=True, kw_only=True)
class Size:
    """A size that follows the batch: `per_sample` * batch + `more`."""

    per_sample: int
    more: int = 0

    def at(self, batch: int) -> int:
        return self.per_sample * batch + self.more


Dim = int | Size


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a known tensor was computed: kept for those that follow from trained weights."""

    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Value:
    """A tensor of the file.

    Without a `node` its content is known: `seen` holds it. With a node it is computed, and `seen` holds shapes. One
    entry for each batch size, the same object where the batch makes no difference.
    """

    seen: tuple[torch.Tensor, ...]
    node: fx.Node | None = None
    origin: str = ""  # the initializer that it comes from
    trained: bool = False  # whether it is or follows from an initializer that looks like a weight
    recipe: Recipe | None = None
    bits: int | None = None  # of integers that are stored in fewer than 8
    grid: QuantSpec | None = None  # the integers that its values stand for
    codes: bool = False  # whether the file has those integers here; the graph has the values

    @property
    def known(self) -> bool:
        return self.node is None

    @property
    def uniform(self) -> bool:
        """Whether the content is the same at any batch size."""
        return self.known and all(each is self.seen[0] for each in self.seen)

    @property
    def dtype(self) -> torch.dtype:
        return self.seen[0].dtype

    @property
    def rank(self) -> int:
        return self.seen[0].dim()

    def on(self, grid: QuantSpec | None, *, codes: bool) -> Value:
        """The same tensor on a grid of integers."""
        return replace(self, grid=grid, codes=codes)


def fit(numbers: Sequence[int], batches: Sequence[int]) -> Dim | None:
    """The size that takes the value `numbers[i]` at batch `batches[i]`, None where no straight line does."""
    if len(set(numbers)) == 1:
        return int(numbers[0])
    rise, run = numbers[1] - numbers[0], batches[1] - batches[0]
    size = Size(per_sample=rise // run, more=numbers[0] - rise // run * batches[0])
    return size if [size.at(batch) for batch in batches] == list(numbers) else None
