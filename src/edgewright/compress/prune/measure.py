"""What one narrower group costs in loss and score, on a fixed subset of the train split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ...seeding import torch_generator
from ...train import reestimate_batch_norm
from ...types import Job

if TYPE_CHECKING:
    from .planner import Planner
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
    """Cuts groups and evaluates the rest on fixed images of the train split.

    Batch norms use the statistics of the batch at hand, which stands for re-estimating them after each cut at half the
    work; the model as it is is measured in the same way.
    """

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        job, samples = planner.job, planner.settings.sensitivity_samples
        generator = torch_generator(job.seed, "prune.sensitivity")
        self._batches = list(job.data.batches("train", batch_size=BATCH, generator=generator, num_images=samples))

    def __call__(self, keeps: Mapping[str, float]) -> tuple[float, float]:
        """Mean loss per sample, and score in points."""
        groups = {name: self._planner.channels.group(name) for name in keeps}
        net = self._planner.cut({name: round(keep * groups[name].num_classes) for name, keep in keeps.items()})
        for layer in net.modules():
            if isinstance(layer, _BatchNorm):
                layer.train()
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
