"""Bounds, what they allow to go, and the program without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..counts import macs, weights_of
from ..types import Program
from .bounds import Known, bound_program
from .folding import folds_of, is_dense
from .need import OVERFLOW, Channel, Needed, Search
from .removal import misfit, remove
from .report import DeadReport, OperationCut, Stay, reasons

MARGIN = "it is one code here, but may be {0} step more or less elsewhere"


def eliminate_dead(
    program: Program, *, slack: int = 0, whole: Mapping[str, str] | None = None
) -> tuple[Program, DeadReport]:
    """The same program without channels that cannot matter; no output changes by one bit.

    A channel goes when every operation that reads it can do without: it is one number whatever the input (any codes of
    the inputs' grids) and is added to the next layer's bias, or it is read with zero weights, or only by what goes too.
    Inputs and outputs of the program keep their shapes.

    Args:
        slack: steps by which another runtime may round each operation differently: nothing goes that could be two
            codes there.
        whole: tensors all of whose channels stay, and why.

    Returns:
        The program, whose tensors and operations keep their names, and the report.
    """
    known = bound_program(program, slack=slack)
    folds = {each.output: folds_of(each, program, known) for each in program.operations if is_dense(each, program)}
    search = Search(program, known, folds)
    refused: list[tuple[Channel, str]] = [
        ((name, channel), reason)
        for name, reason in (whole or {}).items()
        for channel in range(program.tensors[name].shape[0])
    ]
    needed = search.needed(refused)
    while found := misfit(program, needed.stay, folds):
        name, channel, reader = found
        refused.append(((name, channel), OVERFLOW.format(reader)))
        needed = search.needed(refused)
    slim = remove(program, needed.stay, folds)
    report = _report(program, slim, bound_program(program) if slack else known, needed)
    return slim, replace(report, stays=_with_margins(report.stays, known, slack)) if slack else report


def _with_margins(stays: tuple[Stay, ...], known: Known, slack: int) -> tuple[Stay, ...]:
    """The rows, apart for channels that another rounding could bring to life."""
    rows = []
    for row in stays:
        dead_C = known[row.tensor].dead_C
        for reason, is_dead in ((row.reason, True), (MARGIN.format(slack), False)):
            channels = tuple(each for each in row.channels if bool(dead_C[each]) == is_dead)
            if channels:
                rows.append(replace(row, channels=channels, reason=reason))
    return tuple(rows)


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
