"""Transfer learning: a new head on an old network, what its features are worth, and how to train it.

Axes: B images, D features.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from ..data import Data
from ..errors import ConfigError, ModelError
from ..seeding import derive
from ..tasks import device_of
from .freezing import BACKBONE, head_of
from .groups import is_under, levels_of

Net = TypeVar("Net", bound=nn.Module)
SMALL = 100  # images per class below which a data set counts as small: a rule of thumb, not a law
NUM_LEARNT, NUM_JUDGED = 2000, 1000  # images that the neighbours are sought among, and for
NUM_NEIGHBOURS = 5


def head_layer(net: nn.Module) -> tuple[str, nn.Linear | nn.Conv2d]:
    """Path and layer that turns features into answers: the last linear layer or convolution.

    Raises:
        ModelError: the last stage ends in something else.
    """
    stages = head_of(net)
    weights = [name for name, each in net.named_parameters() if each.dim() > 1]
    names = [name for name in weights if any(is_under(name, stage) for stage in stages)]
    path = names[-1].rpartition(".")[0] if names else ""
    layer = net.get_submodule(path) if path else None
    if not isinstance(layer, (nn.Linear, nn.Conv2d)):
        raise ModelError(
            f"The network ends in {type(layer).__name__ if layer else 'no layer with weights'}, and a head is a linear "
            "layer or a convolution: give it one yourself."
        )
    return path, layer


def with_new_head(net: Net, num_classes: int, *, seed: int) -> Net:
    """A copy of `net` whose last layer has random weights and `num_classes` outputs.

    Raises:
        ModelError: the network does not end in a linear layer or a convolution.
    """
    changed = copy.deepcopy(net)
    path, old = head_layer(changed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "train.head"))
        new: nn.Module
        if isinstance(old, nn.Linear):
            new = nn.Linear(old.in_features, num_classes, bias=old.bias is not None)
        else:
            new = nn.Conv2d(
                old.in_channels, num_classes, old.kernel_size, old.stride, old.padding, old.dilation,  # type: ignore[arg-type]
                bias=old.bias is not None,
            )  # fmt: skip
    parent, _, name = path.rpartition(".")
    setattr(changed.get_submodule(parent), name, new.to(device_of(changed)))
    return changed


def features_of(net: nn.Module, inputs: torch.Tensor, *, batch_size: int = 250) -> torch.Tensor:
    """What the head is given for each input, float32 (B, D) on the CPU; maps are averaged over their pixels."""
    _, layer = head_layer(net)
    seen: list[torch.Tensor] = []

    def keep(_: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        features = given[0].detach().float().cpu()
        seen.append(features.flatten(2).mean(2) if features.dim() == 4 else features.flatten(1))

    hook = layer.register_forward_pre_hook(keep)
    modes = [(part, part.training) for part in net.modules()]
    try:
        net.eval()
        with torch.no_grad():
            for part in inputs.split(batch_size):
                net(part.to(device_of(net)))
    finally:
        hook.remove()
        for module, mode in modes:
            module.training = mode
    return torch.cat(seen)


@dataclass(frozen=True, kw_only=True)
class Worth:
    """How well nearest neighbours tell the classes apart, in points: by the network's features and by the pixels."""

    features: float
    pixels: float
    num_images: int  # judged

    @property
    def std_error(self) -> float:
        """Of the difference, at most: as if the two had nothing in common."""
        shares = np.array([self.features, self.pixels]) / 100
        return float(100 * np.sqrt((shares * (1 - shares)).sum() / self.num_images))

    @property
    def is_similar(self) -> bool:
        """Whether the features know more about these images than the pixels do, by two standard errors."""
        return self.features > self.pixels + 2 * self.std_error


def worth_of_features(net: nn.Module, data: Data, *, seed: int) -> Worth:
    """Judge images of val by their five nearest neighbours (cosine) in train, without training anything.

    Raises:
        ModelError: the network does not end in a linear layer or a convolution.
    """
    train, val = (_drawn(data, split, most, seed) for split, most in (("train", NUM_LEARNT), ("val", NUM_JUDGED)))
    by_features = _by_neighbours(*((features_of(net, inputs), labels) for inputs, labels in (train, val)))
    by_pixels = _by_neighbours(*((inputs.flatten(1), labels) for inputs, labels in (train, val)))
    return Worth(features=by_features, pixels=by_pixels, num_images=len(val[1]))


