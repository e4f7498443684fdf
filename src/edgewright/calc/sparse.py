"""Sparse storage by formula: N:M patterns, compressed rows, bitmaps.

Source of 2:4: Mishra 2021, arXiv:2104.08378. The 1:2 and paired 4:8 patterns are those of NVIDIA's PTX `mma.sp`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ConfigError
from ..technology import GROUP, KEPT, POSITION_BITS, VALUE_BITS
from .worked import Step, Worked, finite, one_of, positive, product, shown, whole

PATTERN_CODES = {(0, 1): 4, (0, 2): 8, (0, 3): 12, (1, 2): 9, (1, 3): 13, (2, 3): 14}  # first | second << 2


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A group of `group` values of which `kept` stay, in one of `choices` ways that `code_bits` bits tell apart."""

    group: int
    kept: int
    choices: int
    code_bits: int = POSITION_BITS


PATTERNS = {
    "2:4": Pattern(group=GROUP, kept=KEPT, choices=6),
    "1:2": Pattern(group=2, kept=1, choices=2),  # two 16-bit halves of a value move as one: codes 4 and 14 of 2:4
    "4:8": Pattern(group=8, kept=4, choices=6),  # two of four pairs of neighbours
}
HARDWARE_PATTERN = {"float32": "1:2", "tf32": "1:2", "int4": "4:8", "float4": "4:8"}
"""What sparse tensor cores take for a type; 2:4 for all others."""


