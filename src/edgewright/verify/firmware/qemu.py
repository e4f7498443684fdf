"""Run firmware in an emulator, QEMU at first: outputs, exact instruction counts, stack, what the fence caught."""

from __future__ import annotations

import struct
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError, ExportError
from .boards import Board
from .build import Firmware
from .records import Kind, Record, read_records
from .tools import need_tools

EMULATOR = "qemu-system-arm"
SHIFT = 8  # virtual time advances by 2^8 ns per instruction: 5 to 6 steps of the counter, so rounding is exact
TAPE_MAGIC, FLAG_VALUES = 0x45574650, 1
TAPE_HEAD = struct.Struct("<5I")
TIME_LIMIT_S = 60.0
# Bits of the configurable fault status register (Armv7-M reference manual, B3.2.15).
_ADDRESS_IS_VALID, _BUS_ADDRESS_IS_VALID = 1 << 7, 1 << 15
_CAUSES = {
    1 << 4: "the stack left its memory", 1 << 12: "the stack left its memory", 1 << 20: "the stack left its memory",
    1 << 0: "an instruction fetch outside of the code", 1 << 1: "an access outside of the device's memory",
    1 << 9: "an access to an address where nothing is", 1 << 16: "an undefined instruction",
    1 << 17: "an invalid state", 1 << 19: "an instruction of a unit that is off", 1 << 24: "an unaligned access",
    1 << 25: "a division by zero",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Duration:
    """What was executed between two readings of the counter; `cycles` are modelled, None for cores without a model."""

    instructions: int
    cycles: int | None


@dataclass(frozen=True, kw_only=True)
class Emulation:
    """One start of a board.

    Attributes:
        records: all that the firmware said.
        durations: of each record that tells one, in order, where the emulator sees every instruction; else None.
    """

    records: tuple[Record, ...]
    durations: tuple[Duration, ...] | None = None


Emulate = Callable[[Firmware, bytes, float], Emulation]
"""Run firmware with its tape for so many seconds at most."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One operation of one image.

    Attributes:
        index: the operation's place in the program.
        cycles: modelled; None where the emulator does not see every instruction, or the core has no model.
        values: the bytes that it made, as they lie in memory; empty when they were not asked for.
    """

    index: int
    instructions: int
    values: bytes
    cycles: int | None = None


@dataclass(frozen=True, kw_only=True)
class FirmwareRun:
    """What firmware made of each image.

    Attributes:
        outputs: for each image, the bytes of each output.
        instructions: for each image, what `run` executed; None for traced firmware, whose tracing would count.
        layers: for each image its operations; empty unless the firmware is traced.
        stack_bytes: the most stack that was in use during a run, from the stack's top.
        cycles: for each image, modelled, where `instructions` has them and `Layer.cycles` would.
    """

    outputs: tuple[tuple[bytes, ...], ...]
    instructions: tuple[int, ...] | None
    layers: tuple[tuple[Layer, ...], ...]
    stack_bytes: int
    cycles: tuple[int, ...] | None = None


def run_firmware(
    firmware: Firmware,
    images: Sequence[Sequence[bytes]],
    *,
    values: bool = False,
    time_limit_s: float = TIME_LIMIT_S,
    emulate: Emulate | None = None,
) -> FirmwareRun:
    """Run every image, one after the other, in one start of the board.

    Args:
        images: for each image, the bytes of each input.
        values: hand out what every operation made (traced firmware only).
        emulate: the emulator; None: QEMU.

    Raises:
        UnsupportedError: the emulator is not installed, or lacks the core.
        DataError: an image does not have the model's bytes, or all together do not fit beside the device's memory.
        ExportError: the firmware faults, does not end in time, or says something that is no record.
    """
    tape = make_tape(firmware, images, flags=FLAG_VALUES if values else 0)
    seen = (emulate or emulate_board)(firmware, tape, time_limit_s)
    if seen.records and seen.records[-1].kind is Kind.FAULT:
        raise ExportError(_fault(seen.records[-1], firmware))
    return _read(seen, firmware, len(images))


def make_tape(firmware: Firmware, images: Sequence[Sequence[bytes]], *, flags: int) -> bytes:
    """All inputs in one piece, behind the head that the harness reads.

    Raises:
        DataError: as `run_firmware`.
    """
    sizes = [num_bytes for _, num_bytes in firmware.interface.inputs]
    for number, image in enumerate(images):
        if [len(part) for part in image] != sizes:
            raise DataError(
                f"Image {number} has inputs of {[len(part) for part in image]} bytes, expected {sizes}: give the codes "
                f"of the model's inputs."
            )
    head = TAPE_HEAD.pack(TAPE_MAGIC, len(images), flags, firmware.interface.words_per_image, 0)
    tape = head + b"".join(part + bytes(-len(part) % 4) for image in images for part in image)
    most = firmware.target.board.tape_bytes
    if len(tape) > most:
        raise DataError(f"{len(images)} images take {len(tape):,} bytes, more than {most:,}: run fewer at once.")
    return tape


def count_instructions(ticks: int, hundredths: int, *, tick_ns: int) -> int:
    """Instructions in which virtual time advanced by so many steps of both counters.

    Args:
        ticks: of the fine counter, modulo 2^32; it wraps after 671 million instructions at 40 ns.
        hundredths: of a second, right to one; they tell how often the fine counter wrapped.
    """
    wraps = round((hundredths * 10_000_000 / tick_ns - ticks) / 2**32)
    return round((ticks + wraps * 2**32) * tick_ns / 2**SHIFT)


def too_long(time_limit_s: float) -> ExportError:
    """What to tell of firmware that does not end."""
    return ExportError(f"The firmware did not end within {time_limit_s:g} s: give fewer images or a longer limit.")


def emulate_board(firmware: Firmware, tape: bytes, time_limit_s: float) -> Emulation:
    """QEMU, with virtual time that advances by the same for every instruction.

    Raises:
        UnsupportedError: it is not installed.
        ExportError: the firmware does not end in time, or before it is done without a word about a fault.
    """
    need_tools((EMULATOR,))
    board = firmware.target.board
    with tempfile.TemporaryDirectory(prefix="firmware-") as name:
        place = Path(name)
        (place / "tape").write_bytes(tape)
        command = [
            EMULATOR, "-M", board.machine, "-icount", f"shift={SHIFT}", "-kernel", str(firmware.elf.resolve()),
            "-device", f"loader,file=tape,addr={board.tape_at:#x},force-raw=on",
            "-chardev", "stdio,id=console,signal=off",
            "-semihosting-config", "enable=on,target=native,chardev=console",
            "-nodefaults", "-display", "none", "-monitor", "none", "-serial", "none",
        ]  # fmt: skip
        try:
            with (place / "said").open("wb") as said:  # a file takes every write whole, a pipe may not
                done = subprocess.run(
                    command, cwd=place, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.PIPE,
                    timeout=time_limit_s,
                )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise too_long(time_limit_s) from None
        records = tuple(read_records((place / "said").read_bytes()))
    _judge_end(done, records)
    return Emulation(records=records)


def _judge_end(done: subprocess.CompletedProcess[bytes], records: tuple[Record, ...]) -> None:
    last = records[-1] if records else None
    if last is not None and last.kind is Kind.FAULT:
        return
    if done.returncode or last is None or last.kind is not Kind.DONE:
        told = _complaint(done.stderr.decode(errors="replace"))
        raise ExportError(f"The firmware ended with exit code {done.returncode} before it was done: {told}")


def _complaint(text: str) -> str:
    """What ended the emulator; it warns of parts of the board that are not connected before that."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and ": warning: " not in line]
    return (lines or ["no message"])[0][:200]


def _fault(record: Record, firmware: Firmware) -> str:
    """A fault in words: what happened, where, and which memory the device has."""
    status, memory_at, bus_at = struct.unpack("<3I", record.content)
    causes = [text for bit, text in _CAUSES.items() if status & bit] or [f"fault {record.index}"]
    valid = {_ADDRESS_IS_VALID: memory_at, _BUS_ADDRESS_IS_VALID: bus_at}
    where = next((f" at {address:#010x}" for bit, address in valid.items() if status & bit), "")
    target = firmware.target
    end = target.board.ram_at + target.ram_bytes
    return (
        f"The firmware faulted: {causes[0]}{where} (status {status:#x}); the device's RAM is "
        f"[{target.board.ram_at:#010x}, {end:#010x}), of which the lowest {target.stack_bytes:,} bytes are the stack."
    )


def _read(seen: Emulation, firmware: Firmware, num_images: int) -> FirmwareRun:
    """Sort the records by image; the two readings of the counter themselves are taken off."""
    board = firmware.target.board
    timed = [record for record in seen.records if record.kind in (Kind.EMPTY, Kind.LAYER, Kind.RUN)]
    empty, durations = timed[0].value, dict(zip(map(id, timed), seen.durations or (), strict=bool(seen.durations)))
    runs = [record for record in timed if record.kind is Kind.RUN]
    outputs: list[list[bytes]] = [[] for _ in range(num_images)]
    layers: list[list[Layer]] = [[] for _ in range(num_images)]
    image = 0
    for record in seen.records:
        if record.kind is Kind.LAYER:
            layers[image].append(
                Layer(index=record.index, instructions=_instructions(record, empty, board), values=record.content,
                      cycles=_cycles(durations.get(id(record))))
            )  # fmt: skip
        elif record.kind is Kind.OUTPUT:
            outputs[record.value].append(record.content)
        elif record.kind is Kind.RUN:
            image += 1
    cycles = [_cycles(durations.get(id(record))) for record in runs]
    return FirmwareRun(
        outputs=tuple(map(tuple, outputs)),
        instructions=None if firmware.traced else tuple(_instructions(each, empty, board) for each in runs),
        layers=tuple(map(tuple, layers)),
        stack_bytes=max((record.value for record in seen.records if record.kind is Kind.STACK), default=0),
        cycles=None if firmware.traced or None in cycles else tuple(each for each in cycles if each is not None),
    )


def _cycles(duration: Duration | None) -> int | None:
    return None if duration is None else duration.cycles


def _instructions(record: Record, empty_ticks: int, board: Board) -> int:
    return count_instructions((record.value - empty_ticks) % 2**32, record.hundredths, tick_ns=board.tick_ns)
