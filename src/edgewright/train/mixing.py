"""Mixtures of two images whose targets are mixed alike: mixup and CutMix.

torchvision mixes each image with the one before it in the shuffled batch. It draws from torch's global generator of the
CPU, which is therefore lent to it, seeded for the purpose, and put back.
Axes: B images, C channels, H rows, W columns, K classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..seeding import derive

if TYPE_CHECKING:
    from torchvision.transforms.v2 import CutMix, MixUp

    from .settings import Train


class Mixing:
    """Mixes batches as the settings say; where they name both kinds, a coin decides for each batch."""

    def __init__(self, settings: Train, *, num_classes: int, seed: int) -> None:
        self._kinds = _kinds(settings, num_classes)
        self._seed = seed

    def __call__(
        self, inputs_BCHW: torch.Tensor, targets_B: torch.Tensor, *, epoch: int, batch: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The batch mixed, with targets float (B, K) that sum to 1; as it came where the settings name no kind.

        What is drawn follows from the seed, the epoch and the number of the batch alone.
        """
        if not self._kinds:
            return inputs_BCHW, targets_B
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive(self._seed, "train.mix", epoch, batch))
            kind = self._kinds[int(torch.randint(len(self._kinds), ()))]
            mixed, targets_BK = kind(inputs_BCHW, targets_B)
        return mixed, targets_BK


def _kinds(settings: Train, num_classes: int) -> tuple[MixUp | CutMix, ...]:
    from torchvision.transforms import v2

    asked = ((v2.MixUp, settings.mixup), (v2.CutMix, settings.cutmix))
    return tuple(kind(alpha=alpha, num_classes=num_classes) for kind, alpha in asked if alpha is not None)