def _drawn(data: Data, split: str, most: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """At most so many images of a split, preprocessed, and their labels."""
    part = data.split(split)
    order = torch.randperm(len(part), generator=torch.Generator().manual_seed(derive(seed, "train.worth", split)))
    chosen = part.take(order[:most])
    return data.preprocess(chosen.images_BCHW), chosen.labels_B


def _by_neighbours(known: tuple[torch.Tensor, torch.Tensor], new: tuple[torch.Tensor, torch.Tensor]) -> float:
    from sklearn.neighbors import KNeighborsClassifier

    (known_BD, known_B), (new_BD, new_B) = known, new
    neighbours = KNeighborsClassifier(min(NUM_NEIGHBOURS, len(known_B)), metric="cosine", algorithm="brute")
    neighbours.fit(known_BD.numpy(), known_B.numpy())
    return 100 * float((neighbours.predict(new_BD.numpy()) == new_B.numpy()).mean())


@dataclass(frozen=True, kw_only=True)
class Advice:
    """One cell of the matrix: how to train, and why."""

    is_small: bool
    is_similar: bool
    changes: Mapping[str, Any]  # of `Train`
    reasons: tuple[str, ...]

    @property
    def flags(self) -> str:
        """The options of `train` that do it."""
        return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in self.changes.items())


def advise_transfer(net: nn.Module, *, images_per_class: float, is_similar: bool, small_below: float = SMALL) -> Advice:
    """Freeze or fine-tune: by how many images there are, and how like those the network has learnt from.

    Args:
        net: already trained, its head old or new.
        images_per_class: in the train split, on average.
        is_similar: `Worth.is_similar`, or what the user knows.
        small_below: what counts as few.

    Raises:
        ConfigError: no number of images would be few.

    Source: Yosinski 2014, How transferable are features in deep neural networks; Kornblith 2019, Do Better ImageNet
    Models Transfer Better; Kumar 2022, Fine-Tuning can Distort Pretrained Features (why few images leave them alone).
    """
    if not small_below > 0:
        raise ConfigError(
            f"small_below must be greater than 0, got {small_below:g}: images per class that count as few."
        )
    is_small = images_per_class < small_below
    size = f"{images_per_class:.0f} images a class count as {'few' if is_small else 'many'} (limit {small_below:.0f})."
    changes, why = _cell(net, is_small, is_similar)
    return Advice(is_small=is_small, is_similar=is_similar, changes=changes, reasons=(size, *why))


def _cell(net: nn.Module, is_small: bool, is_similar: bool) -> tuple[dict[str, Any], tuple[str, ...]]:
    if is_small and is_similar:
        return {"freeze": BACKBONE}, (
            "The features tell these classes apart as they are: only the head has to be learnt.",
            "Few images would move all other weights to fit themselves, and make the features worse.",
        )
    if is_small:
        return {"freeze": ",".join(_lower_half(net)), "layer_decay": 0.7}, (
            "Early stages hold edges and textures that serve any images: they stay.",
            "Late stages are about other classes: they learn, slower the earlier they are.",
            "Few images overfit: augment them, stop early, and compare with --freeze backbone by --folds 5.",
        )
    if is_similar:
        return {"layer_decay": 0.7, "lr": 0.001}, (
            "Enough images to improve every stage, and features good enough to be kept near where they are.",
            "A small rate, smaller still for early stages, does both.",
        )
    return {"lr": 0.003}, (
        "Enough images to learn all stages anew; the old weights are a better start than random ones all the same.",
        "Compare with training from random weights: with this many images the lead of the old ones may be gone.",
    )


def _lower_half(net: nn.Module) -> tuple[str, ...]:
    """The stages of the lower half of the levels below the head."""
    levels = levels_of(net)
    highest = max(levels.values(), default=0)
    return tuple(stage for stage, level in levels.items() if level < highest / 2)
