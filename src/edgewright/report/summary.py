"""The same verdict in a few lines of plain text, for a terminal."""

from __future__ import annotations

from .estimates import latency_accuracy
from .figures import figures
from .limits import limit_title, limit_value
from .scores import score_text, scores
from .source import Content, entries, is_judged, look, mapping, number, text
from .units import change_text


def summary_lines(content: Content) -> list[str]:
    """Verdict, failed checks, before and after, what would help, and where the files are. No colours.

    Args:
        content: what `run.json` holds, or will hold.
    """
    passed = look(content, "verdict", "passed") is True
    outcome = ("PASSED" if is_judged(content) else "DONE") if passed else "FAILED"
    lines = [f"{outcome}  {text(content, 'verdict', 'sentence')}".rstrip()]
    failed = [check for check in entries(content, "checks") if look(check, "passed") is not True]
    lines += [f"  failed: {_check_line(check)}" for check in failed]
    lines += ["", *_table(_rows(content))]
    accuracy = latency_accuracy(mapping(content, "device"))
    lines += [f"  latency is estimated from {accuracy}"] if accuracy else []
    helps = [_relax_line(each) for each in entries(content, "verdict", "relax")]
    lines += ["", "What would help:", *helps] if helps else []
    files = _file_lines(content)
    return [*lines, "", *files] if files else lines


def _check_line(check: Content) -> str:
    name, blame = limit_title(text(check, "name")), text(check, "blame")
    return f"{name}: {blame}" if blame else name


def _rows(content: Content) -> list[tuple[str, str, str, str, str]]:
    found = scores(content)
    rows = [("", "before", "after", "change", "how")]
    if found.before or found.after:
        points = "" if found.change is None else f"{change_text(found.change)} points"
        rows.append(("Score", score_text(found.before), score_text(found.after), points, "measured"))
    rows += [(each.title, each.before_text, each.after_text, each.change, each.how) for each in figures(content)]
    return rows


def _table(rows: list[tuple[str, str, str, str, str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return [
        f"  {name:<{widths[0]}}  {before:>{widths[1]}}  {after:>{widths[2]}}  {change:<{widths[3]}}  {how}".rstrip()
        for name, before, after, change, how in rows
    ]


def _relax_line(each: Content) -> str:
    name, sentence = text(each, "limit_name"), text(each, "sentence")
    needed = f"  {limit_title(name)} to {limit_value(name, number(each, 'needed'))}"
    return f"{needed}: {sentence}" if sentence else needed


def _file_lines(content: Content) -> list[str]:
    """Where each artifact lies, as recorded in the run."""
    found = look(content, "artifacts") or {}
    return [f"{name}: {text(found, name, 'path')}" for name in found if text(found, name, "path")]
