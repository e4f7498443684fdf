"""The control."""

from __future__ import annotations

import torch

from ....seeding import torch_generator
from .scoring import Scores, Scoring


def random(scoring: Scoring) -> Scores:
    """Chance: the control that every score must beat."""
    return {
        group.name: torch.rand(
            group.num_classes, generator=torch_generator(scoring.seed, "prune.random", group.name), dtype=torch.float64
        )
        for group in scoring.channels.free
    }
