"""Mixtures of two images whose targets are mixed alike: mixup and CutMix.

torchvision mixes each image with the one before it in the shuffled batch. It draws from torch's global generator of the
CPU, which is therefore lent to it, seeded for the purpose, and put back.
Axes: B images, C channels, H rows, W columns, K classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from ..seeding import derive

if TYPE_CHECKING:
    from torchvision.transforms.v2 import CutMix, MixUp

    from .settings import Train


class Mixing:
    """Mixes batches as the settings say; where they name both kinds, a coin decides for each batch."""

    def __init__(self, settings: Train, *, num_classes: int, seed: int) -> None:
        self._kinds, self._num_classes = _kinds(settings, num_classes), num_classes
        self._smoothing = settings.label_smoothing
        self._seed = seed

    def __call__(
        self, inputs_BCHW: torch.Tensor, targets_B: torch.Tensor, *, epoch: int, batch: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The batch mixed and smoothed, with targets float (B, K) that sum to 1; as it came where neither is asked for.

        What is drawn follows from the seed, the epoch and the number of the batch alone.
        """
        if not self._kinds:
            return inputs_BCHW, smoothed(targets_B, self._smoothing, num_classes=self._num_classes)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive(self._seed, "train.mix", epoch, batch))
            kind = self._kinds[int(torch.randint(len(self._kinds), ()))]
            mixed, targets_BK = kind(inputs_BCHW, targets_B)
        return mixed, smoothed(targets_BK, self._smoothing, num_classes=self._num_classes)


def smoothed(targets: torch.Tensor, share: float, *, num_classes: int) -> torch.Tensor:
    """Targets of which a share is spread evenly over all classes, float (B, K); as they came where it is 0.

    Args:
        targets: class ids int64 (B,), or shares float (B, K).
        share: in [0, 1).

    Source: Szegedy 2016, Rethinking the Inception Architecture, section 7.
    """
    if not share:
        return targets
    shares_BK = targets if targets.is_floating_point() else functional.one_hot(targets, num_classes).float()
    return (1 - share) * shares_BK + share / num_classes


def _kinds(settings: Train, num_classes: int) -> tuple[MixUp | CutMix, ...]:
    from torchvision.transforms import v2

    asked = ((v2.MixUp, settings.mixup), (v2.CutMix, settings.cutmix))
    return tuple(kind(alpha=alpha, num_classes=num_classes) for kind, alpha in asked if alpha is not None)
