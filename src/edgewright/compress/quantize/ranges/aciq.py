"""Analytical clipping: the range of least expected error for a Gauss or a Laplace distribution, whichever fits.

Source: Banner et al. 2019, "Post training 4-bit quantization of convolutional networks for rapid-deployment" (ACIQ).
Values beyond +-a are clipped, the 2**M steps between round with noise step**2 / 12. For a spread (sigma, b) of 1:

    Laplace  error = 2 exp(-a) + a**2 / (3 * 4**M)              least at a = W(3 * 4**M)     (W: Lambert's function)
    Gauss    error = (1 + a**2) erfc(a / sqrt 2) - sqrt(2 / pi) a exp(-a**2 / 2) + a**2 / (3 * 4**M)

A grid of codes -(2**(M-1) - 1) ... 2**(M-1) - 1, as weights have, is one step short of that model and coarser: its own
error and optimum (`grid_error`, `grid_optimum`) are exact and differ much below 5 bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from .observation import Observation

# b / sigma at which both distributions, fitted by their moments, have the same likelihood: 2 b e = sigma sqrt(2 pi e).
# A Laplace distribution has .7071, a Gaussian .7979.
EQUALLY_LIKELY = math.sqrt(math.pi / (2 * math.e))


@dataclass(frozen=True, kw_only=True)
class Bell:
    """A distribution of mean 0 and spread 1, symmetric around 0.

    Attributes:
        clipping: what clipping to [-a, a] adds to the squared error.
        slope: its derivative by a.
        tails: the integrals of p(x), x p(x) and x**2 p(x) from a to infinity.
    """

    clipping: Callable[[float], float]
    slope: Callable[[float], float]
    tails: Callable[[float], tuple[float, float, float]]


def _gauss_tails(a: float) -> tuple[float, float, float]:
    density, beyond = math.exp(-(a**2) / 2) / math.sqrt(2 * math.pi), math.erfc(a / math.sqrt(2)) / 2
    return beyond, density, a * density + beyond


def _gauss_clipping(a: float) -> float:
    beyond, first, second = _gauss_tails(a)
    return 2 * (second - 2 * a * first + a**2 * beyond)


def _gauss_slope(a: float) -> float:
    beyond, first, _ = _gauss_tails(a)
    return 4 * (a * beyond - first)


def _laplace_tails(a: float) -> tuple[float, float, float]:
    half = math.exp(-a) / 2
    return half, (a + 1) * half, (a**2 + 2 * a + 2) * half


BELLS = {
    "gauss": Bell(clipping=_gauss_clipping, slope=_gauss_slope, tails=_gauss_tails),
    "laplace": Bell(
        clipping=lambda a: 2 * math.exp(-a), slope=lambda a: -2 * math.exp(-a), tails=_laplace_tails
    ),
}  # fmt: skip


def model_error(bell: str, a: float, *, bits: int) -> float:
    """Expected squared error of 2**bits steps on [-a, a], as the paper models it; a in units of the spread."""
    return BELLS[bell].clipping(a) + a**2 / (3 * 4**bits)


@cache
def model_optimum(bell: str, *, bits: int) -> float:
    """The a of least `model_error`, in units of the spread (sigma, or b of a Laplace distribution)."""
    slope = BELLS[bell].slope
    low, high = 0.0, 64.0  # the slope of the error rises with a: clipping is convex
    for _ in range(64):
        a = (low + high) / 2
        low, high = (low, a) if slope(a) + 2 * a / (3 * 4**bits) > 0 else (a, high)
    return (low + high) / 2


def grid_error(bell: str, a: float, *, bits: int) -> float:
    """Exact expected squared error of the 2**bits - 1 codes of a symmetric grid that ends at -a and a."""
    top = 2 ** (bits - 1) - 1
    step = a / top
    tails = [BELLS[bell].tails(max(code - 0.5, 0.0) * step) for code in range(top + 1)] + [(0.0, 0.0, 0.0)]
    total = 0.0
    for code, (here, beyond) in enumerate(pairwise(tails)):
        mass, first, second = (h - b for h, b in zip(here, beyond, strict=True))
        total += second - 2 * code * step * first + (code * step) ** 2 * mass
    return 2 * total


@cache
def grid_optimum(bell: str, *, bits: int) -> float:
    """The a of least `grid_error`, in units of the spread, by golden section."""
    ratio = (math.sqrt(5) - 1) / 2
    low, high = 0.5 * model_optimum(bell, bits=bits), 1.1 * model_optimum(bell, bits=bits)
    for _ in range(50):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if grid_error(bell, left, bits=bits) < grid_error(bell, right, bits=bits):
            high = right
        else:
            low = left
    return (low + high) / 2


def aciq_range(seen: Observation, *, bits: int) -> tuple[float, float]:
    """mean +- a * spread, no wider than the values; [0, a * spread] when all have one sign.

    One-sided values are taken for the half of a bell around 0 that a ReLU leaves. Half the bell on 2**bits codes has
    the steps of the whole bell on 2**(bits + 1): the optimum is that of one bit more. Its spread is measured on the
    values that are not 0, so that it does not matter how many the ReLU has cut off.
    """
    if seen.num_zero == seen.count:
        return 0.0, 0.0
    if seen.is_one_sided:
        share = seen.count / (seen.count - seen.num_zero)
        reach = _reach(math.sqrt(share * seen.mean_square), share * abs(seen.mean), bits=bits + 1)
        return max(seen.minimum, -reach), min(seen.maximum, reach)
    reach = _reach(seen.std, seen.mean_abs_deviation, bits=bits)
    return max(seen.minimum, seen.mean - reach), min(seen.maximum, seen.mean + reach)


def _reach(sigma: float, b: float, *, bits: int) -> float:
    if b < EQUALLY_LIKELY * sigma:
        return b * model_optimum("laplace", bits=bits)
    return sigma * model_optimum("gauss", bits=bits)
