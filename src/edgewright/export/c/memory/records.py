"""What a plan is made of: buffers with lifetimes, the overlaps that kernels permit, and the offsets found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ....errors import ConfigError

Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Bytes [begin, end) of a buffer that are needed in the spans of operations `lives` alone, both ends included."""

    begin: int
    end: int
    lives: tuple[tuple[int, int], ...]

    @property
    def num_bytes(self) -> int:
        return self.end - self.begin

    @cached_property
    def operations(self) -> int:
        """The operations in which the piece lives, as a set of bits."""
        found = 0
        for first, last in self.lives:
            found |= (1 << (last + 1)) - (1 << first)
        return found


@dataclass(frozen=True, kw_only=True)
class Buffer:
    """Bytes that are needed while the operations `first` to `last` run, both included.

    What an operation reads and what it writes are live while it runs; its scratch is live in that operation alone.

    Attributes:
        pieces: parts of the buffer that are needed at different times, from its first byte to its last; none: all of
            it is needed from `first` to `last`.

    Raises:
        ConfigError: the buffer has no bytes, or ends before it begins.
    """

    name: str
    num_bytes: int
    first: int
    last: int
    pieces: tuple[Piece, ...] = ()

    @cached_property
    def parts(self) -> tuple[Piece, ...]:
        """The pieces, or the whole buffer as one."""
        return self.pieces or (Piece(begin=0, end=self.num_bytes, lives=((self.first, self.last),)),)

    def live_bytes(self, op: int) -> int:
        """Bytes of the buffer that are needed while an operation runs."""
        return sum(each.num_bytes for each in self.parts if each.operations >> op & 1)

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
        op: the operation; None: the first in which the output's buffer lives.
        output_span, input_span: the bytes [begin, end) of the two buffers that the tensors are, between which the
            distances hold; None: the whole buffers.

    Raises:
        ConfigError: neither order is possible, or a distance is negative.
    """

    output: str
    input: str
    lead: int | None = 0
    rise: int | None = None
    op: int | None = None
    output_span: Span | None = None
    input_span: Span | None = None

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
