"""Channel ids, which of them must leave together, and tensors of ids.

`Labels` says for every element of one tensor of the graph which channel it belongs to; `Space` remembers which
channels are coupled (a union-find over ids) and which cannot be cut, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

NOBODY = -1  # the id of elements that belong to no channel: constants, results of unknown operators


@dataclass(frozen=True, eq=False)
class Labels:
    """The channel ids of one tensor at batch 1.

    `ids` has the tensor's rank and broadcasts to `shape`; an axis along which the ids do not vary has size 1 there.
    """

    ids: torch.Tensor
    shape: tuple[int, ...]

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes along which the ids vary."""
        return tuple(axis for axis in range(self.ids.dim()) if self.ids.size(axis) > 1)

    def full(self) -> torch.Tensor:
        """One id per element, without copying."""
        return self.ids.expand(self.shape)

    def along(self, axis: int) -> torch.Tensor:
        """The ids along `axis` as a vector, for labels that vary along no other axis."""
        line = self.ids.movedim(axis, -1).reshape(-1)
        return line.expand(self.shape[axis]).clone() if line.numel() == 1 else line

    def reshaped(self, shape: Sequence[int]) -> Labels:
        """The same ids for a tensor whose sizes changed along axes that do not vary."""
        return Labels(self.ids, tuple(shape))


def compact(full: torch.Tensor) -> Labels:
    """The labels of a tensor of ids, with the axes that do not vary squeezed to size 1."""
    ids = full
    lazy = [axis for axis in range(ids.dim()) if ids.size(axis) > 1 and ids.stride(axis) == 0]
    for axis in lazy:
        ids = ids.narrow(axis, 0, 1)
    for axis in range(ids.dim()):
        if ids.size(axis) > 1:
            first = ids.narrow(axis, 0, 1)
            ids = first if bool((ids == first).all()) else ids
    return Labels(ids, tuple(full.shape))


def nobody(shape: Iterable[int]) -> Labels:
    """The labels of a tensor that belongs to no channel."""
    sizes = tuple(shape)
    return Labels(torch.full((1,) * len(sizes), NOBODY), sizes)


class Space:
    """The ids of one model: coupled by `couple`, forbidden by `lock`. The root of a class is its smallest id."""

    def __init__(self) -> None:
        self._parent = np.empty(0, dtype=np.int64)
        self._made = np.empty(0, dtype=bool)  # whether a layer makes the channel; a loose parameter does not
        self._locks: list[tuple[torch.Tensor, str]] = []

    def fresh(self, count: int, *, made: bool = True) -> torch.Tensor:
        """`count` new ids."""
        ids = np.arange(self._parent.size, self._parent.size + count)
        self._parent = np.concatenate([self._parent, ids])
        self._made = np.concatenate([self._made, np.full(count, made)])
        return torch.from_numpy(ids.copy())

    def find(self, ids: torch.Tensor) -> torch.Tensor:
        """The root of each id; `NOBODY` stays."""
        flat = ids.reshape(-1).numpy()
        known = flat[flat >= 0]
        roots = self._parent[known]
        while not np.array_equal(above := self._parent[roots], roots):
            roots = above
        self._parent[known] = roots
        found = flat.copy()
        found[flat >= 0] = roots
        return torch.from_numpy(found).view(ids.shape)

    def couple(self, left: torch.Tensor, right: torch.Tensor) -> None:
        """Make each pair of ids one class; pairs with `NOBODY` are skipped."""
        left, right = torch.broadcast_tensors(self.find(left), self.find(right))
        ones, others = left.reshape(-1).numpy(), right.reshape(-1).numpy()
        differ = (ones >= 0) & (others >= 0) & (ones != others)
        codes = np.unique(ones[differ] * self._parent.size + others[differ])
        for code in codes.tolist():
            self._merge(*divmod(code, self._parent.size))

    def _merge(self, one: int, other: int) -> None:
        low, high = sorted((self._root(one), self._root(other)))
        if low != high:
            self._parent[high] = low
            self._made[low] |= self._made[high]

    def _root(self, item: int) -> int:
        while (above := int(self._parent[item])) != item:
            self._parent[item] = self._parent[above]
            item = above
        return item

    def lock(self, ids: torch.Tensor, reason: str) -> None:
        """Forbid the cut of the classes of `ids`. The first reason given is the one that is kept."""
        concerned = torch.unique(ids[ids >= 0])
        if concerned.numel():
            self._locks.append((concerned, reason))

    def reasons(self) -> dict[int, str]:
        """Root of each locked class -> why it is locked."""
        why: dict[int, str] = {}
        for ids, reason in self._locks:
            for root in torch.unique(self.find(ids)).tolist():
                why.setdefault(root, reason)
        return why

    def settle(self, labels: Labels) -> Labels:
        """The same labels written with roots; axes may stop varying."""
        return Labels(compact(self.find(labels.ids)).ids, labels.shape)

    def made_by_layer(self, labels: Labels) -> bool:
        """Whether any class in `labels` is made by a layer, and not only by loose parameters."""
        roots = self.find(labels.ids).reshape(-1).numpy()
        return bool(self._made[roots[roots >= 0]].any())

    def collapse(self, labels: Labels, axes: Iterable[int], reason: str) -> Labels:
        """Couple all ids that differ only in their place along `axes`; lines that hold constants are locked."""
        gone = [axis for axis in axes if labels.ids.size(axis) > 1]
        if not gone:
            return labels
        kept = [axis for axis in range(labels.ids.dim()) if axis not in gone]
        lines = labels.ids.permute(*kept, *gone).flatten(start_dim=len(kept))
        first = lines.amax(dim=-1, keepdim=True)
        self.couple(lines, first)
        broken = (lines == NOBODY).any(dim=-1, keepdim=True)
        self.lock(first[broken], reason)
        merged = torch.where(broken, NOBODY, first).squeeze(-1)
        for axis in sorted(gone):
            merged = merged.unsqueeze(axis)
        return self.settle(Labels(merged, labels.shape))

    def forbid(self, labels: Labels, axes: Iterable[int], reason: str) -> Labels:
        """Labels that do not vary along `axes`: coupled where another axis varies, else locked."""
        settled = self.settle(labels)
        concerned = [axis for axis in settled.axes if axis in set(axes)]
        if not concerned:
            return settled
        if set(settled.axes) - set(concerned):
            return self.collapse(settled, concerned, reason)
        self.lock(settled.ids, reason)
        return nobody(settled.shape)

    def only(self, labels: Labels, axis: int, reason: str) -> Labels:
        """Labels that vary along `axis` or not at all."""
        settled = self.settle(labels)
        others = [other for other in settled.axes if other != axis]
        return self.forbid(settled, others, reason) if others else settled
