"""Codes to run a network of maps on: ends of the grid, checkerboards of them, noise, and smooth waves like photographs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgewright.program import Program


def images(program: Program, count: int) -> Iterator[np.ndarray]:
    """Codes of the first input, the same in every run: three constants, then checkerboards, noise and waves in turn."""
    tensor = program.tensors[program.inputs[0]]
    assert tensor.grid is not None, "an input has codes"
    low, high = tensor.grid.low, tensor.grid.high
    rng = np.random.default_rng(0)
    rows, columns = np.indices(tensor.shape[1:]) / tensor.shape[1]
    for index in range(count):
        if index < 3:
            yield np.full(tensor.shape, (low, high, 0)[index])
        elif index % 3 == 0:
            yield rng.choice([low, high], tensor.shape)
        elif index % 3 == 1:
            yield rng.integers(low, high + 1, tensor.shape)
        else:
            waves = [np.sin(rng.uniform(1, 20) * rows + rng.uniform(1, 20) * columns) for _ in range(tensor.shape[0])]
            yield np.rint(high * np.array(waves)).astype(np.int64)
