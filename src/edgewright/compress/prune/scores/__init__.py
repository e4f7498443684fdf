"""Which channels matter: a number for each class of coupled channels, larger is more important.

A score is a function in the table `SCORES`. Scores of two classes of one group can always be compared; those of two
groups as far as `ranking` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .activation import apoz
from .batch_norm import bn_scale
from .chance import random
from .contribution import contribution
from .elements import ClassSums
from .geometric_median import geometric_median
from .hessian import hessian
from .layers import WEIGHTED
from .magnitude import l1, l2
from .scoring import Scores, Scoring
from .taylor import taylor

SCORES: Mapping[str, Callable[[Scoring], Scores]] = {
    "apoz": apoz,
    "bn-scale": bn_scale,
    "contribution": contribution,
    "geometric-median": geometric_median,
    "hessian": hessian,
    "l1": l1,
    "l2": l2,
    "random": random,
    "taylor": taylor,
}

__all__ = ["SCORES", "WEIGHTED", "ClassSums", "Scores", "Scoring"]
