"""What a tensor looks like over the calibration images: everything that any range method asks for, from one pass."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import fx

from ....errors import DataError
from ....model import watch
from ....progress import SILENT, Progress
from ..placement import Plan
from .histogram import Histogram

BATCH = 32  # images at a time: enough to be fast, few enough for the memory of a small machine
DECAY = 0.99  # per image: the average looks back about 100 images (Jacob et al. 2018: "close to 1")


class Observation:
    """Statistics of one tensor.

    Attributes:
        name: of the graph's node, for errors.
        histogram: of all values, with their exact minimum and maximum.
        count: number of values; `num_zero` of them are exactly 0, which every grid holds without error.
        mean: of all values.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.histogram = Histogram()
        self.count = self.num_zero = 0
        self.mean = 0.0
        self._squares = 0.0  # sum of squared distances from the mean
        self._average = (0.0, 0.0)  # smallest and largest value of an image, averaged
        self._weight = 0.0  # of all images in the average; reaches 1

    def see(self, values_B: torch.Tensor) -> None:
        """Take in a batch, images along the first axis.

        Raises:
            ModelError: a value is NaN or infinite.
        """
        if values_B.numel() == 0:
            return
        self.histogram.observe(values_B, name=f"Tensor '{self.name}'" if self.name else "A tensor")
        variance, mean = torch.var_mean(values_B.double() if values_B.numel() < 2 else values_B, correction=0)
        self._pool(values_B.numel(), mean.item(), variance.item() * values_B.numel())
        self.num_zero += values_B.numel() - int(torch.count_nonzero(values_B))
        images = values_B.reshape(max(len(values_B), 1), -1) if values_B.dim() else values_B.reshape(1, 1)
        for low, high in zip(*(bounds.tolist() for bounds in images.float().aminmax(dim=1)), strict=True):
            self._remember(low, high)

    def _pool(self, count: int, mean: float, squares: float) -> None:
        """Pool mean and squared distances with those of other values (Chan et al. 1983, pairwise update)."""
        total, shift = self.count + count, mean - self.mean
        self._squares += squares + shift**2 * self.count * count / total
        self.mean += shift * count / total
        self.count = total

    def _remember(self, low: float, high: float) -> None:
        old_low, old_high = self._average
        self._average = (DECAY * old_low + (1 - DECAY) * low, DECAY * old_high + (1 - DECAY) * high)
        self._weight = DECAY * self._weight + (1 - DECAY)

    @property
    def minimum(self) -> float:
        return self.histogram.minimum

    @property
    def maximum(self) -> float:
        return self.histogram.maximum

    @property
    def std(self) -> float:
        """Standard deviation (of the values seen, not an estimate for others)."""
        return math.sqrt(self._squares / self.count)

    @property
    def mean_square(self) -> float:
        return self._squares / self.count + self.mean**2

    @property
    def mean_abs_deviation(self) -> float:
        """Mean distance from the mean, to the resolution of the histogram."""
        return (self.histogram.counts * (self.histogram.centers - self.mean).abs()).sum().item() / self.count

    @property
    def average_bounds(self) -> tuple[float, float]:
        """Smallest and largest value of an image, exponential moving averages over the images.

        The start of the average at 0 is divided out, so that the first image counts as much as its age allows.
        """
        return self._average[0] / self._weight, self._average[1] / self._weight

    @property
    def is_one_sided(self) -> bool:
        """Whether all values have one sign, as behind a ReLU: the grid then spends all its codes on that side."""
        return self.minimum >= 0 or self.maximum <= 0

    @classmethod
    def merged(cls, parts: Sequence[Observation]) -> Observation:
        """What one observation of the values of all parts would hold; its averaged bounds reach around each part's."""
        union = cls(parts[0].name)
        union.histogram = Histogram.merged([part.histogram for part in parts])
        for part in parts:
            union._pool(part.count, part.mean, part._squares)
            union.num_zero += part.num_zero
        lows, highs = zip(*(part.average_bounds for part in parts), strict=True)
        union._average, union._weight = (min(lows), max(highs)), 1.0
        return union


def observe(
    net: fx.GraphModule, plan: Plan, images_BCHW: torch.Tensor, *, progress: Progress = SILENT
) -> dict[str, Observation]:
    """The observation of each point of the plan over the calibration images; those that share a grid share one.

    Raises:
        DataError: there is no image.
        ModelError: a tensor holds NaN or infinity.
    """
    if len(images_BCHW) == 0:
        raise DataError(
            "There are 0 calibration images, and ranges are measured on at least 1: give some, or quantize the "
            "weights alone."
        )
    observations = {name: Observation(name) for name in plan.points}

    def see(node: fx.Node, values: torch.Tensor) -> None:
        if node.name in observations:
            observations[node.name].see(values)

    batches = images_BCHW.split(BATCH)
    with progress.task("calibrate", len(batches)) as task:
        for batch_BCHW in batches:
            watch(net, batch_BCHW, see)
            task.advance()
    for group in plan.shared:
        observations.update(dict.fromkeys(group, Observation.merged([observations[name] for name in group])))
    return observations
