"""Progress: a bar on a terminal, plain lines elsewhere, and nothing that a computation would trip over."""

import io

import pytest
from rich.console import Console

from edgewright.cli import progress
from edgewright.cli.progress import LiveProgress, PlainProgress, progress_for


def test_a_stream_that_is_no_terminal_gets_plain_lines():
    assert isinstance(progress_for(io.StringIO()), PlainProgress)


def test_notes_are_lines():
    stream = io.StringIO()
    PlainProgress(stream).note("Half-way [50 %]")
    assert stream.getvalue() == "Half-way [50 %]\n"


def test_a_quick_loop_says_nothing():
    stream = io.StringIO()
    with PlainProgress(stream).task("Score", total=3) as bar:
        for _ in range(3):
            bar.advance()
    assert stream.getvalue() == ""


def test_a_slow_loop_says_how_far_it_is_and_how_long_it_takes(monkeypatch):
    """4 of 10 steps in 20 s: 5 s each, 30 s for the other six."""
    now = iter([0.0, 4.0, 20.0, 50.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    stream = io.StringIO()
    with PlainProgress(stream).task("Train", total=10) as bar:
        bar.advance(detail="loss 2.1")
        bar.advance(3, detail="loss 1.5")
    first, last = stream.getvalue().splitlines()
    assert first == "   Train: 4/10, about 30 s left, loss 1.5"
    assert last == "   Train: 4/10, 50 s, loss 1.5"


def test_a_loop_that_fails_does_not_say_that_it_finished(monkeypatch):
    now = iter([0.0, 99.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    stream = io.StringIO()
    with pytest.raises(ValueError, match="broken"), PlainProgress(stream).task("Train", total=10):
        raise ValueError("broken")
    assert stream.getvalue() == ""


def test_bars_nest_and_are_gone_at_the_end():
    stream = io.StringIO()
    live = LiveProgress(Console(file=stream, force_terminal=True, width=120))
    with live.task("Outer", total=2) as outer:
        with live.task("Inner", total=1) as inner:
            inner.advance(detail="[loss] 0.5")
        live.note("One round [done]")
        outer.advance()
    assert "One round [done]" in stream.getvalue()
    assert live._bars.tasks == []
    assert not live._bars.live.is_started
