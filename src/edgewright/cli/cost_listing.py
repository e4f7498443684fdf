"""What a view of `analyze` is: rows, totals, notes, the columns of its table, and the options that it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .cells import Row, cell, is_number, named
from .show import lines, table

if TYPE_CHECKING:
    import torch

    from ..analyze.analysis import Analysis

Columns = tuple[tuple[str, str], ...]  # key of a row, heading
NAME: Columns = (("op", "operator"), ("where", "layer"))
COUNTS: Columns = (
    ("macs", "MACs"), ("elementwise", "other ops"), ("params", "params"), ("weight_bytes", "weights"),
    ("activation_bytes", "moved"), ("latency_s", "latency"), ("energy_j", "energy"),
)  # fmt: skip
COUNTED = ("macs", "elementwise")  # nothing there and no formula: not known, and not 0


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What some views are told besides the model."""

    bits: Mapping[str, int] | int | None = None
    optimizer: str = "adamw"
    memory_bytes: int | None = None
    images_BCHW: torch.Tensor | None = None
    source: str = ""  # of the images
    trained: bool = True


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Rows of plain data, their totals, and lines to print below. `text` is printed instead of the rows' table."""

    rows: Sequence[Row]
    totals: Mapping[str, Any] | None = None
    notes: Sequence[str] = ()
    text: str = ""

    def content(self, name: str) -> dict[str, Any]:
        """What JSON holds of it."""
        return {"name": name, "rows": list(self.rows), "totals": self.totals, "notes": list(self.notes)}


@dataclass(frozen=True, kw_only=True)
class View:
    """What `list_` finds for a model, and the columns of its table.

    `sums`: the model's totals stand below as well. `takes`: the options that change what is listed.
    """

    list_: Callable[[Analysis, Asked], Listing]
    columns: Columns
    sums: bool = False
    takes: tuple[str, ...] = ()


def show_listing(listing: Listing, columns: Columns, *, below: Sequence[str] = ()) -> None:
    """Print the table and what is said below it; columns in which nothing is known are left out."""
    known = [(key, heading) for key, heading in columns if any(_shown(row, key) for row in listing.rows)]
    if listing.text:
        print(listing.text)
    elif listing.rows:
        right = [heading for key, heading in known if is_number(listing.rows, key)]
        cells = [[_shown(row, key) for key, _ in known] for row in listing.rows]
        table([heading for _, heading in known], cells, right=right)
    said = [*below, *(_facts(listing.totals) if listing.totals else ()), *listing.notes]
    lines(["", *said] if said else ())


def _shown(row: Row, key: str) -> str:
    if key == "where":
        return str(row.get("layer") or row.get("name") or "")
    if key == "op" and row.get("fused_into"):
        return "."  # another operator does its work
    if key == "module":
        return "  " * row["depth"] + (row["module"] or "(model)")
    if key == "uncounted" and not row.get(key):
        return ""
    if key in COUNTED and (row.get(key, 0) is None or (row.get("uncounted") and not row[key])):
        return "?"
    if row.get(key) is None:
        return ""
    return cell(key, row[key])


def _facts(totals: Mapping[str, Any]) -> list[str]:
    """The totals of a hardware model, one fact a line."""
    facts = [(named(key), cell(key, value)) for key, value in totals.items() if value not in (None, (), [])]
    width = max(len(name) for name, _ in facts)
    return [f"{name:<{width}}  {value}" for name, value in facts]
