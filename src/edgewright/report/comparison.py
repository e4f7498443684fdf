"""The table of `quantize --compare` for a terminal: the same rows as the page shows."""

from __future__ import annotations

from .sections.comparison import comparison
from .source import Content

COLUMNS = {
    "name": "way", "bits": "bits w/a", "val": "val", "drop": "change", "test": "test", "test_drop": "change ",
    "bytes": "file", "share": "share", "latency": "time", "ratio": "ratio", "seconds": "took",
}  # fmt: skip


def comparison_rows(content: Content) -> tuple[list[str], list[list[str]]]:
    """Headings and rows; the best one on val is marked."""
    view = comparison(content)
    rows = view["rows"] if view is not None else []
    marked = [{**row, "name": f"{row['name']} *" if row["best"] else row["name"]} for row in rows]
    return list(COLUMNS.values()), [[row[key] for key in COLUMNS] for row in marked]
