"""The gate: what firmware will need of a device, known before a compiler has seen it, and the refusal of too much."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...errors import BudgetError
from ...program import Program
from ...types import FIRMWARE_STACK_BYTES, Device
from .emit import Firmware, emit
from .remedies import flash_remedy, ram_remedy
from .streaming import fit_memory

# Vector table, start-up code and its variables, which any firmware has: at most what the harness has on any core.
START_FLASH_BYTES = 1_200
START_RAM_BYTES = 4
# Code of one call of a kernel: GCC 12 -O2 on ResNet-8 and MobileNetV1, rounded up. A test holds the error.
CODE_BYTES = {
    "conv": 880, "depthwise": 450, "pointwise": 480, "linear": 500,
    "dsp/conv": 1000, "dsp/depthwise": 800, "dsp/pointwise": 780,
    "helium/conv": 500, "helium/depthwise": 560, "helium/pointwise": 500,
}  # fmt: skip
OTHER_CODE_BYTES = 450
# Of one function for all sizes, with GCC 12 -O2 in the nets of benchmarks/favor.py; CALL_BYTES of each call of one.
SHARED_CODE_BYTES = {
    "conv": 2300, "depthwise": 670, "pointwise": 610, "add": 200,
    "dsp/conv": 1600, "dsp/depthwise": 2000, "dsp/pointwise": 900, "dsp/add": 470,
    "helium/conv": 2500, "helium/pointwise": 900, "helium/pointwise_in_place": 860, "helium/add": 360,
}  # fmt: skip
OTHER_SHARED_BYTES = 900
CALL_BYTES = 48


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The memories of one device. `flash_bytes` is None where the device states none."""

    device: str
    ram_bytes: int
    flash_bytes: int | None

    @classmethod
    def of(cls, device: Device) -> Limits:
        """The device's own memories."""
        return cls(device=device.name, ram_bytes=device.ram_bytes, flash_bytes=device.flash_bytes)


@dataclass(frozen=True, kw_only=True)
class Need:
    """What counts as RAM and flash of a firmware; each part in bytes.

    Attributes:
        arena, floats: what the generated C holds: exact.
        stack: set aside for the stack; how much of it is used is measured in the emulator.
        tables: weights and other constants: exact.
        code: of the kernels' calls, estimated.
        start_ram, start_flash: vector table and start-up code.
    """

    arena: int
    floats: int
    tables: int
    code: int
    stack: int = FIRMWARE_STACK_BYTES
    start_ram: int = START_RAM_BYTES
    start_flash: int = START_FLASH_BYTES

    @property
    def ram_bytes(self) -> int:
        return self.arena + self.floats + self.stack + self.start_ram

    @property
    def flash_bytes(self) -> int:
        return self.tables + self.code + self.start_flash


def need_of(firmware: Firmware) -> Need:
    """What the firmware will need."""
    return Need(
        arena=firmware.plan.arena_bytes, floats=firmware.float_bytes, tables=firmware.table_bytes,
        code=_code(firmware),
    )  # fmt: skip


def _code(firmware: Firmware) -> int:
    shared = firmware.shared_kernels
    apart = sum((count - shared.get(name, 0)) * _code_bytes(name) for name, count in firmware.calls.items())
    together = sum(count * SHARED_CODE_BYTES.get(name, OTHER_SHARED_BYTES) for name, count in shared.items())
    return apart + together + CALL_BYTES * firmware.shared_calls + firmware.passed_bytes


def _code_bytes(kernel: str) -> int:
    """Of one call; "helium/conv", where it has no figure of its own, is a form of "conv"."""
    return CODE_BYTES.get(kernel, CODE_BYTES.get(kernel.rpartition("/")[2], OTHER_CODE_BYTES))


def refuse_too_large(program: Program, firmware: Firmware, limits: Limits) -> None:
    """Refuse firmware that needs one byte more than the device has.

    Raises:
        BudgetError: names the limit, by how many bytes it is broken, where, and the cheapest remedy.
    """
    need = need_of(firmware)
    over_ram = need.ram_bytes - limits.ram_bytes
    if over_ram > 0:
        raise BudgetError(_ram_sentence(program, firmware, limits, over_ram))
    if limits.flash_bytes is not None and need.flash_bytes > limits.flash_bytes:
        raise BudgetError(_flash_sentence(program, firmware, limits, need.flash_bytes - limits.flash_bytes))


def _written_otherwise(program: Program, firmware: Firmware, limits: Limits) -> str:
    """The first other way to write the same network that fits, in words; "" where none does."""
    for flag, write in OTHER_WAYS.items():
        need = need_of(write(program, firmware))
        if need.ram_bytes <= limits.ram_bytes and need.flash_bytes <= (limits.flash_bytes or math.inf):
            return f"{flag} would do (RAM {need.ram_bytes:,}, flash {need.flash_bytes:,}), at more instructions"
    return ""


def _in_stripes(program: Program, kernels: str) -> Firmware:
    return emit(fit_memory(program, kernels=kernels).program, kernels=kernels)


OTHER_WAYS: Mapping[str, Callable[[Program, Firmware], Firmware]] = {
    "--favor flash": lambda program, made: emit(program, kernels=made.kernels, compact=True),
    "--favor ram": lambda program, firmware: _in_stripes(program, firmware.kernels),
    "--kernels portable": lambda program, _: emit(program),
    "--kernels portable --favor ram": lambda program, _: _in_stripes(program, "portable"),
}
"""Option of `export` -> what it would write: ways out that leave the network as it is, and so come first."""


def _ram_sentence(program: Program, firmware: Firmware, limits: Limits, over: int) -> str:
    need, peak = need_of(firmware), program.operations[firmware.plan.peak_op]
    return (
        f"{program.name} needs {_bytes(over)} more RAM than the {limits.ram_bytes:,} of {limits.device} (arena "
        f"{need.arena:,}, float outputs {need.floats:,}, stack {need.stack:,}, start-up {need.start_ram:,}); the arena "
        f"is fullest at operation {firmware.plan.peak_op}, {peak.kind} {peak.output}: "
        f"{_written_otherwise(program, firmware, limits) or ram_remedy(program, firmware.plan, need.arena - over)}."
    )


def _flash_sentence(program: Program, firmware: Firmware, limits: Limits, over: int) -> str:
    need = need_of(firmware)
    return (
        f"{program.name} needs {_bytes(over)} more flash than the {limits.flash_bytes:,} of {limits.device} (weights "
        f"and tables {need.tables:,}, code about {need.code:,}, start-up {need.start_flash:,}): "
        f"{_written_otherwise(program, firmware, limits) or flash_remedy(program, over)}."
    )


def _bytes(count: int) -> str:
    return f"{count:,} byte" if count == 1 else f"{count:,} bytes"
