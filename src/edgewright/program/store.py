"""A program on disk: `program.json` (tensors and operations) and `program.safetensors` (arrays). No pickle.

The same program gives the same bytes. What is read is checked as if a stranger had written it: names go into C.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from ..errors import ModelError, first_line
from ..files import json_text, read_tagged, write_atomic
from ..reference.integer import Grid, Window
from .shapes import check
from .types import Operation, Program, Tensor

FORMAT = "edgewright.program/1"
PROGRAM_FILE, ARRAYS_FILE = "program.json", "program.safetensors"
NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
GRID_LIMIT = 2**15  # codes have 16 bits at most
ARRAY_TYPES = {"weight_scale_O": ("float64",), "bias_O": ("int32",)}  # the others are integers of any of these:
INTEGER_TYPES = ("int8", "int16", "int32")


def save_program(program: Program, folder: Path) -> None:
    """Write a program into `folder`, which exists.

    Raises:
        ModelError: a name, grid or array that `load_program` would refuse.
    """
    for name, content in program_files(program).items():
        write_atomic(folder / name, content)


def program_files(program: Program) -> dict[str, bytes]:
    """The contents of the two files, by name.

    Raises:
        ModelError: a name, grid or array that `load_program` would refuse.
    """
    described = _describe(program)
    arrays = {
        f"{operation.output}.{name}": np.ascontiguousarray(array)
        for operation in program.operations
        for name, array in sorted(operation.arrays.items())
    }
    _build(described, arrays)
    return {ARRAYS_FILE: safetensors.numpy.save(arrays), PROGRAM_FILE: json_text(described).encode()}


def load_program(folder: Path) -> Program:
    """The program that `save_program` wrote.

    Raises:
        ModelError: a file is missing or damaged, or what it holds does not fit together.
        DataError: `program.json` is no JSON, or of another version.
    """
    absent = ModelError(f"No program in {folder}: {PROGRAM_FILE} is missing.")
    described = read_tagged(folder / PROGRAM_FILE, FORMAT, absent=absent, remedy="write it again")
    try:
        arrays = safetensors.numpy.load((folder / ARRAYS_FILE).read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"No program in {folder}: {ARRAYS_FILE} is missing.") from error
    except (safetensors.SafetensorError, OSError, ValueError, LookupError, TypeError) as error:
        raise _damaged(folder, error) from error
    try:
        return _build(described, arrays)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Path, error: Exception) -> ModelError:
    reason = first_line(error, typed=True)
    return ModelError(f"The program in {folder} is damaged ({reason}): write it again.")


# -- writing ----------------------------------------------------------------------------------------------------------
def _describe(program: Program) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": program.name,
        "rounding": program.rounding,
        "inputs": list(program.inputs),
        "outputs": list(program.outputs),
        "tensors": [_describe_tensor(tensor) for tensor in program.tensors.values()],
        "operations": [_describe_operation(operation) for operation in program.operations],
    }


def _describe_tensor(tensor: Tensor) -> dict[str, Any]:
    grid = None if tensor.grid is None else _fields(tensor.grid)
    return {"name": tensor.name, "shape": list(tensor.shape), "grid": grid}


def _describe_operation(operation: Operation) -> dict[str, Any]:
    return {
        "kind": operation.kind,
        "inputs": list(operation.inputs),
        "output": operation.output,
        "settings": {name: _plain(operation.settings[name]) for name in sorted(operation.settings)},
        "arrays": sorted(operation.arrays),
    } | ({"layer": operation.layer} if operation.layer else {})


def _plain(value: Any) -> Any:
    return _fields(value) if isinstance(value, Window) else value


def _fields(value: Grid | Window) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


# -- reading ----------------------------------------------------------------------------------------------------------
def _build(described: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Program:
    tensors = [_tensor(each) for each in described["tensors"]]
    operations = tuple(_operation(each, arrays) for each in described["operations"])
    names = [tensor.name for tensor in tensors]
    wanted = {f"{operation.output}.{name}" for operation in operations for name in operation.arrays}
    if len(set(names)) != len(names) or wanted != set(arrays):
        raise ModelError("A tensor or an array of the program is there twice, or belongs to nothing.")
    program = Program(
        name=_name(described["name"]), tensors=dict(zip(names, tensors, strict=True)), operations=operations,
        inputs=tuple(described["inputs"]), outputs=tuple(described["outputs"]),
        rounding=str(described.get("rounding", "single")),
    )  # fmt: skip
    if any(program.tensors[name].grid is None for name in program.inputs) or not program.outputs:
        raise ModelError("A program has outputs, and each of its inputs has a grid.")
    return check(program)


def _name(text: Any) -> str:
    if not isinstance(text, str) or not NAME.fullmatch(text):
        raise ModelError(f"The program holds the name {text!r}: expected a letter, then letters, digits and _.")
    return text


def _tensor(described: Mapping[str, Any]) -> Tensor:
    grid = None if described["grid"] is None else _grid(described["grid"], described["name"])
    return Tensor(name=_name(described["name"]), shape=_sizes(described["shape"]), grid=grid)


def _grid(described: Mapping[str, Any], name: str) -> Grid:
    grid = Grid(
        scale=_number(described["scale"]), **{key: _whole(described[key]) for key in ("zero_point", "low", "high")}
    )
    inside = -GRID_LIMIT <= grid.low <= grid.high < GRID_LIMIT and abs(grid.zero_point) <= GRID_LIMIT
    if not inside or not 0 < grid.scale < float("inf"):
        raise ModelError(f"The tensor {name} has the grid {grid}: expected a positive scale and codes of 16 bits.")
    return grid


def _operation(described: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Operation:
    output = _name(described["output"])
    return Operation(
        kind=str(described["kind"]),
        inputs=tuple(_name(name) for name in described["inputs"]),
        output=output,
        settings={name: READERS[name](value) for name, value in described["settings"].items()},
        arrays={name: _array(name, arrays[f"{output}.{name}"]) for name in described["arrays"]},
        layer=_name(described["layer"]) if "layer" in described else "",
    )


def _array(name: str, array: np.ndarray) -> np.ndarray:
    types = ARRAY_TYPES.get(name, INTEGER_TYPES)
    if array.dtype.name not in types:
        raise ModelError(f"The array {name} of the program is {array.dtype}, expected {' or '.join(types)}.")
    if array.dtype.kind == "f" and not (np.isfinite(array) & (array >= 0)).all():
        raise ModelError(f"The array {name} of the program must be finite and not negative.")
    return array


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is no integer")
    return value


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _positive(value: Any) -> int:
    if _whole(value) < 1:
        raise ValueError(f"{value} is not positive")
    return int(value)


def _natural(value: Any) -> int:
    if _whole(value) < 0:
        raise ValueError(f"{value} is negative")
    return int(value)


def _sign(value: Any) -> int:
    if _whole(value) not in (-1, 1):
        raise ValueError(f"{value} is no sign")
    return int(value)


def _sizes(values: Any) -> tuple[int, ...]:
    return tuple(_positive(value) for value in values)


def _pair(values: Any, read: Callable[[Any], Any]) -> tuple[Any, Any]:
    first, second = values
    return read(first), read(second)


def _slope(value: Any) -> float:
    if not 0 <= _number(value) < float("inf"):
        raise ValueError(f"{value} is no slope")
    return float(value)


def _step(value: Any) -> float:
    if not 0 < _number(value) < float("inf"):
        raise ValueError(f"{value} is no step")
    return float(value)


def _widths(values: Any) -> tuple[tuple[int, int], ...]:
    return tuple(_pair(each, _natural) for each in values)


def _window(described: Mapping[str, Any]) -> Window:
    rows, columns = _widths(described["padding"])
    return Window(
        kernel=_pair(described["kernel"], _positive), stride=_pair(described["stride"], _positive),
        padding=(rows, columns), dilation=_pair(described["dilation"], _positive), ceil=_flag(described["ceil"]),
    )  # fmt: skip


READERS: dict[str, Callable[[Any], Any]] = {
    "window": _window,
    "groups": _positive,
    "sign": _sign,
    "axis": _natural,
    "start": _natural,
    "stop": _positive,
    "include_padding": _flag,
    "slope": _slope,
    "widths": _widths,
    "steps": lambda values: None if values is None else _pair(values, _step),
    "align_corners": _flag,
    "order": lambda values: tuple(_natural(value) for value in values),
}
"""Setting -> how its JSON is read; each complains about a value that could not be."""
