"""What the reader of a folder of C is told beyond its program: totals, pixels as codes, names of the classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...program import Program
from .gate import Need

MOST_NAMES = 20
PER_PIXEL = ("shape", "mean", "std", "scale")  # facts of the preprocessing that the formula takes


def readme_sections(
    program: Program, need: Need, *, preprocess: Mapping[str, Any], class_names: Sequence[str] = ()
) -> str:
    """The end of README.md: predicted totals, and of pixels and classes what is known."""
    lines = [
        "", "## Totals, predicted", "", "| memory | bytes | of it |", "|---|---|---|",
        f"| RAM | {need.ram_bytes} | arena {need.arena}, float outputs {need.floats}, stack {need.stack}, start-up "
        f"{need.start_ram} |",
        f"| flash | {need.flash_bytes} | weights and tables {need.tables}, code about {need.code}, start-up "
        f"{need.start_flash} |",
    ]  # fmt: skip
    pixels = _pixel_lines(program, preprocess)
    if pixels:
        lines += ["", "## From a pixel to a code", "", *pixels[:1], "", *(f"- {line}" for line in pixels[1:])]
        lines += ["", f"As it was for training: {preprocess['how']}."] if preprocess.get("how") else []
    if class_names:
        lines += ["", "## Classes", "", f"In the order of the outputs: {_names(class_names)}"]
    return "\n".join([*lines, ""])


def header_comment(program: Program, *, preprocess: Mapping[str, Any], class_names: Sequence[str] = ()) -> str:
    """The end of model.h: pixels and classes as far as they are known, else nothing."""
    lines = _pixel_lines(program, preprocess)
    if class_names:
        lines.append(f"classes, in the order of the outputs: {_names(class_names)}")
    body = "\n".join(f" * {line}" for line in lines).replace("*/", "* /").replace("/*", "/ *")
    return f"\n/* From a camera to the input, and from the output to a class:\n *\n{body}\n */\n" if lines else ""


def _pixel_lines(program: Program, preprocess: Mapping[str, Any]) -> list[str]:
    """The formula, the size of the image, and the numbers of each channel; nothing where they are not known."""
    if len(program.inputs) != 1 or not all(preprocess.get(name) is not None for name in PER_PIXEL):
        return []
    grid = program.tensors[program.inputs[0]].grid
    assert grid is not None
    channels, rows, columns = preprocess["shape"]
    means_and_stds = zip(preprocess["mean"], preprocess["std"], strict=True)
    return [
        f"code = round(({_unit(preprocess['scale'])} - mean) / std / {float(grid.scale)!r}) + ({grid.zero_point}), "
        f"clamped to {grid.low} .. {grid.high}; round takes ties to even",
        f"pixel: 0 .. 255, {rows} rows x {columns} columns x {channels} channels, in which order the codes lie",
        *(f"channel {index}: mean {mean!r}, std {std!r}" for index, (mean, std) in enumerate(means_and_stds)),
    ]


def _unit(scale: float) -> str:
    """A pixel on the scale that mean and standard deviation are of."""
    return "pixel / 255" if scale == 1 / 255 else f"pixel * {scale!r}"


def _names(class_names: Sequence[str]) -> str:
    shown = ", ".join(" ".join(str(name).split()) for name in class_names[:MOST_NAMES])
    return f"{shown}, ..." if len(class_names) > MOST_NAMES else shown
