"""What a score may look at, and how numbers about channels become numbers about classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import fx

from ....data import Data
from ....errors import ConfigError
from ....model import ChannelGroup, ChannelMap
from ....types import Job

Scores = Mapping[str, torch.Tensor]  # group name -> one value per class, float64, larger is kept longer


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """What a score may look at. `job` is None when there is no data at hand."""

    net: fx.GraphModule
    channels: ChannelMap
    seed: int = 0
    job: Job | None = None


def images_of(scoring: Scoring, name: str) -> tuple[Job, Data]:
    """The job and its data, for the score of this name.

    Raises:
        ConfigError: there are no images.
    """
    if scoring.job is None or scoring.job.data is None:
        raise ConfigError(f"The score '{name}' is measured on images and the job has no data: choose 'l2'.")
    return scoring.job, scoring.job.data


def to_mean_one(sizes: torch.Tensor) -> torch.Tensor:
    """The same sizes as a vector with mean 1; zeros stay zeros."""
    return sizes.reshape(-1) / sizes.mean().clamp(min=torch.finfo(torch.float64).tiny)


def gather(group: ChannelGroup, sizes: Mapping[str, torch.Tensor], side: str) -> torch.Tensor:
    """Per class the sum of its channels' sizes in all layers that the group touches on this side."""
    total = torch.zeros(group.num_classes, dtype=torch.float64)
    for member in group.members:
        if member.side == side:
            total += torch.stack([sizes[member.path][list(places)].sum() for places in member.positions])
    return total


def completed(found: Scores, stand_in: Scores) -> Scores:
    """Scores of all groups: those found, and for the others the stand-in's, brought to the mean of those found.

    Within a group the stand-in ranks by its own measure; between groups such a group counts as an average one.
    """
    everything = torch.cat(list(found.values()))
    mean = everything.mean() if everything.numel() else torch.ones(())
    return {name: found[name] if name in found else to_mean_one(each) * mean for name, each in stand_in.items()}
