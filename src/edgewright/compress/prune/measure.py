"""What one narrower group costs in loss and score, on a fixed subset of the train split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import fx, nn

from ...seeding import torch_generator
from ...train import reestimate_batch_norm
from ...types import Job

if TYPE_CHECKING:
    from .plan import Planner
    from .stage import Prune

BATCH = 128  # images; batch norm statistics of fewer are noisy


def refreshed(net: fx.GraphModule, job: Job, settings: Prune) -> fx.GraphModule:
    """The model with batch norms that describe the channels it has now."""
    if not settings.norm_batches:
        return net
    return reestimate_batch_norm(  # type: ignore[return-value]
        net, job.data, num_batches=settings.norm_batches, seed=job.seed, batch_size=BATCH, augment=settings.augment
    )


class Measure:
    """Cuts groups, re-estimates batch norm on other images of the train split, and evaluates."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        job, settings = planner.job, planner.settings
        generator = torch_generator(job.seed, "prune.sensitivity")
        images = settings.sensitivity_samples
        self._batches = list(job.data.batches("train", batch_size=BATCH, generator=generator, num_images=images))

    def __call__(self, keeps: Mapping[str, float]) -> tuple[float, float]:
        """Mean loss per sample, and score in points."""
        planner = self._planner
        counts = {name: round(keep * planner.channels.group(name).num_classes) for name, keep in keeps.items()}
        net = planner.cut(counts)
        if keeps:
            net = refreshed(net, planner.job, planner.settings)
        return self._evaluate(net)

    def _evaluate(self, net: nn.Module) -> tuple[float, float]:
        task, total, count = self._planner.job.task, 0.0, 0
        metric = task.metric()
        with torch.no_grad():
            for inputs, targets in self._batches:
                outputs = net(inputs)
                total += float(task.loss(outputs, targets)) * len(targets)
                count += len(targets)
                metric.update(task.decode(outputs), targets)
        return total / count, float(metric.compute())
