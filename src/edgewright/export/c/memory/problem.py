"""A plan as pairs of buffers of which one lies above the other: what all the searches work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple

from ....errors import ConfigError
from .liveness import live_buffers
from .records import Buffer, Overlap

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
        stacks: sets of buffers that are live together and may not overlap at all.
        stacks_of: the numbers of the stacks that a buffer is in.
    """

    sizes: tuple[int, ...]
    pairs: tuple[Pair, ...]
    pairs_of: tuple[tuple[int, ...], ...]
    num_groups: int
    stacks: tuple[tuple[int, ...], ...]
    stacks_of: tuple[tuple[int, ...], ...]

    @property
    def is_symmetric(self) -> bool:
        """Whether every plan can be turned upside down: true where nothing overlaps."""
        return all(
            pair.apart[EITHER] == (self.sizes[pair.first], self.sizes[pair.second]) for pair in self.pairs
        )  # fmt: skip

    def arena(self, offsets: Sequence[int]) -> int:
        return max((offset + size for offset, size in zip(offsets, self.sizes, strict=True)), default=0)


def rounded(
    buffers: Sequence[Buffer], overlaps: Sequence[Overlap], alignment: int
) -> tuple[list[Buffer], list[Overlap]]:
    """Sizes and distances rounded up, which loses nothing where all offsets are multiples of `alignment`."""

    def up(value: int | None) -> int | None:
        return None if value is None else -(-value // alignment) * alignment

    return (
        [replace(each, num_bytes=-(-each.num_bytes // alignment) * alignment) for each in buffers],
        [replace(each, lead=up(each.lead), rise=up(each.rise)) for each in overlaps],
    )


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
        if made != dies or each.output == each.input:
            raise ConfigError(
                f"{pair} is impossible: {each.output} is made in operation {made} and {each.input} is read until "
                f"operation {dies}, expected the same operation."
            )
        if (each.output, each.input) in seen:
            raise ConfigError(f"{pair} is given twice: give it once, with both its lead and its rise.")
        seen.add((each.output, each.input))


def problem_of(buffers: Sequence[Buffer], overlaps: Sequence[Overlap]) -> Problem:
    """The problem of buffers and overlaps whose sizes are `rounded` already."""
    number = {each.name: index for index, each in enumerate(buffers)}
    sharing = {frozenset((number[each.output], number[each.input])): each for each in overlaps}
    groups = _groups(overlaps)
    living = ([number[each.name] for each in live] for live in live_buffers(buffers).values())
    together = sorted({pair for numbers in living for pair in combinations(numbers, 2)})
    pairs = tuple(
        _pair(first, second, buffers, sharing.get(frozenset((first, second))), groups) for first, second in together
    )
    stacks = _stacks(buffers, overlaps, number)
    return Problem(
        sizes=tuple(each.num_bytes for each in buffers),
        pairs=pairs,
        pairs_of=_members([pair[:2] for pair in pairs], len(buffers)),
        num_groups=len(groups),
        stacks=stacks,
        stacks_of=_members(stacks, len(buffers)),
    )


def _groups(overlaps: Sequence[Overlap]) -> dict[str, int]:
    """Outputs with more than one overlap, numbered: all of these must agree on the order of the rows."""
    outputs = [each.output for each in overlaps]
    return {name: index for index, name in enumerate(dict.fromkeys(o for o in outputs if outputs.count(o) > 1))}


def _pair(first: int, second: int, buffers: Sequence[Buffer], overlap: Overlap | None, groups: dict[str, int]) -> Pair:
    sizes = buffers[first].num_bytes, buffers[second].num_bytes
    if overlap is None:
        return Pair(first, second, (sizes, sizes, sizes), None)
    if overlap.output != buffers[first].name:
        turned = _pair(second, first, buffers, overlap, groups)
        return turned._replace(first=first, second=second, apart=tuple((b, a) for a, b in turned.apart))  # type: ignore[arg-type]
    output, over = sizes
    lead = output if overlap.lead is None else min(overlap.lead, output)
    rise = over if overlap.rise is None else min(overlap.rise, over)
    return Pair(first, second, ((lead, rise), (lead, over), (output, rise)), groups.get(overlap.output))


def _stacks(
    buffers: Sequence[Buffer], overlaps: Sequence[Overlap], number: dict[str, int]
) -> tuple[tuple[int, ...], ...]:
    """Of each operation: what is live without the output that may overlap, and without the inputs under it."""
    found: dict[tuple[int, ...], None] = {}
    for op, live in live_buffers(buffers).items():
        here = [number[each.name] for each in live]
        made = {each.name for each in live if each.first == op}
        outputs = {number[each.output] for each in overlaps if each.output in made}
        inputs = {number[each.input] for each in overlaps if each.output in made}
        for without in (outputs, inputs):
            stack = tuple(each for each in here if each not in without)
            if len(stack) > 1:
                found[stack] = None
    return tuple(found)


def _members(sets: Sequence[Sequence[int]], num_buffers: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(index for index, members in enumerate(sets) if each in members) for each in range(num_buffers))
