"""Bounds, what they allow to go, and the program without it."""

from __future__ import annotations

import numpy as np

from ..counts import macs, weights_of
from ..types import Program
from .bounds import Known, bound_program
from .folding import folds_of, is_dense
from .need import OVERFLOW, Channel, Needed, Search
from .removal import misfit, remove
from .report import DeadReport, OperationCut, reasons


def eliminate_dead(program: Program) -> tuple[Program, DeadReport]:
    """The same program without channels that cannot matter; no output changes by one bit.

    A channel goes when every operation that reads it can do without: it is one number whatever the input (any codes of
    the inputs' grids) and is added to the next layer's bias, or it is read with zero weights, or only by what goes too.
    Inputs and outputs of the program keep their shapes.

    Returns:
        The program, whose tensors and operations keep their names, and the report.
    """
    known = bound_program(program)
    folds = {each.output: folds_of(each, program, known) for each in program.operations if is_dense(each, program)}
    search = Search(program, known, folds)
    refused: list[tuple[Channel, str]] = []
    needed = search.needed()
    while found := misfit(program, needed.stay, folds):
        name, channel, reader = found
        refused.append(((name, channel), OVERFLOW.format(reader)))
        needed = search.needed(refused)
    slim = remove(program, needed.stay, folds)
    return slim, _report(program, slim, known, needed)


def _report(program: Program, slim: Program, known: Known, needed: Needed) -> DeadReport:
    macs_before, macs_after = macs(program), macs(slim)
    weights_before, weights_after = weights_of(program), weights_of(slim)
    rows = tuple(
        OperationCut(
            output=each.output,
            kind=each.kind,
            channels_before=len(needed.stay[each.output]),
            channels_after=int(needed.stay[each.output].sum()),
            dead=int(known[each.output].dead_C.sum()) if each.output in known else None,
            macs_before=macs_before[each.output],
            macs_after=macs_after.get(each.output, 0),
            weights_before=weights_before[each.output],
            weights_after=weights_after.get(each.output, 0),
        )
        for each in program.operations
    )
    stays = [row for name in known for row in reasons(known[name].dead_C, needed.why[name], tensor=name)]
    kept = {name: tuple(np.flatnonzero(stay).tolist()) for name, stay in needed.stay.items()}
    return DeadReport(operations=rows, stays=tuple(stays), kept=kept)
