"""`calc`: every closed form of the room `calc` as a command; a new one appears here by itself."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..calc import CALCULATIONS, GROUPS, Worked
from ..errors import ConfigError
from .guard import guarded
from .options import Json
from .show import as_json, lines


class _Grouped(TyperGroup):
    """A help page that lists the calculations by subject, each with its whole first sentence."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        widest = max(map(len, CALCULATIONS))
        for subject, members in GROUPS.items():
            with formatter.section(subject):
                formatter.write_dl([(name.ljust(widest), _summary(each)) for name, each in members.items()])


app = typer.Typer(
    cls=_Grouped,
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


def _rows(name: str, text: str) -> list[list[float]]:
    return [_floats(name, row) for row in text.split("/")]


def _texts(name: str, text: str) -> list[str]:
    return [part.strip() for part in text.split("/")]


READERS: tuple[tuple[Any, Read, str], ...] = (
    (int | tuple[int, int] | str, _pair_or_word, "N|H,W|same|full"),
    (int | str, _pair_or_word, "N|same|full"),
    (int | tuple[int, int], _pair, "N|H,W"),
    (tuple[int, int], _ints, "I,J"),
    (Sequence[int], _ints, "N,N,..."),
    (Sequence[float], _floats, "X,X,..."),
    (Sequence[Sequence[int]], _layers, "K,S/K,S/..."),
    (Sequence[Sequence[float]], _rows, "X,X/X,X/..."),
    (Sequence[str], _texts, "LAYER/LAYER/..."),
)
"""How a parameter that is no single number or word is written on the command line: type, reader, metavar."""

MEANINGS = {
    "size": "Height and width of the input.",
    "channels": "Channels of the input.",
    "in_channels": "Channels of the input.",
    "out_channels": "Channels of the output.",
    "in_features": "Values of one sample that come in.",
    "out_features": "Values of one sample that go out.",
    "kernel": "Height and width of the window.",
    "stride": "Steps of the window.",
    "padding": "Values added at each end.",
    "dilation": "Distance between the values that a window reads.",
    "groups": "Parts that the channels are cut into.",
    "bias": "Count a bias per output channel.",
    "macs": "Multiply-accumulates.",
    "rows": "Rows of the matrix.",
    "columns": "Columns of the matrix.",
}
"""What a parameter means wherever a calculation does not say it in its own `Args`."""


def _summary(calculation: Callable[..., Worked]) -> str:
    """The first paragraph of the docstring on one line."""
    return " ".join((inspect.getdoc(calculation) or "").split("\n\n")[0].split())


def _meanings(calculation: Callable[..., Worked]) -> dict[str, str]:
    """What each parameter means, from the `Args` of the docstring."""
    found = re.search(r"^Args:\n((?:    .*\n?|\n)+)", inspect.getdoc(calculation) or "", re.M)
    entries = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", found[1] if found else "", re.M)
    own = {name: " ".join(text.split()) for name, text in entries}
    return MEANINGS | {name: text[0].upper() + text[1:] for name, text in own.items()}


def _without_none(annotation: Any) -> Any:
    """`int | None` as `int`: an option that is not given is not passed on."""
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return annotation
    kinds = [each for each in typing.get_args(annotation) if each is not type(None)]
    return typing.Union[tuple(kinds)]  # noqa: UP007 (built from a list)


def _option(name: str, annotation: Any, default: Any, help_text: str | None) -> tuple[inspect.Parameter, Read | None]:
    """The command-line option for one parameter of a calculation."""
    flag, kind = f"--{name.replace('_', '-')}", _without_none(annotation)
    for known, read, metavar in READERS:
        if kind == known:
            option = typer.Option(flag, metavar=metavar, help=help_text)
            if default is inspect.Parameter.empty:
                return _parameter(name, Annotated[str, option], default), read
            text = _written(default) if default is not None else ""
            return _parameter(name, Annotated[str | None, option], text or None), read
    option = typer.Option(f"{flag}/--no-{flag[2:]}" if kind is bool else flag, help=help_text)
    return _parameter(name, Annotated[kind | None if default is None else kind, option], default), None


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _written(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _command(calculation: Callable[..., Worked]) -> Callable[..., None]:
    """A command that reads the keyword arguments of `calculation` as options and prints its steps."""
    hints, meanings = typing.get_type_hints(calculation), _meanings(calculation)
    parameters, readers = [], {}
    for each in inspect.signature(calculation).parameters.values():
        parameter, read = _option(each.name, hints[each.name], each.default, meanings.get(each.name))
        parameters.append(parameter)
        if read is not None:
            readers[each.name] = read

    def run(json_file: Json = None, **given: Any) -> None:
        known = {name: value for name, value in given.items() if value is not None}
        values = {name: readers[name](name, value) if name in readers else value for name, value in known.items()}
        worked = calculation(**values)
        if not as_json(worked, json_file):
            lines(worked.lines())

    run.__doc__ = (inspect.getdoc(calculation) or "").split("\n\nArgs:")[0].split("\n\nSource:")[0]
    own = inspect.Parameter("json_file", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Json)
    run.__signature__ = inspect.Signature([*parameters, own])  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in [*parameters, own]}
    return run


for _name, _calculation in CALCULATIONS.items():
    app.command(_name)(guarded(_command(_calculation)))
