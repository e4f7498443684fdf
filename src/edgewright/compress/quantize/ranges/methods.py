"""The table of range methods: each a function of one observation. A new method is one function and one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ....errors import ConfigError
from ..precision import Precision
from .aciq import aciq_range
from .kl import kl_range
from .mse import mse_range
from .observation import Observation

DEFAULT = Precision()
PERCENTILE = 99.99

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class RangeSettings:
    """What a range depends on beside the values.

    Args:
        bits: of the grid that will cover it.
        percentile: the share of values, in percent, below the upper end of a range (and above the lower).
    """

    bits: int = 8
    percentile: float = PERCENTILE


def whole_range(seen: Observation, settings: RangeSettings) -> Range:
    """From the smallest to the largest value seen: nothing is clipped, one outlier costs all others resolution."""
    return seen.minimum, seen.maximum


def average_range(seen: Observation, settings: RangeSettings) -> Range:
    """From the smallest to the largest value of an image, averaged over images with a decay of .99.

    Source: Jacob et al. 2018, section 3.1.
    """
    return seen.average_bounds


def percentile_range(seen: Observation, settings: RangeSettings) -> Range:
    """From the (100 - p)th to the pth percentile: what lies outside is clipped.

    Source: McKinstry et al. 2018, "Discovering low-precision networks close to full-precision networks".
    """
    share = settings.percentile / 100
    return seen.histogram.quantile(1 - share), seen.histogram.quantile(share)


def least_error_range(seen: Observation, settings: RangeSettings) -> Range:
    """The range whose grid makes the least squared error on the values seen."""
    return mse_range(seen, bits=settings.bits, others=[percentile_range(seen, settings)])


def least_divergence_range(seen: Observation, settings: RangeSettings) -> Range:
    """The range at which the distribution changes least (Migacz 2017)."""
    return kl_range(seen, bits=settings.bits)


def analytic_range(seen: Observation, settings: RangeSettings) -> Range:
    """The range of least error for the Gauss or Laplace distribution that fits (Banner et al. 2019)."""
    return aciq_range(seen, bits=settings.bits)


RangeMethod = Callable[[Observation, RangeSettings], Range]
RANGE_METHODS: dict[str, RangeMethod] = {
    "minmax": whole_range,
    "moving-average": average_range,
    "percentile": percentile_range,
    "mse": least_error_range,
    "kl": least_divergence_range,
    "aciq": analytic_range,
}


def ranges_of(
    observations: Mapping[str, Observation],
    *,
    method: str,
    precision: Precision = DEFAULT,
    percentile: float = PERCENTILE,
) -> dict[str, Range]:
    """The range of each tensor under one method, as found: `affine_spec` widens it to hold 0.

    Args:
        method: a key of `RANGE_METHODS`.
        precision: the bits of each tensor, on which mse, kl and aciq depend.
        percentile: of the percentile method, in (50, 100].

    Raises:
        ConfigError: there is no such method.
    """
    if method not in RANGE_METHODS:
        raise ConfigError(f"Ranges are found by {', '.join(RANGE_METHODS)}, got '{method}'.")
    find, known = RANGE_METHODS[method], {}
    for name, seen in observations.items():
        key = (id(seen), precision.of_point(name))  # tensors with one grid share an observation
        if key not in known:
            known[key] = find(seen, RangeSettings(bits=key[1], percentile=percentile))
    return {name: known[id(seen), precision.of_point(name)] for name, seen in observations.items()}
