"""Where each tensor lies: in a buffer of its own, or as a part of another's, so that no byte has to move.

Maps lie as rows, columns, channels. So a slice of rows is a view into the map that it is cut from, and what makes one
part of a concatenation along the rows can write it straight to its place. What flattens a map, and a reshape that keeps
the order of bytes, is the map itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from ....program import Operation, Program
from ..layout import Shape, around, is_alias

ALIGNMENT = 4  # whole words, so that kernels may read four codes at once


@dataclass(frozen=True, kw_only=True)
class Home:
    """The buffer in which a tensor lies, named after a tensor, and its first byte there."""

    root: str
    at: int


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Bytes [begin, end) of a buffer that a tensor is, needed from operation `first` to `last`."""

    tensor: str
    begin: int
    end: int
    first: int
    last: int

    def meets(self, other: Entry) -> bool:
        """Whether both need some byte in the same operation."""
        together = self.first <= other.last and other.first <= self.last
        return together and self.begin < other.end and other.begin < self.end


@dataclass(frozen=True, kw_only=True)
class Homes:
    """All tensors of a program.

    Attributes:
        of: tensor -> its home.
        entries: buffer -> who needs which of its bytes, and when.
    """

    of: Mapping[str, Home]
    entries: Mapping[str, tuple[Entry, ...]]


def homes_of(program: Program, lying: Mapping[str, Shape], *, in_place: Container[str] = ()) -> Homes:
    """A home for each tensor, in as few buffers as need no byte moved.

    Args:
        in_place: outputs of kernels that can leave them in the very place of their first inputs, of the same size.
    """
    inside, views = _inside(program, lying, in_place)
    of = {name: _followed(name, inside) for name in program.tensors}
    entries: dict[str, list[Entry]] = {}
    for root, entry in _entries(program, of, views):
        entries.setdefault(root, []).append(entry)
    _tie(program, of, entries)
    return Homes(of=of, entries={root: tuple(each) for root, each in entries.items()})


def _followed(name: str, inside: Mapping[str, tuple[str, int]]) -> Home:
    at = 0
    while name in inside:
        name, offset = inside[name]
        at += offset
    return Home(root=name, at=at)


def _inside(
    program: Program, lying: Mapping[str, Shape], in_place: Container[str]
) -> tuple[dict[str, tuple[str, int]], dict[str, str]]:
    """Tensor -> the tensor in which it lies, and how many bytes behind its first; and the views -> their sources."""
    inside: dict[str, tuple[str, int]] = {}
    views: dict[str, str] = {}
    readers = Counter(name for operation in program.operations for name in {*operation.inputs})
    for operation in program.operations:
        source, output = operation.inputs[0], operation.output
        if is_alias(program, operation, lying):
            inside[output], views[output] = (source, 0), source
        elif operation.kind == "slice":
            found = _view(program, operation, lying)
            inside |= found
            views |= dict.fromkeys(found, source)
        elif operation.kind == "concat":
            inside |= _parts(program, operation, lying, inside)
        elif output in in_place and readers[source] == 1 and source not in views and source not in program.outputs:
            inside[output] = (source, 0)
    return inside, views


def _view(program: Program, operation: Operation, lying: Mapping[str, Shape]) -> dict[str, tuple[str, int]]:
    """The output of a slice, where its bytes lie side by side in the input."""
    x, y = (program.tensors[name] for name in (operation.inputs[0], operation.output))
    outer, _, inner = around(x.shape, operation.settings["axis"])
    at = operation.settings["start"] * inner
    plain = outer == 1 and x.grid == y.grid and x.grid is not None and lying[x.name] == x.shape
    return {y.name: (x.name, at)} if plain and at % ALIGNMENT == 0 else {}


def _parts(
    program: Program, operation: Operation, lying: Mapping[str, Shape], inside: Mapping[str, tuple[str, int]]
) -> dict[str, tuple[str, int]]:
    """The parts of a concatenation that can be made at their place: they have memory of their own until now."""
    y = program.tensors[operation.output]
    outer, _, inner = around(y.shape, operation.settings["axis"])
    found, at = {}, 0
    for name in operation.inputs:
        part = program.tensors[name]
        own = name not in inside and name not in program.inputs and operation.inputs.count(name) == 1
        if outer == 1 and own and part.grid == y.grid and lying[name] == part.shape and at % ALIGNMENT == 0:
            found[name] = (y.name, at)
        at += part.shape[operation.settings["axis"]] * inner
    return found


def _entries(
    program: Program, of: Mapping[str, Home], views: Mapping[str, str]
) -> Iterator[tuple[str, Entry]]:  # fmt: skip
    """Each tensor's own; a view's bytes are there since its source was made, and needed until the view is read."""
    first = dict.fromkeys(program.inputs, 0) | {each.output: i for i, each in enumerate(program.operations)}
    last = dict(first)
    for index, operation in enumerate(program.operations):
        for name in operation.inputs if operation.output not in views else ():
            last[name] = index
    last |= dict.fromkeys(program.outputs, max(0, len(program.operations) - 1))
    for name, home in of.items():
        source = name
        while source in views:
            source = views[source]
        begun, num_bytes = first[source], program.tensors[name].num_values
        yield home.root, Entry(
            tensor=name, begin=home.at, end=home.at + num_bytes, first=begun, last=max(begun, last[name])
        )  # fmt: skip


def _tie(program: Program, of: dict[str, Home], entries: dict[str, list[Entry]]) -> None:
    """Give the parts of one layer one buffer, in place, where they are never needed together.

    A stripe then lies where the stripe before it lay, and rows that are kept move to its front.
    """
    shared: dict[tuple[str, bool], str] = {}
    for operation in program.operations:
        root = of[operation.output].root
        if not operation.layer or root != operation.output:
            continue
        home = shared.setdefault((operation.layer, operation.kind == "copy"), root)
        if home != root and not _collide(program, entries[home], entries[root]):
            entries[home] += entries.pop(root)
            of |= {name: Home(root=home, at=each.at) for name, each in of.items() if each.root == root}


def _collide(program: Program, placed: list[Entry], new: list[Entry]) -> bool:
    """Whether two tensors would share bytes while both are needed; a copy may lie over what it copies."""
    return any(
        each.meets(other) and not (other.first == each.last and program.operations[other.first].kind == "copy")
        for each in placed
        for other in new
    )  # fmt: skip
