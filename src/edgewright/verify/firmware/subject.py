"""What the harness is told of a model and of a board: two small headers, and the script of the linker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Template

from ...errors import ConfigError
from ...types import FIRMWARE_STACK_BYTES, Device
from .boards import Board, board_of
from .fence import Span, fenced_bytes, regions

START = Path(__file__).parent / "start"
VECTORS_BYTES = 64  # sixteen words: stack, reset, and the faults; no interrupt is ever enabled
COUNTER_SPAN_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Interface:
    """The three calls of generated C, as the harness uses them.

    `void ew_NAME_run(void)`, and for each input and output a function that returns where its bytes lie.

    Attributes:
        inputs: C function and bytes of each input.
        outputs: C function and bytes of each output.
        run: C function without arguments that computes outputs from inputs.
        header: what declares them.
    """

    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]
    run: str
    header: str = "model.h"

    @property
    def words_per_image(self) -> int:
        """Words of the tape that one image takes: every input padded to whole words."""
        return sum(-(-num_bytes // 4) for _, num_bytes in self.inputs)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A board that keeps the limits of a device: the linker to the byte, the fence to its unit.

    Attributes:
        stack_bytes: RAM that the linker sets aside for the stack; what is used of it is measured.
    """

    board: Board
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int = FIRMWARE_STACK_BYTES

    def __post_init__(self) -> None:
        """Refuse limits that the board cannot keep.

        Raises:
            ConfigError: says which.
        """
        if self.ram_bytes > self.board.most_ram_bytes:
            raise ConfigError(
                f"{self.ram_bytes:,} bytes of RAM are more than the board {self.board.machine} can fence: at most "
                f"{self.board.most_ram_bytes:,}."
            )
        if self.stack_bytes % 8 or not 0 < self.stack_bytes < self.ram_bytes:
            raise ConfigError(
                f"A stack of {self.stack_bytes:,} bytes is not possible: give a multiple of 8 below the "
                f"{self.ram_bytes:,} bytes of RAM."
            )

    @property
    def usable_flash_bytes(self) -> int:
        """The device's flash, or what the board has when that is less."""
        return min(self.flash_bytes, self.board.code_bytes)

    @property
    def fenced_ram_bytes(self) -> int:
        """Where the fence around RAM stands."""
        return fenced_bytes(self.ram_bytes)


def target_of(device: Device, *, stack_bytes: int = FIRMWARE_STACK_BYTES) -> Target:
    """The board of `device` with the device's own flash and RAM.

    Raises:
        UnsupportedError: no board has its core.
        ConfigError: the device states no flash, or more RAM than the board has.
    """
    board = board_of(device)
    if device.flash_bytes is None:
        raise ConfigError(f"The device {device.name} states no flash_bytes: add the limit to its file.")
    return Target(board=board, flash_bytes=device.flash_bytes, ram_bytes=device.ram_bytes, stack_bytes=stack_bytes)


def linker_script(target: Target) -> str:
    """Memories of the device's sizes at the board's addresses."""
    board = target.board
    behind = VECTORS_BYTES if board.vectors_at == board.code_at else 0
    return Template((START / "link.ld").read_text(encoding="utf-8")).substitute(
        vectors_at=hex(board.vectors_at), vectors_bytes=VECTORS_BYTES, flash_at=hex(board.code_at + behind),
        flash_bytes=target.usable_flash_bytes - VECTORS_BYTES, ram_at=hex(board.ram_at), ram_bytes=target.ram_bytes,
        stack_bytes=target.stack_bytes,
    )  # fmt: skip


def board_header(target: Target) -> str:
    """board.h: addresses, and the regions of the fence."""
    board = target.board
    spans = (
        Span(start=board.code_at, num_bytes=target.usable_flash_bytes, access="code"),
        Span(start=board.ram_at, num_bytes=target.ram_bytes, access="data"),
        Span(start=board.tape_at, num_bytes=board.tape_bytes, access="input"),
        Span(start=board.counter_at & -COUNTER_SPAN_BYTES, num_bytes=COUNTER_SPAN_BYTES, access="device"),
    )
    pairs = ", ".join(f"{{{base:#010x}u, {attribute:#010x}u}}" for base, attribute in regions(spans, board))
    return (
        f"#define EW_COUNTER_AT {board.counter_at:#010x}u\n#define EW_TAPE_AT {board.tape_at:#010x}u\n"
        f"#define EW_PMSA {board.protection[-1]}\n#define EW_FENCE {{{pairs}}}\n"
    )


def subject_header(interface: Interface) -> str:
    """subject.h: the model's functions under the harness's names, and the bytes of its inputs and outputs."""
    lines = [f'#include "{interface.header}"']
    for role, places in (("input", interface.inputs), ("output", interface.outputs)):
        calls = " ".join(f"case {index}u: return {name}();" for index, (name, _) in enumerate(places))
        const = "" if role == "input" else "const "
        lines += [
            f"#define EW_NUM_{role.upper()}S {len(places)}u",
            f"static const uint32_t ew_{role}_bytes[] = {{{', '.join(str(size) for _, size in places)}}};",
            f"static inline {const}void *ew_subject_{role}(uint32_t index) "
            f"{{ switch (index) {{ {calls} default: return 0; }} }}",
        ]
    return "\n".join([*lines, f"static inline void ew_subject_run(void) {{ {interface.run}(); }}", ""])
