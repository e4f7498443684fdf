"""Sensitivity: how much is lost when one group of channels is made narrower and all others stay whole.

The measurement itself is given by the caller (`measure`), so this room needs no data, task or training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from ..progress import SILENT, Progress


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """What was measured with `keep` of one group's channels; keep 1.0 is the model as it is."""

    group: str
    keep: float
    loss: float  # of the task, mean per sample, lower is better
    score: float | None  # in points, higher is better; None if it was not measured


Measure = Callable[[Mapping[str, float]], tuple[float, float | None]]


def scan(
    groups: Sequence[str],
    keeps: Sequence[float] | Mapping[str, Sequence[float]],
    *,
    measure: Measure,
    progress: Progress = SILENT,
) -> tuple[Sensitivity, ...]:
    """Measure every group at every keep, one group at a time.

    Args:
        groups: names of the groups.
        keeps: shares in (0, 1] to try, the same for all groups or per group. 1.0 is always measured, once.
        measure: {group: keep} -> loss and score of the model with these groups cut and no other.

    Returns:
        Rows group by group, each with falling keep from 1.0.

    Raises:
        ConfigError: a keep is not in (0, 1].
    """
    wanted = {group: _falling(keeps[group] if isinstance(keeps, Mapping) else keeps) for group in groups}
    rows: list[Sensitivity] = []
    with progress.task("Sensitivity", total=1 + sum(len(each) for each in wanted.values())) as bar:
        loss, score = measure({})
        bar.advance()
        for group in groups:
            rows.append(Sensitivity(group=group, keep=1.0, loss=loss, score=score))
            for keep in wanted[group]:
                cut_loss, cut_score = measure({group: keep})
                rows.append(Sensitivity(group=group, keep=keep, loss=cut_loss, score=cut_score))
                bar.advance(detail=group)
    return tuple(rows)


def _falling(keeps: Sequence[float]) -> list[float]:
    for keep in keeps:
        if not 0 < keep <= 1:
            raise ConfigError(f"A keep to scan is a share in (0, 1], got {keep}.")
    return sorted({keep for keep in keeps if keep < 1}, reverse=True)


def rise(rows: Sequence[Sensitivity], group: str, keeps: np.ndarray) -> np.ndarray:
    """The expected rise of the loss at other keeps than those measured.

    Linear between measurements; below the smallest, the last slope goes on. A narrower group never counts as better:
    where noise says so, the rise is held. A loss that is not finite counts as ten times the largest finite rise.

    Raises:
        ConfigError: the group was not scanned, or only at 1.0.
    """
    own = sorted((row for row in rows if row.group == group), key=lambda row: -row.keep)
    if len(own) < 2 or own[0].keep != 1:
        raise ConfigError(f"There is no sensitivity of group '{group}': scan it at 1.0 and at smaller keeps.")
    base = own[0].loss
    finite = [abs(row.loss - base) for row in rows if math.isfinite(row.loss)]
    raw = [row.loss - base if math.isfinite(row.loss) else 10 * max(finite) for row in own]
    rises = np.maximum.accumulate(np.maximum(raw, 0.0))
    measured = np.array([row.keep for row in own])
    slope = (rises[-1] - rises[-2]) / (measured[-2] - measured[-1])
    inside = np.interp(keeps, measured[::-1], rises[::-1])
    return inside + np.maximum(measured[-1] - np.asarray(keeps), 0.0) * slope
