"""What the measurements say in one sentence each: pattern, kernel, time. Nothing is said that was not timed."""

from __future__ import annotations

from collections.abc import Sequence

from .layers import LayerAnswer
from .models import CUT, MASKED, ModelRow


def verdict(layers: Sequence[LayerAnswer], models: Sequence[ModelRow]) -> tuple[str, ...]:
    """Sentences on zeros in the whole model, zeros in single layers, and cut channels."""
    said = [_zeros(_timed(models, MASKED)), _products(layers), _channels(_timed(models, CUT))]
    return tuple(each for each in said if each)


def _timed(models: Sequence[ModelRow], way: str) -> list[ModelRow]:
    return [row for row in models if row.way == way and row.speed_up is not None]


def _zeros(rows: Sequence[ModelRow]) -> str:
    if not rows:
        return ""
    most = max(rows, key=lambda row: row.sparsity)
    moved = "takes the same time" if _same(most) else f"is {most.speed_up:.2f} times as fast"
    return (
        f"Zeros anywhere, dense kernels: with {_percent(most.sparsity)} zeros the model {moved} in "
        f"{_runtime(most)} ({_range(most)}), its file has the same size."
    )


NOISE = 0.05  # of the processor's time: caches that others emptied


def _same(row: ModelRow) -> bool:
    """Whether turns contradict each other, differ by more than the forms, or the processor's time saw no difference."""
    assert row.speed_up is not None and row.speed_up_range is not None and row.latency is not None
    low, high = row.speed_up_range
    waited = row.cpu_speed_up is not None and abs(row.cpu_speed_up - 1) <= NOISE
    return low <= 1 <= high or abs(row.speed_up - 1) <= row.latency.spread or waited


def _products(layers: Sequence[LayerAnswer]) -> str:
    if not layers:
        return ""
    points = [each.break_even for each in layers if each.break_even is not None]
    never = len(layers) - len(points)
    if not points:
        return f"Zeros anywhere, compressed rows: never faster than dense, in none of {len(layers)} layers measured."
    between = (
        _percent(min(points)) if min(points) == max(points) else f"{_percent(min(points))} to {_percent(max(points))}"
    )
    rest = f", never in {never}" if never else ""
    return (
        f"Zeros anywhere, compressed rows: as single matrix products faster than dense from {between} zeros on in "
        f"{len(points)} of {len(layers)} layers{rest}; the runtime has no such kernel for a model."
    )


def _channels(rows: Sequence[ModelRow]) -> str:
    if not rows:
        return ""
    first = min(rows, key=lambda row: row.sparsity)
    pays = "pays" if first.speed_up is not None and first.speed_up > 1 and not _same(first) else "does not pay"
    return (
        f"Whole channels, dense kernels: {_percent(first.sparsity)} of the MACs cut {pays}: {first.speed_up:.2f} times "
        f"as fast in {_runtime(first)} ({_range(first)})."
    )


def _runtime(row: ModelRow) -> str:
    assert row.latency is not None
    return row.latency.runtime


def _range(row: ModelRow) -> str:
    assert row.speed_up_range is not None and row.latency is not None
    low, high = row.speed_up_range
    return f"{low:.2f} to {high:.2f} in {row.latency.turns} turns"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
