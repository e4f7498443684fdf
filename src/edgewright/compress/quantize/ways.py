"""Ways to quantize that a comparison lays side by side, as changes of a stage's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .build import BEST
from .mixed import Mixed
from .qat import Qat
from .ranges import RANGE_METHODS
from .schemes import Scheme

REPAIRED: Mapping[str, tuple[str, ...]] = {
    "equalize": ("equalize",),
    "bias": ("bias",),
    "split": ("split",),
    "rounding": ("rounding",),
    "all but split": ("equalize", "rounding", "bias"),
}
FROM_NORMS: Mapping[str, tuple[str, ...]] = {
    "analytic bias": ("analytic-bias",),
    "re-estimation": ("reestimate",),
}
HALVES = ("fp16", "bf16")
GROUPS = Scheme(mode="weight-only", granularity="group", group_size=32, symmetric=False)
MIXED_BITS = range(3, 8)  # on average: at 8 nothing is saved, at 2 there is no choice


def ways(*, qat: Qat | None = None) -> dict[str, dict[str, Any]]:
    """Name -> settings: each range method alone, the best with each repair, and with training when that is given."""
    alone: dict[str, dict[str, Any]] = {method: {"method": method} for method in (*RANGE_METHODS, BEST)}
    repaired = {f"{BEST} + {name}": {"method": BEST, "repairs": repairs} for name, repairs in REPAIRED.items()}
    trained = {} if qat is None else {f"{BEST} + training": {"method": BEST, "qat": qat}}
    return alone | repaired | trained


def other_ways(base: Scheme, *, bits: int) -> dict[str, dict[str, Any]]:
    """Name -> settings at a width of weights: repairs by batch normalization; layers with bits of their own; integers
    that are not static.

    Args:
        base: the static scheme beside them; its granularity is theirs, but for the weights in groups.
        bits: of the weights; of mixed ones on average, so that they take no more bytes.
    """
    found: dict[str, dict[str, Any]] = {
        f"{BEST} + {name}": {"method": BEST, "repairs": repairs}
        for name, repairs in FROM_NORMS.items()
        if base.granularity == "channel" or "reestimate" not in repairs  # it takes a scale for each channel
    }
    if bits in MIXED_BITS:
        found["mixed"] = {"method": BEST, "mixed": Mixed(mean_weight_bits=float(bits))}
    found["dynamic"] = {"scheme": replace(base, mode="dynamic")}
    found["weights only"] = {"scheme": replace(base, mode="weight-only")}
    if bits < 8:  # at 8 the whole range of a channel costs nothing
        found["weights only, affine in groups"] = {"scheme": GROUPS}
    return found


def float_ways() -> dict[str, dict[str, Any]]:
    """Name -> settings of the short floats that a file can hold: weights alone, then activations too."""
    stored = {f"{name}, weights only": {"scheme": Scheme(mode="weight-only", format=name)} for name in HALVES}
    return stored | {name: {"scheme": Scheme(format=name)} for name in HALVES}
