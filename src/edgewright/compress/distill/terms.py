"""The table of what a student can imitate. A new kind is one entry, a field of `Distill` and one test.

answers          soft (Hinton 2015), decoupled (Zhao 2022)
feature maps     features (same names and shapes), hints (Romero 2015), attention (Zagoruyko and Komodakis 2017)
embeddings       relational (Park 2019): the last map averaged over its places, or the answers where there is none
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from ...losses import attention_distance, decoupled_loss, relation_loss, soft_target_loss
from .regressors import regressed
from .taps import Pair, map_distance

if TYPE_CHECKING:
    from .stage import Distill

Maps = Mapping[str, torch.Tensor]  # name of the node -> (B, C, H, W)


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """Where to look: fixed for a training. `shared` are names, `pairs` are pairs, `ends` the last map of each."""

    settings: Distill
    shared: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()
    ends: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What both models make of one batch. `companion` holds the regressors, in the order of the pairs."""

    student_BK: torch.Tensor
    teacher_BK: torch.Tensor
    targets: torch.Tensor
    student_maps: Maps
    teacher_maps: Maps
    companion: nn.Module | None


Term = Callable[[Seen, Look], torch.Tensor]


def _soft(seen: Seen, look: Look) -> torch.Tensor:
    return soft_target_loss(seen.student_BK, seen.teacher_BK, temperature=look.settings.temperature)


def _decoupled(seen: Seen, look: Look) -> torch.Tensor:
    settings = look.settings
    return decoupled_loss(
        seen.student_BK, seen.teacher_BK, seen.targets, temperature=settings.temperature, non_target=settings.non_target
    )


def _features(seen: Seen, look: Look) -> torch.Tensor:
    return map_distance(
        [seen.student_maps[name] for name in look.shared], [seen.teacher_maps[name] for name in look.shared]
    )


def _hints(seen: Seen, look: Look) -> torch.Tensor:
    layers: Sequence[nn.Module] = seen.companion  # type: ignore[assignment]
    guided = [
        regressed(layer, seen.student_maps[pair.student], pair) for layer, pair in zip(layers, look.pairs, strict=True)
    ]
    return map_distance(guided, [seen.teacher_maps[pair.teacher] for pair in look.pairs])


def _attention(seen: Seen, look: Look) -> torch.Tensor:
    found = [
        attention_distance(seen.student_maps[pair.student], seen.teacher_maps[pair.teacher]) for pair in look.pairs
    ]
    return torch.stack(found).mean()


def _relational(seen: Seen, look: Look) -> torch.Tensor:
    if look.ends is None:
        return relation_loss(seen.student_BK, seen.teacher_BK)
    ours, theirs = look.ends
    return relation_loss(seen.student_maps[ours].mean((2, 3)), seen.teacher_maps[theirs].mean((2, 3)))


TERMS: Mapping[str, Term] = {
    "soft": _soft,
    "decoupled": _decoupled,
    "features": _features,
    "hints": _hints,
    "attention": _attention,
    "relational": _relational,
}
PAIRED = ("hints", "attention")  # terms that need feature maps of both models
