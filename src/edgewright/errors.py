"""The exception tree. Every message says what, what was got, what was expected, and the remedy.

EdgewrightError
├── UserError            the input is wrong: exit code 2
│   ├── ConfigError      a setting out of range
│   ├── LookupFailed     a name that does not exist (near matches are offered)
│   ├── DataError        a data set that cannot be used
│   ├── ModelError       a model that cannot be used
│   ├── ShapeError       tensors that do not fit together
│   ├── UnsupportedError a correct input that this version cannot serve
│   └── MissingExtraError an optional package that is not installed
├── BudgetError          the impossible was asked for: exit code 1
└── ExportError          an artifact could not be written or loaded: exit code 3
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class EdgewrightError(Exception):
    """Root of all errors that edgewright raises on purpose."""

    exit_code = 3


class UserError(EdgewrightError):
    """The user's input is wrong; the message is one clear sentence."""

    exit_code = 2


class ConfigError(UserError):
    """A setting is outside its range or contradicts another."""


class LookupFailed(UserError):
    """A name is not in a registry."""


class DataError(UserError):
    """A data set is missing, corrupt, empty or inconsistent."""


class ModelError(UserError):
    """A model cannot be built, loaded or used for the task."""


class ShapeError(UserError):
    """Two tensors, or a tensor and a model, do not fit together."""


class UnsupportedError(UserError):
    """The input is legal, but this version cannot serve it."""


class MissingExtraError(UserError):
    """An optional package is needed and not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: pip install 'edgewright[{extra}]'.")


class BudgetError(EdgewrightError):
    """What was asked for cannot be reached."""

    exit_code = 1


class ExportError(EdgewrightError):
    """An artifact could not be written, or does not load in its runtime."""


def first_line(error: BaseException, *, most: int = 200, typed: bool = False) -> str:
    """An error of somebody else's code, short enough to be quoted in a sentence of ours.

    At most `most` characters of its first line, which `typed` puts the class name before. An error without text is
    its class name alone.
    """
    name, lines = type(error).__name__, str(error).strip().splitlines()
    if not lines:
        return name
    return (f"{name}: {lines[0]}" if typed else lines[0])[:most].rstrip()


def unknown_name(kind: str, got: str, known: Iterable[str], *, command: str) -> LookupFailed:
    """The error for a failed look-up, with the nearest names and the command that lists them all."""
    names = sorted(known)
    near = get_close_matches(got, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return LookupFailed(f"Unknown {kind} '{got}': {hint}`{command}` lists all {len(names)}.")
