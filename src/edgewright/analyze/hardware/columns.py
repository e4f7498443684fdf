"""Sparse weights in compressed columns with short relative indices, spread over processing elements.

Element k of N holds rows k, k + N, k + 2N, ... of a matrix. Each keeps, column by column, its non-zero values and for
each the number of zeros before it among its own rows. An index of 4 bits counts up to 15 zeros; more take a padding
entry, a stored zero after 15 zeros, which stands for 16. Zeros behind the last value of a column are not stored. One
pointer per column, and one more, say where each column begins. Values are 4-bit codes into a table of 16 shared weights
of 16 bits.

    [0, 0, 1, 2, 18 zeros, 3]  ->  values 1 2 0 3, zeros 2 0 15 2

Source: Han 2016, ISCA (EIE), sections III and IV.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

from ...errors import ConfigError, ShapeError
from ...technology import POINTER_BITS, SHARED_WEIGHT_BITS, WEIGHT_CODE_BITS, ZERO_COUNT_BITS


@dataclass(frozen=True, kw_only=True)
class ColumnEngine:
    """The accelerator. The default is that of EIE: 64 elements with queues of 8 activations."""

    num_elements: int = 64
    queue_depth: int | None = 8  # activations that an element may lag behind; None: any number
    index_bits: int = ZERO_COUNT_BITS
    weight_bits: int = WEIGHT_CODE_BITS
    shared_bits: int = SHARED_WEIGHT_BITS  # of an entry of the table of weights
    pointer_bits: int = POINTER_BITS

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "queue_depth" and value is None:
                continue
            if not isinstance(value, int) or value < 1:
                raise ConfigError(f"ColumnEngine.{each.name} is a whole number of at least 1, got {value!r}.")

    @property
    def table_bits(self) -> int:
        """The shared weights of one layer."""
        return 2**self.weight_bits * self.shared_bits


@dataclass(frozen=True, kw_only=True)
class CompressedColumns:
    """One matrix, encoded. Entries lie element by element, then column by column, then row by row."""

    shape: tuple[int, int]  # rows, columns
    engine: ColumnEngine
    values: np.ndarray  # float32, one per entry, 0 for padding
    zeros: np.ndarray  # how many zeros stand before each entry
    entries_NC: np.ndarray  # how many entries each of the N elements holds of each of the C columns, padding included

    @property
    def num_entries(self) -> int:
        return len(self.values)

    @property
    def num_nonzero(self) -> int:
        return int(np.count_nonzero(self.values))

    @property
    def num_padding(self) -> int:
        return self.num_entries - self.num_nonzero

    @property
    def matrix_bits(self) -> int:
        """Entries, and the pointers of every element that has rows.

        Pointers are wider than the engine's where an element holds more entries than those can count.
        """
        engine = self.engine
        most = int(self.entries_NC.sum(1).max())
        busy = min(engine.num_elements, self.shape[0])
        pointers = busy * (self.shape[1] + 1) * max(engine.pointer_bits, most.bit_length())
        return self.num_entries * (engine.weight_bits + engine.index_bits) + pointers

    def decode(self) -> np.ndarray:
        """The matrix again, float32."""
        matrix = np.zeros(self.shape, np.float32)
        lengths = self.entries_NC.ravel()
        block = np.repeat(np.arange(lengths.size), lengths)  # element and column of each entry
        steps = np.cumsum(self.zeros.astype(np.int64) + 1)
        first = np.repeat(np.concatenate([[0], np.cumsum(lengths)])[:-1], lengths)
        before = np.concatenate([[0], steps])[first]
        own_row = steps - before - 1
        element, column = block // self.shape[1], block % self.shape[1]
        matrix[own_row * self.engine.num_elements + element, column] = self.values
        return matrix


def compress_columns(matrix_RC: np.ndarray, engine: ColumnEngine | None = None) -> CompressedColumns:
    """Encode the non-zero values of a matrix of R rows (outputs) and C columns (inputs).

    Raises:
        ShapeError: it has not two axes, or is empty.
    """
    engine = engine or ColumnEngine()
    if matrix_RC.ndim != 2 or not matrix_RC.size:
        raise ShapeError(f"Weights to compress are a matrix of (outputs, inputs), got shape {matrix_RC.shape}.")
    busy = min(engine.num_elements, len(matrix_RC))
    parts = [_compress(matrix_RC[element :: engine.num_elements], engine) for element in range(busy)]
    entries_NC = np.zeros((engine.num_elements, matrix_RC.shape[1]), np.int64)
    entries_NC[:busy] = [counts for _, _, counts in parts]
    return CompressedColumns(
        shape=(matrix_RC.shape[0], matrix_RC.shape[1]),
        engine=engine,
        values=np.concatenate([values for values, _, _ in parts]),
        zeros=np.concatenate([zeros for _, zeros, _ in parts]),
        entries_NC=entries_NC,
    )


def _compress(own_RC: np.ndarray, engine: ColumnEngine) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, zeros, and entries per column of the rows of one element."""
    by_column = np.ascontiguousarray(own_RC.T)
    column, row = np.nonzero(by_column)
    before = np.empty_like(row)  # the row of the value before, -1 at the top of a column
    before[:1] = -1
    before[1:] = np.where(column[1:] == column[:-1], row[:-1], -1)
    run = 2**engine.index_bits  # zeros that one padding entry stands for
    padding, rest = np.divmod(row - before - 1, run)
    end = np.cumsum(padding + 1)  # behind the entry of each value
    values = np.zeros(end[-1] if len(end) else 0, np.float32)
    zeros = np.full(len(values), run - 1, np.min_scalar_type(run))
    values[end - 1] = by_column[column, row]
    zeros[end - 1] = rest
    counts = np.bincount(column, weights=padding + 1, minlength=own_RC.shape[1])
    return values, zeros, counts.astype(np.int64)


def fit_table(values: Iterable[np.ndarray], engine: ColumnEngine) -> bool:
    """Whether all these weights, and the zero of a padding entry, are few enough for one table."""
    seen = np.zeros(1, np.float32)
    for each in values:
        for some in np.split(each, range(4096, len(each), 4096)):  # most layers are seen through after a few
            seen = np.union1d(seen, some)
            if len(seen) > 2**engine.weight_bits:
                return False
    return True
