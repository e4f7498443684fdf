"""Named random generators: a new caller never shifts another caller's numbers.

A seed for one purpose is derived from the run's seed and the purpose's name, so `("train.shuffle", 3)` draws the
same numbers whether or not anything else in the run drew any. Nothing here touches a global generator.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one named purpose, stable across processes and versions."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def numpy_generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """A NumPy generator for one named purpose."""
    return np.random.default_rng(derive(seed, *purpose))


def torch_generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A CPU torch generator for one named purpose."""
    import torch

    return torch.Generator().manual_seed(derive(seed, *purpose))
