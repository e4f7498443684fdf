"""What would make firmware fit that does not: each remedy is planned again before it is offered."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from ...program import Program, macs
from ...program.counts import weights_of
from .memory import Buffer, Plan, plan
from .memory.records import Span

FEW_NODES = 200  # of the exact search: a remedy may be a little pessimistic, but must come at once
LARGER_DEVICE = "no smaller input and no cut at the peak would do; choose a larger device"


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """One way out. `keep` is the share of the MACs that stays: the more, the cheaper."""

    sentence: str
    keep: float


def ram_remedy(program: Program, made: Plan, most_bytes: int) -> str:
    """The cheapest change with which the arena takes `most_bytes` at most, in words."""
    found = [*_smaller_input(program, made, most_bytes), *_narrower_peak(program, made, most_bytes)]
    return max(found, key=lambda each: each.keep).sentence if found else LARGER_DEVICE


def flash_remedy(program: Program, over: int) -> str:
    """How many weights have to go, and where most of them are."""
    weights = weights_of(program)
    total, largest = sum(weights.values()), max(weights, key=lambda name: weights[name])
    if over >= total:
        return "more than all weights would have to go; choose a larger device"
    return (
        f"keep {total - over:,} of its {total:,} weights at most ({(total - over) / total:.1%}), of which {largest} "
        f"has {weights[largest]:,}"
    )


def _smaller_input(program: Program, made: Plan, most_bytes: int) -> Iterator[Remedy]:
    """The largest input side with which the maps fit."""
    shape = program.tensors[program.inputs[0]].shape
    if len(shape) != 3:
        return
    sides = range(1, max(shape[1:]))
    side = _largest(sides, lambda each: _planned(made, _at_side(program, made, each / max(shape[1:]))) <= most_bytes)
    if side is None:
        return
    ratio = side / max(shape[1:])
    height, width = (max(1, math.floor(size * ratio)) for size in shape[1:])
    arena = _planned(made, _at_side(program, made, ratio))
    yield Remedy(
        sentence=f"an input of {height} x {width} instead of {shape[1]} x {shape[2]} would do (arena about {arena:,})",
        keep=ratio**2,
    )


def _narrower_peak(program: Program, made: Plan, most_bytes: int) -> Iterator[Remedy]:
    """The most channels of the maps that are live at the peak, other than inputs, with which the arena fits."""
    live = [name for name in made.bound.live if name in program.tensors and name not in program.inputs]
    if not live:
        return
    channels = max(program.tensors[name].shape[0] for name in live)
    kept = _largest(
        range(1, channels), lambda each: _planned(made, _cut(program, made, live, each / channels)) <= most_bytes
    )
    if kept is None:
        return
    arena = _planned(made, _cut(program, made, live, kept / channels))
    yield Remedy(
        sentence=f"keeping {kept} of {channels} channels of {' and '.join(live)} would do (arena about {arena:,})",
        keep=_kept_macs(program, live, kept / channels),
    )


def _largest(sizes: range, fits: Callable[[int], bool]) -> int | None:
    """The largest size that fits, by halving: a smaller one needs less."""
    low, high = sizes.start - 1, sizes.stop - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low if low >= sizes.start else None


def _planned(made: Plan, sizes: Mapping[str, int]) -> int:
    """The arena of the plan's buffers at other sizes; the distances of overlaps shrink with what is written."""
    shares = {each.name: sizes[each.name] / each.num_bytes for each in made.buffers}
    overlaps = [
        replace(
            each,
            lead=None if each.lead is None else math.ceil(each.lead * shares[each.output]),
            rise=None if each.rise is None else math.ceil(each.rise * shares[each.output]),
        )
        for each in made.overlaps
    ]
    overlaps = [
        replace(
            each, output_span=_scaled(each.output_span, shares[each.output]),
            input_span=_scaled(each.input_span, shares[each.input]),
        )
        for each in overlaps
    ]  # fmt: skip
    buffers = [_resized(each, sizes[each.name]) for each in made.buffers]
    return plan(buffers, overlaps, alignment=made.alignment, max_nodes=FEW_NODES).arena_bytes


def _resized(buffer: Buffer, num_bytes: int) -> Buffer:
    """A buffer of another size, its pieces in proportion."""
    pieces = []
    for each in buffer.pieces:
        span = _scaled((each.begin, each.end), num_bytes / buffer.num_bytes)
        assert span is not None
        pieces.append(replace(each, begin=span[0], end=min(span[1], num_bytes)))
    return replace(buffer, num_bytes=num_bytes, pieces=tuple(pieces))


def _scaled(span: Span | None, share: float) -> Span | None:
    return None if span is None else (math.floor(span[0] * share), math.ceil(span[1] * share))


def _at_side(program: Program, made: Plan, ratio: float) -> dict[str, int]:
    """Bytes of each buffer when maps are `ratio` as high and wide."""
    sizes = {}
    for each in made.buffers:
        shape = program.tensors[each.name].shape if each.name in program.tensors else ()
        if len(shape) == 3:
            sizes[each.name] = shape[0] * math.ceil(shape[1] * ratio) * math.ceil(shape[2] * ratio)
        else:
            sizes[each.name] = each.num_bytes
    return sizes


def _cut(program: Program, made: Plan, names: list[str], share: float) -> dict[str, int]:
    """Bytes of each buffer when the named ones keep a share of their channels."""
    sizes = {each.name: each.num_bytes for each in made.buffers}
    for name in names:
        channels, *rest = program.tensors[name].shape
        sizes[name] = max(1, math.floor(channels * share)) * math.prod(rest)
    return sizes


def _kept_macs(program: Program, names: list[str], share: float) -> float:
    """The share of the MACs that stays when the named tensors keep a share of their channels."""
    counted = macs(program)
    kept = 0.0
    for operation in program.operations:
        ends = (operation.output in names) + any(name in names for name in operation.inputs)
        kept += counted[operation.output] * share**ends
    total = sum(counted.values())
    return kept / total if total else 1.0
