"""Calls of one kernel as one function of C: its code is there once, whatever the calls.

What the calls differ in, sizes and tables, are its arguments; all else stays constants of the code. The parts of one
layer share a function always, for they differ in their rows at most. Where flash is favored all calls of a kernel do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...program import Program
from .multipliers import Constant
from .scene import Call
from .text import Name, c_type, lines_of

Key = tuple[int, int]  # an operation, and one of its calls
Path = tuple[str, ...]  # names of the structs around a size, and its own
MOST_ARGUMENTS = 3  # sizes that are passed as such: more of them take less code as a table


@dataclass(frozen=True, kw_only=True)
class Function:
    """A kernel with its constants, for several operations.

    Attributes:
        call: one of those that share it.
        parameters: sizes that differ between the calls.
        roles: constants of `call` that differ, by their number.
    """

    name: str
    what: str
    call: Call
    parameters: tuple[Path, ...]
    roles: tuple[int, ...] = ()

    @property
    def sizes(self) -> str:
        names = {path: Name(name) for path, name in zip(self.parameters, self._names, strict=True)}
        return lines_of(_replaced(self.call.sizes, names))

    @property
    def has_table(self) -> bool:
        """Whether the sizes come as one array."""
        return len(self.parameters) > MOST_ARGUMENTS

    @property
    def inputs(self) -> list[str]:
        return [f"x{index}" for index in range(len(self.call.inputs))]

    @property
    def scratch(self) -> list[str]:
        return ["scratch"] if self.call.scratch_bytes else []

    @property
    def declared(self) -> str:
        codes = [f"const int8_t *{name}" for name in self.inputs]
        tables = [f"const {c_type(each.values)} *{each.role}" for each in self._varying]
        written = [f"int8_t *{name}" for name in (*self.scratch, "y")]
        numbers = ["const int32_t *size"] if self.has_table else [f"int32_t {name}" for name in self._names]
        return ", ".join([*codes, *tables, *written, *numbers])

    def tables(self, known: Sequence[str]) -> list[str]:
        """What is passed to the kernel: the tables by their names, or by those of the function's parameters."""
        return [
            self.call.constants[index].role if index in self.roles else name for index, name in enumerate(known)
        ]  # fmt: skip

    def varying(self, known: Sequence[str]) -> list[str]:
        """Of a call's tables those that are passed to the function."""
        return [known[index] for index in self.roles]

    def numbers(self, call: Call) -> list[str]:
        """The sizes that a call passes."""
        found = dict(_leaves(call.sizes))
        return [str(found[path]) for path in self.parameters]

    @property
    def _varying(self) -> list[Constant]:
        return [self.call.constants[index] for index in self.roles]

    @property
    def _names(self) -> list[str]:
        if self.has_table:
            return [f"size[{index}]" for index in range(len(self.parameters))]
        return ["_".join(path) for path in self.parameters]


def functions_of(program: Program, calls: Sequence[tuple[Call, ...]], *, shared: bool = False) -> dict[Key, Function]:
    """The function of each call that shares one.

    Args:
        shared: among all calls of a kernel; otherwise among those of the parts of one layer.
    """
    groups: dict[Any, list[Key]] = {}
    for index, (operation, own) in enumerate(zip(program.operations, calls, strict=True)):
        for number, call in enumerate(own):
            if shared:
                groups.setdefault(_kernel(call), []).append((index, number))
            elif operation.layer:
                groups.setdefault((operation.layer, _kernel(call), _values(call)), []).append((index, number))
    found: dict[Key, Function] = {}
    for keys in (each for each in groups.values() if len(each) > 1):
        members = [calls[index][number] for index, number in keys]
        layer = program.operations[keys[0][0]].layer
        where = f"{len(keys)} calls" if shared else f"{len(keys)} of the parts of {layer}"
        name = f"{program.name}_{'shared' if shared else 'part'}_{len({id(each) for each in found.values()})}"
        found |= dict.fromkeys(keys, _function(name, f"{members[0].kernel} for {where}", members))
    return found


def _function(name: str, what: str, members: Sequence[Call]) -> Function:
    all_sizes = [dict(_leaves(each.sizes)) for each in members]
    differ = tuple(path for path in all_sizes[0] if len({sizes[path] for sizes in all_sizes}) > 1)
    first = members[0]
    roles = tuple(
        index for index in range(len(first.constants)) if len({_values(each)[index] for each in members}) > 1
    )  # fmt: skip
    return Function(name=name, what=what, call=first, parameters=differ, roles=roles)


def _kernel(call: Call) -> tuple[Any, ...]:
    """What calls of one function agree on; they differ in sizes and tables alone."""
    types = tuple((each.role, each.values.dtype.name) for each in call.constants)
    leaves = tuple(_leaves(call.sizes))
    lists = tuple((path, value) for path, value in leaves if isinstance(value, tuple))
    paths = tuple(path for path, _ in leaves)
    return call.kernel, len(call.inputs), bool(call.scratch_bytes), types, paths, lists


def _values(call: Call) -> tuple[bytes, ...]:
    return tuple(each.values.tobytes() for each in call.constants)


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
