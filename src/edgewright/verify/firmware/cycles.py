"""Cycles: modelled from the instructions that were executed, or else estimated from their number alone.

Emulators count instructions; a core's time depends on which they are. The model of the Cortex-M4 is its manual's table
of instruction timings (Cortex-M4 Technical Reference Manual, DDI 0439, 3.3): a load takes 2 cycles, or 1 right behind
another load or store; n registers at once 1 + n; a branch that is taken 3, a division up to 12, here 7; the rest 1.
Flash wait states, contention on the bus and a miss of the prefetch are not in it. Held against published cycles of the
same networks on an STM32L4R5, open kernels modelled so took 22 % and 17 % fewer than silicon.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from .thumb import Instruction, decode

Block = tuple[int, int]  # address and bytes of code that is executed as a whole
Edges = Mapping[tuple[Block, Block], int]
"""How often one block followed another."""

TAKEN_BRANCH, DIVISION, LOAD_ALONE = 3, 7, 2
MODELLED_CORES = frozenset({"M4"})
SILICON_OVER_MODEL = (1.0, 1.28)  # 46.7 / 36.5 M (ResNet-8) and 36.1 / 29.8 M cycles (MobileNetV1) of CMSIS-NN
# Published cycles over counted instructions of one network: three of CMSIS-NN on an M4, two engines on an M7. No other
# core has been compared.
CYCLES_PER_INSTRUCTION: Mapping[str, tuple[float, float]] = {"M4": (1.2, 1.56), "M7": (0.71, 0.97)}


@dataclass(frozen=True, kw_only=True)
class Cycles:
    """Cycles of one inference, never measured.

    Attributes:
        label: "modelled" from each instruction's own cost, "estimated" from their number.
        least, most: between which silicon is expected; for modelled cycles `least` is the model's own figure.
    """

    label: Literal["modelled", "estimated"]
    least: int
    most: int


def modelled_cycles(count: int) -> Cycles:
    """What the M4's table gives, and how much more silicon has taken at most."""
    least, most = SILICON_OVER_MODEL
    return Cycles(label="modelled", least=round(count * least), most=round(count * most))


def estimated_cycles(instructions: int, core: str) -> Cycles | None:
    """The band of a core's cycles per instruction; None for cores of which nothing is published."""
    if core not in CYCLES_PER_INSTRUCTION:
        return None
    least, most = CYCLES_PER_INSTRUCTION[core]
    return Cycles(label="estimated", least=round(instructions * least), most=round(instructions * most))


@lru_cache(maxsize=65536)
def block_cost(code: bytes) -> tuple[int, int]:
    """Instructions of a block, and their cycles.

    A branch costs 1 here; what it takes more when it is taken depends on the next block.
    """
    instructions = decode(code)
    return len(instructions), sum(map(_cost, instructions, (None, *instructions)))


def _cost(each: Instruction, before: Instruction | None) -> int:
    if each.kind in ("loads", "stores"):
        return 1 + each.registers
    if each.kind == "load":
        return 1 if before is not None and before.kind in ("load", "store") else LOAD_ALONE
    return DIVISION if each.kind == "divide" else 1


def edge_cost(before: Block, after: Block) -> int:
    """Cycles more when the code goes on elsewhere than behind the block."""
    return TAKEN_BRANCH - 1 if before[0] + before[1] != after[0] else 0
