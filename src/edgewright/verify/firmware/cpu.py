"""Run firmware on an emulated processor without a board: the wheel `unicorn`, and in Python what the board has.

The board's counter counts instructions here as in QEMU, to the instruction: blocks of code are counted as they begin,
and the counter is read by a function of its own, at whose start all blocks before it are complete. The fence is the
map of memory itself: what the device does not have is not there.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from typing import Any

from ...errors import ExportError, UnsupportedError
from .build import Firmware
from .cycles import MODELLED_CORES, Block, block_cost, edge_cost
from .elf import read_segments
from .qemu import SHIFT, Duration, Emulation, too_long
from .records import HEAD, Kind, read_records
from .tools import missing_wheels, wheels_remedy

PAGE_BYTES = 4096
SYSTEM_AT = 0xE000_E000  # protection unit, faults, floating point: written by the start-up code
COARSE_NS = 10_000_000
SYS_OPEN, SYS_WRITE, SYS_EXIT_EXTENDED = 0x01, 0x05, 0x20
BREAKPOINT = 7  # how the emulator calls the stop of semihosting
STACKING, DATA_ACCESS, UNDEFINED = 1 << 4, 1 << 7 | 1 << 1, 1 << 16  # bits of the fault status, as qemu reads them


def emulate(firmware: Firmware, tape: bytes, time_limit_s: float) -> Emulation:
    """Everything that the firmware said, and what it executed between two readings of the counter.

    Raises:
        UnsupportedError: unicorn is not installed, or does not know the core.
        ExportError: the firmware does not end in time, or leaves memory (as a record of a fault).
    """
    if "unicorn" in missing_wheels():
        raise UnsupportedError(f"Firmware cannot be run here, {wheels_remedy(('unicorn',))}.")
    machine = _Machine(firmware, tape)
    machine.run(time_limit_s)
    return Emulation(records=tuple(read_records(bytes(machine.said))), durations=tuple(machine.durations))


class _Machine:
    """A processor with the device's memories, the board's counter, and a console."""

    def __init__(self, firmware: Firmware, tape: bytes) -> None:
        import unicorn
        from unicorn import arm_const

        self.unicorn, self.names, self.target = unicorn, arm_const, firmware.target
        board = self.target.board
        self.uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self.uc.ctl_set_cpu_model(getattr(arm_const, f"UC_CPU_ARM_CORTEX_{board.core}"))
        self.said, self.exit_code = bytearray(), None
        self.durations: list[Duration] = []
        self.fault: tuple[int, int] | None = None
        self.edges: dict[tuple[Block, Block], int] = defaultdict(int)
        self.block: Block = (0, 0)
        self.instructions = self.cycles = 0  # of all blocks that are completed
        self.opened: tuple[int, int] | None = None
        self._map(firmware, tape)
        self._hook()

    def _map(self, firmware: Firmware, tape: bytes) -> None:
        board, uc, prot = self.target.board, self.uc, self.unicorn
        uc.mem_map(board.code_at, _pages(self.target.usable_flash_bytes), prot.UC_PROT_READ | prot.UC_PROT_EXEC)
        uc.mem_map(board.ram_at, _pages(self.target.ram_bytes), prot.UC_PROT_READ | prot.UC_PROT_WRITE)
        uc.mem_map(board.tape_at, _pages(len(tape)), prot.UC_PROT_READ)
        counters = board.counter_at & -PAGE_BYTES
        uc.mmio_map(counters, PAGE_BYTES, self._read_counter, board.counter_at - counters, _ignore, None)
        uc.mmio_map(SYSTEM_AT, PAGE_BYTES, lambda *_: 0, None, _ignore, None)
        for address, content in read_segments(firmware.elf):
            uc.mem_write(address, content)
        uc.mem_write(board.tape_at, tape)

    def _hook(self) -> None:
        kinds, uc = self.unicorn, self.uc
        uc.hook_add(kinds.UC_HOOK_BLOCK, self._enter)
        uc.hook_add(kinds.UC_HOOK_INTR, self._interrupt)
        uc.hook_add(kinds.UC_HOOK_MEM_INVALID, self._outside)
        end = self.target.board.ram_at + self.target.fenced_ram_bytes
        if end % PAGE_BYTES:  # the rest of the last page is no memory of the device
            access = kinds.UC_HOOK_MEM_READ | kinds.UC_HOOK_MEM_WRITE
            uc.hook_add(access, self._outside, begin=end, end=(end & -PAGE_BYTES) + PAGE_BYTES - 1)

    def run(self, time_limit_s: float) -> None:
        stack, start = struct.unpack("<2I", self.uc.mem_read(self.target.board.vectors_at, 8))
        self.uc.reg_write(self.names.UC_ARM_REG_SP, stack)
        try:
            self.uc.emu_start(start | 1, 0xFFFF_FFFE, timeout=int(time_limit_s * 1e6))
        except self.unicorn.UcError as error:
            if self.fault is None:
                self.fault = (UNDEFINED, 0) if error.errno == self.unicorn.UC_ERR_INSN_INVALID else (0, 0)
        if self.fault is not None:
            self.said += HEAD.pack(Kind.FAULT, 0, 0, 0, 12) + struct.pack("<3I", *self.fault, 0)
        elif self.exit_code is None:
            raise too_long(time_limit_s)
        elif self.exit_code:
            raise ExportError(f"The firmware ended with exit code {self.exit_code} before it was done.")

    def _enter(self, uc: Any, address: int, size: int, data: Any) -> None:
        block = (address, size)
        self.edges[self.block, block] += 1
        self.block = block

    def _now(self) -> tuple[int, int]:
        """All completed blocks, added up; the running one has only begun (`ew_ticks` in start/harness.h)."""
        for (before, after), times in self.edges.items():
            instructions, cycles = self._costs(before)
            self.instructions += times * instructions
            self.cycles += times * (cycles + edge_cost(before, after))
        self.edges.clear()
        return self.instructions, self.cycles

    def _costs(self, block: Block) -> tuple[int, int]:
        return block_cost(bytes(self.uc.mem_read(*block)) if block[1] else b"")

    def _read_counter(self, uc: Any, offset: int, size: int, fine: int) -> int:
        instructions, cycles = self._now()
        virtual_ns = instructions << SHIFT
        if offset != fine:
            return virtual_ns // COARSE_NS
        if self.opened is None:
            self.opened = instructions, cycles
        else:
            spent = cycles - self.opened[1] if self.target.board.core in MODELLED_CORES else None
            self.durations.append(Duration(instructions=instructions - self.opened[0], cycles=spent))
            self.opened = None
        return virtual_ns // self.target.board.tick_ns & 0xFFFF_FFFF

    def _interrupt(self, uc: Any, number: int, data: Any) -> None:
        if number != BREAKPOINT:
            self.fault = (UNDEFINED, 0)
            uc.emu_stop()
            return
        names = self.names
        call, at = uc.reg_read(names.UC_ARM_REG_R0), uc.reg_read(names.UC_ARM_REG_R1)
        words = struct.unpack("<3I", uc.mem_read(at, 12)) if call == SYS_WRITE else ()
        if call == SYS_WRITE:
            self.said += uc.mem_read(words[1], words[2]) if words[2] else b""
        elif call == SYS_EXIT_EXTENDED:
            (self.exit_code,) = struct.unpack("<I", uc.mem_read(at + 4, 4))
            uc.emu_stop()
        uc.reg_write(names.UC_ARM_REG_R0, 1 if call == SYS_OPEN else 0)
        uc.reg_write(names.UC_ARM_REG_PC, uc.reg_read(names.UC_ARM_REG_PC) + 2 | 1)

    def _outside(self, uc: Any, access: int, address: int, size: int, value: int, data: Any) -> bool:
        left = uc.reg_read(self.names.UC_ARM_REG_SP) < self.target.board.ram_at
        self.fault = (STACKING if left else DATA_ACCESS, address)
        uc.emu_stop()
        return False


def _ignore(uc: Any, offset: int, size: int, value: int, data: Any) -> None:
    """Registers that only the real protection unit would heed."""


def _pages(num_bytes: int) -> int:
    return max(PAGE_BYTES, -(-num_bytes // PAGE_BYTES) * PAGE_BYTES)
