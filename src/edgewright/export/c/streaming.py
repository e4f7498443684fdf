"""Less memory than whole maps need: the blocks, and the rows of their stripes, with which the arena is smallest.

A plan of whole maps cannot be smaller than its fullest operation. A block around that operation in stripes of rows has
no map in it that is ever whole, so the search goes on there, and once more around what is fullest then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import BudgetError
from ...program import Program, macs
from ...program.ordering import in_best_order
from ...program.stripes import Block, block_between, striped
from .calls import calls_of
from .layout import layouts
from .memory import Plan, liveness_bound
from .memory.program import buffers_of
from .placing import placing_of

ROWS = (1, 2, 4, 8)  # of a stripe: fewer rows need less memory and more calls
NUM_BLOCKS = 3  # those with the smallest bounds are planned
PATIENCE = 3  # longer blocks are not tried when the bound has grown so often
MOST_ROUNDS = 3


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A block that was planned in stripes: of `rows` rows of the map `exit`, kept for the next stripe or made again."""

    entry: str
    exit: str
    rows: int
    keep: bool
    arena_bytes: int
    macs: int


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """A program, some of its blocks perhaps in stripes.

    Attributes:
        program: gives the outputs of the one that was asked about, to the bit.
        plan: of its arena.
        whole_bytes: the arena without stripes.
        more_macs: multiply-accumulates beyond those without stripes.
        chosen: the blocks, in the order in which they were found.
        tried: all that were planned.
    """

    program: Program
    plan: Plan
    whole_bytes: int
    more_macs: int
    chosen: tuple[Trial, ...]
    tried: tuple[Trial, ...]

    @property
    def arena_bytes(self) -> int:
        return self.plan.arena_bytes


def fit_memory(program: Program, *, limit_bytes: int | None = None, kernels: str = "portable") -> Streamed:
    """The program with as many stripes as the limit asks for, or with the smallest arena.

    Where branches leave the order of operations free, the one with the smallest peak is taken. What then fits as it is
    stays as it is. Otherwise, of all that fits, the stripes of the most rows are taken, which cost
    the fewest calls; rows are made again, which costs multiply-accumulates, where nothing else fits.

    Args:
        limit_bytes: of the arena; None: as small as it gets.
        kernels: a set of `KERNEL_SETS`, whose scratch counts.

    Raises:
        BudgetError: nothing that was tried fits; names the smallest arena.
    """
    best = in_smaller_order(program, kernels)
    made = _plan(best, kernels)
    whole, chosen, tried = made.arena_bytes, list[Trial](), list[Trial]()
    for _ in range(MOST_ROUNDS):
        if limit_bytes is not None and made.arena_bytes <= limit_bytes:
            break
        found = list(_trials(best, made, kernels, limit_bytes))
        tried += [trial for trial, _, _ in found]
        smaller = [each for each in found if each[0].arena_bytes < made.arena_bytes]
        if not smaller:
            break
        trial, best, made = min(smaller, key=lambda each: _preference(each[0], limit_bytes))
        chosen.append(trial)
    if limit_bytes is not None and made.arena_bytes > limit_bytes:
        raise BudgetError(
            f"{program.name} needs an arena of {made.arena_bytes:,} bytes in stripes ({whole:,} without), got a limit "
            f"of {limit_bytes:,}: give it a smaller input, fewer channels or a larger device."
        )
    more = sum(macs(best).values()) - sum(macs(program).values())
    return Streamed(
        program=best, plan=made, whole_bytes=whole, more_macs=more, chosen=tuple(chosen), tried=tuple(tried)
    )  # fmt: skip


def in_smaller_order(program: Program, kernels: str) -> Program:
    """The program in the order with the smallest peak, where its arena is smaller so."""
    other = in_best_order(program)
    if other is program or _plan(other, kernels).arena_bytes >= _plan(program, kernels).arena_bytes:
        return program
    return other


def _preference(trial: Trial, limit_bytes: int | None) -> tuple[int, ...]:
    """What fits comes first, then no work twice, then the fewest calls; without a limit the smallest arena."""
    if limit_bytes is not None and trial.arena_bytes <= limit_bytes:
        return (0, trial.macs, -trial.rows, trial.arena_bytes)
    return (1, trial.arena_bytes, trial.macs, -trial.rows)


def _trials(
    program: Program, made: Plan, kernels: str, limit_bytes: int | None
) -> Iterator[tuple[Trial, Program, Plan]]:  # fmt: skip
    """The most promising blocks around the fullest operation, planned with stripes of each height."""
    bounds = dict(_bounds(program, made))
    fits = False
    for keep in (True, False):
        for block in sorted(bounds, key=lambda each: (bounds[each], each.first, each.last))[:NUM_BLOCKS]:
            most = made.arena_bytes
            for rows in (each for each in ROWS if each < program.tensors[block.exit].shape[1]):
                slim = striped(program, block, rows=rows, keep=keep)
                planned = _plan(slim, kernels)
                fits = fits or (limit_bytes is not None and planned.arena_bytes <= limit_bytes)
                yield Trial(
                    entry=block.entry, exit=block.exit, rows=rows, keep=keep, arena_bytes=planned.arena_bytes,
                    macs=sum(macs(slim).values()),
                ), slim, planned  # fmt: skip
                if planned.arena_bytes > (most if limit_bytes is None else limit_bytes):
                    break  # taller stripes need more
                most = planned.arena_bytes
        if fits or limit_bytes is None:
            return


def _bounds(program: Program, made: Plan) -> Iterator[tuple[Block, int]]:
    """Blocks around the fullest operation, and their liveness bounds with stripes of one row."""
    count, peak = len(program.operations), made.peak_op
    for first in range(peak + 1):
        best, grown = made.arena_bytes, 0
        for last in range(peak, count):
            block = block_between(program, first, last) if last > first else None
            if block is None:
                continue
            needs = buffers_of(striped(program, block, rows=1))
            bound = liveness_bound(needs.buffers, needs.overlaps).num_bytes
            best, grown = (bound, 0) if bound < best else (best, grown + 1)
            if bound < made.arena_bytes:
                yield block, bound
            if grown >= PATIENCE:
                break


def _plan(program: Program, kernels: str) -> Plan:
    """As `emit` would make it."""
    lying = layouts(program)
    calls = [calls_of(program, operation, lying, kernels=kernels) for operation in program.operations]
    return placing_of(program, calls, lying).plan
