"""A plan as pairs of buffers of which one lies above the other: what all the searches work on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from ....errors import ConfigError
from .liveness import live_buffers
from .records import Buffer, Overlap
from .sharing import Shared, apart, shared_by

Stack = tuple[tuple[int, int], ...]  # buffers by number, and how many of their bytes live
EITHER, FORWARDS, BACKWARDS = range(3)  # in which order an operation runs; EITHER: not decided


class Pair(NamedTuple):
    """Two buffers that are live together, by number.

    `apart[way]` holds how far `second` must begin after `first` to lie above it, and `first` after `second`, when the
    operation that ties them runs that `way`. `group` numbers those operations whose pairs must agree on the way; None
    where there is but one pair, or none can overlap.
    """

    first: int
    second: int
    apart: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    group: int | None

    def holds(self, first_offset: int, second_offset: int, way: int) -> bool:
        above, below = self.apart[way]
        return second_offset >= first_offset + above or first_offset >= second_offset + below


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Buffers by number, sizes rounded up to the alignment.

    Attributes:
        pairs_of: the numbers of the pairs that a buffer is in.
        stacks: sets of buffers that are live together and may not overlap at all, each with its live bytes.
        stacks_of: the numbers of the stacks that a buffer is in.
    """

    sizes: tuple[int, ...]
    pairs: tuple[Pair, ...]
    pairs_of: tuple[tuple[int, ...], ...]
    num_groups: int
    stacks: tuple[Stack, ...]
    stacks_of: tuple[tuple[int, ...], ...]

    @property
    def is_symmetric(self) -> bool:
        """Whether every plan can be turned upside down: true where nothing overlaps."""
        return all(
            pair.apart[EITHER] == (self.sizes[pair.first], self.sizes[pair.second]) for pair in self.pairs
        )  # fmt: skip

    def arena(self, offsets: Sequence[int]) -> int:
        return max((offset + size for offset, size in zip(offsets, self.sizes, strict=True)), default=0)


def refuse_bad(buffers: Sequence[Buffer], overlaps: Sequence[Overlap]) -> None:
    """Refuse names that occur twice, and overlaps of buffers that do not hand over in one operation.

    Raises:
        ConfigError: names them.
    """
    by_name = {each.name: each for each in buffers}
    if len(by_name) < len(buffers):
        twice = sorted({each.name for each in buffers if by_name[each.name] is not each})
        raise ConfigError(f"Buffers need names of their own, got {', '.join(twice)} more than once.")
    seen = set()
    for each in overlaps:
        pair = f"The overlap of {each.output} with {each.input}"
        for name in (each.output, each.input):
            if name not in by_name:
                raise ConfigError(f"{pair} names {name}, which is none of the {len(buffers)} buffers.")
        made, dies = by_name[each.output].first, by_name[each.input].last
        if (made != dies and each.op is None) or each.output == each.input:
            raise ConfigError(
                f"{pair} is impossible: {each.output} is made in operation {made} and {each.input} is read until "
                f"operation {dies}, expected the same operation."
            )
        key = (each.output, each.input, each.op, each.output_span, each.input_span)
        if key in seen:
            raise ConfigError(f"{pair} is given twice: give it once, with both its lead and its rise.")
        seen.add(key)


def problem_of(buffers: Sequence[Buffer], overlaps: Sequence[Overlap]) -> Problem:
    """The problem of buffers and overlaps whose sizes are `rounded` already."""
    number = {each.name: index for index, each in enumerate(buffers)}
    between: dict[tuple[int, int], list[Shared]] = {}
    for each in shared_by(overlaps, buffers):
        ends = sorted((number[each.overlap.output], number[each.overlap.input]))
        between.setdefault((ends[0], ends[1]), []).append(each)
    groups = _groups(overlaps)
    pairs = tuple(
        pair
        for first, second in combinations(range(len(buffers)), 2)
        for pair in _pair(first, second, buffers, between.get((first, second), ()), groups)
    )
    stacks = _stacks(buffers, overlaps, number)
    return Problem(
        sizes=tuple(each.num_bytes for each in buffers),
        pairs=pairs,
        pairs_of=_members([pair[:2] for pair in pairs], len(buffers)),
        num_groups=len(groups),
        stacks=stacks,
        stacks_of=_members([[each for each, _ in stack] for stack in stacks], len(buffers)),
    )


def _groups(overlaps: Sequence[Overlap]) -> dict[tuple[str, int | None], int]:
    """Operations with more than one overlap, numbered: all of these must agree on the order of the rows."""
    made = [(each.output, each.op) for each in overlaps if each.rise is not None]
    several = [(each.output, each.op) for each in overlaps]
    return {key: index for index, key in enumerate(dict.fromkeys(key for key in made if several.count(key) > 1))}


def _pair(
    first: int, second: int, buffers: Sequence[Buffer], shared: Sequence[Shared],
    groups: dict[tuple[str, int | None], int],
) -> Iterator[Pair]:  # fmt: skip
    """The pair of two buffers that cannot lie anywhere, if they are one."""
    one, other = buffers[first], buffers[second]
    forwards = apart(one, other, shared, forwards=True, backwards=False)
    if forwards is None:
        return
    if len(shared) != 1:  # several operations: each of them runs forwards, so that one order suits all
        yield Pair(first, second, (forwards, forwards, forwards), None)
        return
    ways = [apart(one, other, shared, forwards=ahead, backwards=True) for ahead in (True, False)]
    either, backwards = (each or forwards for each in ways)
    group = groups.get((shared[0].overlap.output, shared[0].overlap.op))
    yield Pair(first, second, (either, forwards, backwards), group)


def _stacks(buffers: Sequence[Buffer], overlaps: Sequence[Overlap], number: dict[str, int]) -> tuple[Stack, ...]:
    """Of each operation: what is live without the output that may overlap, and without the inputs under it."""
    shared = shared_by(overlaps, buffers)
    found: dict[Stack, None] = {}
    for op, live in live_buffers(buffers).items():
        here = [(number[each.name], each.live_bytes(op)) for each in live]
        outputs = {number[each.overlap.output] for each in shared if each.op == op}
        inputs = {number[each.overlap.input] for each in shared if each.op == op}
        for without in (outputs, inputs):
            stack = tuple(each for each in here if each[0] not in without)
            if len(stack) > 1:
                found[stack] = None
    return _undominated(found)


def _undominated(stacks: Iterable[Stack]) -> tuple[Stack, ...]:
    """Without stacks of which another holds the same buffers with no fewer bytes."""
    by_members: dict[tuple[int, ...], list[Stack]] = {}
    for stack in stacks:
        same = by_members.setdefault(tuple(each for each, _ in stack), [])
        if not any(_holds(other, stack) for other in same):
            same[:] = [other for other in same if not _holds(stack, other)] + [stack]
    return tuple(stack for same in by_members.values() for stack in same)


def _holds(stack: Stack, other: Stack) -> bool:
    return all(mine >= theirs for (_, mine), (_, theirs) in zip(stack, other, strict=True))


def _members(sets: Sequence[Sequence[int]], num_buffers: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(index for index, members in enumerate(sets) if each in members) for each in range(num_buffers))
