"""Buffers: which tensors lie in one and the same memory at run time, and how many bytes that memory needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ..types import BYTES_PER_ELEMENT
from .tracing import memory_of


@dataclass(frozen=True, kw_only=True)
class View:
    """A tensor as an operator sees it: the buffer that it lies in and the elements that it touches."""

    buffer: int
    elements: int
    element_bytes: int | None  # None: floating point, so the profile's dtype decides

    def num_bytes(self, dtype: str) -> int:
        size = BYTES_PER_ELEMENT[dtype] if self.element_bytes is None else self.element_bytes
        return math.ceil(self.elements * size)


class Buffers:
    """Grows while the calls are walked: tensors are written, and memories are joined that become one."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}
        self._whole: dict[int, View] = {}  # memory -> its extent
        self._first: dict[int, str] = {}  # memory -> who wrote it first

    def write(self, tensor: torch.Tensor, name: str) -> None:
        """Note a tensor that the node `name` makes. Memory that is known already stays as it is."""
        memory = memory_of(tensor)
        if memory not in self._whole:
            elements = tensor.untyped_storage().nbytes() // tensor.element_size()
            self._whole[memory] = View(buffer=memory, elements=elements, element_bytes=own_size(tensor))
            self._first[memory] = name

    def holds(self, tensor: torch.Tensor) -> bool:
        return memory_of(tensor) in self._whole

    def of(self, tensor: torch.Tensor) -> int:
        """The buffer of a tensor."""
        memory = memory_of(tensor)
        while memory in self._parent:
            memory = self._parent[memory]
        return memory

    def join(self, made: torch.Tensor, into: torch.Tensor) -> None:
        """From now on `made` lies in the buffer of `into`."""
        first, second = self.of(made), self.of(into)
        if first != second:
            self._parent[first] = second

    def see(self, tensor: torch.Tensor) -> View:
        """A tensor as it is read or written: never more than its memory holds, however it is expanded."""
        elements = min(tensor.numel(), self._whole[memory_of(tensor)].elements)
        return View(buffer=self.of(tensor), elements=elements, element_bytes=own_size(tensor))

    def fills(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor is all of its memory."""
        return tensor.numel() == self._whole[memory_of(tensor)].elements

    def extents(self) -> dict[int, tuple[View, ...]]:
        """Buffer -> the memories in it; the largest of them is what it needs."""
        found: dict[int, list[View]] = {}
        for memory, view in self._whole.items():
            root = memory
            while root in self._parent:
                root = self._parent[root]
            found.setdefault(root, []).append(view)
        return {buffer: tuple(views) for buffer, views in found.items()}

    def names(self) -> dict[int, str]:
        """Buffer -> the node that wrote it first."""
        return {memory: name for memory, name in self._first.items() if memory not in self._parent}


def own_size(tensor: torch.Tensor) -> int | None:
    """Bytes per element of a tensor whose type is not up to the profile, else None."""
    return None if tensor.is_floating_point() else tensor.element_size()
