"""What the templates are filled with."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...program import Operation, Program, Tensor, macs
from ...program.counts import WEIGHTS
from ...program.sums import sum_limits
from ...reference.integer import largest_sums
from ...types import LAYOUT_FORMAT
from .functions import Function, Key, functions_of
from .layout import Shape, axes_in_memory, sizes_in_memory
from .memory.program import scratch_of
from .multipliers import grid_of
from .placing import Placing
from .scene import Call
from .text import array_body, c_type, identifier, lines_of
from .vectors import Vector


@dataclass(frozen=True, kw_only=True)
class Table:
    """A constant array of C."""

    name: str
    values: np.ndarray

    @property
    def type(self) -> str:
        return c_type(self.values)

    @property
    def count(self) -> int:
        return self.values.size

    @property
    def body(self) -> str:
        return array_body(self.values)


@dataclass(frozen=True, kw_only=True)
class Place:
    """An input or output as the caller sees it."""

    role: str
    tensor: Tensor
    function: str
    address: str

    @property
    def macro(self) -> str:
        return self.function.upper()

    @property
    def memory(self) -> Shape:
        return sizes_in_memory(self.tensor.shape)

    @property
    def scale(self) -> str:
        assert self.tensor.grid is not None
        return repr(float(self.tensor.grid.scale))

    @property
    def result(self) -> str:
        """The type of what is pointed at."""
        kind = "float" if self.tensor.grid is None else "int8_t"
        return kind if self.role == "input" else f"const {kind}"

    @property
    def declaration(self) -> str:
        return f"{self.result} *{self.function}(void)"


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """A program, and how each part of it is spelled."""

    program: Program
    lying: Mapping[str, Shape]
    calls: Sequence[tuple[Call, ...]]
    placing: Placing
    vectors: Sequence[Vector]
    kernels: str
    compact: bool = False  # one function for all calls of a kernel

    @property
    def prefix(self) -> str:
        return f"ew_{self.program.name}"

    @cached_property
    def tables(self) -> list[Table]:
        """All constants, in the order of their use; parts of one layer have equal ones once."""
        names = self._table_names.values()
        return [Table(name=name, values=values) for name, values in dict(names).items()]

    @cached_property
    def _table_names(self) -> dict[tuple[str, str, str], tuple[str, np.ndarray]]:
        """Output, part of the call and role -> the table's name and values."""
        found: dict[tuple[str, str, str], tuple[str, np.ndarray]] = {}
        known: dict[tuple[str, str, bytes], str] = {}
        for operation, own in zip(self.program.operations, self.calls, strict=True):
            layer = operation.layer or operation.output
            for part, constant in ((call.part, constant) for call in own for constant in call.constants):
                form = "_".join(each for each in (self.prefix, "{}", part, constant.role) if each)
                name = form.format(identifier(layer))
                name = name if name not in known.values() else form.format(identifier(operation.output))
                key = (form, layer, constant.values.tobytes())
                known.setdefault(key, name)
                found[operation.output, part, constant.role] = known[key], constant.values
        return found

    @property
    def held(self) -> Mapping[str, int]:
        """How often the code holds each kernel: once for each call, or for all calls that share a function."""
        apart = [call for index, own in enumerate(self.calls) for number, call in enumerate(own)
                 if (index, number) not in self.functions]  # fmt: skip
        shared = {each.name: each.call for each in self.functions.values()}.values()
        return Counter(call.kernel for call in (*apart, *shared))

    @cached_property
    def functions(self) -> dict[Key, Function]:
        """Of calls that share one."""
        return functions_of(self.program, self.calls, shared=self.compact)

    @property
    def table_bytes(self) -> int:
        return sum(table.values.nbytes for table in self.tables)

    @property
    def float_bytes(self) -> int:
        """RAM of float outputs, which have memory of their own."""
        return sum(4 * self.program.tensors[name].num_values for name in self.placing.floats)

    @cached_property
    def may_overflow(self) -> tuple[str, ...]:
        """Layers whose sums some input could carry beyond 32 bits."""
        return tuple(
            operation.output
            for operation in self.program.operations
            if operation.kind in WEIGHTS and self._overflows(operation)
        )

    def _overflows(self, operation: Operation) -> bool:
        x, out = grid_of(self.program.tensors[operation.inputs[0]]), self.program.tensors[operation.output].grid
        most = largest_sums(operation.arrays[WEIGHTS[operation.kind]], operation.arrays["bias_O"].astype(np.int64), x)
        return bool((most > sum_limits(operation, x=x, out=out, rounding=self.program.rounding)).any())

    @cached_property
    def places(self) -> list[Place]:
        return [*self._places("input", self.program.inputs), *self._places("output", self.program.outputs)]

    def facts(self) -> dict[str, Any]:
        """The names that the templates use."""
        plan, tensors = self.placing.plan, self.program.tensors
        floats = [tensors[name] for name in self.placing.floats]
        return {
            "name": self.program.name, "prefix": self.prefix, "guard": self.prefix.upper(), "places": self.places,
            "tables": self.tables, "has_tables": bool(self.tables), "table_bytes": self.table_bytes,
            "kernels": sorted({call.kernel for own in self.calls for call in own}),
            "arena_bytes": plan.arena_bytes, "bound_bytes": plan.bound_bytes, "peak_op": plan.peak_op,
            "functions": list({each.name: each for each in self.functions.values()}.values()),
            "function_calls": {each.name: self._kernel_arguments(each) for each in self.functions.values()},
            "offsets": [(identifier(name), offset) for name, offset in plan.offsets.items()], "floats": floats,
            "float_bytes": self.float_bytes, "steps": list(self._steps()),
            "num_macs": sum(macs(self.program).values()), "vectors": list(self._vectors()),
            "may_overflow": self.may_overflow, "kernel_set": self.kernels, "rounding": self.program.rounding,
            "scratch_bytes": max((call.scratch_bytes for own in self.calls for call in own), default=0),
        }  # fmt: skip

    def layout_json(self) -> str:
        """Which tensor each operation makes, and in which order its bytes lie: for whoever compares them."""
        names = [operation.output for operation in self.program.operations]
        facts = {
            "format": LAYOUT_FORMAT,
            "name": self.program.name,
            "kernels": self.kernels,
            "run": f"{self.prefix}_run",
            "inputs": [self._fact(place.tensor, function=place.function) for place in self.places[: self._num_inputs]],
            "operations": [self._fact(self.program.tensors[name]) for name in names],
            "outputs": [self._fact(place.tensor, function=place.function) for place in self.places[self._num_inputs :]],
        }
        return json.dumps(facts, indent=1) + "\n"

    @property
    def _num_inputs(self) -> int:
        return len(self.program.inputs)

    def _fact(self, tensor: Tensor, **more: Any) -> dict[str, Any]:
        lies_as = self.lying[tensor.name]
        return {
            "tensor": tensor.name, "type": "float32" if tensor.grid is None else "int8", "shape": list(tensor.shape),
            "lies_as": list(lies_as), "axes": list(axes_in_memory(len(lies_as))), **more,
        }  # fmt: skip

    def _places(self, role: str, names: Sequence[str]) -> Iterator[Place]:
        for index, name in enumerate(names):
            function = f"{self.prefix}_{role}{f'_{index}' if index else ''}"
            yield Place(role=role, tensor=self.program.tensors[name], function=function, address=self._address(name))

    def _tables_of(self, operation: Operation, call: Call) -> list[str]:
        return [self._table_names[operation.output, call.part, each.role][0] for each in call.constants]

    def _kernel_arguments(self, function: Function) -> list[str]:
        """What a function passes to its kernel."""
        index, number = next(key for key, each in self.functions.items() if each is function)
        operation, call = self.program.operations[index], self.calls[index][number]
        return [*function.inputs, *function.tables(self._tables_of(operation, call)), *function.scratch, "y"]

    def _address(self, name: str) -> str:
        home = self.placing.homes[name]
        if home.root in self.placing.floats:
            return f"numbers_{identifier(home.root)}"
        return f"arena.codes + at_{identifier(home.root)}" + (f" + {home.at}" if home.at else "")

    def _steps(self) -> Iterator[dict[str, Any]]:
        counted = macs(self.program)
        for index, (operation, own) in enumerate(zip(self.program.operations, self.calls, strict=True)):
            output = self.program.tensors[operation.output]
            home = self.placing.homes[output.name]
            offset = self.placing.plan.offsets.get(home.root)
            yield {
                "index": index, "what": self._what(operation), "macs": counted[output.name],
                "calls": [self._call((index, number)) for number in range(len(own))],
                "output": self._address(output.name),
                "num_bytes": output.num_values * (4 if output.grid is None else 1),
                "where": "its own" if offset is None else offset + home.at,
            }  # fmt: skip

    def _call(self, key: Key) -> dict[str, Any]:
        operation, call, function = self.program.operations[key[0]], self.calls[key[0]][key[1]], self.functions.get(key)
        inputs, output = [self._address(name) for name in call.inputs], self._address(operation.output)
        tables = self._tables_of(operation, call)
        if call.scratch_bytes:
            output = f"arena.codes + at_{identifier(scratch_of(operation))}, {output}"
        if function is not None:
            numbers, name = function.numbers(call), f"sizes{call.part}"
            passed = [*inputs, *function.varying(tables), output, *([name] if function.has_table else numbers)]
            return {
                "function": function.name, "arguments": passed, "part": call.part,
                "table": ", ".join(numbers) if function.has_table else None,
            }  # fmt: skip
        return {
            "function": None, "kernel": call.function, "part": call.part, "sizes": lines_of(call.sizes),
            "arguments": [*inputs, *tables, output],
        }  # fmt: skip

    def _what(self, operation: Operation) -> str:
        shown = [f"{name} {self.program.tensors[name].shape}" for name in (*operation.inputs, operation.output)]
        return f"{operation.kind}: {', '.join(shown[:-1])} -> {shown[-1]}"

    def _vectors(self) -> Iterator[dict[str, Any]]:
        inputs, outputs = self.places[: self._num_inputs], self.places[self._num_inputs :]
        for number, vector in enumerate(self.vectors):
            given = [Table(name=f"input_{number}_{at}", values=values) for at, values in enumerate(vector.inputs)]
            wanted = [Table(name=f"expected_{number}_{at}", values=values) for at, values in enumerate(vector.outputs)]
            yield {
                "arrays": [*given, *wanted],
                "inputs": [(place, table.name) for place, table in zip(inputs, given, strict=True)],
                "outputs": [(place, table.name) for place, table in zip(outputs, wanted, strict=True)],
            }
