"""Tables, lines and JSON on the standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..files import write_json
from ..types import plain


def table(
    headings: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "", right: Iterable[str] = ()
) -> None:
    """Print rows under headings; the columns named in `right` are aligned right, the last one may wrap."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 200)
    view = Table(title=title or None, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        last = heading == headings[-1]
        view.add_column(heading, justify="right" if heading in set(right) else "left", no_wrap=not last)
    for row in rows:
        view.add_row(*(str(cell) for cell in row))
    with console.capture() as capture:
        console.print(view, markup=False, highlight=False)
    for line in capture.get().splitlines():
        print(line.rstrip())


def lines(texts: Iterable[str]) -> None:
    """Print each text on a line of its own."""
    for text in texts:
        print(text)


def as_json(value: Any, target: Path | None) -> bool:
    """Write `value` as JSON to `target` (`-`: the standard output). Returns whether the standard output was used.

    Raises:
        ConfigError: the file cannot be written.
    """
    if target is None:
        return False
    if str(target) == "-":
        print(json.dumps(plain(value), indent=1, allow_nan=False))
        return True
    try:
        write_json(target, plain(value))
    except OSError as error:
        raise ConfigError(f"Cannot write {target} ({error.strerror}): choose another file with --json.") from error
    return False
