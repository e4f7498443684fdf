"""Where the random numbers of an epoch come from, and their state in the middle of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..seeding import derive, torch_generator

States = dict[str, torch.Tensor]


@contextmanager
def random_layers(seed: int, epoch: int, device: torch.device) -> Iterator[None]:
    """Dropout can only draw from torch's global generators: seed them for this epoch and put them back afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(derive(seed, "train.dropout", epoch))
        yield


class Draws:
    """The generators that go on through an epoch: augmentation's own, and those that random layers draw from.

    To be made and used inside of `random_layers`.
    """

    def __init__(self, seed: int, epoch: int, device: torch.device) -> None:
        self.augment = torch_generator(seed, "train.augment", epoch)
        self._seed = seed
        self._device = device if device.type == "cuda" else None

    def begin_step(self, *purpose: int) -> None:
        """Let random layers draw anew from here on: what another process of a team draws must not follow from it."""
        torch.manual_seed(derive(self._seed, "train.dropout", *purpose))

    def states(self) -> States:
        """All that has to be known to draw the same numbers from here on."""
        states = {"augment": self.augment.get_state(), "layers": torch.get_rng_state()}
        if self._device is not None:
            states["layers on the accelerator"] = torch.cuda.get_rng_state(self._device)
        return states

    def restore(self, states: States) -> None:
        """Go on from where `states` was taken. Taken on the CPU, they say nothing about draws on an accelerator."""
        self.augment.set_state(states["augment"])
        torch.set_rng_state(states["layers"])
        there = states.get("layers on the accelerator")
        if self._device is not None and there is not None:
            torch.cuda.set_rng_state(there, self._device)
