"""Errors: one sentence on stderr, the exit code that they deserve, a traceback only when asked for."""

import re
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from edgewright.cli import app as real_app
from edgewright.cli import flags
from edgewright.cli.flags import RENAMED, RESCALED
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


@pytest.mark.parametrize(
    ("left", "hint"),
    [(None, "nothing was kept yet, so rerun it"), ("run", "rerun with --resume"), ("run.parts", "rerun with --resume")],
)
def test_an_interrupted_command_that_has_something_to_go_on_with_says_how(tmp_path, left, hint):
    app = typer.Typer(rich_markup_mode=None)

    def work(out: Path, resume: bool = False) -> None:
        """Work."""
        if left is not None:
            (tmp_path / left).mkdir()
        raise KeyboardInterrupt

    app.command()(guarded(work))
    assert CliRunner().invoke(app, [str(tmp_path / "run")]).stderr == f"interrupted: {hint}\n"


def with_options(sentence, *words):
    """What stderr says of an error with this sentence under options that stand for those of real commands."""
    app = typer.Typer(rich_markup_mode=None)

    def work(
        lr: Annotated[float | None, typer.Option("--lr")] = None,
        epochs: Annotated[int | None, typer.Option("--epochs")] = None,
        prepare_epochs: Annotated[int | None, typer.Option("--prepare-epochs")] = None,
        loss: Annotated[str | None, typer.Option("--loss")] = None,
        latency_ms: Annotated[float | None, typer.Option("--latency-ms")] = None,
        format_: Annotated[str, typer.Option("--format")] = "int",
        fold: Annotated[bool, typer.Option("--fold/--keep-norms")] = True,
        weights: Annotated[str | None, typer.Option("--weights")] = None,
    ) -> None:
        """Work."""
        raise ConfigError(sentence)

    app.command()(guarded(work))
    return CliRunner().invoke(app, list(words)).stderr.strip()


FIELDS = {
    "the flag of a field": ("Train.lr is wrong.", ["--lr", "1"], "--lr is wrong."),
    "no flag was typed": ("Train.lr is wrong.", [], "Train.lr is wrong."),
    "another name": ("Classify.loss_name is wrong.", ["--loss", "x"], "--loss is wrong."),
    "one of two": ("Train.epochs is 0.", ["--prepare-epochs", "0"], "--prepare-epochs is 0."),
    "perhaps either": ("Train.epochs is 0.", ["--prepare-epochs", "0", "--epochs", "2"], "Train.epochs is 0."),
    "another unit": ("Limits.latency_s is -1.", ["--latency-ms", "-1000"], "--latency-ms (Limits.latency_s) is -1."),
    "a word of Python": ("Scheme.format is wrong.", ["--format", "x"], "--format is wrong."),
    "a flag with a counterpart": ("Cluster.fold is wrong.", ["--keep-norms"], "--fold is wrong."),
    "two fields": ("Train.lr and Train.epochs clash.", ["--lr", "1", "--epochs", "2"], "--lr and --epochs clash."),
    "a file of that name": ("Cannot read My.weights.", ["--weights", "My.weights"], "Cannot read My.weights."),
    "a setting of the remedy": ("Wrong: set Train.lr.", ["--epochs", "2"], "Wrong: set Train.lr."),
}


@pytest.mark.parametrize("case", FIELDS)
def test_an_error_names_the_flag_that_was_typed_for_a_setting(case):
    sentence, words, told = FIELDS[case]
    assert with_options(sentence, *words) == told


def test_each_field_of_another_name_is_one_of_settings_and_each_parameter_an_option():
    commands = typer.main.get_command(real_app).commands.values()
    options = {parameter.name for command in commands for parameter in command.params}
    assert {name for names in RENAMED.values() for name in names} | set(RESCALED.values()) <= options
    source = Path(flags.__file__).parents[1]
    text = "".join(path.read_text() for path in source.rglob("*.py") if path.parent.name != "cli")
    assert [field for field in (*RENAMED, *RESCALED) if not re.search(rf"^    {field}: ", text, re.M)] == []


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
