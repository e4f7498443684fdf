"""What a plan is made of: buffers with lifetimes, the overlaps that kernels permit, and the offsets found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ....errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Buffer:
    """Bytes that are needed while the operations `first` to `last` run, both included.

    What an operation reads and what it writes are live while it runs; its scratch is live in that operation alone.

    Raises:
        ConfigError: the buffer has no bytes, or ends before it begins.
    """

    name: str
    num_bytes: int
    first: int
    last: int

    def __post_init__(self) -> None:
        if self.num_bytes < 1:
            raise ConfigError(f"The buffer {self.name} has {self.num_bytes} bytes, expected at least 1: leave it out.")
        if not 0 <= self.first <= self.last:
            raise ConfigError(
                f"The buffer {self.name} lives from operation {self.first} to {self.last}, expected 0 <= first <= last."
            )


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """An operation's output may lie over an input that nothing reads afterwards, when it is written in a known order.

    Attributes:
        lead: allowed where offset of output + lead <= offset of input, with a kernel that runs from the first row to
            the last; 0 is in place. None: not in this order.
        rise: allowed where offset of output >= offset of input + rise, with a kernel that runs from the last row to
            the first. None: not in this order.

    Raises:
        ConfigError: neither order is possible, or a distance is negative.
    """

    output: str
    input: str
    lead: int | None = 0
    rise: int | None = None

    def __post_init__(self) -> None:
        known = [distance for distance in (self.lead, self.rise) if distance is not None]
        if not known or min(known) < 0:
            raise ConfigError(
                f"The overlap of {self.output} with {self.input} has the lead {self.lead} and the rise {self.rise}, "
                "expected at least one of them, in bytes from 0: leave the overlap out where none is possible."
            )


@dataclass(frozen=True, kw_only=True)
class Bound:
    """The most bytes that are live at once: no plan needs less.

    Attributes:
        op: the first operation where this is reached.
        live: the buffers that are live there, the largest first.
    """

    num_bytes: int
    op: int
    live: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where each buffer lies in one arena.

    Attributes:
        offsets: first byte of each buffer, by name; multiples of `alignment`.
        arena_bytes: size of the arena, a multiple of `alignment`.
        bound: the liveness bound of sizes rounded up to `alignment`, overlaps taken into account.
        is_optimal: whether it is proven that no plan with this alignment has a smaller arena.
        backwards: outputs whose operations must run from the last row to the first.
        num_nodes: partial plans that the exact search looked at; 0 where a simple rule reached the bound.
    """

    buffers: tuple[Buffer, ...]
    overlaps: tuple[Overlap, ...]
    alignment: int
    offsets: Mapping[str, int]
    arena_bytes: int
    bound: Bound
    is_optimal: bool
    backwards: frozenset[str]
    num_nodes: int

    @property
    def bound_bytes(self) -> int:
        return self.bound.num_bytes

    @property
    def peak_op(self) -> int:
        return self.bound.op
