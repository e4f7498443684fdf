"""The range whose grid makes the least squared error on the values seen.

The error is that of the very grid which the range leads to (widened to hold 0, zero point rounded, ends moved by it),
computed from the histogram with the values of a bin spread evenly over it, in closed form and for many ranges at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .histogram import Histogram
from .observation import Observation

RESOLUTION = 4096  # bins that an error is summed over
SHRINK = 2.0 ** (-torch.arange(64, dtype=torch.float64) / 6)  # 1 down to 1/1448: heavy tails need the small end
ZOOM = (0.12, 0.04, 0.013)  # half widths of the last searches, relative; the first spans one step of SHRINK

Range = tuple[float, float]


def squared_errors(seen: Observation, ranges_K2: torch.Tensor, *, bits: int) -> torch.Tensor:
    """Mean squared error of the affine grids of `bits` that cover K ranges, float64, one per range.

    Args:
        ranges_K2: lower and upper bounds, float64.
    """
    histogram = Histogram.merged([seen.histogram], num_bins=RESOLUTION)
    counts = histogram.counts.clone()
    if seen.num_zero:
        counts[-histogram.first] -= seen.num_zero  # 0 is on every grid: no error, while its neighbours have one
    scale_K1, zero_point_K1 = _grids(ranges_K2, bits)
    error_KE = _error_up_to(histogram.edges / scale_K1 + zero_point_K1, top=2**bits - 1)
    per_bin = error_KE.diff(dim=1) * (scale_K1**3 / histogram.width)
    return (per_bin @ counts) / seen.count


def _grids(ranges_K2: torch.Tensor, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scales and zero points (codes from 0), shape (K, 1), as `affine_spec` computes them for one range."""
    low_K1, high_K1 = ranges_K2[:, :1].clamp(max=0), ranges_K2[:, 1:].clamp(min=0)
    top = 2**bits - 1
    scale_K1 = ((high_K1 - low_K1) / top).float().double()
    scale_K1 = torch.where(scale_K1 > 0, scale_K1, torch.ones_like(scale_K1))
    return scale_K1, (-low_K1 / scale_K1).round().clamp(0, top)


def _error_up_to(position: torch.Tensor, *, top: int) -> torch.Tensor:
    """The integral of (p - nearest code)**2 dp from -1/2 to `position`, codes 0 to `top`.

    A code that is passed contributes 1/12, the last one (p - code)**3 / 3 + 1/24; this holds beyond the ends as well.
    """
    code = position.round().clamp_(0, top)
    return (position - code).pow_(3).div_(3).add_(code, alpha=1 / 12).add_(1 / 24)


def mse_range(seen: Observation, *, bits: int, others: Sequence[Range] = ()) -> Range:
    """The range of least squared error: never more than that of the whole range, nor of any of the `others`.

    Both ends shrink together, then one by one, then both are refined in ever smaller squares.
    """
    whole = (min(seen.minimum, 0.0), max(seen.maximum, 0.0))
    best = _best_of(seen, [whole, *others, *_scaled(whole, SHRINK, SHRINK)], bits)
    ones, sides = torch.ones_like(SHRINK), [side for side in (0, 1) if whole[side] != 0]
    for _ in range(2 if len(sides) == 2 else 0):
        for side in sides:
            factors = (SHRINK, ones) if side == 0 else (ones, SHRINK)
            start = (whole[0], best[1]) if side == 0 else (best[0], whole[1])
            best = _best_of(seen, [best, *_scaled(start, *factors)], bits)
    for half in ZOOM:
        factor = 1 + half * torch.linspace(-1, 1, 9, dtype=torch.float64)
        low, high = (each.flatten() for each in torch.meshgrid(factor, factor, indexing="ij"))
        around = [_inside(each, whole) for each in _scaled(best, low, high)]
        best = _best_of(seen, [best, *dict.fromkeys(around)], bits)
    return best


def _scaled(bounds: Range, low_factors: torch.Tensor, high_factors: torch.Tensor) -> list[Range]:
    return [
        (bounds[0] * low, bounds[1] * high)
        for low, high in zip(low_factors.tolist(), high_factors.tolist(), strict=True)
    ]


def _inside(bounds: Range, whole: Range) -> Range:
    return max(bounds[0], whole[0]), min(bounds[1], whole[1])


def _best_of(seen: Observation, ranges: Sequence[Range], bits: int) -> Range:
    errors = squared_errors(seen, torch.tensor(ranges, dtype=torch.float64), bits=bits)
    return ranges[int(errors.argmin())]
