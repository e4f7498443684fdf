"""The table of `tickets` for a terminal: the same rows as the page shows."""

from __future__ import annotations

from .sections.tickets import COMPARED, KINDS, tickets
from .source import Content


def ticket_rows(content: Content) -> tuple[list[str], list[list[str]]]:
    """Headings and rows; the round of the run's model is marked."""
    view = tickets(content)
    headings = [
        "round",
        "weights left",
        *KINDS.values(),
        *(f"vs {name}" for name in COMPARED.values()),
        "epochs to best",
    ]
    rows = [
        [
            f"{row['round']} *" if row["best"] else row["round"],
            row["keep"],
            *row["scores"],
            *(each["text"] for each in row["differences"]),
            " / ".join(row["epochs"]),
        ]
        for row in (view["rows"] if view is not None else [])
    ]
    return headings, rows
