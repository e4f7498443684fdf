"""What a program keeps in the arena, and which outputs may lie over which inputs when its kernels run in C."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, replace

from ....program import Operation, Program
from ....reference.integer import Window
from ..layout import Shape, is_alias, layouts
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
from .records import Buffer, Overlap

Distances = tuple[int, int | None]  # lead and rise; None: its kernels cannot run backwards
Rule = Callable[[Program, Operation, str], Distances | None]  # of an operation's output over one of its inputs
CHANNELS_AT_ONCE = 16  # bytes of a Helium register: no kernel reads more neighbours before it writes them


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What `plan` is asked for.

    Attributes:
        buffers: tensors of codes, named after the tensor whose memory they are; scratch.
        overlaps: of outputs with inputs that die under them.
        owner: tensor -> the tensor whose buffer it lies in: itself, or what a reshape passes on without moving a byte,
            or what a kernel writes over in its place.
        floats: float outputs, which lie in memory of the caller.
    """

    buffers: tuple[Buffer, ...]
    overlaps: tuple[Overlap, ...]
    owner: Mapping[str, str]
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

    Inputs live from the first operation on and outputs to the last. An operation over a window goes through its pixels
    in the order of memory (`OVERLAPS`), so its output may lie that far ahead of an input that nothing else reads.

    Args:
        scratch: output of an operation -> bytes that its kernel needs beside its tensors.
        may_run_backwards: whether the kernels of windows can also run from the last pixel to the first.
        lying: the shapes in whose order the tensors lie, where they are known already.
        in_place: outputs of kernels that can leave them in the very place of their first inputs, of the same size.
        rules: output of an operation -> how far it may lie over an input, where its kernel keeps an order of its own.
    """
    owner = _owners(program, layouts(program) if lying is None else lying, in_place)
    owned = [name for name, whose in owner.items() if name == whose]
    coded = [name for name in owned if program.tensors[name].grid is not None]
    lives = _lives(program, owner)
    made = {operation.output: index for index, operation in enumerate(program.operations)}
    buffers = [
        Buffer(name=name, num_bytes=program.tensors[name].num_values, first=lives[name][0], last=lives[name][1])
        for name in coded
    ] + [
        Buffer(name=scratch_of(name), num_bytes=num_bytes, first=made[name], last=made[name])
        for name, num_bytes in (scratch or {}).items() if num_bytes
    ]  # fmt: skip
    overlaps = tuple(_overlaps(program, owner, lives, rules or {}))
    if not may_run_backwards:
        overlaps = tuple(replace(each, rise=None) for each in overlaps)
    return Needs(
        buffers=tuple(buffers), overlaps=overlaps, owner=owner,
        floats=tuple(name for name in owned if name not in coded),
    )  # fmt: skip


def scratch_of(name: str) -> str:
    """The name of the buffer that holds the scratch of the operation that makes `name`."""
    return f"scratch of {name}"


def _owners(program: Program, lying: Mapping[str, Shape], in_place: Container[str]) -> dict[str, str]:
    owner = {name: name for name in program.inputs}
    for index, operation in enumerate(program.operations):
        stays = is_alias(program, operation, lying) or (
            operation.output in in_place and _is_last_read(program, owner, index)
        )
        owner[operation.output] = owner[operation.inputs[0]] if stays else operation.output
    return owner


def _is_last_read(program: Program, owner: Mapping[str, str], index: int) -> bool:
    """Whether nothing needs the memory of an operation's first input after it, given the owners of all before it."""
    root = owner[program.operations[index].inputs[0]]
    later = [name for operation in program.operations[index + 1 :] for name in operation.inputs]
    return all(owner.get(name) != root for name in (*later, *program.outputs))


def _lives(program: Program, owner: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """The first and last operation in which the memory of each owner is needed."""
    lives = dict.fromkeys(program.inputs, (0, 0))
    for index, operation in enumerate(program.operations):
        for name in (*operation.inputs, operation.output):
            first, _ = lives.get(owner[name], (index, index))
            lives[owner[name]] = (first, index)
    for name in program.outputs:
        lives[owner[name]] = (lives[owner[name]][0], max(0, len(program.operations) - 1))
    return lives


def _overlaps(
    program: Program, owner: Mapping[str, str], lives: Mapping[str, tuple[int, int]], rules: Mapping[str, Rule]
) -> Iterator[Overlap]:
    kept = {owner[name] for name in program.outputs}
    for index, operation in enumerate(program.operations):
        output = program.tensors[operation.output]
        rule = rules.get(operation.output, OVERLAPS.get(operation.kind))
        if rule is None or owner[output.name] != output.name or output.grid is None:
            continue
        for name in dict.fromkeys(operation.inputs):
            same_memory = [each for each in operation.inputs if owner[each] == owner[name]]
            dies = lives[owner[name]][1] == index and owner[name] not in kept and len(set(same_memory)) == 1
            distances = rule(program, operation, name) if dies else None
            if distances is not None:
                yield Overlap(output=output.name, input=owner[name], lead=distances[0], rise=distances[1])


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
    "leaky_relu": _elementwise,
}  # fmt: skip
"""Kind of operation -> lead and rise of its output over an input. A kind that is not here never shares memory."""
