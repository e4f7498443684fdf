"""What every command has around it: one sentence per error, the exit code that it deserves, and --debug."""

from __future__ import annotations

import functools
import inspect
import os
import shlex
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ConfigError, EdgewrightError
from .flags import with_flags

INTERRUPTED = 130  # what shells report for a process that SIGINT ended
OUR_FAULT = 3
WRITTEN = ("json", "csv", "html")  # options that name a file to write: --json is the parameter json_file

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error (or set EDGEWRIGHT_DEBUG=1).")]


def guarded(command: Callable[..., int | None]) -> Callable[..., None]:
    """`command` with `--debug`, and with its errors turned into a line on stderr and an exit code.

    A command returns its exit code; None is 0.
    """

    signature = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def run(*args: Any, debug: bool = False, **kwargs: Any) -> None:
        debug = debug or os.environ.get("EDGEWRIGHT_DEBUG", "") not in ("", "0")
        try:
            for kind in WRITTEN:
                _check_target(kind, kwargs.get(f"{kind}_file"))
            code = command(*args, **kwargs)
        except (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            code = _fail(f"interrupted{_way_on(kwargs)}", INTERRUPTED, debug)
        except EdgewrightError as error:
            code = _fail(with_flags(str(error), signature, kwargs), error.exit_code, debug)
        except Exception as error:  # the last line of defence: whatever is left is our fault
            text = " ".join(str(error).split())[:300]
            sentence = (
                f"edgewright failed ({type(error).__name__}: {text}): rerun with --debug and report the traceback."
            )
            code = _fail(sentence, OUR_FAULT, debug)
        if code:
            raise typer.Exit(code)

    extra = inspect.Parameter("debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Debug)
    parameters = [*signature.parameters.values(), extra]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _check_target(kind: str, target: Path | None) -> None:
    """Refuse a file that cannot be written before any work is done for it."""
    if target is None or str(target) == "-":
        return
    place = target if target.exists() else target.parent
    if target.is_dir() or not os.access(place, os.W_OK):
        raise ConfigError(f"Cannot write {target}: choose another file with --{kind}.")


def _way_on(given: dict[str, Any]) -> str:
    """How to go on with what was interrupted, where it has left something to go on with."""
    if "resume" not in given:
        return ""
    out: Path = given["out"]
    kept = (out, out.with_name(f"{out.name}.parts"))  # a calibration keeps its timings beside its file
    return ": rerun with --resume" if any(each.exists() for each in kept) else ": nothing was kept yet, so rerun it"


def typed() -> str:
    """The command line as it was typed, for the record of a run."""
    return shlex.join(["edgewright", *sys.argv[1:]])


def _fail(sentence: str, code: int, debug: bool) -> int:
    """Say what went wrong on stderr; the traceback only when asked for."""
    if debug:
        traceback.print_exc(file=sys.stderr)
    print(sentence, file=sys.stderr)
    return code
