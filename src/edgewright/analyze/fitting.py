"""Does it fit? Weights against flash, peak against RAM, with the operator to blame and the nearest way out."""

from __future__ import annotations

from collections.abc import Sequence

from ..types import Check, Device, ModelProfile
from .memory import Moment


def fit_checks(
    profile: ModelProfile, device: Device, *, moment: Moment, others: Sequence[ModelProfile] = ()
) -> tuple[Check, ...]:
    """One verdict per memory of the device: RAM, and flash where its size is a limit.

    Args:
        profile: of the model for this device.
        device: whose memories count.
        moment: the peak of the profile, with what is alive there.
        others: profiles of the same model at other types; the first that fits is named where this one does not.
    """
    needed = {"RAM": profile.cost.ram_bytes, "flash": profile.cost.flash_bytes}
    limits = {"RAM": device.ram_bytes, "flash": device.flash_bytes}
    blames = {"RAM": _blame_ram(profile, device, moment), "flash": _blame_flash(profile)}
    checks = []
    for name, limit in limits.items():
        value = needed[name]
        if limit is None or value is None:
            continue
        passed = value <= limit
        blame = "" if passed else f"{blames[name]}; {_remedy(name, limit, _usable(name, device, others))}"
        how = f"liveness bound at {profile.dtype}" if name == "RAM" else f"weights at {profile.dtype}, without code"
        checks.append(Check(name=name, passed=passed, value=value, limit=limit, unit="bytes", how=how, blame=blame))
    return tuple(checks)


def _blame_ram(profile: ModelProfile, device: Device, moment: Moment) -> str:
    largest = sorted(moment.live.items(), key=lambda pair: -pair[1])[:3]
    alive = ", ".join(f"{name} ({size:,} bytes)" for name, size in largest)
    loaded = "" if device.kind == "mcu" else f" beside {int(profile.weight_bytes):,} bytes of weights"
    return f"the peak is at {moment.operator}, where {alive} are alive{loaded}"


def _blame_flash(profile: ModelProfile) -> str:
    row = max(profile.rows, key=lambda each: each.weight_bytes)
    share = row.weight_bytes / profile.weight_bytes if profile.weight_bytes else 0.0
    return f"{row.layer or row.name} holds {100 * share:.0f} % of the weights ({int(row.weight_bytes):,} bytes)"


def _usable(name: str, device: Device, others: Sequence[ModelProfile]) -> list[ModelProfile]:
    """Weights can be stored at any type and widened; activations need kernels of theirs."""
    return [each for each in others if name == "flash" or each.dtype in device.macs_per_cycle]


def _remedy(name: str, limit: int, others: Sequence[ModelProfile]) -> str:
    costs = {each.dtype: each.cost.ram_bytes if name == "RAM" else each.cost.flash_bytes for each in others}
    fitting = next((dtype for dtype, value in costs.items() if value is not None and value <= limit), None)
    if fitting:
        return f"at {fitting} it fits"
    return "smaller images help most" if name == "RAM" else "cut its channels (edgewright prune)"
