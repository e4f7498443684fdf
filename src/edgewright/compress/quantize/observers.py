"""Ranges: what a tensor's values look like over the calibration set, and which part of them the integers cover.

One pass over the data fills a `Histogram` per tensor; each range method is a function of it. A new method is one
function and one line in `RANGE_METHODS`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ...errors import ModelError

NUM_BINS = 8192  # after the range has doubled, at least half of them still cover the data


class Histogram:
    """Counts of a tensor's values in equal bins, over any number of batches, and their exact minimum and maximum.

    The first batch sets the range; when a later one lies outside, the range doubles towards it and pairs of bins
    merge, so that no count is ever moved across a bin border that remains.
    """

    def __init__(self, num_bins: int = NUM_BINS) -> None:
        self.minimum, self.maximum = float("inf"), float("-inf")
        self.counts = torch.zeros(num_bins, dtype=torch.float64)
        self.start, self.width = 0.0, 0.0  # lower border of the first bin, width of one bin

    def observe(self, values: torch.Tensor) -> None:
        """Count a batch.

        Raises:
            ModelError: a value is NaN or infinite.
        """
        values = values.detach().flatten().float()
        low, high = values.min().item(), values.max().item()
        if not torch.isfinite(torch.tensor([low, high])).all():
            raise ModelError("The model makes NaN or infinity on the calibration images: it cannot be quantized.")
        self.minimum, self.maximum = min(self.minimum, low), max(self.maximum, high)
        if self.width == 0.0:
            self._begin(low, high)
        while low < self.start or high > self.start + self.width * len(self.counts):
            self._widen(downwards=low < self.start)
        bins = ((values.double() - self.start) / self.width).long().clamp_(0, len(self.counts) - 1)
        self.counts += torch.bincount(bins, minlength=len(self.counts))

    def _begin(self, low: float, high: float) -> None:
        span = max(high - low, 1e-6 * max(abs(low), abs(high)), 1e-12)
        self.start, self.width = low, span / len(self.counts)

    def _widen(self, *, downwards: bool) -> None:
        half = len(self.counts) // 2
        merged = self.counts.reshape(half, 2).sum(1)
        empty = torch.zeros_like(merged)
        if downwards:
            self.start -= self.width * len(self.counts)
        self.counts = torch.cat([empty, merged] if downwards else [merged, empty])
        self.width *= 2

    def quantile(self, share: float) -> float:
        """The value below which `share` of all values lie, linear within a bin."""
        below = torch.cumsum(self.counts, 0)
        target = share * below[-1].item()
        index = min(int(torch.searchsorted(below, target)), len(self.counts) - 1)
        before = below[index - 1].item() if index else 0.0
        inside = (target - before) / max(self.counts[index].item(), 1.0)
        return min(max(self.start + (index + inside) * self.width, self.minimum), self.maximum)

    def merged_with(self, others: list[Histogram]) -> Histogram:
        """One histogram of the values of several tensors, at the resolution of the widest."""
        union = Histogram(len(self.counts))
        union.minimum = min(each.minimum for each in [self, *others])
        union.maximum = max(each.maximum for each in [self, *others])
        union._begin(union.minimum, union.maximum)
        for each in [self, *others]:
            centers = each.start + (torch.arange(len(each.counts), dtype=torch.float64) + 0.5) * each.width
            bins = ((centers - union.start) / union.width).long().clamp_(0, len(union.counts) - 1)
            union.counts.index_add_(0, bins, each.counts)
        return union


def whole_range(histogram: Histogram, percentile: float) -> tuple[float, float]:
    """From the smallest to the largest value seen."""
    return histogram.minimum, histogram.maximum


def percentile_range(histogram: Histogram, percentile: float) -> tuple[float, float]:
    """From the (100 - p)th to the pth percentile: what lies outside is clipped."""
    return histogram.quantile(1 - percentile / 100), histogram.quantile(percentile / 100)


RangeMethod = Callable[[Histogram, float], tuple[float, float]]
RANGE_METHODS: dict[str, RangeMethod] = {"minmax": whole_range, "percentile": percentile_range}
