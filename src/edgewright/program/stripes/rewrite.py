"""From a block of whole maps to the same block in stripes of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from ...errors import ConfigError
from ..shapes import check
from ..types import Operation, Program, Tensor
from .blocks import Block
from .rows import ROWS, Span, needed_for


def striped(program: Program, block: Block, *, rows: int, keep: bool = True) -> Program:
    """The program with a block made `rows` rows of its last map at a time; every other tensor stays as it was.

    A stripe needs some rows of the maps inside of the block that the stripe before it has made already: windows reach
    over their neighbours, and the two sides of a residual are not equally far. These are kept, moved to the front of
    the next stripe's rows (line buffers), or made again (patches).

    Args:
        rows: of the block's last map, in each stripe but the last.
        keep: whether rows that the next stripe needs again are kept; otherwise they cost multiply-accumulates.

    Raises:
        ConfigError: `rows` is below 1, or all of the map's.
    """
    height = program.tensors[block.exit].shape[ROWS]
    if not 1 <= rows < height:
        raise ConfigError(f"A stripe of {block.exit} has 1 to {height - 1} of its {height} rows, got {rows}.")
    weaving = _Weaving(program, block, keep)
    for first in range(0, height, rows):
        weaving.stripe((first, min(first + rows, height)))
    weaving.finish()
    operations = (
        *program.operations[: block.first], *weaving.operations, *program.operations[block.last + 1 :],
    )  # fmt: skip
    inner = {each.output for each in program.operations[block.first : block.last]}
    tensors = {name: each for name, each in program.tensors.items() if name not in inner} | weaving.tensors
    return check(replace(program, tensors=tensors, operations=operations))


@dataclass
class _Made:
    """How far a map is made: its rows [0, end) were, of which `tensor` holds [low, end)."""

    end: int = 0
    low: int = 0
    tensor: str = ""
    stripes: list[str] = field(default_factory=list)


class _Weaving:
    """Makes the stripes one after the other and keeps account of the rows."""

    def __init__(self, program: Program, block: Block, keep: bool) -> None:
        self.program, self.block, self.keep = program, block, keep
        self.source = program.operations[block.first : block.last + 1]
        self.operations: list[Operation] = []
        self.tensors: dict[str, Tensor] = {}
        self.made = {each.output: _Made() for each in self.source}
        height = program.tensors[block.entry].shape[ROWS]
        self.made[block.entry] = _Made(end=height, tensor=block.entry)

    def stripe(self, rows: Span) -> None:
        """The operations that make these rows of the last map."""
        held, new = self._spans(rows)
        for operation in self.source:
            name = operation.output
            if name in new:
                self._extend(operation, held[name], new[name])

    def finish(self) -> None:
        """The last map, whole."""
        parts = tuple(self.made[self.block.exit].stripes)
        self.operations.append(
            Operation(kind="concat", inputs=parts, output=self.block.exit, settings={"axis": ROWS})
        )  # fmt: skip

    def _spans(self, rows: Span) -> tuple[dict[str, int], dict[str, Span]]:
        """Of each map the first row that must be held, and the rows to make."""
        wanted: dict[str, list[Span]] = {self.block.exit: [rows]}
        held: dict[str, int] = {self.block.exit: rows[0]}
        new: dict[str, Span] = {}
        for operation in reversed(self.source):
            name = operation.output
            spans = wanted.get(name, [])
            if spans:
                held[name] = min(first for first, _ in spans)
                if self.keep and name != self.block.exit:
                    held[name] = min(held[name], self._next_needed(name))
                end = max(last for _, last in spans)
                begin = max(held[name], self.made[name].end) if self.keep else held[name]
                if begin < end:
                    new[name] = (begin, end)
                    for source in operation.inputs:
                        wanted.setdefault(source, []).append(needed_for(self.program, operation, new[name]).rows)
        return held, new

    def _next_needed(self, name: str) -> int:
        """The first row of a map that the next row of some reader needs."""
        rows = []
        for reader in (each for each in self.source if name in each.inputs):
            end = self.made[reader.output].end
            if end < self.program.tensors[reader.output].shape[ROWS]:
                rows.append(needed_for(self.program, reader, (end, end + 1)).rows[0])
        return min(rows, default=self.program.tensors[name].shape[ROWS])

    def _extend(self, operation: Operation, held: int, new: Span) -> None:
        """Make rows of a map, behind those of it that are kept."""
        name = operation.output
        made = self.made[name]
        kept = self._kept(name, (held, new[0])) if held < new[0] else None
        needed = needed_for(self.program, operation, new)
        inputs = tuple(self._rows_of(source, needed.rows) for source in operation.inputs)
        part = self._add(name, new, replace(needed.operation, inputs=inputs))
        made.stripes.append(part)
        if kept is not None:
            joined = Operation(kind="concat", inputs=(kept, part), output=name, settings={"axis": ROWS})
            part = self._add(name, (held, new[1]), joined)
        made.tensor, made.low, made.end = part, held if kept else new[0], new[1]

    def _kept(self, name: str, rows: Span) -> str:
        source = self._rows_of(name, rows)
        return self._add(name, rows, Operation(kind="copy", inputs=(source,), output=name))

    def _rows_of(self, name: str, rows: Span) -> str:
        """A tensor with exactly these rows of a map."""
        made = self.made[name]
        low, high = made.low, made.end
        assert low <= rows[0] and rows[1] <= high, f"rows {rows} of {name}, of which {(low, high)} are there"
        if rows == (low, high):
            return made.tensor
        settings = {"axis": ROWS, "start": rows[0] - low, "stop": rows[1] - low}
        cut = Operation(kind="slice", inputs=(made.tensor,), output=name, settings=settings)
        return self._add(name, rows, cut)

    def _add(self, name: str, rows: Span, operation: Operation) -> str:
        """An operation on rows of a map, under a name of its own."""
        whole = self.program.tensors[name]
        own = self._free(f"{name}_rows_{rows[0]}_{rows[1]}")
        channels, _, width = whole.shape
        self.tensors[own] = replace(whole, name=own, shape=(channels, rows[1] - rows[0], width))
        self.operations.append(replace(operation, output=own, layer=name))
        return own

    def _free(self, name: str) -> str:
        taken: Sequence[str] = (*self.program.tensors, *self.tensors)
        tried = (name if not number else f"{name}_{number}" for number in count())
        return next(each for each in tried if each not in taken)
