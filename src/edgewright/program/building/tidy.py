"""What can go once a program stands: padding that a window can do itself, and whatever nobody reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...reference.integer import Window
from ..types import Operation, Program, Tensor

Widths = tuple[tuple[int, int], ...]


def tidied(program: Program) -> Program:
    """The same program without paddings that are the window's own, and without operations that nobody reads."""
    return without_unread(with_padded_windows(program))


def with_padded_windows(program: Program) -> Program:
    """Every padding whose readers are windows goes into these, where padding means the same.

    Channels of zeros in front of a dense convolution go with the weights that they meet.
    """
    makers = {operation.output: operation for operation in program.operations}
    operations: list[Operation] = []
    for operation in program.operations:
        pad = makers.get(operation.inputs[0])
        counts = operation.kind == "average_pool" and program.rounding == "tflm"  # a mean there never counts padding
        if pad is not None and pad.kind == "pad" and operation.kind in FITS and not counts:
            operation = _padded(program, pad, operation) or operation
        operations.append(operation)
    return replace(program, operations=tuple(operations))


def _padded(program: Program, pad: Operation, operation: Operation) -> Operation | None:
    """The operation with the padding in its window; None where that would change it."""
    channels, *widths = pad.settings["widths"]
    source = program.tensors[pad.inputs[0]]
    if not FITS[operation.kind](operation, source, tuple(widths)):
        return None
    if channels != (0, 0):
        if operation.kind != "conv" or operation.settings["groups"] != 1:
            return None
        operation = _without_channels(operation, channels)
    window: Window = operation.settings["window"]
    rows, columns = (
        (before + own[0], behind + own[1])
        for (before, behind), own in zip(widths, window.padding, strict=True)
    )  # fmt: skip
    settings = {**operation.settings, "window": replace(window, padding=(rows, columns))}
    if operation.kind == "average_pool":
        settings["include_padding"] = True  # zeros of the map were counted
    return replace(operation, inputs=pad.inputs, settings=settings)


def _without_channels(operation: Operation, channels: tuple[int, int]) -> Operation:
    """A dense convolution without the weights of channels of zeros before and behind its others."""
    weight_OIKK = operation.arrays["weight_OIKK"]
    before, behind = channels
    kept = np.ascontiguousarray(weight_OIKK[:, before : weight_OIKK.shape[1] - behind])
    return replace(operation, arrays={**operation.arrays, "weight_OIKK": kept})


def _always(operation: Operation, source: Tensor, widths: Widths) -> bool:
    """A convolution pads with zeros too."""
    return True


def _are_counted(operation: Operation, source: Tensor, widths: Widths) -> bool:
    """An average counts zeros of the map, so a padding of its own must count as well."""
    window: Window = operation.settings["window"]
    return not window.ceil and (operation.settings["include_padding"] or window.padding == ((0, 0), (0, 0)))


def _never_win(operation: Operation, source: Tensor, widths: Widths) -> bool:
    """Zeros are the smallest values of a map behind a ReLU: they win only where a window holds nothing else."""
    window: Window = operation.settings["window"]
    if source.grid is None or source.grid.low < source.grid.zero_point or window.ceil:
        return False
    return all(
        max(before + own[0], behind + own[1]) < window.kernel[axis]
        for axis, ((before, behind), own) in enumerate(zip(widths, window.padding, strict=True))
    )  # fmt: skip


FITS: dict[str, Callable[[Operation, Tensor, Widths], bool]] = {
    "conv": _always,
    "average_pool": _are_counted,
    "max_pool": _never_win,
}


def without_unread(program: Program) -> Program:
    """Without operations and tensors that no output needs; inputs stay."""
    needed = {*program.outputs, *program.inputs}
    kept: list[Operation] = []
    for operation in reversed(program.operations):
        if operation.output in needed:
            kept.insert(0, operation)
            needed.update(operation.inputs)
    tensors = {name: tensor for name, tensor in program.tensors.items() if name in needed}
    return replace(program, operations=tuple(kept), tensors=tensors)
