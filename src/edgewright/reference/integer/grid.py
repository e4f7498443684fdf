"""The grid of a tensor: which value each integer stands for."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A code q in [low, high] stands for scale * (q - zero_point). Activations have one grid per tensor."""

    scale: float
    zero_point: int
    low: int
    high: int

    @property
    def codes(self) -> np.ndarray:
        """Every code, ascending."""
        return np.arange(self.low, self.high + 1, dtype=np.int64)

    def values(self, codes: np.ndarray) -> np.ndarray:
        """What codes stand for, float64."""
        return self.scale * (np.asarray(codes, dtype=np.int64) - self.zero_point)

    def nearest(self, values: np.ndarray | float) -> np.ndarray:
        """The codes of values: nearest, halves up, saturated."""
        return self.saturate(np.floor(np.asarray(values, dtype=np.float64) / self.scale + 0.5) + self.zero_point)

    def saturate(self, codes: np.ndarray) -> np.ndarray:
        """Codes that are beyond an end become that end."""
        return np.clip(codes, self.low, self.high).astype(np.int64)

    def clamped(self, low: float | None, high: float | None) -> Grid:
        """The part of the grid inside a clamp: a ReLU (low 0) costs nothing, it is where the codes saturate."""
        lowest = self.low if low is None or low == -math.inf else int(self.nearest(low))
        highest = self.high if high is None or high == math.inf else int(self.nearest(high))
        return replace(self, low=lowest, high=max(lowest, highest))
