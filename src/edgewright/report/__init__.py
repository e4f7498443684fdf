"""Self-contained HTML pages from plain data: a run's report and a model's cost; a verdict as text. Without torch."""

from .comparison import comparison_rows
from .cost_page import render_cost, write_cost_page
from .page import PAGE_FILE, render, write_report
from .summary import summary_lines
from .tickets import ticket_rows

__all__ = [
    "PAGE_FILE",
    "comparison_rows",
    "render",
    "render_cost",
    "summary_lines",
    "ticket_rows",
    "write_cost_page",
    "write_report",
]
