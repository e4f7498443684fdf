"""How much worse the network gets when one layer's weights, or one tensor of activations, has few bits.

One part at a time is put on its grid and all else stays in float: the row is then the effect of that part alone, and
effects of independent roundings add, which is what an allocation relies on. (With the rest at 8 bits each row would
hold the same rounding noise of all others, and its cross terms would hide the small rows.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ....errors import ConfigError
from ....progress import SILENT, Progress
from ....types import Task
from .probe import Kind, Part, Probe

Measure = Callable[[nn.Module], float]  # how bad a model is: higher is worse
Batches = Sequence[tuple[torch.Tensor, Any]]  # inputs and targets
BATCH = 64


@dataclass(frozen=True, kw_only=True)
class BitSensitivity:
    """How much `measure` rises when one part has `bits` and all else is in float."""

    kind: Kind
    name: str  # node of the layer, or of the quantized tensor (the first of those that share a grid)
    bits: int
    rise: float
    measure: str


def sensitivities(
    probe: Probe,
    measure: Measure,
    *,
    bits: dict[Kind, Sequence[int]],
    title: str = "",
    progress: Progress = SILENT,
) -> tuple[BitSensitivity, ...]:
    """Measure every part at every number of bits, one at a time.

    Args:
        probe: the net, and where its grids come from.
        measure: called with the net in each state, and once with all of it in float.
        bits: which to try, by kind of part.
        title: what the measure is called in the rows.

    Returns:
        Rows part by part, weights first, bits falling.

    Raises:
        ConfigError: no bits to try.
    """
    wanted = trials(probe, bits)
    rows = []
    with progress.task("Sensitivity to bits", total=1 + len(wanted)) as bar:
        base = measure(probe.net)
        bar.advance()
        for part, width in wanted:
            with probe.at(part, width) as net:
                rise = measure(net) - base
            rows.append(BitSensitivity(kind=part.kind, name=part.name, bits=width, rise=rise, measure=title))
            bar.advance(detail=part.name)
    return tuple(rows)


def trials(probe: Probe, bits: dict[Kind, Sequence[int]]) -> list[tuple[Part, int]]:
    """Every part with every number of bits, falling.

    Raises:
        ConfigError: there are none.
    """
    found = [
        (part, width)
        for kind, widths in bits.items()
        for part in probe.parts(kind)
        for width in sorted(set(widths), reverse=True)
    ]
    if not found:
        raise ConfigError(f"There is nothing to measure: give bits to try for weights or activations, got {bits}.")
    return found


# --- measures -------------------------------------------------------------------------------------------------------


def output_error(net: nn.Module, images_BCHW: torch.Tensor) -> Measure:
    """Mean squared difference of all outputs from those of `net` as it is now; needs no labels."""
    batches = images_BCHW.split(BATCH)
    want = [flat_outputs(net, batch_BCHW) for batch_BCHW in batches]
    count = sum(each.numel() for each in want)

    def measure(other: nn.Module) -> float:
        pairs = zip(want, (flat_outputs(other, batch_BCHW) for batch_BCHW in batches), strict=True)
        return sum((exact - got).double().square().sum().item() for exact, got in pairs) / count

    return measure


def flat_outputs(net: nn.Module, images_BCHW: torch.Tensor) -> torch.Tensor:
    """All outputs in one vector."""
    with torch.no_grad():
        outputs = net(images_BCHW)
    return torch.cat([each.flatten() for each in (outputs if isinstance(outputs, (tuple, list)) else [outputs])])


def task_loss(task: Task, batches: Batches) -> Measure:
    """The task's loss, mean per sample. It moves with every rounding, where a score of few samples moves in steps."""

    def measure(net: nn.Module) -> float:
        total, count = 0.0, 0
        with torch.no_grad():
            for inputs_BCHW, targets in batches:
                total += float(task.loss(net(inputs_BCHW), targets)) * len(targets)
                count += len(targets)
        return total / count

    return measure


def score_lost(task: Task, batches: Batches) -> Measure:
    """100 less the task's score, in points."""

    def measure(net: nn.Module) -> float:
        metric = task.metric()
        with torch.no_grad():
            for inputs_BCHW, targets in batches:
                metric.update(task.decode(net(inputs_BCHW)), targets)
        return 100.0 - float(metric.compute())

    return measure


def losses_of(rows: Iterable[BitSensitivity]) -> dict[Part, dict[int, float]]:
    """What an allocation minimizes: per part, the rise at each number of bits.

    Fewer bits never count as better: where noise says so, the rise is held. What is not finite is no choice.

    Raises:
        ConfigError: a part has no finite rise.
    """
    table: dict[Part, dict[int, float]] = {}
    for row in sorted(rows, key=lambda row: -row.bits):
        own = table.setdefault(Part(kind=row.kind, name=row.name), {})
        if math.isfinite(row.rise):
            own[row.bits] = max(row.rise, 0.0, *own.values())
    for part, own in table.items():
        if not own:
            raise ConfigError(f"The sensitivity of '{part.name}' is not finite at any number of bits: allow more bits.")
    return table
