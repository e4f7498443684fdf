"""Losses of networks that make images: against a judge, and of textures.

A judge D gives logits z, real > 0 > made. For the judge (real, made) and for the maker:

    saturating       judge: -log σ(z_real) - log(1 - σ(z_made))       maker: log(1 - σ(z_made))
    non-saturating   judge: the same                                  maker: -log σ(z_made)
    least squares    judge: ((z_real - 1)² + z_made²) / 2             maker: (z_made - 1)² / 2
    hinge            judge: max(0, 1 - z_real) + max(0, 1 + z_made)   maker: -z_made

The best judge says p_real / (p_real + p_made). Where both are alike it says 1/2, and the value of the game, minus the
judge's loss, is -log 4. Where the judge is sure of what is made, the saturating maker has a slope of almost 0.

    texture    |G - G'|²,  G = F Fᵀ / (C H W)        the places are summed over, so moving all of them changes nothing

Sources: Goodfellow 2014; Mao 2017 (least squares); Lim and Ye 2017 (hinge); Gatys 2016 (texture).
Axes: n images, C channels, P places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .stable import sigmoid, softplus

Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Term:
    """A loss of one logit, and its slope."""

    value: Function
    slope: Function


@dataclass(frozen=True, kw_only=True)
class Game:
    """What judge and maker make small: means over images of these."""

    real: Term
    made: Term
    maker: Term

    def judge_loss(self, real_n: np.ndarray, made_n: np.ndarray) -> float:
        """Of logits of real images and of made ones."""
        return float(self.real.value(real_n).mean() + self.made.value(made_n).mean())


SAYS_YES = Term(value=lambda z: softplus(-z), slope=lambda z: -sigmoid(-z))  # -log σ(z)
SAYS_NO = Term(value=softplus, slope=sigmoid)  # -log(1 - σ(z))
NOT_SAYS_NO = Term(value=lambda z: -softplus(z), slope=lambda z: -sigmoid(z))


def _square_to(aim: float) -> Term:
    return Term(value=lambda z: (z - aim) ** 2 / 2, slope=lambda z: z - aim)


GAMES: Mapping[str, Game] = {
    "saturating": Game(real=SAYS_YES, made=SAYS_NO, maker=NOT_SAYS_NO),
    "non-saturating": Game(real=SAYS_YES, made=SAYS_NO, maker=SAYS_YES),
    "least-squares": Game(real=_square_to(1.0), made=_square_to(0.0), maker=_square_to(1.0)),
    "hinge": Game(
        real=Term(value=lambda z: np.maximum(0, 1 - z), slope=lambda z: np.where(z < 1, -1.0, 0.0)),
        made=Term(value=lambda z: np.maximum(0, 1 + z), slope=lambda z: np.where(z > -1, 1.0, 0.0)),
        maker=Term(value=lambda z: -z, slope=lambda z: -np.ones_like(z)),
    ),
}


def gram(features_CP: np.ndarray) -> np.ndarray:
    """How channels go together over all places, (C, C)."""
    return features_CP @ features_CP.T / features_CP.size


def texture(features_CP: np.ndarray, wanted_CC: np.ndarray) -> tuple[float, np.ndarray]:
    """The loss and its gradient by the features: 4 (G - G') F / (C H W)."""
    between_CC = gram(features_CP) - wanted_CC
    return float((between_CC**2).sum()), 4 * between_CC @ features_CP / features_CP.size
