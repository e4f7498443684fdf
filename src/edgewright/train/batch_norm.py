"""Running statistics of batch norm, measured afresh: after a cut they describe channels that are gone."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..data import Data
from ..errors import ConfigError
from ..seeding import torch_generator
from ..tasks import device_of
from .augment import augmentation


def reestimate_batch_norm(
    net: nn.Module, data: Data, *, num_batches: int, seed: int, batch_size: int = 250, augment: str = "none"
) -> nn.Module:
    """A copy of `net`, in eval mode, whose batch norms hold the mean statistics of so many training batches.

    Every batch counts the same (a cumulative mean instead of the moving one); all other layers stay in eval mode.
    `augment` should be what the model was trained with: a model that learned on padded crops loses points with the
    statistics of whole images.

    Raises:
        ConfigError: no batches.
    """
    if num_batches < 1:
        raise ConfigError(f"Batch norm is re-estimated from 1 batch or more, got {num_batches}.")
    measured = copy.deepcopy(net).eval()
    norms = [layer for layer in measured.modules() if isinstance(layer, _BatchNorm) and layer.track_running_stats]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.reset_running_stats()
        layer.momentum = None  # PyTorch's word for a cumulative mean
        layer.train()
    batches = data.batches(
        "train",
        batch_size=batch_size,
        generator=torch_generator(seed, "train.batch_norm"),
        augment=augmentation(augment, torch_generator(seed, "train.batch_norm.augment")),
        num_images=num_batches * batch_size,
    )
    device = device_of(measured)
    with torch.no_grad():
        for inputs, _ in batches if norms else ():
            measured(inputs.to(device, non_blocking=True))
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum
    return measured.eval()
