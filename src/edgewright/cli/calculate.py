"""`calc`: every closed form of the room `calc` as a command; a new one appears here by itself."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from ..calc import CALCULATIONS, Worked
from ..errors import ConfigError
from .guard import guarded
from .options import Json
from .show import as_json, lines

app = typer.Typer(
    help="Closed-form answers, worked step by step.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Read = Callable[[str, str], Any]


def _numbers(name: str, text: str, kind: type[int] | type[float]) -> list[Any]:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError as error:
        what = "whole numbers" if kind is int else "numbers"
        raise ConfigError(f"--{name.replace('_', '-')} takes {what} separated by commas, got '{text}'.") from error


def _ints(name: str, text: str) -> list[int]:
    return _numbers(name, text, int)


def _floats(name: str, text: str) -> list[float]:
    return _numbers(name, text, float)


def _pair(name: str, text: str) -> int | tuple[int, ...]:
    values = _ints(name, text)
    return values[0] if len(values) == 1 else tuple(values)


def _pair_or_word(name: str, text: str) -> int | tuple[int, ...] | str:
    return text if text.isalpha() else _pair(name, text)


def _layers(name: str, text: str) -> list[list[int]]:
    return [_ints(name, layer) for layer in text.split("/")]


READERS: tuple[tuple[Any, Read, str], ...] = (
    (int | tuple[int, int] | str, _pair_or_word, "N|H,W|same"),
    (int | tuple[int, int] | str | None, _pair_or_word, "N|H,W|same"),
    (int | tuple[int, int], _pair, "N|H,W"),
    (int | tuple[int, int] | None, _pair, "N|H,W"),
    (tuple[int, int], _ints, "I,J"),
    (Sequence[int], _ints, "N,N,..."),
    (Sequence[float], _floats, "X,X,..."),
    (Sequence[Sequence[int]], _layers, "K,S/K,S/..."),
)
"""How a parameter that is no single number or word is written on the command line: type, reader, metavar."""


def _reader(annotation: Any) -> tuple[Read, str] | None:
    for kind, read, metavar in READERS:
        if annotation == kind:
            return read, metavar
    return None


def _option(name: str, annotation: Any, default: Any) -> tuple[inspect.Parameter, Read | None]:
    """The command-line option for one parameter of a calculation."""
    flag, found = f"--{name.replace('_', '-')}", _reader(annotation)
    if found is None:
        single = annotation
        if typing.get_origin(annotation) in (typing.Union, types.UnionType):
            single = next(each for each in typing.get_args(annotation) if each is not type(None))
        kind: Any = single | None if default is None else single
        option = typer.Option(f"{flag}/--no-{flag[2:]}" if single is bool else flag)
        return _parameter(name, Annotated[kind, option], default), None
    read, metavar = found
    option = typer.Option(flag, metavar=metavar)
    if default is inspect.Parameter.empty:
        return _parameter(name, Annotated[str, option], default), read
    text = _written(default) if default is not None else ""
    return _parameter(name, Annotated[str | None, option], text or None), read


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _written(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _command(calculation: Callable[..., Worked]) -> Callable[..., None]:
    """A command that reads the keyword arguments of `calculation` as options and prints its steps."""
    hints = typing.get_type_hints(calculation)
    parameters, readers = [], {}
    for each in inspect.signature(calculation).parameters.values():
        parameter, read = _option(each.name, hints[each.name], each.default)
        parameters.append(parameter)
        if read is not None:
            readers[each.name] = read

    def run(json_file: Json = None, **given: Any) -> None:
        known = {name: value for name, value in given.items() if value is not None}
        values = {name: readers[name](name, value) if name in readers else value for name, value in known.items()}
        worked = calculation(**values)
        if not as_json(worked, json_file):
            lines(worked.lines())

    run.__doc__ = (calculation.__doc__ or "").split("\n\n")[0]
    own = inspect.Parameter("json_file", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Json)
    run.__signature__ = inspect.Signature([*parameters, own])  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in [*parameters, own]}
    return run


for _name, _calculation in CALCULATIONS.items():
    app.command(_name)(guarded(_command(_calculation)))
