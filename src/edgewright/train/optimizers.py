"""PyTorch's optimizers, with weight decay on matrices and kernels only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from ..errors import ModelError

Groups = list[dict[str, Any]]
OPTIMIZERS: dict[str, Callable[[Groups, float, float], torch.optim.Optimizer]] = {
    "adamw": lambda groups, lr, momentum: torch.optim.AdamW(groups, lr=lr, betas=(momentum, 0.999)),
    "sgd": lambda groups, lr, momentum: torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=momentum > 0),
}


def make_optimizer(
    parameters: Iterable[nn.Parameter], *, name: str, lr: float, weight_decay: float, momentum: float
) -> torch.optim.Optimizer:
    """The named optimizer over all parameters that want a gradient.

    Parameters with one axis or none (biases, the scales and offsets of norms) are not decayed: they are few, and
    pulling a norm's scale to zero only fights the loss. `momentum` is Adam's first beta.

    Raises:
        ModelError: there is nothing to train.
    """
    trainable = [parameter for parameter in parameters if parameter.requires_grad]
    if not trainable:
        raise ModelError("The model has no trainable parameters: nothing can be learnt.")
    groups = [
        {"params": [each for each in trainable if each.dim() > 1], "weight_decay": weight_decay},
        {"params": [each for each in trainable if each.dim() <= 1], "weight_decay": 0.0},
    ]
    return OPTIMIZERS[name]([group for group in groups if group["params"]], lr, momentum)
