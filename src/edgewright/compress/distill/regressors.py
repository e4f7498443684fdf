"""What brings a student's feature maps into the form of its teacher's: one 1x1 convolution a pair, and a resize.

Source: Romero 2015, FitNets: Hints for Thin Deep Nets, section 2.2, with the 1x1 kernel that later work settled on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from ...seeding import torch_generator
from .taps import Pair


def regressors(pairs: Sequence[Pair], *, seed: int) -> nn.ModuleList:
    """One 1x1 convolution a pair, from the student's channels to the teacher's, with weights that follow from `seed`.

    They train with the student (`train.companion`) and are no part of the result.
    """
    generator = torch_generator(seed, "distill.regressor")
    return nn.ModuleList(_regressor(pair, generator) for pair in pairs)


def _regressor(pair: Pair, generator: torch.Generator) -> nn.Conv2d:
    channels_in, channels_out = pair.student_shape[0], pair.teacher_shape[0]
    with torch.random.fork_rng(devices=[]):  # a new layer draws from the global generator
        layer = nn.Conv2d(channels_in, channels_out, 1)
    with torch.no_grad():
        layer.weight.normal_(std=math.sqrt(1 / channels_in), generator=generator)  # keeps the variance of the map
        layer.bias.zero_()  # type: ignore[union-attr]
    return layer


def regressed(layer: nn.Module, student_BCHW: torch.Tensor, pair: Pair) -> torch.Tensor:
    """The student's map in the teacher's channels and size: averaged down, or interpolated up."""
    guided: torch.Tensor = layer(student_BCHW)
    size = pair.teacher_shape[1:]
    if guided.shape[2:] == size:
        return guided
    if guided.shape[2] > size[0]:
        return functional.adaptive_avg_pool2d(guided, size)  # type: ignore[arg-type]
    return functional.interpolate(guided, size=size, mode="bilinear", align_corners=False)
