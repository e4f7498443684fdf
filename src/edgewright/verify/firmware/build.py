"""C to firmware: a folder of generated C, our start-up code and harness, one device's memories."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ...errors import BudgetError, ExportError, UnsupportedError
from .compilers import GCC, Compiler
from .sizes import Sizes, measure_sizes
from .subject import START, Interface, Target, board_header, linker_script, subject_header
from .tools import call, first_error, sources_of

HARNESS = "harness"  # folder of the harness's objects
MAP = "firmware.map"
LONGEST_COMPILATION_S = 300.0
_OVERFLOW = re.compile(r"region [`'](\w+)':? overflowed by (\d+) bytes?")  # of GNU ld, of LLD


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


def build(
    folder: Path, out: Path, *, target: Target, interface: Interface, trace: bool = False, compiler: Compiler = GCC
) -> Firmware:  # fmt: skip
    """Compile and link the C files of `folder` for `target`; `out` receives objects and the ELF file.

    Args:
        trace: compile with EW_TRACE, so that the model calls `ew_trace` after each operation.

    Raises:
        UnsupportedError: the compiler is not installed, or does not know the core.
        ModelError: the folder holds no C files.
        BudgetError: flash or RAM of the device do not suffice; says by how many bytes.
        ExportError: the code does not compile or link.
    """
    if told := compiler.missing():
        raise UnsupportedError(f"Firmware cannot be built here, {told}.")
    sources = sources_of(folder)
    objects = out / HARNESS
    objects.mkdir(parents=True, exist_ok=True)
    (out / "link.ld").write_text(linker_script(target), encoding="utf-8")
    (objects / "board.h").write_text(board_header(target), encoding="utf-8")
    (objects / "subject.h").write_text(subject_header(interface), encoding="utf-8")
    flags = (*compiler.flags, *compiler.board_flags(target.board), *(("-DEW_TRACE",) if trace else ()))
    include = (f"-I{folder.resolve()}", f"-I{(folder / 'kernels').resolve()}")
    own = sorted(START.glob("*.c"))
    _compile(own, objects, compiler, (*flags, *include, f"-I{objects.resolve()}"))
    _compile(sources, out, compiler, (*flags, *include))
    names = [*(f"{path.stem}.o" for path in sources), *(f"{HARNESS}/{path.stem}.o" for path in own)]
    _link(names, out, compiler, flags, target)
    elf = out / "firmware.elf"
    sizes = measure_sizes(elf, objects=sorted(objects.glob("*.o")), map_file=out / MAP if compiler.makes_map else None)
    return Firmware(elf=elf, target=target, interface=interface, sizes=sizes, traced=trace)


def _compile(sources: list[Path], where: Path, compiler: Compiler, flags: tuple[str, ...]) -> None:
    files = [str(path.resolve()) for path in sources]
    for together in [files] if compiler.together else [[each] for each in files]:
        done = call([*compiler.command, *flags, "-c", *together], limit_s=LONGEST_COMPILATION_S, where=where)
        if done.returncode:
            raise ExportError(f"The generated C does not compile: {first_error(done.stderr)}")


def _link(objects: list[str], where: Path, compiler: Compiler, flags: tuple[str, ...], target: Target) -> None:
    linked = [*compiler.command, *flags, *compiler.link, "-T", "link.ld", *objects, *compiler.libraries]
    done = call([*linked, "-o", "firmware.elf"], limit_s=LONGEST_COMPILATION_S, where=where)
    over: dict[str, int] = {}
    for name, size in _OVERFLOW.findall(done.stderr):  # LLD tells each section that no longer fits
        over[name] = max(int(size), over.get(name, 0))
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
