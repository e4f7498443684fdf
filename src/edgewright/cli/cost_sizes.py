"""`analyze --sizes`: the totals of one model at several image sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, EdgewrightError
from .cost_listing import Columns, Listing

if TYPE_CHECKING:
    from ..analyze.analysis import Analysis

SIZE_COLUMNS: Columns = (
    ("pixels", "pixels"), ("macs", "MACs"), ("elementwise", "other ops"), ("activation_bytes", "moved"),
    ("peak_ram_bytes", "peak RAM"), ("latency_s", "latency"), ("energy_j", "energy"), ("note", ""),
)  # fmt: skip


def by_size(subject: Analysis, text: str) -> Listing:
    """The totals at each size; one that the model does not take says so in its row.

    Raises:
        ConfigError: `text` names no sizes, or the model takes none of them.
    """
    rows: list[dict[str, Any]] = []
    for pixels in _pixels(text):
        try:
            rows.append({"pixels": pixels, **_totals_at(subject, pixels)})
        except EdgewrightError as error:
            rows.append({"pixels": pixels, "note": str(error)})
    if all("note" in row for row in rows):
        raise ConfigError(f"{subject.name} takes none of these sizes ({rows[0]['note']})")
    notes = [f"{subject.name} at {subject.dtype}, batch {subject.batch}"]
    if unknown := {name for row in rows for name in row.pop("unknown", ())}:
        notes.append(f"MACs and other operations are at least these: no formula for {', '.join(sorted(unknown))}")
    return Listing(rows=rows, notes=notes)


def _pixels(text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = [0]
    if min(found) < 1:
        raise ConfigError(f"--sizes takes image sizes in pixels, separated by commas, got '{text}': write 128,192,224.")
    return found


def _totals_at(subject: Analysis, pixels: int) -> dict[str, Any]:
    from ..analyze import profile, total

    shape = (subject.input_shape[0], pixels, pixels)
    found = profile(subject.model, input_shape=shape, batch=subject.batch, device=subject.device, dtype=subject.dtype)
    sums = total(found)
    return {key: sums[key] for key, _ in SIZE_COLUMNS if key in sums} | {"unknown": sums["unknown"]}
