"""What a program keeps in the arena, and which outputs may lie over which inputs when its kernels run in C."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ....program import KINDS, Operation, Program
from ....reference.integer import Window
from ..layout import Shape, layouts
from .distances import (
    RowWindow,
    channel_lead_bytes,
    channel_rise_bytes,
    lead_bytes,
    pixel_by_pixel,
    pixel_lead_bytes,
    pixel_rise_bytes,
    rise_bytes,
)
from .homes import Entry, Home, Homes, homes_of
from .records import Buffer, Overlap, Piece

Distances = tuple[int, int | None]  # lead and rise; None: its kernels cannot run backwards
Rule = Callable[[Program, Operation, str], Distances | None]  # of an operation's output over one of its inputs
EITHER_WAY = frozenset({"copy"})  # kinds whose kernels choose their direction when they run
CHANNELS_AT_ONCE = 16  # bytes of a Helium register: no kernel reads more neighbours before it writes them


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What `plan` is asked for.

    Attributes:
        buffers: tensors of codes, named after the tensor whose memory they are; scratch.
        overlaps: of outputs with inputs that die under them.
        homes: tensor -> the buffer it lies in, and where: its own, or as a part of another's.
        floats: float outputs, which lie in memory of the caller.
    """

    buffers: tuple[Buffer, ...]
    overlaps: tuple[Overlap, ...]
    homes: Mapping[str, Home]
    floats: tuple[str, ...]


def buffers_of(
    program: Program,
    *,
    scratch: Mapping[str, int] | None = None,
    may_run_backwards: bool = False,
    lying: Mapping[str, Shape] | None = None,
    rules: Mapping[str, Rule] | None = None,
    in_place: Container[str] = (),
) -> Needs:
    """Buffers and overlaps of a program; operations keep their numbers, codes take a byte each.

    Inputs live from the first operation on and outputs to the last; a part of a buffer that is read or made later than
    others lives as long as it is needed itself. An operation over a window goes through its pixels in the order of
    memory (`OVERLAPS`), so its output may lie that far ahead of an input that nothing else reads.

    Args:
        scratch: output of an operation -> bytes that its kernel needs beside its tensors.
        may_run_backwards: whether the kernels of windows can also run from the last pixel to the first.
        lying: the shapes in whose order the tensors lie, where they are known already.
        in_place: outputs of kernels that can leave them in the very place of their first inputs, of the same size.
        rules: output of an operation -> how far it may lie over an input, where its kernel keeps an order of its own.
    """
    homes = homes_of(program, layouts(program) if lying is None else lying, in_place=in_place)
    coded = [name for name in homes.entries if program.tensors[name].grid is not None]
    either_way = KINDS if may_run_backwards else EITHER_WAY
    overlaps = tuple(_overlaps(program, homes, rules or {}, either_way))
    return Needs(
        buffers=(*(_buffer(name, homes.entries[name]) for name in coded), *_scratch(program, scratch or {})),
        overlaps=overlaps, homes=homes.of, floats=tuple(name for name in homes.entries if name not in coded),
    )  # fmt: skip


def scratch_of(operation: Operation) -> str:
    """The name of the buffer that holds an operation's scratch: one for all parts of a layer."""
    return f"scratch of {operation.layer or operation.output}"


def _scratch(program: Program, scratch: Mapping[str, int]) -> Iterator[Buffer]:
    entries: dict[str, list[Entry]] = {}
    for index, operation in enumerate(program.operations):
        num_bytes = scratch.get(operation.output, 0)
        if num_bytes:
            entry = Entry(tensor=operation.output, begin=0, end=num_bytes, first=index, last=index)
            entries.setdefault(scratch_of(operation), []).append(entry)
    return (_buffer(name, each) for name, each in entries.items())


def _buffer(name: str, entries: Sequence[Entry]) -> Buffer:
    """A buffer, cut where its tensors begin and end."""
    cuts = sorted({end for each in entries for end in (each.begin, each.end)})
    pieces = tuple(
        Piece(begin=begin, end=end, lives=_spans([each for each in entries if each.begin <= begin and end <= each.end]))
        for begin, end in pairwise(cuts)
    )
    first, last = min(each.first for each in entries), max(each.last for each in entries)
    whole = len(pieces) == 1 and pieces[0].lives == ((first, last),)
    return Buffer(name=name, num_bytes=cuts[-1], first=first, last=last, pieces=() if whole else pieces)


def _spans(entries: Sequence[Entry]) -> tuple[tuple[int, int], ...]:
    """When bytes are needed: the spans of their tensors, without those inside of another."""
    spans = sorted({(each.first, each.last) for each in entries})
    return tuple(
        each for each in spans
        if not any(other != each and other[0] <= each[0] and each[1] <= other[1] for other in spans)
    )  # fmt: skip


