"""A module of a loss's own that learns beside the net: it is trained, averaged, checkpointed, and left behind."""

from __future__ import annotations

import copy

import torch
from torch import nn

from ..tasks import device_of


class Accompanied(nn.Module):
    """A net that computes as before, and a companion whose parameters are trained with its own.

    A training that is given this treats both as one: one optimizer, one checkpoint, one moving average.

    Args:
        net: what is trained and scored.
        companion: what the loss reads; not a part of what `forward` computes.
    """

    learners = ("net",)  # see `learners_of`

    def __init__(self, net: nn.Module, companion: nn.Module) -> None:
        super().__init__()
        self.net, self.companion = net, companion

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.net(inputs)  # type: ignore[no-any-return]


def accompanied(net: nn.Module, loss: object) -> nn.Module:
    """`net` with a copy of the loss's `companion` beside it, where its weights are; `net` itself without one."""
    companion = getattr(loss, "companion", None)
    return net if companion is None else Accompanied(net, copy.deepcopy(companion).to(device_of(net)))


def learners_of(net: nn.Module) -> dict[str, nn.Module]:
    """Path -> each network that settings by layer (`freeze`, `rates`, `dropout`) speak of.

    That is `net` itself, under the empty path, or what a wrapper names in its tuple `learners`. The rest of a wrapper
    always learns.
    """
    paths = getattr(net, "learners", None)
    return {path: net.get_submodule(path) for path in paths} if isinstance(paths, tuple) else {"": net}


def inside(path: str, name: str) -> str:
    """The whole name of a part of the learner at `path`; either may be empty."""
    return f"{path}.{name}".strip(".")


def parted(net: nn.Module) -> tuple[nn.Module, nn.Module | None]:
    """The net, and its companion if it has one."""
    return (net.net, net.companion) if isinstance(net, Accompanied) else (net, None)
