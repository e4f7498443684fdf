"""Where the cost is: the tree of the user's modules, and the operator types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..source import Content, entries, mapping, text
from ..units import number_text
from .cells import column, cost_columns, number_table

FEW_ROWS = 8  # a tree that shows fewer opens one level more: it would tell too little
MAX_ROWS = 600  # of the tree: what is deeper is mostly single operators, which have a table of their own
ROOT = "whole model"


def modules(content: Content) -> dict[str, Any] | None:
    """The modules as a tree in rows: each after its parent, with its depth and whether anything is below it."""
    everything = tree_order(entries(content, "modules"))
    if not everything:
        return None
    deepest = deepest_shown([branch.depth for branch in everything])
    rows = [branch for branch in everything if branch.depth <= deepest]
    columns = [*cost_columns(mapping(content, "totals")), column("Operators", "operators", number_text)]
    table = number_table([branch.row for branch in rows], columns, sortable=False)
    depths = [branch.depth for branch in rows]
    lines = [
        {
            "path": text(branch.row, "module"),
            "name": branch.name or ROOT,
            "depth": branch.depth,
            "has_children": below > branch.depth,
            "cells": cells,
        }
        for branch, below, cells in zip(rows, [*depths[1:], 0], table["cells"], strict=True)
    ]
    left_out = len(everything) - len(rows)
    shown = {"rows": lines, "left_out": left_out, "deepest": deepest, "open_depth": open_depth(depths)}
    return {"columns": table["columns"], **shown}


def deepest_shown(depths: Sequence[int]) -> int:
    """The depth down to which at most `MAX_ROWS` modules stand in the tree, at least one level."""
    counts = Counter(depths)
    shown = counts[0]
    for depth in range(1, max(depths) + 1):
        shown += counts[depth]
        if shown > MAX_ROWS:
            return max(1, depth - 1)
    return max(depths)


class Branch(NamedTuple):
    """A module in the tree; `name` is its path from the module that it stands below."""

    row: Content
    name: str
    depth: int


def tree_order(rows: Sequence[Content]) -> list[Branch]:
    """The rows as a tree, each module directly followed by all that is in it.

    A profile lists modules as they first run, so parts of two modules may alternate. A module whose parent has no row
    stands below its nearest relative that has one.
    """
    by_path = {text(row, "module"): row for row in rows}
    children: dict[str | None, list[str]] = {}
    for path in by_path:
        children.setdefault(_parent(path, by_path), []).append(path)
    ordered: list[Branch] = []
    waiting = [(path, "", 0) for path in reversed(children.get(None, []))]
    while waiting:
        path, above, depth = waiting.pop()
        ordered.append(Branch(by_path[path], path.removeprefix(f"{above}."), depth))
        waiting += [(child, path, depth + 1) for child in reversed(children.get(path, []))]
    return ordered


def open_depth(depths: Sequence[int]) -> int:
    """The depth down to which the tree starts open: the first that shows more than a few rows, at least one level."""
    for depth in range(1, max(depths)):
        if sum(each <= depth for each in depths) >= FEW_ROWS:
            return depth
    return max(depths)


def _parent(path: str, known: Mapping[str, Content]) -> str | None:
    while path:
        path = path.rpartition(".")[0]
        if path in known:
            return path
    return None


def types(content: Content) -> dict[str, Any] | None:
    """One line per operator type, the one with the most MACs first."""
    rows = entries(content, "types")
    if not rows:
        return None
    columns = [*cost_columns(mapping(content, "totals")), column("Operators", "operators", number_text)]
    table = number_table(rows, columns)
    lines = [{"name": text(row, "op"), "cells": cells} for row, cells in zip(rows, table["cells"], strict=True)]
    return {"columns": table["columns"], "rows": lines}
