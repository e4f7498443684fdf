"""Compressed columns with short relative indices and shared weights, as the sparse accelerator EIE stores them.

Each stored entry is the number of zeros before it in its column (4 bits) and the number of its shared weight (4 bits).
A run of more zeros than the index can count is broken by a stored zero.

Source: Han 2016, arXiv:1602.01528.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from ..errors import ConfigError
from ..technology import POINTER_BITS, SHARED_WEIGHT_BITS, WEIGHT_CODE_BITS, ZERO_COUNT_BITS
from .worked import Step, Worked, finite, positive, product, shown, whole

MOST_ROWS = 10_000_000  # the sum over runs has a term for every 16 of them


def eie_column(
    *, values: Sequence[float], index_bits: int = ZERO_COUNT_BITS, weight_bits: int = WEIGHT_CODE_BITS
) -> Worked:
    """One column as EIE stores it: weights and zero counts.

    Args:
        values: the column, zeros included.
        index_bits: bits of a zero count; a zero is stored after 2^b - 1 zeros that a non-zero follows.
        weight_bits: bits that name one of the shared weights.
    """
    if not values:
        raise ConfigError("values is a column of numbers, got none.")
    longest = _longest(index_bits, weight_bits)
    stored: list[float] = []
    counts: list[int] = []
    zeros = 0
    for value in values:
        if not finite("values", value):
            zeros += 1
            continue
        breaks = zeros // (longest + 1)
        stored += [0.0] * breaks + [value]
        counts += [longest] * breaks + [zeros - breaks * (longest + 1)]
        zeros = 0
    padding = len(stored) - sum(1 for value in values if value)
    bits = index_bits + weight_bits
    size = -(-len(stored) * bits // 8)
    steps = (
        Step("values", "non-zeros, with a 0 in long runs", f"{len(stored) - padding} + {padding}", stored),
        Step("zero counts", f"zeros before each, at most {longest}", f"{len(counts)} counts", counts),
        Step("bytes", "entries x bits / 8", f"{len(stored)} x {bits} / 8", size, "bytes"),
    )
    result = {
        "stored": stored, "zero_counts": counts, "entries": len(stored), "padding_zeros": padding, "column_bytes": size,
    }  # fmt: skip
    notes = ("zeros after the last non-zero cost nothing: the next column's pointer ends this one",)
    return Worked(title=f"EIE column of {len(values)}", steps=steps, result=result, notes=notes)


def eie(
    *, rows: int, columns: int, density: float, activation_density: float = 1, index_bits: int = ZERO_COUNT_BITS,
    weight_bits: int = WEIGHT_CODE_BITS, pointer_bits: int = POINTER_BITS, processing_elements: int = 1,
) -> Worked:  # fmt: skip
    """Bytes and work of a sparse matrix in EIE, expected.

    Non-zeros lie anywhere with equal chance; the expected number of stored zeros is exact.

    Args:
        rows: outputs, dealt in turn to the processing elements.
        columns: inputs; a column whose activation is zero is skipped.
        density: share of the weights that are not zero.
        activation_density: share of the activations that are not zero.
        index_bits: bits of a zero count.
        weight_bits: bits that name one of the shared weights.
        pointer_bits: bits of the pointer to the start of a column, one more than columns in each element; wider where
            an element holds more entries than those can count.
        processing_elements: each holds its rows as columns of its own.
    """
    cells = whole("rows", rows) * whole("columns", columns)
    if rows > MOST_ROWS:
        raise ConfigError(f"rows is at most {MOST_ROWS:,}, got {rows:,}.")
    for name, share in (("density", density), ("activation_density", activation_density)):
        if not 0 < positive(name, share) <= 1:
            raise ConfigError(f"{name} is a share above 0 and up to 1, got {share}.")
    run = _longest(index_bits, weight_bits) + 1
    if whole("processing_elements", processing_elements) > rows:
        raise ConfigError(f"processing_elements is at most the rows ({rows}), got {processing_elements}.")
    nonzeros = cells * density
    length, longer = divmod(rows, processing_elements)  # so many elements hold one row more
    shorter = processing_elements - longer
    padding = columns * (
        longer * _expected_padding(length + 1, density, run) + shorter * _expected_padding(length, density, run)
    )
    steps = [
        Step("non-zeros", "R C d", product(rows, columns, density), nonzeros),
        Step(
            "stored zeros",
            f"C sum_k d (r - {run}k) (1-d)^({run}k)",
            f"{shown(columns)} x {padding / columns:.6g}",
            padding,
        ),
    ]
    most = math.ceil((nonzeros + padding) / processing_elements)
    width = max(whole("pointer_bits", pointer_bits), most.bit_length())
    storage, lines = _eie_bytes(
        nonzeros + padding, index_bits + weight_bits, (columns + 1) * processing_elements, width, weight_bits
    )
    size, work = storage["total_bytes"], (nonzeros + padding) * activation_density
    steps += [
        *lines,
        Step("against float32", "4 R C / total", f"4 x {shown(cells)} / {shown(size)}", 4 * cells / size, "times"),
        Step("multiplications", "entries x share", f"{shown(nonzeros + padding)} x {activation_density:g}", work),
    ]
    result = {
        "nonzeros": nonzeros, "padding_zeros": padding, "entries": nonzeros + padding, **storage,
        "ratio_float32": 4 * cells / size, "ratio_float16": 2 * cells / size, "multiplications": work,
        "share_of_dense": work / cells,
    }  # fmt: skip
    notes = ("elements with more entries than others make them wait: cycles are at least multiplications / elements",)
    return Worked(title=f"EIE storage of {rows} x {columns}", steps=tuple(steps), result=result, notes=notes)


def _eie_bytes(
    entries: float, entry_bits: int, pointers: int, pointer_bits: int, weight_bits: int
) -> tuple[dict[str, float], list[Step]]:
    """Bytes of the three tables, and the lines that say so."""
    stored = entries * entry_bits / 8
    pointed = pointers * pointer_bits / 8
    shared = 2**weight_bits * SHARED_WEIGHT_BITS / 8
    size = stored + pointed + shared
    lines = [
        Step("entries", "entries x bits / 8", f"{shown(entries)} x {entry_bits} / 8", stored, "bytes"),
        Step("pointers", "(C + 1) elements x bits / 8", f"{shown(pointers)} x {pointer_bits} / 8", pointed, "bytes"),
        Step("shared weights", "2^b x bits / 8", f"{2**weight_bits} x {SHARED_WEIGHT_BITS} / 8", shared, "bytes"),
        Step("total", "sum", f"{shown(stored)} + {shown(pointed)} + {shown(shared)}", size, "bytes"),
    ]
    storage = {"entry_bytes": stored, "pointer_bytes": pointed, "codebook_bytes": shared, "total_bytes": size}
    return storage, lines


def _longest(index_bits: int, weight_bits: int) -> int:
    """The most zeros that an index can count; refuses widths that make no sense."""
    for name, bits in (("index_bits", index_bits), ("weight_bits", weight_bits)):
        if whole(name, bits) > 16:
            raise ConfigError(f"{name} is at most 16, got {bits}.")
    return 2**index_bits - 1


def _expected_padding(length: int, density: float, run: int) -> float:
    """Stored zeros of one column: a non-zero has `run` k zeros right before it with the chance (1-d)^(run k)."""
    chance = (1 - density) ** run
    terms = ((length - k * run) * chance**k for k in range(1, length // run + 1))
    return density * math.fsum(itertools.takewhile(bool, terms))
