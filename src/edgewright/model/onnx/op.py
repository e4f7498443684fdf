"""One operator of a file, as its builder sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...errors import UnsupportedError
from .emit import Emitter
from .values import Dim, Size, Value

aten = torch.ops.aten


@dataclass(frozen=True, kw_only=True)
class Op:
    """What a builder needs: inputs in order (None where left out), attributes, and the emitter to write with."""

    kind: str
    name: str
    opset: int
    inputs: tuple[Value | None, ...]
    outputs: tuple[str, ...]  # names, "" where nobody asks
    attributes: dict[str, Any]
    emit: Emitter

    @property
    def x(self) -> Value:
        """The first input."""
        return self.need(0)

    def need(self, place: int) -> Value:
        """An input that must be there."""
        value = self.get(place)
        if value is None:
            raise UnsupportedError(f"its input number {place + 1} is missing")
        return value

    def get(self, place: int) -> Value | None:
        return self.inputs[place] if place < len(self.inputs) else None

    def attr(self, name: str, default: Any = None) -> Any:
        return self.attributes.get(name, default)

    def text(self, name: str, default: str) -> str:
        value = self.attributes.get(name, default)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

    def call(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        return self.emit.call(function, *args, **kwargs)

    def dims(self, value: Value | None = None) -> list[Dim]:
        return self.emit.dims(value or self.x)

    def fixed(self, axis: int, value: Value | None = None) -> int:
        """A size that the batch has no part in."""
        size = self.dims(value)[axis]
        if isinstance(size, Size):
            raise UnsupportedError("it needs a size that follows the batch")
        return size

    def sizes(self, place: int) -> list[Dim]:
        """The content of an integer input, which may follow the batch."""
        return self.emit.integers(self.need(place))

    def integers(self, place: int) -> list[int]:
        """The content of an integer input, the same for any batch."""
        found = self.sizes(place)
        if any(isinstance(each, Size) for each in found):
            raise UnsupportedError("an argument follows the batch")
        return found  # type: ignore[return-value]

    def listed(self, name: str, place: int) -> list[int] | None:
        """Integers given as an attribute (older operator sets) or as an input; None where not given."""
        if name in self.attributes:
            return [int(each) for each in self.attributes[name]]
        return None if self.get(place) is None else self.integers(place)

    def number(self, place: int, default: float | None = None) -> float | None:
        """A known scalar input."""
        value = self.get(place)
        if value is None:
            return default
        if not value.uniform or value.seen[0].numel() != 1:
            raise UnsupportedError("an argument that should be one number is computed")
        return value.seen[0].item()

    def only(self, wanted: bool, what: str) -> None:
        """Refuse a variant of the operator."""
        if not wanted:
            raise UnsupportedError(what)


Built = Value | Sequence[Value]
Builder = Callable[[Op], Built]


def scalar(value: Value) -> Any:
    """A known single number as a Python number, as capture leaves it; anything else as it is."""
    if value.uniform and value.seen[0].numel() == 1 and value.rank <= 1 and not value.trained:
        return value.seen[0].item()
    return value
