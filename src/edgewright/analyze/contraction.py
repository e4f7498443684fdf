"""Multiply-accumulates of an einsum."""

from __future__ import annotations

import math
from collections.abc import Sequence


def einsum_macs(equation: str, shapes: Sequence[tuple[int, ...]]) -> int:
    """MACs of contracting the operands two at a time from the left, which is what torch does without a path library.

    Each pair costs one MAC for every combination of the indices that occur in it; an index that occurs in one operand
    only and is needed no more is summed up before.
    """
    inputs, output = _subscripts(equation, shapes)
    sizes: dict[str, int] = {}
    for letters, shape in zip(inputs, shapes, strict=True):
        for letter, length in zip(letters, shape, strict=True):
            sizes[letter] = max(sizes.get(letter, 1), length)  # an axis of length 1 is broadcast
    total, left = 0, set(inputs[0])
    for position in range(1, len(inputs)):
        right = set(inputs[position])
        later = set(output).union(*inputs[position + 1 :])
        involved = {letter for letter in left | right if letter in later or letter in left & right}
        total += math.prod(sizes[letter] for letter in involved)
        left = {letter for letter in involved if letter in later}
    return total


def _subscripts(equation: str, shapes: Sequence[tuple[int, ...]]) -> tuple[list[list[str]], list[str]]:
    """Index names of each operand and of the output; axes of an ellipsis are called `.0`, `.1` from the right."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    inputs = [_letters(term, len(shape)) for term, shape in zip(left.split(","), shapes, strict=True)]
    dots = sorted({letter for letters in inputs for letter in letters if letter.startswith(".")}, reverse=True)
    if arrow:
        before, ellipsis, after = right.partition("...")
        return inputs, [*before, *(dots if ellipsis else []), *after]
    counts = [letter for letters in inputs for letter in letters if not letter.startswith(".")]
    return inputs, [*dots, *sorted(letter for letter in set(counts) if counts.count(letter) == 1)]


def _letters(term: str, rank: int) -> list[str]:
    before, _, after = term.partition("...")
    hidden = rank - len(before) - len(after)
    return [*before, *(f".{index}" for index in reversed(range(hidden))), *after]