def sparsity(*, rows: int, columns: int, dtype: str = "float16", pattern: str = "2:4") -> Worked:
    """Bytes of a 2:4 sparse matrix, or 1:2, or paired 4:8.

    Args:
        columns: the reduction axis, along which the groups lie.
        dtype: one of float32, tf32, float16, bfloat16, int8, float8, int4 or float4.
        pattern: 2:4, 1:2 or 4:8 (two pairs of four).
    """
    whole("rows", rows)
    bits, kind = one_of("dtype", dtype, VALUE_BITS), one_of("pattern", pattern, PATTERNS)
    if whole("columns", columns) % kind.group:
        raise ConfigError(
            f"columns is a multiple of {kind.group} (groups lie along the reduction axis), got {columns}."
        )
    groups = rows * columns // kind.group
    dense_bits, packed_bits = kind.group * bits, kind.kept * bits + kind.code_bits
    dense, packed = -(-groups * dense_bits // 8), -(-groups * packed_bits // 8)
    ratio, needed = dense_bits / packed_bits, math.log2(kind.choices)
    saved = 100 * (1 - packed_bits / dense_bits)
    steps = (
        Step("dense group", f"{kind.group} values", product(kind.group, bits), dense_bits, "bits"),
        Step("packed group", f"{kind.kept} values + positions", f"{kind.kept} x {bits} + {kind.code_bits}", packed_bits,
             "bits"),
        Step("dense", "groups x bits / 8", f"{shown(groups)} x {dense_bits} / 8", dense, "bytes"),
        Step("packed", "groups x bits / 8", f"{shown(groups)} x {packed_bits} / 8", packed, "bytes"),
        Step("ratio", "dense / packed", f"{dense_bits} / {packed_bits}", ratio, "times"),
        Step("saved", "1 - packed / dense", f"1 - {packed_bits} / {dense_bits}", saved, "%"),
        Step("positions", "log2 of the ways", f"log2 {kind.choices}", needed, f"bits, {kind.code_bits} are stored"),
    )  # fmt: skip
    result = {
        "dense_bits_per_group": dense_bits, "packed_bits_per_group": packed_bits, "dense_bytes": dense,
        "packed_bytes": packed, "metadata_bytes": -(-groups * kind.code_bits // 8), "ratio": ratio,
        "saved_percent": saved, "weight_share": packed_bits / dense_bits, "weight_bound_gain": ratio, "peak_gain": 2.0,
        "position_bits": needed,
    }  # fmt: skip
    title = f"{pattern} sparse {rows} x {columns} in {dtype}"
    return Worked(title=title, steps=steps, result=result, notes=_sparsity_notes(dtype, pattern, ratio))


def _sparsity_notes(dtype: str, pattern: str, ratio: float) -> tuple[str, ...]:
    taken = HARDWARE_PATTERN.get(dtype, "2:4")
    notes = (
        f"twice the peak rate, but a layer that is bound by its weights gains at most {ratio:.4g}",
        "groups lie along the reduction axis alone; libraries reorder the positions and pad shapes",
    )
    return notes if pattern == taken else (f"storage only: sparse tensor cores take {taken} for {dtype}", *notes)


def sparsity_table(*, rows: int = 1024, columns: int = 1024) -> Worked:
    """Bytes of a sparse matrix for each type and pattern."""
    asked = [(dtype, "2:4") for dtype in VALUE_BITS if dtype != "tf32"]
    asked += [(dtype, pattern) for dtype, pattern in HARDWARE_PATTERN.items() if dtype != "float32"]
    keys = (
        "dense_bits_per_group", "packed_bits_per_group", "ratio", "saved_percent", "dense_bytes", "packed_bytes",
    )  # fmt: skip
    table, steps = [], []
    for dtype, pattern in asked:
        found = sparsity(rows=rows, columns=columns, dtype=dtype, pattern=pattern).result
        table.append({"dtype": dtype, "pattern": pattern, **{key: found[key] for key in keys}})
        numbers = f"{found['dense_bits_per_group']} / {found['packed_bits_per_group']} bits"
        bytes_ = f"times, {shown(found['dense_bytes'])} -> {shown(found['packed_bytes'])} bytes"
        steps.append(Step(f"{dtype} {pattern}", "dense / packed", numbers, found["ratio"], bytes_))
    return Worked(title=f"Sparse {rows} x {columns}", steps=tuple(steps), result={"rows": table})


def sparse_pattern(*, positions: tuple[int, int]) -> Worked:
    """The 4-bit code of the two places kept of four.

    Args:
        positions: two rising indices from 0 to 3.
    """
    if tuple(positions) not in PATTERN_CODES:
        raise ConfigError(f"positions are two rising indices from 0 to 3, got {tuple(positions)!r}.")
    first, second = positions
    code = PATTERN_CODES[first, second]
    step = Step("code", "i0 | i1 << 2", f"{first} | {second} << 2", code)
    return Worked(title="2:4 position code", steps=(step,), result={"code": code, "bits": f"{code:04b}"})


def sparse_row(*, values: Sequence[float]) -> Worked:
    """Cut a row to 2:4 and pack it: kept values and codes.

    The two of largest magnitude of each four stay, the earlier one of equals.

    Args:
        values: a row whose length is a multiple of 4, along the reduction axis.
    """
    if not values or len(values) % 4:
        raise ConfigError(f"values is a row of a multiple of 4, got {len(values)}.")
    for value in values:
        finite("values", value)
    kept, codes, steps = [], [], []
    for start in range(0, len(values), 4):
        group = list(values[start : start + 4])
        first, second = sorted(sorted(range(4), key=lambda place, group=group: -abs(group[place]))[:2])  # type: ignore[misc]
        kept += [group[first], group[second]]
        codes.append(PATTERN_CODES[first, second])
        numbers, unit = f"{first} | {second} << 2 of {shown(group)}", f"keeps {shown(kept[-2:])}"
        steps.append(Step(f"group {start // 4}", "i0 | i1 << 2", numbers, codes[-1], unit))
    energy = sum(value * value for value in values)
    left = sum(value * value for value in kept) / energy if energy else None
    result = {"kept": kept, "codes": codes, "share_of_energy_kept": left}
    return Worked(title=f"Row of {len(values)} as 2:4", steps=tuple(steps), result=result)


def unstructured(*, rows: int, columns: int, zeros: float, value_bytes: int = 4, index_bytes: int = 4) -> Worked:
    """Bytes of a matrix with zeros anywhere: CSR and bitmap.

    Args:
        zeros: share of the values that are zero, 0 to 1.
        value_bytes: bytes of one value.
        index_bytes: bytes of one column index, and of one row pointer, of the compressed rows.
    """
    total = whole("rows", rows) * whole("columns", columns)
    if not 0 <= positive("zeros", zeros, zero=True) <= 1:
        raise ConfigError(f"zeros is a share from 0 to 1, got {zeros}.")
    kept = total - round(total * zeros)
    dense = total * whole("value_bytes", value_bytes)
    csr = kept * (value_bytes + whole("index_bytes", index_bytes)) + (rows + 1) * index_bytes
    bitmap = kept * value_bytes + -(-total // 8)
    steps = (
        Step("dense", "R C v", product(rows, columns, value_bytes), dense, "bytes"),
        Step(
            "CSR",
            "n (v + i) + (R + 1) i",
            f"{shown(kept)} x ({value_bytes} + {index_bytes}) + {rows + 1:,} x {index_bytes}",
            csr,
            "bytes",
        ),
        Step("bitmap", "n v + R C / 8", f"{shown(kept)} x {value_bytes} + {shown(total)} / 8", bitmap, "bytes"),
        Step("CSR ratio", "dense / CSR", f"{shown(dense)} / {shown(csr)}", dense / csr, "times"),
        Step("bitmap ratio", "dense / bitmap", f"{shown(dense)} / {shown(bitmap)}", dense / bitmap, "times"),
    )
    result = {
        "dense_bytes": dense,
        "csr_bytes": csr,
        "bitmap_bytes": bitmap,
        "csr_ratio": dense / csr,
        "bitmap_ratio": dense / bitmap,
    }
    notes = ("compressed rows save nothing at this share of zeros",) if csr >= dense else ()
    return Worked(title=f"Unstructured zeros in {rows} x {columns}", steps=steps, result=result, notes=notes)
