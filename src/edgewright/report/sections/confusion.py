"""Which classes are taken for which, before and after: heat maps for few classes, a list of the worst for many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..source import LARGEST, Content, look, mapping, texts
from ..units import points_text

MAX_CLASSES = 20  # of a heat map that a page can hold
MAX_PAIRS = 20
Matrix = Sequence[Sequence[float]]


def confusion(content: Content) -> dict[str, Any] | None:
    """Rows are the truth, columns the decision; left out when a matrix is missing or not square."""
    found = mapping(content, "confusion")
    matrices = {side: matrix for side in ("before", "after") if (matrix := read_matrix(look(found, side))) is not None}
    if not matrices:
        return None
    size = len(next(iter(matrices.values())))
    labels = texts(found, "labels")
    names = labels if len(labels) == size else [str(index) for index in range(size)]
    few = size <= MAX_CLASSES
    shown = matrices if few else {}
    return {
        "maps": [{"title": side, "rows": _heat_rows(matrix, names)} for side, matrix in shown.items()],
        "labels": names,
        "pairs": [] if few else _worst_pairs(matrices, names),
        "classes": _recalls(matrices, names),
        "long_labels": any(len(name) > 3 for name in names),
        "num": size,
        "has_both": len(matrices) == 2,
    }


def read_matrix(value: Any) -> Matrix | None:
    """A square matrix of counts, None for anything else."""
    if not isinstance(value, list) or not value:
        return None
    square = all(isinstance(row, list) and len(row) == len(value) for row in value)
    return value if square and all(_is_count(count) for row in value for count in row) else None


def _is_count(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < LARGEST


def _heat_rows(matrix: Matrix, names: Sequence[str]) -> list[dict[str, Any]]:
    """Each cell with its share of the row, in percent: the row is the truth, so the diagonal is the recall."""
    return [
        {
            "label": names[true],
            "cells": [
                {
                    "count": f"{count:,.0f}",
                    "share": round(100 * count / (sum(row) or 1), 1),
                    "right": true == decided,
                    "hover": f"{names[true]} taken for {names[decided]}: {count:,.0f} of {sum(row):,.0f}",
                }
                for decided, count in enumerate(row)
            ],
        }
        for true, row in enumerate(matrix)
    ]


def _worst_pairs(matrices: dict[str, Matrix], names: Sequence[str]) -> list[dict[str, Any]]:
    """The most frequent confusions of the last matrix, with the count in each."""
    last = list(matrices.values())[-1]
    pairs = [(true, decided) for true in range(len(last)) for decided in range(len(last)) if true != decided]
    wrong = sorted((pair for pair in pairs if last[pair[0]][pair[1]]), key=lambda pair: -last[pair[0]][pair[1]])
    return [
        {
            "true": names[true], "decided": names[decided],
            "counts": [f"{matrix[true][decided]:,.0f}" for matrix in matrices.values()],
            "of": f"{sum(last[true]):,.0f}",
        }
        for true, decided in wrong[:MAX_PAIRS]
    ]  # fmt: skip


def _recalls(matrices: dict[str, Matrix], names: Sequence[str]) -> list[dict[str, str]]:
    """The classes that lose the most recall, up to five; none when only one matrix is known."""
    if len(matrices) < 2:
        return []
    before, after = (_recall_of_each(matrix) for matrix in matrices.values())
    losses = sorted(range(len(names)), key=lambda index: after[index] - before[index])
    worst = [index for index in losses if after[index] < before[index]][:5]
    return [
        {"label": names[index], "before": points_text(before[index]), "after": points_text(after[index])}
        for index in worst
    ]


def _recall_of_each(matrix: Matrix) -> list[float]:
    """In points; a class without images has 0."""
    return [100 * row[index] / (sum(row) or 1) for index, row in enumerate(matrix)]
