"""Second order: how sharply the loss curves along the parameters of a class."""

from __future__ import annotations

import torch

from .elements import ClassSums
from .gradients import gradients
from .scoring import Scores, Scoring


def hessian(scoring: Scoring) -> Scores:
    """The rise of the loss, to second order at a minimum, if all parameters of a class became 0: sum of h w^2 / 2.

    The diagonal h of the Hessian is estimated by that of the empirical Fisher information, the mean over images of
    the squared gradient; curvature between two parameters is left out.

    Raises:
        ConfigError: there are no images.

    Source: LeCun et al. 1990, Optimal Brain Damage, equation 5.
    """
    fisher: dict[str, torch.Tensor] = {}
    weights: dict[str, torch.Tensor] = {}
    count = 0
    for weights, slopes in gradients(scoring, "hessian"):  # noqa: B007 - the weights are the same each time
        count += 1
        for name, slope in slopes.items():
            fisher[name] = fisher.get(name, 0) + slope.double().square()
    rises = {name: 0.5 * each / count * weights[name].double().square() for name, each in fisher.items()}
    return ClassSums(scoring.net, scoring.channels)(rises)
