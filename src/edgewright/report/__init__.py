"""One self-contained HTML page from a run's saved JSON, and the same verdict as lines of text. Runs without torch."""

from .page import PAGE_FILE, render, write_report
from .summary import summary_lines

__all__ = ["PAGE_FILE", "render", "summary_lines", "write_report"]
