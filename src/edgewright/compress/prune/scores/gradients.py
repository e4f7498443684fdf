"""Gradients of the task's loss, image by image."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch

from ....seeding import torch_generator
from .scoring import Scoring, images_of

NUM_IMAGES = 128  # of the train split
BATCH = 32  # images that are read together


def gradients(scoring: Scoring, name: str) -> Iterator[tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]]:
    """(weights, gradients) by parameter name for each image, the model as it answers (batch norm does not adapt).

    One image at a time: squares of single gradients estimate the curvature (Fisher), those of their mean vanish in a
    minimum, where a trained model is.

    Raises:
        ConfigError: there are no images, for the score of this name.
    """
    job, data = images_of(scoring, name)
    net = copy.deepcopy(scoring.net).eval()
    weights = {name: each.requires_grad_() for name, each in net.named_parameters()}
    generator = torch_generator(scoring.seed, "prune.gradients")
    for batch, labels in data.batches("train", batch_size=BATCH, generator=generator, num_images=NUM_IMAGES):
        for inputs, targets in zip(batch.split(1), labels.split(1), strict=True):
            loss = job.task.loss(net(inputs).float(), targets)
            found = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
            named = {name: each for name, each in zip(weights, found, strict=True) if each is not None}
            yield {name: each.detach() for name, each in weights.items()}, named
