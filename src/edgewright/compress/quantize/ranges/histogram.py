"""Counts of a tensor's values in equal bins whose borders depend on nothing but the values.

The width of a bin is a power of two and bin `i` covers [i * width, (i + 1) * width), so coarse bins are exact unions of
fine ones: a histogram is a function of the *set* of values it has seen, whatever the batches, the order or the merging.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ....errors import ModelError

NUM_BINS = 16384  # more than half of them lie between minimum and maximum
LEAST_EXPONENT = -126  # of the smallest normal float32: smaller values are zeros to every integer grid
CHUNK = 2**20  # values counted at a time; bounds the memory for their bin numbers


class Histogram:
    """Counts of values, over any number of batches, and their exact minimum and maximum.

    Attributes:
        counts: values per bin, float64, `num_bins` of them.
        first: index of the first bin; its lower border is `first * width`.
        exponent: the width of a bin is `2 ** exponent`, the smallest with which `num_bins` bins reach from the minimum
            to the maximum, and no finer than float32 resolves the larger of both.
    """

    def __init__(self, num_bins: int = NUM_BINS) -> None:
        self.minimum, self.maximum = math.inf, -math.inf
        self.counts = torch.zeros(num_bins, dtype=torch.float64)
        self.first, self.exponent = 0, LEAST_EXPONENT

    @property
    def width(self) -> float:
        return 2.0**self.exponent

    @property
    def edges(self) -> torch.Tensor:
        """The `num_bins + 1` borders of the bins, float64."""
        return (self.first + torch.arange(len(self.counts) + 1, dtype=torch.float64)) * self.width

    @property
    def centers(self) -> torch.Tensor:
        """The middle of each bin, float64."""
        return self.edges[:-1] + self.width / 2

    def observe(self, values: torch.Tensor, *, name: str = "A tensor") -> None:
        """Count the values of a batch.

        Args:
            name: what to call the tensor in the error.

        Raises:
            ModelError: a value is NaN or infinite.
        """
        values = values.detach().flatten().float()
        if values.numel() == 0:
            return
        low, high = (bound.item() for bound in values.aminmax())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ModelError(
                f"{name} holds NaN or infinity on the calibration images and cannot be quantized: look for divisions "
                "by zero, exponentials and broken weights on the way to it."
            )
        self._cover(low, high)
        for part in values.split(CHUNK):  # float64: a tiny negative value must not become -0, which is another bin
            bins = part.double().div_(self.width).floor_().sub_(self.first).int()
            self.counts += torch.bincount(bins, minlength=len(self.counts)).to(self.counts.device)

    def _cover(self, low: float, high: float) -> None:
        """Widen and move the bins until they reach from `low` to `high` too."""
        old = (self.counts, self.first, self.exponent)
        self.minimum, self.maximum = min(self.minimum, low), max(self.maximum, high)
        self.exponent = _exponent(self.minimum, self.maximum, len(self.counts))
        self.first = math.floor(self.minimum / self.width)
        if (self.first, self.exponent) != old[1:]:
            self.counts = torch.zeros_like(self.counts)
            self._add(*old)

    def _add(self, counts: torch.Tensor, first: int, exponent: int) -> None:
        """Add the counts of bins that are as fine as these or finer."""
        filled = counts.nonzero().squeeze(1)
        bins = (filled + first >> self.exponent - exponent) - self.first
        self.counts.index_add_(0, bins, counts[filled])

    @classmethod
    def merged(cls, parts: Sequence[Histogram], *, num_bins: int | None = None) -> Histogram:
        """What one histogram of `num_bins` (as many as the first part has) would hold had it seen the values of all.

        Exact as long as no part is coarser than the result, which parts with as many bins or more never are.
        """
        union = cls(num_bins or len(parts[0].counts))
        for part in parts:
            if part.minimum <= part.maximum:
                union._cover(part.minimum, part.maximum)
        for part in parts:
            union._add(part.counts, part.first, part.exponent)
        return union

    def quantile(self, share: float) -> float:
        """The value below which `share` of all values lie, linear within a bin."""
        below = torch.cumsum(self.counts, 0)
        target = share * below[-1].item()
        index = min(int(torch.searchsorted(below, target)), len(self.counts) - 1)
        before = below[index - 1].item() if index else 0.0
        inside = (target - before) / max(self.counts[index].item(), 1.0)
        return min(max((self.first + index + inside) * self.width, self.minimum), self.maximum)


def _exponent(low: float, high: float, num_bins: int) -> int:
    """The smallest exponent of a bin width with which `num_bins` bins hold both values."""
    largest, span = max(abs(low), abs(high)), high - low
    finest = math.frexp(largest)[1] - 24 if largest else LEAST_EXPONENT  # the last bit of a float32 of that size
    guess = math.frexp(span / num_bins)[1] - 2 if span else LEAST_EXPONENT
    exponent = max(finest, guess, LEAST_EXPONENT)
    while math.floor(high / 2.0**exponent) - math.floor(low / 2.0**exponent) >= num_bins:
        exponent += 1
    return exponent
