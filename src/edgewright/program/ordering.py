"""The order of a program's operations with the smallest peak of live codes, where branches leave it free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .order_search import Problem, Step, search
from .types import Program

MAX_STATES = 20_000
BEAM_WIDTH = 64
SAME_BYTES = frozenset({"reshape"})  # the output is the input's memory


def peak_bytes(program: Program, order: Sequence[int] | None = None) -> int:
    """The largest sum of bytes that an operation finds live, a byte a code, nothing written over anything."""
    problem = _problem(program)
    done, live, peak = 0, sum(problem.sizes[each] for each in problem.inputs), 0
    for index in range(len(program.operations)) if order is None else order:
        step = problem.steps[index]
        done |= 1 << index
        live += sum(problem.sizes[each] for each in step.born)
        peak = max(peak, live)
        ended = {each for each in step.touched if each not in problem.kept and not problem.users[each] & ~done}
        live -= sum(problem.sizes[each] for each in ended)
    return peak


def in_best_order(program: Program) -> Program:
    """The program with its operations in the order of the smallest peak; itself where no other is smaller.

    Every operation computes what it did. Exact up to `MAX_STATES` sets of done operations, a beam search beyond.
    """
    peak = peak_bytes(program)
    found = search(_problem(program), below=peak, max_states=MAX_STATES, beam_width=BEAM_WIDTH)
    if found.order is None:
        return program
    return replace(program, operations=tuple(program.operations[index] for index in found.order))


def _problem(program: Program) -> Problem:
    """Operations as steps, tensors as numbered buffers."""
    owner = {name: name for name in program.inputs}
    for operation in program.operations:
        shares = operation.kind in SAME_BYTES
        owner[operation.output] = owner[operation.inputs[0]] if shares else operation.output
    number = {name: index for index, name in enumerate(dict.fromkeys(owner.values()))}
    made = {operation.output: index for index, operation in enumerate(program.operations)}
    steps, users = [], dict.fromkeys(number.values(), 0)
    for index, operation in enumerate(program.operations):
        output = owner[operation.output]
        touched = tuple(dict.fromkeys(number[owner[name]] for name in (*operation.inputs, operation.output)))
        for each in touched:
            users[each] |= 1 << index
        needs = sum(1 << made[name] for name in dict.fromkeys(operation.inputs) if name in made)
        born = (number[output],) if output == operation.output else ()
        steps.append(Step(needs=needs, born=born, touched=touched))
    return Problem(
        steps=tuple(steps), users=users, sizes={number[name]: program.tensors[name].num_values for name in number},
        inputs=tuple(number[name] for name in program.inputs),
        kept=frozenset(number[owner[name]] for name in program.outputs),
    )  # fmt: skip
