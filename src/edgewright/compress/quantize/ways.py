"""Ways to quantize that a comparison lays side by side, as changes of a stage's settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .build import BEST
from .qat import Qat
from .ranges import RANGE_METHODS

REPAIRED: Mapping[str, tuple[str, ...]] = {
    "equalize": ("equalize",),
    "bias": ("bias",),
    "split": ("split",),
    "rounding": ("rounding",),
    "all but split": ("equalize", "rounding", "bias"),
}


def ways(*, qat: Qat | None = None) -> dict[str, dict[str, Any]]:
    """Name -> settings: each range method alone, the best with each repair, and with training when that is given."""
    alone: dict[str, dict[str, Any]] = {method: {"method": method} for method in (*RANGE_METHODS, BEST)}
    repaired = {f"{BEST} + {name}": {"method": BEST, "repairs": repairs} for name, repairs in REPAIRED.items()}
    trained = {} if qat is None else {f"{BEST} + training": {"method": BEST, "qat": qat}}
    return alone | repaired | trained
