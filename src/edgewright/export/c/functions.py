"""Calls of one kernel by the parts of one layer, as one function of C: its code is there once, whatever the parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...program import Program
from .scene import Call
from .text import Name, lines_of

WINDOW = ("window.rows", "window.out_rows", "window.top")
VARYING = {
    "conv": WINDOW, "depthwise": (*WINDOW, "band"), "max_pool": WINDOW, "average_pool": (*WINDOW, "above", "below"),
    "pointwise": ("rows",), "add": ("pair.inner",), "mul": ("pair.inner",), "look_up": ("count",),
    "rescale": ("count",), "leaky_relu": ("count",), "copy": ("count",), "slice": ("outer", "offset"),
    "concat": ("outer", "offset"),
}  # fmt: skip
"""Kernel -> the sizes in which parts that differ by their rows differ; all others stay constants of the code.

The kernels of another set or rounding, such as `dsp/conv` and `add_tflm`, go by the same names.
"""


@dataclass(frozen=True, kw_only=True)
class Function:
    """A kernel with its constants, for several operations.

    Attributes:
        parameters: sizes that differ between the calls.
    """

    name: str
    what: str
    call: Call
    parameters: tuple[str, ...]
    num_calls: int

    @property
    def sizes(self) -> str:
        given = {path: Name(_plain(path)) for path in self.parameters}
        return lines_of(_replaced(self.call.sizes, given))

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
        return ", ".join([*codes, *(f"int32_t {_plain(path)}" for path in self.parameters)])

    def numbers(self, call: Call) -> list[str]:
        """What a call passes for the parameters."""
        return [str(_field(call.sizes, path)) for path in self.parameters]


Key = tuple[int, int]  # an operation, and one of its calls


def functions_of(program: Program, calls: Sequence[tuple[Call, ...]]) -> dict[Key, Function]:
    """The function of each call that shares one; calls of whole layers, and of single parts, have none."""
    groups: dict[Any, list[Key]] = {}
    for index, (operation, own) in enumerate(zip(program.operations, calls, strict=True)):
        for number, call in enumerate(own):
            if operation.layer and _varying(call):
                groups.setdefault((operation.layer, _kind(call)), []).append((index, number))
    found: dict[Key, Function] = {}
    for (layer, _), keys in groups.items():
        if len(keys) > 1:
            members = [calls[index][number] for index, number in keys]
            name = f"part_{len({id(each) for each in found.values()})}"
            found |= dict.fromkeys(keys, _function(name, layer, members))
    return found


def _function(name: str, layer: str, members: Sequence[Call]) -> Function:
    differ = tuple(path for path in _varying(members[0]) if len({_field(each.sizes, path) for each in members}) > 1)
    what = f"{members[0].kernel} of {layer}, for {len(members)} of its parts"
    return Function(name=name, what=what, call=members[0], parameters=differ, num_calls=len(members))


def _kind(call: Call) -> tuple[Any, ...]:
    """What calls of one function agree on."""
    constants = tuple((each.role, each.values.dtype.name, each.values.tobytes()) for each in call.constants)
    sizes = _replaced(call.sizes, dict.fromkeys(_varying(call), 0))
    return call.kernel, len(call.inputs), bool(call.scratch_bytes), constants, lines_of(sizes)


def _varying(call: Call) -> tuple[str, ...]:
    """The paths in which parts may differ, of those that the kernel has."""
    base = call.kernel.rpartition("/")[2].removesuffix("_tflm")
    return tuple(path for path in VARYING.get(base, ()) if _has(call.sizes, path))


def _has(sizes: Mapping[str, Any], path: str) -> bool:
    first, _, rest = path.partition(".")
    return first in sizes and (not rest or _has(sizes[first], rest))


def _field(sizes: Mapping[str, Any], path: str) -> int:
    first, _, rest = path.partition(".")
    return _field(sizes[first], rest) if rest else int(sizes[first])


def _replaced(sizes: Mapping[str, Any], values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Sizes with other values at some paths."""
    found: dict[str, Any] = {}
    for name, value in sizes.items():
        inner = isinstance(value, Mapping)
        found[name] = _replaced(value, values, f"{prefix}{name}.") if inner else values.get(prefix + name, value)
    return found


def _plain(path: str) -> str:
    return path.rpartition(".")[2]
