"""C to firmware: a folder of generated C, our start-up code and harness, one device's memories."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ...errors import BudgetError, ExportError
from .sizes import Sizes, measure_sizes
from .subject import START, Interface, Target, board_header, linker_script, subject_header
from .tools import call, first_error, need_tools, sources_of

COMPILER = "arm-none-eabi-gcc"
HARNESS = "harness"  # folder of the harness's objects
# Without a C library; the compiler still knows what memcpy means, and replaces small copies by moves. The warning that
# is off reports loops over the rest of a division that never run (GCC 12, 32-bit pointers); the host's sanitizers look.
COMMON = (
    "-mthumb", "-std=c99", "-O2", "-fno-schedule-insns", "-ffreestanding", "-fbuiltin", "-ffunction-sections",
    "-fdata-sections", "-Wall", "-Wextra", "-Werror",
    "-Wno-aggressive-loop-optimizations", "-isystem", str(START / "include"),
)  # fmt: skip
LINK = ("-nostdlib", "-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments", "-Wl,-Map=firmware.map", "-T", "link.ld")
LONGEST_COMPILATION_S = 300.0
_OVERFLOW = re.compile(r"region `(\w+)' overflowed by (\d+) bytes?")


@dataclass(frozen=True, kw_only=True)
class Firmware:
    """An ELF file for one board.

    Attributes:
        traced: whether it tells what every operation made and cost.
    """

    elf: Path
    target: Target
    interface: Interface
    sizes: Sizes
    traced: bool


def build(folder: Path, out: Path, *, target: Target, interface: Interface, trace: bool = False) -> Firmware:
    """Compile and link the C files of `folder` for `target`; `out` receives objects, map and ELF file.

    Args:
        trace: compile with EW_TRACE, so that the model calls `ew_trace` after each operation.

    Raises:
        UnsupportedError: a program is not installed.
        ModelError: the folder holds no C files.
        BudgetError: flash or RAM of the device do not suffice; says by how many bytes.
        ExportError: the code does not compile or link.
    """
    need_tools()
    sources = sources_of(folder)
    objects = out / HARNESS
    objects.mkdir(parents=True, exist_ok=True)
    (out / "link.ld").write_text(linker_script(target), encoding="utf-8")
    (objects / "board.h").write_text(board_header(target), encoding="utf-8")
    (objects / "subject.h").write_text(subject_header(interface), encoding="utf-8")
    flags = (*COMMON, *target.board.flags, *(("-DEW_TRACE",) if trace else ()))
    include = (f"-I{folder.resolve()}", f"-I{(folder / 'kernels').resolve()}")
    own = sorted(START.glob("*.c"))
    _compile(own, objects, (*flags, *include, f"-I{objects.resolve()}"))
    _compile(sources, out, (*flags, *include))
    names = [*(f"{path.stem}.o" for path in sources), *(f"{HARNESS}/{path.stem}.o" for path in own)]
    _link(names, out, (*flags, *LINK), target)
    elf = out / "firmware.elf"
    sizes = measure_sizes(elf, out / "firmware.map", harness=f"{HARNESS}/")
    return Firmware(elf=elf, target=target, interface=interface, sizes=sizes, traced=trace)


def _compile(sources: list[Path], where: Path, flags: tuple[str, ...]) -> None:
    compiled = [COMPILER, *flags, "-c", *(str(path.resolve()) for path in sources)]
    done = call(compiled, limit_s=LONGEST_COMPILATION_S, where=where)
    if done.returncode:
        raise ExportError(f"The generated C does not compile: {first_error(done.stderr)}")


def _link(objects: list[str], where: Path, flags: tuple[str, ...], target: Target) -> None:
    linked = [COMPILER, *flags, *objects, "-lgcc", "-o", "firmware.elf"]
    done = call(linked, limit_s=LONGEST_COMPILATION_S, where=where)
    over = {name: int(size) for name, size in _OVERFLOW.findall(done.stderr)}
    if over:
        raise BudgetError(_too_large(over, target))
    if done.returncode:
        raise ExportError(f"The firmware does not link: {first_error(done.stderr)}")


def _too_large(over: dict[str, int], target: Target) -> str:
    """One sentence for all memories that do not suffice."""
    limits = {
        "RAM": f"{target.ram_bytes:,} bytes with a stack of {target.stack_bytes:,}",
        "FLASH": f"{target.usable_flash_bytes:,} bytes",
    }
    told = " and ".join(f"{size:,} bytes more {name} than the {limits[name]}" for name, size in over.items())
    cut = "FLASH" in over and target.usable_flash_bytes < target.flash_bytes
    where = f" that the emulated board {target.board.machine} has" if cut else " of the device"
    return f"The firmware needs {told}{where}: choose a larger device, or make the model smaller."
