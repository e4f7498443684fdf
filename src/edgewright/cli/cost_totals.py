"""The lines below a table of `analyze`: the model's totals, and whether it fits the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..analyze.analysis import Analysis
    from ..types import Device


def totals(subject: Analysis) -> list[str]:
    """One fact a line."""
    from ..analyze import total
    from ..report import units

    found, sums = subject.profile, total(subject.profile)
    weights = ", ".join(f"{units.bytes_text(each.weight_bytes)} at {each.dtype}" for each in subject.at_each_dtype)
    least = "at least " if found.unknown else ""
    peak = units.bytes_text(found.peak_ram_bytes)
    facts = [
        ("input", f"{subject.batch} x {'x'.join(map(str, subject.input_shape))} at {subject.dtype}"),
        ("MACs", f"{least}{sums['macs']:,}"),
        ("FLOPs (2 per MAC)", f"{least}{sums['flops']:,}"),
        ("other operations", f"{least}{sums['elementwise']:,}"),
        ("parameters", f"{found.params:,} trainable, {found.buffers:,} in buffers"),
        ("weights", weights),
        ("intensity", f"{units.number_text(sums['intensity_macs_per_byte'] or 0.0)} MACs per byte"),
        ("peak RAM (bound)", f"{peak}{f' at {found.peak_at}' if found.peak_at else ''}"),
        ("alive there", ", ".join(found.peak_tensors)),
    ]
    if subject.device is not None:
        facts += _on_device(subject, subject.device)
    width = max(len(name) for name, _ in facts)
    return [*(f"{name:<{width}}  {value}" for name, value in facts), *_doubts(subject)]


def _doubts(subject: Analysis) -> list[str]:
    """What the totals do not hold, or hold for one input only."""
    texts = []
    if subject.profile.unknown:
        texts.append(f"without a formula, not counted: {', '.join(subject.profile.unknown)}")
    if subject.calls.on_values:
        texts.append(
            "counted on one random image: what runs depends on its values, such as how many boxes the weights keep"
        )
    return texts


def _on_device(subject: Analysis, device: Device) -> list[tuple[str, str]]:
    from ..report import units

    cost, energy = subject.profile.cost, subject.energy()
    share = energy["share_of_data_movement"] if energy else None
    moving = f", {units.share_text(share)} moves data" if share is not None else ""
    if subject.prices_whole_chip:
        moving = ", whole chip"
    return [
        (f"latency on {device.name}", f"{units.seconds_text(cost.latency_s)} ({subject.latency_source()})"),
        (f"energy on {device.name}", f"{units.joules_text(cost.energy_j)} (estimated{moving})"),
    ]


def fits(subject: Analysis) -> list[str]:
    """Each memory of the device, whether the model fits into it, and who is to blame if not."""
    from ..report import units

    texts = []
    for check in subject.fits():
        needed, there = units.bytes_text(check.value), units.bytes_text(check.limit)
        verdict = "fits" if check.passed else f"DOES NOT FIT: {check.blame}"
        texts.append(f"{check.name} of {subject.device.name if subject.device else ''}: {needed} of {there}, {verdict}")
    return texts
