"""One interface to all heads over very many classes, and a net that has one.

A head maps features (B, D) to scores (B, K), the largest of which decides, and has a `loss` on class ids that need not
look at all K.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from ...errors import ConfigError
from .adaptive import AdaptiveHead
from .hierarchical import HierarchicalHead
from .noise import Noise, log_uniform, unigram
from .sampled import FullHead, SampledHead
from .tree import huffman_tree


class ClassHead(Protocol):
    """What every head does."""

    def __call__(self, features_BD: torch.Tensor) -> torch.Tensor:
        """Scores (B, K)."""
        ...

    def loss(
        self, features_BD: torch.Tensor, targets_B: torch.Tensor, *, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """What training makes small, a scalar; a head that draws does so from `generator`, or from torch's own."""
        ...


@dataclass(frozen=True, kw_only=True)
class HeadShape:
    """What a head is built from.

    Args:
        dim: D, features of a sample.
        num_classes: K.
        counts: how often each class comes, 1 or more each; None where classes are numbered from the most frequent.
        num_drawn: S, classes that a sampling head draws a step.
        seed: of the initial weights.
    """

    dim: int
    num_classes: int
    counts: Sequence[int] | None = None
    num_drawn: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        if self.counts is not None and len(self.counts) != self.num_classes:
            raise ConfigError(f"A head over {self.num_classes} classes got the counts of {len(self.counts)}.")

    def noise(self, power: float = 1.0) -> Noise:
        """By the counts, or by Zipf's law where there are none."""
        return log_uniform(self.num_classes) if self.counts is None else unigram(torch.tensor(self.counts), power=power)


def _sampled(shape: HeadShape, loss: str, power: float = 1.0) -> nn.Module:
    return SampledHead(
        shape.dim, shape.num_classes, loss=loss, num_drawn=shape.num_drawn, noise=shape.noise(power), seed=shape.seed
    )


def _hierarchical(shape: HeadShape) -> nn.Module:
    tree = None if shape.counts is None else huffman_tree(shape.counts)
    return HierarchicalHead(shape.dim, shape.num_classes, tree=tree, seed=shape.seed)


def _adaptive(shape: HeadShape) -> nn.Module:
    """Cut off after a fiftieth and a tenth of the classes; after the tenth alone where there are few features."""
    counts = list(shape.counts or [])
    if counts != sorted(counts, reverse=True):
        raise ConfigError("An adaptive softmax needs classes numbered from the most frequent: sort them by count.")
    tenth, fiftieth = (max(1, shape.num_classes // part) for part in (10, 50))
    cutoffs = sorted({fiftieth, tenth}) if shape.dim >= 4**2 else [tenth]
    return AdaptiveHead(shape.dim, shape.num_classes, cutoffs=cutoffs, seed=shape.seed)


HEADS: Mapping[str, Callable[[HeadShape], nn.Module]] = {
    "full": lambda shape: FullHead(shape.dim, shape.num_classes, seed=shape.seed),
    "adaptive": _adaptive,
    "hierarchical": _hierarchical,
    "sampled": lambda shape: _sampled(shape, "sampled"),
    "nce": lambda shape: _sampled(shape, "nce"),
    "negative": lambda shape: _sampled(shape, "negative", power=0.75),
}


def class_head(name: str, shape: HeadShape) -> Any:
    """The named head, a module that is a `ClassHead`.

    Raises:
        ConfigError: an unknown name, or sizes that make no head.
    """
    if name not in HEADS:
        raise ConfigError(f"A head over classes is one of {', '.join(HEADS)}, got '{name}'.")
    return HEADS[name](shape)


class Headed(nn.Module):
    """A backbone that gives features (B, D), and a head on them; it answers with the head's scores (B, K)."""

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(inputs))


class HeadLoss:
    """The loss of a `Headed` net's own head, in the form that the training loop takes.

    Args:
        net: the one that is trained. Heads whose weights look alike learn by different losses, so a checkpoint is
            named by what the head is.

    Draws come from torch's global generator, which the loop seeds for each epoch: a run that is continued draws the
    same classes.
    """

    def __init__(self, net: Headed) -> None:
        head = net.head
        told = (getattr(head, name, None) for name in ("kind", "num_drawn"))  # of a head that draws
        self.name = " ".join(["head", type(head).__name__, *(str(each) for each in told if each is not None)])

    def __call__(self, net: nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return net.head.loss(net.backbone(inputs).float(), targets)  # type: ignore[operator, union-attr]
