"""The order of values: a map of the file has its channels last, one of the program has them first."""

from __future__ import annotations

import numpy as np

from ..building import Builder, add_move
from ..types import Tensor


def in_program(numbers: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Values in the order of the file, in a tensor's shape in the program."""
    if len(shape) != 3:
        return numbers.reshape(shape)
    return numbers.reshape((*shape[1:], shape[0])).transpose(2, 0, 1)


def places_of(shape: tuple[int, ...]) -> np.ndarray:
    """For each value in the order of the file, its place in the flattened tensor of the program."""
    numbers = np.arange(int(np.prod(shape)))
    places = np.empty_like(numbers)
    places[in_program(numbers, shape).ravel()] = numbers
    return places


def moved(builder: Builder, x: Tensor, taken: np.ndarray, *, name: str) -> Tensor | None:
    """The values of `x` that `taken` counts in the order of the file; None where no move of a program makes them so."""
    return add_move(builder, x, places_of(x.shape)[taken], name=name)
