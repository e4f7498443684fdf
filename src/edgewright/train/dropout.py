"""How much a network forgets at each step: its own dropouts set to another share, or one before its head.

Source: Srivastava 2014, Dropout. Before the head and not between the convolutions: dropout just before batch norm
shifts the variance that batch norm has learnt (Li 2019).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from .companion import learners_of
from .transfer import head_layer

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


def begin_dropout(net: nn.Module, share: float | None) -> None:
    """Set the share of values that are dropped in training, in place; None leaves the network as it is.

    A network without a dropout gets one on what its head is given. That one is a hook: it takes part in training
    only, and copies of the network that are made before it do not have it. In a wrapper each learner is a network.

    Raises:
        ModelError: the network has no dropout and does not end in a linear layer or a convolution.
    """
    if share is None:
        return
    for learner in learners_of(net).values():
        own = [part for part in learner.modules() if isinstance(part, DROPOUTS)]
        for part in own:
            part.p = share
        if not own:
            _, layer = head_layer(learner)
            layer.register_forward_pre_hook(_Drop(share))


class _Drop:
    """A hook that drops values of a layer's input while the layer is in training mode."""

    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self, layer: nn.Module, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        features, *others = given
        return (functional.dropout(features, self.share, training=layer.training), *others)