def _overlaps(
    program: Program, homes: Homes, rules: Mapping[str, Rule], either_way: Container[str]
) -> Iterator[Overlap]:  # fmt: skip
    for index, operation in enumerate(program.operations):
        output = program.tensors[operation.output]
        rule = rules.get(operation.output, OVERLAPS.get(operation.kind))
        if rule is None or output.grid is None:
            continue
        for name in dict.fromkeys(operation.inputs):
            apart = homes.of[name].root != homes.of[output.name].root
            distances = rule(program, operation, name) if apart and _dies(program, homes, index, name) else None
            if distances is not None:
                rise = distances[1] if operation.kind in either_way else None
                yield _overlap(program, homes, index, name, (distances[0], rise))


def _overlap(program: Program, homes: Homes, index: int, name: str, distances: Distances) -> Overlap:
    """The overlap of an operation's output with an input; between whole buffers where both tensors are such."""
    output, spans, whole = program.operations[index].output, [], True
    for each in (output, name):
        home, num_bytes = homes.of[each], program.tensors[each].num_values
        spans.append((home.at, home.at + num_bytes))
        entries = homes.entries[home.root]
        alone = all((entry.begin, entry.end) == spans[-1] for entry in entries)
        whole &= alone and _buffer(home.root, entries).pieces == ()
    lead, rise = distances
    plain = Overlap(output=homes.of[output].root, input=homes.of[name].root, lead=lead, rise=rise)
    return plain if whole else replace(plain, op=index, output_span=spans[0], input_span=spans[1])


def _dies(program: Program, homes: Homes, index: int, name: str) -> bool:
    """Whether nothing needs the bytes of an input after an operation, nor twice in it."""
    home = homes.of[name]
    begin, end = home.at, home.at + program.tensors[name].num_values
    under = [each for each in homes.entries[home.root] if each.begin < end and begin < each.end]
    needed = {each.tensor for each in under if each.first <= index <= each.last}
    read_twice = any(each in needed for each in program.operations[index].inputs if each != name)
    goes_on = any(each.first <= index < each.last for each in under)
    return not read_twice and not goes_on and not needed & set(program.outputs)


def _convolution(program: Program, operation: Operation, name: str) -> Distances | None:
    """Pixel by pixel where the window is one, else over the pixels of the map."""
    channels, channels_out = program.tensors[name].shape[0], program.tensors[operation.output].shape[0]
    window: Window = operation.settings["window"]
    if window == Window(kernel=(1, 1), ceil=window.ceil):
        _, height, width = program.tensors[name].shape
        pixels = pixel_by_pixel(num_pixels=height * width, channels_in=channels, channels_out=channels_out)
        return lead_bytes(pixels), rise_bytes(pixels)
    if channels == channels_out == operation.settings["groups"]:
        return _channelwise(program, operation, name)
    rows, columns = window_axes(program, operation, name)
    return pixel_lead_bytes(rows, columns), pixel_rise_bytes(rows, columns)


def _channelwise(program: Program, operation: Operation, name: str) -> Distances | None:
    """Each channel of a pixel made of the same channel, `CHANNELS_AT_ONCE` neighbours at a time."""
    rows, columns = window_axes(program, operation, name)
    return (
        channel_lead_bytes(rows, columns, at_once=CHANNELS_AT_ONCE),
        channel_rise_bytes(rows, columns, at_once=CHANNELS_AT_ONCE),
    )


def window_axes(program: Program, operation: Operation, name: str) -> tuple[RowWindow, RowWindow]:
    """The window along rows, and along the pixels of one row, of maps that lie channels last."""
    window: Window = operation.settings["window"]
    x, y = program.tensors[name].shape, program.tensors[operation.output].shape
    sizes = ((x[2] * x[0], y[2] * y[0]), (x[0], y[0]))
    rows, columns = (
        RowWindow(
            rows_in=x[1 + axis], rows_out=y[1 + axis], kernel=window.reach(axis), stride=window.stride[axis],
            pad=window.padding[axis][0], row_bytes_in=sizes[axis][0], row_bytes_out=sizes[axis][1],
        )
        for axis in (0, 1)
    )  # fmt: skip
    return rows, columns


def _elementwise(program: Program, operation: Operation, name: str) -> Distances | None:
    """In place, over an input that is not repeated along an axis."""
    same = program.tensors[name].num_values == program.tensors[operation.output].num_values
    return (0, 0) if same else None


OVERLAPS: dict[str, Rule] = {
    "conv": _convolution, "max_pool": _channelwise, "average_pool": _channelwise,
    "add": _elementwise, "mul": _elementwise, "look_up": _elementwise, "rescale": _elementwise,
    "leaky_relu": _elementwise, "copy": _elementwise,
}  # fmt: skip
"""Kind of operation -> lead and rise of its output over an input. A kind that is not here never shares memory."""
