"""Matrices with zeros anywhere, stored without them: compressed rows or columns, a bitmap, relative indices.

    form      per value that is stored        besides
    csr, csc  value, index of 4 bytes         a pointer of 4 bytes for each row (column), and one more
    bitmap    value                           1 bit for each place of the array
    relative  value, zeros before it: 4 bits  a stored zero for each 16 zeros in a row; a pointer for each column

What is dropped is the value whose bits are all 0. So -0.0 and every NaN are stored with their bits, and what is decoded
is what was encoded, bit for bit. (A weight of -0.0 costs an entry: bring zeros to +0.0 first, as `w + 0.0` does.)

`value_bits` says how many bits of a value count, for codes of fewer bits than their type has. `num_bytes` is the size
of what `parts` returns, which is all that must be kept besides the shape, the type and the number of values.

Sources: Saad 2003, Iterative Methods for Sparse Linear Systems, section 3.4 (CSR, CSC); Han 2016, arXiv:1602.01528
(relative indices).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import ConfigError, ShapeError
from .bits import pack_bits

INDEX_BITS = 4  # of a count of zeros (Han 2016)


def is_stored(values: np.ndarray) -> np.ndarray:
    """Where an array holds a value that is not all zero bits, of its shape."""
    flat = np.ascontiguousarray(values).reshape(-1)
    return (flat.view(f"u{flat.itemsize}") != 0).reshape(values.shape)


class Stored:
    """What all forms have in common."""

    values: np.ndarray
    value_bits: int

    def parts(self) -> Mapping[str, np.ndarray]:
        """All that is kept, by name."""
        raise NotImplementedError

    def decode(self) -> np.ndarray:
        """The array again, bit for bit."""
        raise NotImplementedError

    @property
    def num_bytes(self) -> int:
        """Of all parts together."""
        return sum(part.nbytes for part in self.parts().values())

    def value_bytes(self) -> np.ndarray:
        """The bytes of the values: as they are, or the low bits of each side by side."""
        values, width = self.values, self.value_bits
        bits = np.ascontiguousarray(values).reshape(-1).view(f"<u{values.itemsize}")
        if width == 8 * values.itemsize:
            return bits.view(np.uint8)
        low, high = (-(2 ** (width - 1)), 2 ** (width - 1) - 1) if values.dtype.kind == "i" else (0, 2**width - 1)
        if values.size and not low <= int(values.min()) <= int(values.max()) <= high:
            raise ConfigError(
                f"Values of {width} bits lie in [{low}, {high}], got {values.min()} to {values.max()}: count more bits."
            )
        return pack_bits(bits & bits.dtype.type(2**width - 1), width=width)


@dataclass(frozen=True, kw_only=True, eq=False)
class Compressed(Stored):
    """Rows one after the other (CSR), or columns (CSC): line i has entries `pointers[i]` to `pointers[i + 1] - 1`."""

    shape: tuple[int, int]
    axis: Literal["rows", "columns"]  # what a line is
    values: np.ndarray
    indices: np.ndarray  # place in its line of each value
    pointers: np.ndarray
    value_bits: int

    def parts(self) -> Mapping[str, np.ndarray]:
        """All that is kept, by name."""
        return {"values": self.value_bytes(), "indices": self.indices, "pointers": self.pointers}

    def decode(self) -> np.ndarray:
        """The matrix again."""
        lines, length = self.shape if self.axis == "rows" else self.shape[::-1]
        matrix = np.zeros((lines, length), self.values.dtype)
        starts = self.pointers.astype(np.int64)
        line = np.repeat(np.arange(lines), starts[1:] - starts[:-1])
        matrix[line, self.indices] = self.values
        return matrix if self.axis == "rows" else np.ascontiguousarray(matrix.T)


def csr(matrix_RC: np.ndarray, *, index_bytes: int = 4, value_bits: int | None = None) -> Compressed:
    """A matrix as compressed rows.

    Args:
        matrix_RC: R rows, C columns, of a type of 1, 2, 4 or 8 bytes.
        index_bytes: of an index and of a pointer: 1, 2, 4 or 8.
        value_bits: bits of a value that count; None for those of its type.

    Raises:
        ShapeError: it has not two axes.
        ConfigError: the type is of another size, or indices of so few bytes cannot count that far.
    """
    return _compress(_matrix(matrix_RC), "rows", index_bytes, value_bits)


def csc(matrix_RC: np.ndarray, *, index_bytes: int = 4, value_bits: int | None = None) -> Compressed:
    """A matrix as compressed columns; arguments and errors as those of `csr`."""
    return _compress(_matrix(matrix_RC), "columns", index_bytes, value_bits)


def _compress(
    matrix_RC: np.ndarray, axis: Literal["rows", "columns"], index_bytes: int, value_bits: int | None
) -> Compressed:
    if index_bytes not in (1, 2, 4, 8):
        raise ConfigError(f"An index has 1, 2, 4 or 8 bytes, got {index_bytes}.")
    by_line = matrix_RC if axis == "rows" else np.ascontiguousarray(matrix_RC.T)
    lines, places = np.nonzero(is_stored(by_line))
    most = max(len(places), by_line.shape[1] - 1)
    if most >= 256**index_bytes:
        top = 256**index_bytes - 1
        raise ConfigError(f"Indices of {index_bytes} bytes count to {top}, got {most}: take more bytes.")
    counts = np.bincount(lines, minlength=len(by_line))
    kind = f"<u{index_bytes}"
    return Compressed(
        shape=matrix_RC.shape,  # type: ignore[arg-type]
        axis=axis,
        values=by_line[lines, places],
        indices=places.astype(kind),
        pointers=np.concatenate([[0], np.cumsum(counts)]).astype(kind),
        value_bits=bits_of(matrix_RC, value_bits),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Bitmap(Stored):
    """Values in row-major order, and a bit for each place that says whether it holds one, the lowest bit first."""

    shape: tuple[int, ...]
    values: np.ndarray
    bits: np.ndarray  # uint8
    value_bits: int

    def parts(self) -> Mapping[str, np.ndarray]:
        """All that is kept, by name."""
        return {"values": self.value_bytes(), "bits": self.bits}

    def decode(self) -> np.ndarray:
        """The array again."""
        count = int(np.prod(self.shape, dtype=np.int64))
        flat = np.zeros(count, self.values.dtype)
        flat[np.unpackbits(self.bits, count=count, bitorder="little").astype(bool)] = self.values
        return flat.reshape(self.shape)


def bitmap(array: np.ndarray, *, value_bits: int | None = None) -> Bitmap:
    """An array of any shape as its values and a bitmap.

    Raises:
        ConfigError: its type is not of 1, 2, 4 or 8 bytes.
    """
    bits = bits_of(array, value_bits)
    where = is_stored(array)
    return Bitmap(
        shape=array.shape, values=array[where], bits=np.packbits(where.reshape(-1), bitorder="little"), value_bits=bits
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Relative(Stored):
    """Columns one after the other; each entry is a value and the number of zeros before it in its column.

    A count of `index_bits` bits ends at 2^index_bits - 1; an entry with the value 0 and this count stands for one zero
    more. Zeros behind the last value of a column are not stored.
    """

    shape: tuple[int, int]
    values: np.ndarray  # of the entries, 0 for padding
    gaps: np.ndarray  # uint, zeros before each
    pointers: np.ndarray  # the first entry of each column, and the number of all
    index_bits: int
    value_bits: int

    @property
    def num_padding(self) -> int:
        """Entries that hold a zero."""
        return len(self.values) - int(np.count_nonzero(is_stored(self.values)))

    def parts(self) -> Mapping[str, np.ndarray]:
        """All that is kept, by name."""
        return {"values": self.value_bytes(), "gaps": pack_bits(self.gaps, width=self.index_bits),
                "pointers": self.pointers}  # fmt: skip

    def decode(self) -> np.ndarray:
        """The matrix again."""
        rows, columns = self.shape
        by_column = np.zeros((columns, rows), self.values.dtype)
        starts = self.pointers.astype(np.int64)
        counts = starts[1:] - starts[:-1]
        column = np.repeat(np.arange(columns), counts)
        ends = np.cumsum(self.gaps.astype(np.int64) + 1)  # places passed, over all columns
        before = np.concatenate([[0], ends])[starts[:-1]]
        by_column[column, ends - np.repeat(before, counts) - 1] = self.values
        return np.ascontiguousarray(by_column.T)


def relative(matrix_RC: np.ndarray, *, index_bits: int = INDEX_BITS, value_bits: int | None = None) -> Relative:
    """A matrix as columns with relative indices. Pointers have 2 bytes, or 4 where those cannot count the entries.

    Args:
        matrix_RC: R rows, C columns, of a type of 1, 2, 4 or 8 bytes. One column of all values makes one stream.
        index_bits: of a count of zeros, 1 to 16.
        value_bits: bits of a value that count; None for those of its type.

    Raises:
        ShapeError: it has not two axes.
        ConfigError: the type is of another size, or a count of another number of bits.
    """
    if not 1 <= index_bits <= 16:
        raise ConfigError(f"A count of zeros has 1 to 16 bits, got {index_bits}.")
    by_column = np.ascontiguousarray(_matrix(matrix_RC).T)
    column, row = np.nonzero(is_stored(by_column))
    is_first = np.diff(column, prepend=-1) != 0
    zeros = np.where(is_first, row, np.diff(row, prepend=-1) - 1)
    padding, rest = np.divmod(zeros, 2**index_bits)
    ends = np.cumsum(padding + 1)  # behind the entry of each value
    values = np.zeros(ends[-1] if len(ends) else 0, matrix_RC.dtype)
    gaps = np.full(len(values), 2**index_bits - 1, np.uint16 if index_bits > 8 else np.uint8)
    values[ends - 1], gaps[ends - 1] = by_column[column, row], rest
    last = np.searchsorted(column, np.arange(len(by_column)), "right") - 1  # value of each column; -1: none so far
    pointers = np.concatenate([[0], np.append(ends, 0)[last]])
    return Relative(
        shape=matrix_RC.shape,  # type: ignore[arg-type]
        values=values,
        gaps=gaps,
        pointers=pointers.astype("<u2" if len(values) < 2**16 else "<u4"),
        index_bits=index_bits,
        value_bits=bits_of(matrix_RC, value_bits),
    )


FORMS: Mapping[str, Callable[..., Stored]] = {"csr": csr, "csc": csc, "bitmap": bitmap, "relative": relative}
"""Name -> function that encodes a matrix."""


def _matrix(values: np.ndarray) -> np.ndarray:
    if values.ndim != 2:
        raise ShapeError(f"A sparse form holds a matrix of (rows, columns), got shape {values.shape}: reshape it.")
    return values


def bits_of(values: np.ndarray, value_bits: int | None) -> int:
    """Bits of a value that count. Refuses types that are no real numbers of 1, 2, 4 or 8 bytes."""
    if values.dtype.kind not in "biuf" or values.itemsize not in (1, 2, 4, 8):
        raise ConfigError(f"Values are real numbers of 1, 2, 4 or 8 bytes, got {values.dtype}: convert them.")
    most = 8 * values.itemsize
    if value_bits is not None and (values.dtype.kind == "f" or not 1 <= value_bits <= most):
        raise ConfigError(
            f"value_bits is for codes in integers and at most the {most} bits of {values.dtype}, got {value_bits}."
        )
    return most if value_bits is None else value_bits
