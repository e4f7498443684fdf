"""Calls of one kernel by the parts of one layer, as one function of C: its code is there once, whatever the parts.

Sizes in which the parts differ, such as their rows, are its arguments; all others stay constants of the code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...program import Program
from .scene import Call
from .text import Name, lines_of

Key = tuple[int, int]  # an operation, and one of its calls
Path = tuple[str, ...]  # names of the structs around a size, and its own


@dataclass(frozen=True, kw_only=True)
class Function:
    """A kernel with its constants, for several operations.

    Attributes:
        parameters: sizes that differ between the calls.
    """

    name: str
    what: str
    call: Call
    parameters: tuple[Path, ...]

    @property
    def sizes(self) -> str:
        return lines_of(_replaced(self.call.sizes, {path: Name("_".join(path)) for path in self.parameters}))

    @property
    def inputs(self) -> list[str]:
        return [f"x{index}" for index in range(len(self.call.inputs))]

    @property
    def scratch(self) -> list[str]:
        return ["scratch"] if self.call.scratch_bytes else []

    @property
    def declared(self) -> str:
        written = [f"int8_t *{name}" for name in (*self.scratch, "y")]
        codes = [*(f"const int8_t *{name}" for name in self.inputs), *written]
        return ", ".join([*codes, *(f"int32_t {'_'.join(path)}" for path in self.parameters)])

    def numbers(self, call: Call) -> list[str]:
        """What a call passes for the parameters."""
        found = dict(_leaves(call.sizes))
        return [str(found[path]) for path in self.parameters]


def functions_of(program: Program, calls: Sequence[tuple[Call, ...]]) -> dict[Key, Function]:
    """The function of each call that shares one; calls of whole layers, and of single parts, have none."""
    groups: dict[Any, list[Key]] = {}
    for index, (operation, own) in enumerate(zip(program.operations, calls, strict=True)):
        for number, call in enumerate(own):
            if operation.layer:
                groups.setdefault((operation.layer, _kind(call)), []).append((index, number))
    found: dict[Key, Function] = {}
    for (layer, _), keys in groups.items():
        if len(keys) > 1:
            members = [calls[index][number] for index, number in keys]
            name = f"part_{len({id(each) for each in found.values()})}"
            found |= dict.fromkeys(keys, _function(name, layer, members))
    return found


def _function(name: str, layer: str, members: Sequence[Call]) -> Function:
    all_sizes = [dict(_leaves(each.sizes)) for each in members]
    differ = tuple(path for path in all_sizes[0] if len({sizes[path] for sizes in all_sizes}) > 1)
    what = f"{members[0].kernel} of {layer}, for {len(members)} of its parts"
    return Function(name=name, what=what, call=members[0], parameters=differ)


def _kind(call: Call) -> tuple[Any, ...]:
    """What calls of one function agree on; they differ in sizes alone."""
    constants = tuple((each.role, each.values.dtype.name, each.values.tobytes()) for each in call.constants)
    leaves = tuple(_leaves(call.sizes))
    lists = tuple((path, value) for path, value in leaves if isinstance(value, tuple))
    paths = tuple(path for path, _ in leaves)
    return call.kernel, len(call.inputs), bool(call.scratch_bytes), constants, paths, lists


def _leaves(sizes: Mapping[str, Any], inside: Path = ()) -> Iterator[tuple[Path, Any]]:
    for name, value in sizes.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*inside, name))
        else:
            yield (*inside, name), value


def _replaced(sizes: Mapping[str, Any], values: Mapping[Path, Any], inside: Path = ()) -> dict[str, Any]:
    """Sizes with other values at some paths."""
    found: dict[str, Any] = {}
    for name, value in sizes.items():
        path = (*inside, name)
        found[name] = _replaced(value, values, path) if isinstance(value, Mapping) else values.get(path, value)
    return found
