"""The compilers that make firmware: how each is called, and what it calls the cores."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from .boards import Board
from .subject import START
from .tools import missing_tools, missing_wheels, remedy, wheels_remedy


@dataclass(frozen=True, kw_only=True)
class Compiler:
    """One way from C to an ELF file, without a C library.

    Attributes:
        command: what is called.
        flags: of every call; the second part depends on the board.
        link: of the last call, behind `flags`; it writes `firmware.map` where `makes_map` says so.
        libraries: arithmetic that the core lacks.
        together: several files may be compiled in one call.
        missing: says what is not installed and how to get it; "" for nothing.
    """

    name: str
    command: tuple[str, ...]
    flags: tuple[str, ...]
    board_flags: Callable[[Board], tuple[str, ...]]
    link: tuple[str, ...]
    libraries: tuple[str, ...]
    makes_map: bool
    together: bool
    missing: Callable[[], str]


_COMMON = (
    "-std=c99", "-O2", "-ffreestanding", "-ffunction-sections", "-fdata-sections", "-Wall", "-Wextra", "-Werror",
    "-isystem", str(START / "include"),
)  # fmt: skip

# The compiler still knows what memcpy means, and replaces small copies by moves. The warning that is off reports loops
# over the rest of a division that never run (GCC 12, 32-bit pointers); the host's sanitizers look.
GCC = Compiler(
    name="arm-none-eabi-gcc", command=("arm-none-eabi-gcc",),
    flags=("-mthumb", *_COMMON, "-fno-schedule-insns", "-fbuiltin", "-Wno-aggressive-loop-optimizations"),
    board_flags=lambda board: board.flags,
    link=("-nostdlib", "-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments", "-Wl,-Map=firmware.map"),
    libraries=("-lgcc",), makes_map=True, together=True,
    missing=lambda: remedy(missing_tools(("arm-none-eabi-gcc",))),
)  # fmt: skip


def _zig(abi: str, cpu: str) -> tuple[str, ...]:
    return ("-target", f"thumb-freestanding-{abi}", f"-mcpu={cpu}")


ZIG_FLAGS: dict[str, tuple[str, ...]] = {
    "M3": _zig("eabi", "cortex_m3"),
    "M4": _zig("eabihf", "cortex_m4+vfp4d16sp"),
    "M7": _zig("eabihf", "cortex_m7+fp_armv8d16sp"),
    "M33": _zig("eabihf", "cortex_m33+dsp+fp_armv8d16sp"),
}

# Its runtime library comes with it and is built at the first use, in a few seconds.
ZIG = Compiler(
    name="zig", command=(sys.executable, "-m", "ziglang", "cc"),
    flags=(*_COMMON, "-fno-sanitize=undefined", "-Wno-unknown-attributes"),
    board_flags=lambda board: ZIG_FLAGS[board.core],
    link=("-Wl,--gc-sections", "-Wl,--entry=ew_reset"), libraries=(), makes_map=False, together=False,
    missing=lambda: wheels_remedy(missing_wheels(("ziglang",))),
)  # fmt: skip
