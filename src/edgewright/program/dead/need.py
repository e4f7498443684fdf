"""Which channels must stay, and why: from what is handed out, backwards, until nothing is added.

A dense layer needs an input channel where one of its kept outputs cannot have it in the bias. Everything else keeps its
channels together: an element's channel goes only with that of its operands, a convolution's group only as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ..types import Operation, Program
from .bounds import Known
from .folding import Folds
from .links import Link, links_of

CALLER_FILLS, CALLER_READS = "the caller fills it", "the caller reads it"
LAST_ONE = "a tensor that is read keeps one channel"
OVERFLOW = "the bias of {0} would not fit into 32 bits"
BORDER = "{0} pads with the value 0, which this channel is not"
GROUP = "{0} has it in a group that stays"
TOGETHER = "{0} joins it with a channel that stays"
ALL = "{0} needs all channels"

Channel = tuple[str, int]


class Needed:
    """The channels (first axis) of each tensor that must stay, and the first reason for each.

    Attributes:
        stay: tensor -> bool per channel.
        why: tensor -> reason per channel, "" for one that can go.
    """

    def __init__(self, program: Program) -> None:
        self.stay = {name: np.zeros(tensor.shape[0], bool) for name, tensor in program.tensors.items()}
        self.why = {name: np.full(tensor.shape[0], "", object) for name, tensor in program.tensors.items()}
        self.changed = False

    def mark(self, name: str, channels: np.ndarray | int | slice, reason: str) -> None:
        """Let channels stay: given by index, as a slice or as a mask."""
        new = np.zeros(len(self.stay[name]), bool)
        new[channels] = True
        new &= ~self.stay[name]
        if new.any():
            self.stay[name] |= new
            self.why[name][new] = reason
            self.changed = True


class Search:
    """Finds what is needed in a program whose bounds and folds are known."""

    def __init__(self, program: Program, known: Known, folds: Mapping[str, Folds]) -> None:
        self.program, self.known, self.folds = program, known, folds
        self.links = {
            each.output: links_of(each, program) for each in program.operations if each.kind not in ("conv", "linear")
        }

    def needed(self, refused: Iterable[tuple[Channel, str]] = ()) -> Needed:
        """The fewest channels that can stay.

        Args:
            refused: channels that must stay besides, with their reasons.
        """
        needed = Needed(self.program)
        for name in self.program.inputs:
            needed.mark(name, slice(None), CALLER_FILLS)
        for name in self.program.outputs:
            needed.mark(name, slice(None), CALLER_READS)
        for (name, channel), reason in refused:
            needed.mark(name, channel, reason)
        self._settle(needed)
        while empty := self.first_empty(needed):
            needed.mark(empty, 0, LAST_ONE)
            self._settle(needed)
        return needed

    def first_empty(self, needed: Needed) -> str | None:
        """A tensor without a channel although an operation that stays reads it; None when there is none."""
        gone: set[str] = set()
        for operation in reversed(self.program.operations):
            name = operation.output
            if needed.stay[name].any():
                continue
            readers = [each for each in self.program.operations if name in each.inputs]
            if not all(each.output in gone or can_drop_input(each) for each in readers):
                return name
            gone.add(name)
        return None

    def _settle(self, needed: Needed) -> None:
        needed.changed = True
        while needed.changed:
            needed.changed = False
            for operation in reversed(self.program.operations):
                self._spread(operation, needed)

    def _spread(self, operation: Operation, needed: Needed) -> None:
        if operation.output in self.folds:
            self._dense(operation, needed)
        elif operation.kind == "conv":
            _grouped(operation, needed)
        elif (links := self.links.get(operation.output)) is None:
            for name in (*operation.inputs, operation.output):
                needed.mark(name, slice(None), ALL.format(operation.output))
        else:
            for link in links:
                _linked(operation, link, needed)

    def _dense(self, operation: Operation, needed: Needed) -> None:
        name = operation.inputs[0]
        read: np.ndarray = ~np.all(self.folds[operation.output].can_IO[:, needed.stay[operation.output]], axis=1)
        needed.mark(name, read & self.known[name].fixed_C, BORDER.format(operation.output))
        needed.mark(name, read, f"{operation.output} reads it")


def can_drop_input(operation: Operation) -> bool:
    """Whether an operation can do without one of its inputs: a concatenation of channels has a part less."""
    return operation.kind == "concat" and operation.settings["axis"] == 0


def _grouped(operation: Operation, needed: Needed) -> None:
    """The groups of a convolution stay equal, so that each goes or stays as a whole."""
    groups, ends = operation.settings["groups"], (operation.inputs[0], operation.output)
    kept_G = np.any([needed.stay[name].reshape(groups, -1).any(1) for name in ends], axis=0)
    for name in ends:
        needed.mark(name, np.repeat(kept_G, len(needed.stay[name]) // groups), GROUP.format(operation.output))


def _linked(operation: Operation, link: Link, needed: Needed) -> None:
    reason = TOGETHER.format(operation.output)
    needed.mark(link.name, link.inputs[needed.stay[operation.output][link.outputs]], reason)
    if not link.shared:
        needed.mark(operation.output, link.outputs[needed.stay[link.name][link.inputs]], reason)
