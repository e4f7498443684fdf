"""What silicon costs: energy per operation and byte, area per operator, bits of sparse storage; a source for each.

Facts of a process or of a storage format, and of no device in particular. Who models another process makes another
`Technology`; the analysis takes it in place of the default. Ratios carry over to other processes, joules do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .errors import ConfigError

PICO = 1e-12
# 2:4 keeps two of four values; each kept one needs a 2-bit position (Mishra 2021, arXiv:2104.08378).
VALUE_BITS: Mapping[str, int] = {
    "float32": 32, "tf32": 32, "float16": 16, "bfloat16": 16, "int8": 8, "float8": 8, "int4": 4, "float4": 4,
}  # fmt: skip
GROUP, KEPT, POSITION_BITS = 4, 2, 4  # values of a group, those kept, bits for the positions of both
BIT_PARALLEL_BITS = 16  # of the engine that bit-serial hardware is compared with (Chen 2014, DaDianNao; Judd 2016)
# Compressed columns (Han 2016, EIE): an entry is a count of zeros and a code of a shared weight; a shared weight is
# 16-bit fixed point; the pointers to the start of each column are 16 bits long.
ZERO_COUNT_BITS, WEIGHT_CODE_BITS, SHARED_WEIGHT_BITS, POINTER_BITS = 4, 4, 16, 16

# pJ per access and bits that it reads, 45 nm: caches by size and the range of DRAM from Horowitz 2014, same figure as
# below; the words from Han 2016 (EIE). A word of "sram" is read from a bank of 8 KB.
ACCESS_PJ: Mapping[str, tuple[float, int]] = {
    "cache-8kb": (10.0, 64), "cache-32kb": (20.0, 64), "cache-1mb": (100.0, 64), "sram": (5.0, 32), "dram": (640.0, 32),
    "dram-least": (1300.0, 64), "dram-most": (2600.0, 64),
}  # fmt: skip


def pj_per_byte(level: str) -> float:
    """Energy of one byte from a level of `ACCESS_PJ`."""
    cost, bits = ACCESS_PJ[level]
    return cost * 8 / bits


@dataclass(frozen=True, kw_only=True)
class Technology:
    """One process: pJ per operation, pJ per byte, um^2 per operator, by type."""

    name: str
    add_pj: Mapping[str, float]
    multiply_pj: Mapping[str, float]
    add_um2: Mapping[str, float]
    multiply_um2: Mapping[str, float]
    sram_pj_per_byte: float  # of a small memory on the chip
    dram_pj_per_byte: float
    accumulator: Mapping[str, str]  # type that the products of a type are added in; its own where not listed

    def mac_pj(self, dtype: str, *, accumulator: str | None = None) -> float:
        """pJ of one multiply-accumulate: a multiplication in `dtype` and an addition in the accumulator's type."""
        return self._sum(dtype, accumulator, self.multiply_pj, self.add_pj)

    def mac_um2(self, dtype: str, *, accumulator: str | None = None) -> float:
        """um^2 of one multiplier in `dtype` and one adder of the accumulator's type."""
        return self._sum(dtype, accumulator, self.multiply_um2, self.add_um2)

    def _sum(
        self, dtype: str, accumulator: str | None, multiply: Mapping[str, float], add: Mapping[str, float]
    ) -> float:
        wide = accumulator or self.accumulator.get(dtype, dtype)
        return self.look_up(multiply, "dtype", dtype) + self.look_up(add, "accumulator", wide)

    def look_up(self, table: Mapping[str, float], what: str, dtype: str) -> float:
        """The entry of one of the tables.

        Raises:
            ConfigError: the table does not hold that type.
        """
        if dtype not in table:
            raise ConfigError(
                f"{what} is one of {', '.join(table)} in the {self.name} table, got '{dtype}': "
                "choose one of these, or give a technology or a device that knows it."
            )
        return table[dtype]


NM45 = Technology(
    name="45 nm",
    # pJ per operation, 0.9 V: Horowitz 2014, "Computing's energy problem", ISSCC, figure 1.1.9.
    add_pj={"int8": 0.03, "int32": 0.1, "float16": 0.4, "float32": 0.9},
    multiply_pj={"int8": 0.2, "int32": 3.1, "float16": 1.1, "float32": 3.7},
    # um^2 in the same process, as tabulated with it (Dally 2015).
    add_um2={"int8": 36, "int16": 67, "int32": 137, "float16": 1360, "float32": 4184},
    multiply_um2={"int8": 282, "int32": 3495, "float16": 1640, "float32": 7700},
    sram_pj_per_byte=pj_per_byte("sram"),
    dram_pj_per_byte=pj_per_byte("dram"),
    accumulator={"int8": "int32"},  # a sum of products of bytes does not fit a byte (Jacob 2018)
)
