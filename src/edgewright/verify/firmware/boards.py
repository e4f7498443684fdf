"""Emulated boards: one per core, and which of them stands for which device.

The addresses and the tick of the counter are those of Arm's application notes for the MPS2 and MPS3 boards (AN385,
AN386, AN500, AN505, AN547), as QEMU models them. A board has megabytes of each memory; a device's own limits are
enforced by the linker and by the memory protection unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from ...errors import UnsupportedError
from ...types import Device

Protection = Literal["pmsav7", "pmsav8"]


@dataclass(frozen=True, kw_only=True)
class Board:
    """One machine of the emulator.

    Attributes:
        core: the processor as device files name it: "M4".
        machine: QEMU's name of the board.
        flags: what makes the compiler write code for this core.
        code_at: where code and constants begin.
        code_bytes: how much of the board's memory lies there; devices with more flash are cut to it.
        vectors_at: where the core reads its vector table after reset.
        ram_at: where RAM begins.
        tape_at: where the emulator puts inputs; beyond every device's RAM, and read-only to the firmware.
        tape_bytes: how much fits there.
        counter_at: address of a register that counts virtual time.
        tick_ns: nanoseconds between two steps of that register.
        protection: kind of the memory protection unit.
    """

    core: str
    machine: str
    flags: tuple[str, ...]
    code_at: int = 0x0
    code_bytes: int = 4 << 20
    vectors_at: int = 0x0
    ram_at: int = 0x2000_0000
    tape_at: int = 0x2020_0000
    tape_bytes: int = 2 << 20
    counter_at: int = 0x4002_8018
    tick_ns: int = 40
    protection: Protection = "pmsav7"

    @property
    def most_ram_bytes(self) -> int:
        """RAM that a device may have here: what lies below the tape."""
        return self.tape_at - self.ram_at


_FPU = ("-mfpu=fpv5-sp-d16", "-mfloat-abi=hard")

_BOARDS = (
    Board(core="M3", machine="mps2-an385", flags=("-mcpu=cortex-m3", "-mfloat-abi=soft")),
    Board(core="M4", machine="mps2-an386", flags=("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")),
    Board(core="M7", machine="mps2-an500", flags=("-mcpu=cortex-m7", *_FPU)),
    Board(
        core="M33", machine="mps2-an505", flags=("-mcpu=cortex-m33", *_FPU), code_at=0x1000_0000,
        vectors_at=0x1000_0000, ram_at=0x3800_0000, tape_at=0x3820_0000, counter_at=0x5030_2018, tick_ns=50,
        protection="pmsav8",
    ),
    Board(
        core="M55", machine="mps3-an547", flags=("-mcpu=cortex-m55", "-mfloat-abi=hard"), code_at=0x0100_0000,
        code_bytes=2 << 20, ram_at=0x2100_0000, tape_at=0x2120_0000, counter_at=0x4930_2018, tick_ns=50,
        protection="pmsav8",
    ),
)  # fmt: skip

BOARDS = MappingProxyType({board.core: board for board in _BOARDS})
"""Core -> the board that emulates it. Cores without a board have no counter that the emulator drives exactly."""


def board_of(device: Device) -> Board:
    """The board that stands for `device`: the one with the core that the device's title names.

    Raises:
        UnsupportedError: no board has that core, or the title names none.
    """
    core = device.core
    if core is None or core not in BOARDS:
        told = f"a Cortex-{core}" if core else "no Cortex-M core in its title"
        raise UnsupportedError(
            f"The device {device.name} has {told}: the emulator counts on Cortex-{', '.join(BOARDS)}; choose a device "
            f"with one of them, or check the generated C on the host."
        )
    return BOARDS[core]
