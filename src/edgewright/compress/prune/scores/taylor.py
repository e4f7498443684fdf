"""First order: what the loss says about a class."""

from __future__ import annotations

import torch

from .elements import ClassSums
from .gradients import gradients
from .scoring import Scores, Scoring


def taylor(scoring: Scoring) -> Scores:
    """The squared change of the loss, to first order, if all parameters of a class became 0; mean over images.

    (sum over the class of w * dL/dw)^2: the gradient of the loss by a gate on the class, squared. Removing the class
    closes the gate, and the square makes rises and falls of single images count alike.

    Raises:
        ConfigError: there are no images.

    Source: Molchanov et al. 2019, Importance Estimation for Neural Network Pruning, arXiv:1906.10771, equations 8 and
    9; image by image as in Theis et al. 2018, arXiv:1801.05787.
    """
    sums = ClassSums(scoring.net, scoring.channels)
    total = {group.name: torch.zeros(group.num_classes, dtype=torch.float64) for group in scoring.channels.free}
    count = 0
    for weights, slopes in gradients(scoring, "taylor"):
        count += 1
        for name, each in sums({name: weights[name] * slope for name, slope in slopes.items()}).items():
            total[name] += each.double().square()
    return {name: each / count for name, each in total.items()}
