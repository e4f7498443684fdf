"""Random weights that depend on the seed alone and leave the global generator as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..seeding import derive


@contextmanager
def seeded(seed: int, *purpose: str | int) -> Iterator[int]:
    """Draw from `seed` inside the block; yields the seed that torch's CPU generator was given.

    Layers initialize themselves from the global generator, so it is lent out and put back. Only the CPU one is touched
    (`torch.manual_seed` would reach every accelerator's as well).
    """
    value = derive(seed, "init", *purpose)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(value)
        yield value
