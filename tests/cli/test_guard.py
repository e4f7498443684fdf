"""Errors: one sentence on stderr, the exit code that they deserve, a traceback only when asked for."""

import pytest
import typer
from typer.testing import CliRunner

from edgewright.cli.guard import guarded
from edgewright.errors import BudgetError, ConfigError, ExportError

CASES = {
    "user": (ConfigError("Budget.x is wrong."), 2, "Budget.x is wrong.\n"),
    "budget": (BudgetError("Cannot be cut to 1 %."), 1, "Cannot be cut to 1 %.\n"),
    "export": (ExportError("The file does not load."), 3, "The file does not load.\n"),
    "interrupt": (KeyboardInterrupt(), 130, "interrupted\n"),
    "bug": (
        ZeroDivisionError("division\n by zero"),
        3,
        "edgewright failed (ZeroDivisionError: division by zero): rerun with --debug and report the traceback.\n",
    ),
}


def run(error, *words):
    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)

    def fail() -> None:
        """Fail."""
        if error is not None:
            raise error

    app.command()(guarded(fail))
    return CliRunner().invoke(app, list(words))


@pytest.mark.parametrize("case", CASES)
def test_each_kind_of_error_has_its_sentence_and_exit_code(case):
    error, code, sentence = CASES[case]
    done = run(error)
    assert (done.exit_code, done.stderr, done.stdout) == (code, sentence, "")


def test_an_interrupted_command_that_can_go_on_says_how():
    app = typer.Typer(rich_markup_mode=None)

    def work(resume: bool = False) -> None:
        """Work."""
        raise KeyboardInterrupt

    app.command()(guarded(work))
    assert CliRunner().invoke(app, []).stderr == "interrupted: rerun with --resume\n"


@pytest.mark.parametrize("words", [["--debug"], []])
def test_the_traceback_is_shown_on_request_only(words, monkeypatch):
    monkeypatch.setenv("EDGEWRIGHT_DEBUG", "0")
    done = run(ConfigError("Wrong."), *words)
    assert ("Traceback" in done.stderr) == bool(words)
    assert done.stderr.endswith("Wrong.\n")


def test_the_environment_can_ask_for_the_traceback(monkeypatch):
    monkeypatch.setenv("EDGEWRIGHT_DEBUG", "1")
    assert "Traceback" in run(ConfigError("Wrong.")).stderr


def test_a_command_that_returns_nothing_is_done_and_proven():
    assert run(None).exit_code == 0


def test_a_command_can_say_that_a_check_failed():
    app = typer.Typer(rich_markup_mode=None)

    def check() -> int:
        """Check."""
        return 1

    app.command()(guarded(check))
    assert CliRunner().invoke(app, []).exit_code == 1


def test_the_guard_keeps_the_parameters_of_the_command():
    app = typer.Typer(rich_markup_mode=None)

    def add(left: int, right: int = 2) -> None:
        """Add."""
        print(left + right)

    app.command()(guarded(add))
    assert CliRunner().invoke(app, ["3", "--right", "4"]).stdout == "7\n"
