"""N:M sparsity: of each group of M values in a row at most N are not zero; those are stored with their places.

    2:4   two values of four, two places of 2 bits, the lower first: code = i0 | i1 << 2
          places 01 02 03 12 13 23  ->  codes 4 8 12 9 13 14
    1:2   one value of two. Kernels see the halves of each value as four places: codes 4 (the first) and 14
    4:8   two pairs of neighbours out of four: codes as 2:4, over pairs
    N:M   any other: N places of ceil(log2 M) bits

A group with fewer than N non-zeros is filled up with zeros at its lowest free places, so that equal matrices have equal
bytes. Groups lie along the reduction axis, which is the last one here. What counts as a zero is the value whose bits
are all 0 (`sparse.is_stored`): what is unpacked is what was packed, bit for bit.

The places are written group by group from the lowest bit on. Libraries for matrix units store the same places in an
order of their own, and pad.

Sources: Mishra 2021, arXiv:2104.08378 (2:4); NVIDIA PTX ISA, `mma.sp` (1:2 and paired 4:8).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, ShapeError
from .bits import pack_bits
from .sparse import Stored, bits_of, is_stored


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """`kept` of `group` values may be non-zero, and they stay or leave in units of `unit` neighbours."""

    kept: int
    group: int
    unit: int = 1
    pieces: int = 1  # places that one value takes: 2 where kernels see its halves

    @property
    def name(self) -> str:
        return f"{self.kept}:{self.group}"

    @property
    def places(self) -> int:
        """Units of a group."""
        return self.group // self.unit

    @property
    def chosen(self) -> int:
        """Units that stay."""
        return self.kept // self.unit

    @property
    def place_bits(self) -> int:
        """Bits of one place."""
        return max(1, (self.places * self.pieces - 1).bit_length())

    @property
    def code_bits(self) -> int:
        """Bits of all places of a group."""
        return self.chosen * self.pieces * self.place_bits

    @property
    def sparsity(self) -> float:
        """The share of zeros."""
        return 1 - self.kept / self.group


HARDWARE: Mapping[str, Pattern] = {
    "2:4": Pattern(kept=2, group=4),
    "1:2": Pattern(kept=1, group=2, pieces=2),
    "4:8": Pattern(kept=4, group=8, unit=2),
}
"""The patterns that matrix units take: 2:4 for types of 16 and 8 bits, 1:2 for 32, 4:8 in pairs for 4."""


def parse_pattern(text: str) -> Pattern:
    """The pattern that `N:M` names; 1:2 and 4:8 are those of `HARDWARE`.

    Raises:
        ConfigError: it names none, or keeps none or all.
    """
    found = re.fullmatch(r"(\d{1,4}):(\d{1,4})", text)
    if found is None or not 0 < int(found[1]) < int(found[2]):
        raise ConfigError(f"A pattern is written N:M with 0 < N < M, such as 2:4, got '{text}'.")
    return HARDWARE.get(text, Pattern(kept=int(found[1]), group=int(found[2])))


@dataclass(frozen=True, kw_only=True, eq=False)
class Packed(Stored):
    """The kept values of a matrix, row by row, and where they stood."""

    shape: tuple[int, int]
    pattern: Pattern
    values: np.ndarray  # (rows, columns * kept / group)
    places: np.ndarray  # (groups, chosen), of the units kept, rising
    value_bits: int

    @property
    def codes(self) -> np.ndarray:
        """The places of each group as one number, the lowest place in the lowest bits."""
        shifts = np.arange(self.pattern.chosen * self.pattern.pieces) * self.pattern.place_bits
        return (self._numbers().astype(np.uint64) << shifts.astype(np.uint64)).sum(1, dtype=np.uint64)

    def parts(self) -> Mapping[str, np.ndarray]:
        """All that is kept, by name."""
        return {
            "values": self.value_bytes(),
            "places": pack_bits(self._numbers(), width=self.pattern.place_bits),
        }

    def decode(self) -> np.ndarray:
        """The matrix again."""
        kind = self.pattern
        units_GPU = np.zeros((len(self.places), kind.places, kind.unit), self.values.dtype)
        kept_GKU = self.values.reshape(-1, kind.chosen, kind.unit)
        np.put_along_axis(units_GPU, self.places[:, :, None].astype(np.int64), kept_GKU, axis=1)
        return units_GPU.reshape(self.shape)

    def _numbers(self) -> np.ndarray:
        """Places as they are written."""
        kind = self.pattern
        numbers_GKP = self.places[:, :, None] * kind.pieces + np.arange(kind.pieces, dtype=self.places.dtype)
        return numbers_GKP.reshape(len(self.places), kind.chosen * kind.pieces)


def follows(matrix_RC: np.ndarray, pattern: Pattern) -> bool:
    """Whether no group of the last axis holds more than the pattern keeps, and the axis is a multiple of groups."""
    if matrix_RC.shape[-1] % pattern.group:
        return False
    return not _too_full(_held(_units(matrix_RC, pattern)), pattern).size


def _units(matrix_RC: np.ndarray, pattern: Pattern) -> np.ndarray:
    """(G, P, U): groups, places of each, and values of each place."""
    return np.ascontiguousarray(matrix_RC).reshape(-1, pattern.places, pattern.unit)


def _held(units_GPU: np.ndarray) -> np.ndarray:
    return np.asarray(is_stored(units_GPU).any(axis=2))


def _too_full(held_GP: np.ndarray, pattern: Pattern) -> np.ndarray:
    return np.flatnonzero(held_GP.sum(1) > pattern.chosen)


def pack_n_of_m(matrix_RC: np.ndarray, pattern: str | Pattern = "2:4", *, value_bits: int | None = None) -> Packed:
    """A matrix that follows a pattern along its columns, packed.

    Args:
        matrix_RC: R rows, C columns, the columns along the reduction axis.
        value_bits: bits of a value that count; None for those of its type.

    Raises:
        ShapeError: the matrix has not two axes, or its columns are no multiple of a group.
        ConfigError: a group has more non-zeros than the pattern keeps; no such pattern; a type of another size.
    """
    kind = parse_pattern(pattern) if isinstance(pattern, str) else pattern
    if matrix_RC.ndim != 2 or matrix_RC.shape[1] % kind.group:
        raise ShapeError(
            f"{kind.name} packs a matrix whose columns are a multiple of {kind.group}, got shape {matrix_RC.shape}."
        )
    units_GPU = _units(matrix_RC, kind)
    held_GP = _held(units_GPU)
    over = _too_full(held_GP, kind)
    if len(over):
        row, group = divmod(int(over[0]), matrix_RC.shape[1] // kind.group)
        raise ConfigError(
            f"Row {row} has more non-zeros in its group {group} than {kind.name} keeps: bring it to the pattern first."
        )
    # non-zeros in rising order, then the lowest free places
    places_GK = np.sort(np.argsort(~held_GP, axis=1, kind="stable")[:, : kind.chosen], axis=1)
    values = np.take_along_axis(units_GPU, places_GK[:, :, None], axis=1)
    return Packed(
        shape=matrix_RC.shape,  # type: ignore[arg-type]
        pattern=kind,
        values=values.reshape(len(matrix_RC), matrix_RC.shape[1] // kind.group * kind.kept),
        places=places_GK.astype(np.uint16),
        value_bits=bits_of(matrix_RC, value_bits),
    )
