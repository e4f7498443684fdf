"""Before and after: the handful of numbers that the verdict stands on, each with where it comes from.

"Before" is the trained fp32 model as it entered compression, "after" is the artifact to ship.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..types import COST_LIMITS, LIMITS
from .source import Content, chosen_path, entries, is_judged, mapping, number, text
from .timings import timings
from .units import (
    Formatter,
    bytes_text,
    count_text,
    digits_text,
    joules_text,
    seconds_text,
    times_text,
)

COUNTED = "counted"  # exact, from shapes alone: MACs and params


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One quantity before and after: estimated, modelled, measured or counted. Lower is better except for scores."""

    name: str
    title: str
    before: float | None
    after: float | None
    format: Formatter
    how_before: str
    how_after: str
    limit: float | None = None
    smaller: str = "smaller"
    larger: str = "larger"

    @property
    def before_text(self) -> str:
        return self.format(self.before)

    @property
    def after_text(self) -> str:
        return self.format(self.after)

    @property
    def how(self) -> str:
        """One word when both sides were had in the same way, else both."""
        sides = ((self.how_before, self.before), (self.how_after, self.after))
        known = [how for how, value in sides if value is not None]
        return " → ".join(dict.fromkeys(known))

    @property
    def improved(self) -> bool | None:
        """None when a side is unknown or nothing changed."""
        if self.before is None or self.after is None or self.before == self.after:
            return None
        return self.after < self.before

    @property
    def change(self) -> str:
        """4.12x smaller, 1.30x slower, unchanged; empty when a side is unknown."""
        if not self.before or not self.after:
            return ""
        ratio = self.before / self.after
        if abs(ratio - 1) < 0.0005:
            return "unchanged"
        return f"{times_text(ratio)} {self.smaller}" if ratio > 1 else f"{times_text(1 / ratio)} {self.larger}"

    @property
    def spent(self) -> float | None:
        """Share of the limit that the artifact spends."""
        return None if self.limit is None or self.after is None else self.after / self.limit

    @property
    def limit_text(self) -> str:
        """26.3 % of the 320 KiB allowed."""
        if self.spent is None:
            return ""
        share = f"{digits_text(100 * self.spent)} %" if self.spent >= 0.001 else "less than 0.1 %"
        return f"{share} of the {self.format(self.limit)} allowed"


def limits(content: Content) -> dict[str, float]:
    """The limits in force by cost field: the budget's, and the device's RAM and flash where these are tighter.

    A run that was not judged has none.
    """
    if not is_judged(content):
        return {}
    budget, device = mapping(content, "asked", "budget"), mapping(content, "device")
    found = {}
    for name in COST_LIMITS:
        present = [limit for limit in (number(budget, name), number(device, name)) if limit]
        if present:
            found[name] = min(present)
    return found


def cost_before(content: Content) -> Content:
    return mapping(content, "profile", "before", "cost")


def cost_after(content: Content) -> Content:
    """The final cost: the profile's estimate, overwritten by what the last stage and then the gate know better."""
    found = dict(mapping(content, "profile", "after", "cost"))
    hows = dict(mapping(found, "how"))
    for cost in [mapping(stage, "cost") for stage in chosen_path(content)][-1:]:
        known = {name: value for name, value in cost.items() if name != "how" and number(cost, name) is not None}
        found |= known
        hows |= {name: text(cost, "how", name) or "estimated" for name in known}
    for check in entries(content, "checks"):
        name, value = text(check, "name"), number(check, "value")
        if name in LIMITS and value is not None:
            found[name] = value
            label = text(check, "how").partition(":")[0].partition(" ")[0]
            hows[name] = label if label in ("measured", "modelled") else "estimated"
    return {**found, "how": hows}


COSTS: Sequence[tuple[str, str, Formatter, str, str]] = (
    ("macs", "MACs", count_text, "fewer", "more"),
    ("params", "Parameters", count_text, "fewer", "more"),
    ("ram_bytes", "Peak RAM on the device", bytes_text, "smaller", "larger"),
    ("flash_bytes", "Flash on the device", bytes_text, "smaller", "larger"),
    ("latency_s", "Latency on the device", seconds_text, "faster", "slower"),
    ("energy_j", "Energy per image", joules_text, "less", "more"),
)


def figures(content: Content) -> list[Figure]:
    """All quantities of which at least one side is known, most important first.

    The artifact's file is what fills the flash, and where the runtime ran on the device itself its time is the
    device's: then there is one figure for both, with the limit.
    """
    before, after, allowed = cost_before(content), cost_after(content), limits(content)
    file, runtime = _file_figure(content, allowed), _runtime_figure(content, allowed)
    is_file = file.after is not None and not mapping(content, "firmware", "need")  # C is another form of the file
    covered = {"flash_bytes"} if is_file else set()
    file = file if is_file or file.after is None else replace(file, limit=None)
    covered |= {"latency_s"} if runtime is not None and runs_on_device(content) else set()
    costs = [
        Figure(
            name=name, title=title, format=format_, smaller=smaller, larger=larger, limit=allowed.get(name),
            before=number(before, name), after=number(after, name),
            how_before=_how(before, name), how_after=_how(after, name),
        )
        for name, title, format_, smaller, larger in COSTS
        if name not in covered
    ]  # fmt: skip
    found = [file, *([runtime] if runtime else []), *costs]
    return [figure for figure in found if figure.before is not None or figure.after is not None]


def runs_on_device(content: Content) -> bool:
    """Whether the machine that measured counts as the device: the run then compares estimate and measurement."""
    return number(content, "estimate", "measured_s") is not None


def _how(cost: Content, name: str) -> str:
    return COUNTED if name in ("macs", "params") else text(cost, "how", name) or "estimated"


def _file_figure(content: Content, allowed: Mapping[str, float]) -> Figure:
    artifacts = mapping(content, "artifacts")
    return Figure(
        name="file_bytes", title="Artifact file", format=bytes_text, how_before="measured", how_after="measured",
        before=number(artifacts, "fp32", "bytes"), after=number(artifacts, "int8", "bytes"),
        limit=allowed.get("flash_bytes"),
    )  # fmt: skip


def _runtime_figure(content: Content, allowed: Mapping[str, float]) -> Figure | None:
    """The first setting in which both artifacts were timed."""
    both = [timing for timing in timings(content) if {"fp32", "int8"} <= set(timing.entries)]
    if not both:
        return None
    fp32, int8 = (number(both[0].entries[name], "median_s") for name in ("fp32", "int8"))
    return Figure(
        name="runtime_s", title=f"Latency in {both[0].title}", format=seconds_text, smaller="faster", larger="slower",
        before=fp32, after=int8, how_before="measured", how_after="measured",
        limit=allowed.get("latency_s") if runs_on_device(content) else None,
    )  # fmt: skip
