"""How much a model minds losing channels: one coupled group at a time, everything else left whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..progress import SILENT, Progress


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """What happened when `group` alone was cut to `kept` of its classes (`keep` of them).

    `loss` is the distance of the outputs from the whole model's, `score` the percentage of equal decisions.
    """

    group: str
    kept: int
    keep: float
    loss: float
    score: float


Measure = Callable[[Mapping[str, int]], tuple[float, float]]  # group -> classes that stay; to (loss, score)


def scan(
    widths: Mapping[str, int], keeps: Sequence[float], measure: Measure, *, progress: Progress = SILENT
) -> tuple[Sensitivity, ...]:
    """Cut each group alone to each share and measure.

    Args:
        widths: number of classes of each group that can be cut.
        keeps: shares of the classes to keep, in (0, 1).
        measure: cuts, runs and compares; given by the caller, who knows data and task.
    """
    points = [(name, max(1, round(keep * width)), width) for name, width in widths.items() for keep in keeps]
    points = [point for point in dict.fromkeys(points) if point[1] < point[2]]
    found = []
    with progress.task("Sensitivity of each group", total=len(points)) as bar:
        for name, kept, width in points:
            loss, score = measure({name: kept})
            found.append(Sensitivity(group=name, kept=kept, keep=kept / width, loss=loss, score=score))
            bar.advance(detail=name)
    return tuple(found)
