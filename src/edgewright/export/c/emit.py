"""From a program to the files of its firmware."""

from __future__ import annotations

import os
import posixpath
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ...errors import ConfigError
from ...files import folder_atomic, write_atomic
from ...program import Program, macs
from ...program.rounding import check_rounding
from ...types import LAYOUT_FILE
from .calls import calls_of
from .choosing import smallest_calls
from .kernel_sets import check_set
from .layout import layouts
from .memory import Plan
from .placing import placing_of
from .render import Rendering
from .scene import Call
from .text import identifier
from .vectors import vector_of

HERE = Path(__file__).parent
KERNELS = HERE / "kernels"
FILES = ("model.h", "model.c", "weights.h", "weights.c", "main.c", "Makefile", "CMakeLists.txt", "cortex-m.cmake",
         "README.md")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Firmware:
    """The C of a program.

    Attributes:
        files: path inside the folder -> content.
        plan: of the arena.
        kernels: the set that the kernels are taken from.
        compact: whether all calls of a kernel share its code. Then `shared_kernels` counts those functions by kernel
            (they are in `calls` too), `shared_calls` who calls them, and `passed_bytes` the sizes that are passed.
        table_bytes: weights and tables, all of which lie in flash.
        macs: of each operation, by the name of its output.
        float_bytes: RAM of float outputs, which lie outside of the arena.
        calls: how often the code holds each kernel, by its name; one that several stripes call is there once.
        may_overflow: layers whose sums some input could carry beyond 32 bits: there `program.run` raises, and the C
            gives a wrong code.
    """

    files: Mapping[str, str]
    plan: Plan
    table_bytes: int
    macs: Mapping[str, int]
    float_bytes: int = 0
    calls: Mapping[str, int] = field(default_factory=dict)
    may_overflow: tuple[str, ...] = ()
    kernels: str = "portable"
    compact: bool = False
    shared_calls: int = 0
    shared_kernels: Mapping[str, int] = field(default_factory=dict)
    passed_bytes: int = 0


def emit(
    program: Program,
    images: Sequence[Mapping[str, np.ndarray]] = (),
    *,
    kernels: str = "portable",
    packs: bool = True,
    compact: bool = False,
) -> Firmware:
    """The files, the same bytes for the same program and images.

    Args:
        images: codes of the inputs of a few images, as `program.run` takes them; the self-test holds them and what the
            program makes of them.
        kernels: a set of `KERNEL_SETS`, for the cores that the firmware will run on: the same bytes from each.
        packs: store weights of 4 bits two a byte: less flash, some instructions more.
        compact: less flash, more instructions: one function for all calls of a kernel, with their sizes as arguments,
            and of the sets that the core runs the kernels of smaller tables.

    Raises:
        ConfigError: the program's name is no name in C, it has nothing to compute, or there is no such set.
        UnsupportedError: the kernels cannot compute an operation, or not in the program's rounding; names it.
    """
    check_rounding(program)
    if not program.operations:
        raise ConfigError(f"The program {program.name} has no operations: there is nothing to make firmware of.")
    if identifier(program.name) != program.name:
        raise ConfigError(f"'{program.name}' is no name in C: use letters, digits and underscores.")
    check_set(kernels)
    lying = layouts(program)

    def calls_with(name: str) -> list[tuple[Call, ...]]:
        return [calls_of(program, operation, lying, kernels=name, packs=packs) for operation in program.operations]

    calls = calls_with(kernels) if not compact else smallest_calls(calls_with, kernels)
    placing = placing_of(program, calls, lying)
    vectors = [vector_of(program, each) for each in images]
    rendering = Rendering(
        program=program, lying=lying, calls=placing.calls, placing=placing, vectors=vectors, kernels=kernels,
        compact=compact,
    )  # fmt: skip
    files = {name: _render(name, rendering) for name in FILES if rendering.tables or not name.startswith("weights")}
    files |= {LAYOUT_FILE: rendering.layout_json()} | _kernels(placing.calls)
    return Firmware(
        files=files, plan=placing.plan, table_bytes=rendering.table_bytes, macs=macs(program),
        float_bytes=rendering.float_bytes, calls=rendering.held,
        may_overflow=rendering.may_overflow, kernels=kernels, compact=compact,
        **(_shared(rendering) if compact else {}),
    )  # fmt: skip


def _shared(rendering: Rendering) -> dict[str, Any]:
    functions = rendering.functions.values()
    kernels = {each.name: each.call.kernel for each in functions}
    return {
        "shared_calls": len(functions), "shared_kernels": Counter(kernels.values()),
        "passed_bytes": sum(4 * len(each.parameters) for each in functions),
    }  # fmt: skip


def write(firmware: Firmware, folder: Path) -> None:
    """Write all files to `folder`, which is replaced as a whole."""
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder_atomic(folder) as temporary:
        for name, content in firmware.files.items():
            os.makedirs((temporary / name).parent, exist_ok=True)
            write_atomic(temporary / name, content)


def _render(name: str, rendering: Rendering) -> str:
    return _templates().get_template(f"{name}.j2").render(rendering.facts())


@cache
def _templates() -> Environment:
    """Compiled once: that takes longer than to fill them."""
    return Environment(
        loader=FileSystemLoader(HERE / "templates"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip


def _kernels(calls: Sequence[tuple[Call, ...]]) -> dict[str, str]:
    """The headers that the calls need, and those that these include."""
    wanted = sorted({call.kernel for own in calls for call in own})
    found: dict[str, str] = {}
    while wanted:
        name = wanted.pop()
        path = f"kernels/{name}.h"
        if path not in found:
            found[path] = (KERNELS / f"{name}.h").read_text(encoding="utf-8")
            included = [line.split('"')[1][:-2] for line in found[path].splitlines() if line.startswith('#include "')]
            wanted += [posixpath.normpath(posixpath.join(posixpath.dirname(name), each)) for each in included]
    return dict(sorted(found.items()))
