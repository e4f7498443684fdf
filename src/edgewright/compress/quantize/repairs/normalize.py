"""Batch normalization measured again behind rounded weights: mean and spread of every channel are put right at once.

Rounding a channel's weights and scaling the channel commute, as each output channel has a scale of its own. So the
weights of the *unfolded* net are rounded, the normalizations are measured behind them, and only then folded: the folded
weights lie on a grid that a search for scales finds again. Bias correction repairs the means alone; with few bits the
spread shrinks too, from layer to layer.

What is measured is the change: statistics of the images behind rounded weights against those behind the weights as they
are. A net that was trained on padded crops has other statistics on whole images, and would lose points with them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ....model import layer_of
from ....model.fold import Folding, fold_batch_norms
from ....model.quantized import QUANTIZED
from ....progress import SILENT, Progress
from ..precision import Precision
from .split import ScaleOf, auto_scales
from .stepping import Stepper, batches_of

DEFAULT = Precision()
BATCH = 32
SMALLEST = 1e-30  # a variance that is divided by


@dataclass(frozen=True, kw_only=True)
class Reestimation:
    """What was measured again.

    Attributes:
        gains: node of a normalization -> the least and the largest ratio, over its channels, of the deviation behind
            rounded weights to the one behind the weights as they are.
        folding: what became of the normalizations.
    """

    gains: dict[str, tuple[float, float]]
    folding: Folding


def reestimate_rounded(
    captured: fx.GraphModule, images_BCHW: torch.Tensor, *, precision: Precision = DEFAULT,
    scale_of: ScaleOf = auto_scales, progress: Progress = SILENT,
) -> tuple[fx.GraphModule, Reestimation]:  # fmt: skip
    """The folded form of a captured, unfolded net with rounded weights, its normalizations put right on the images.

    To be simulated with the same `precision`, which gives the same codes. Learned rounding has nothing left to learn
    then. Measured in graph order over all images at once; activations are not rounded.

    Args:
        scale_of: `scale_of(layer, bits=...)`, how the scales are found that weights are rounded with.

    Raises:
        DataError: no images, or of another shape.
    """
    rounded = copy.deepcopy(captured).eval()
    for node in rounded.graph.nodes:
        layer = layer_of(rounded, node)
        if type(layer) in QUANTIZED:
            _round_weight(layer, bits=precision.of_layer(node.name), scale_of=scale_of)  # type: ignore[arg-type]
    exact = Stepper(copy.deepcopy(captured).eval(), batches_of(captured, images_BCHW, size=BATCH))
    steps = Stepper(rounded, exact.batches)
    calls = [(str(node.name), layer_of(rounded, node)) for node in rounded.graph.nodes]
    norms = {name: norm for name, norm in calls if isinstance(norm, _BatchNorm) and norm.running_mean is not None}
    gains = {}
    with progress.task("measure batch norms", len(norms)) as task:
        for name, norm in norms.items():
            gains[name] = _shift(norm, exact.inputs(name), steps.inputs(name))
            task.advance(detail=name)
    folded, folding = fold_batch_norms(rounded)
    return folded, Reestimation(gains=gains, folding=folding)


def _round_weight(layer: nn.Module, *, bits: int, scale_of: ScaleOf) -> None:
    """Round a layer's weights to their grid, in place; rounding them again changes nothing."""
    axis = QUANTIZED[type(layer)].weight_axis  # type: ignore[attr-defined]
    weight: torch.Tensor = layer.weight.detach()  # type: ignore[operator, union-attr, assignment]
    shape = [1] * weight.dim()
    shape[axis] = -1
    scale, top = scale_of(layer, bits=bits).reshape(shape).to(weight), 2 ** (bits - 1) - 1
    weight.copy_(weight.div(scale).round().clamp(-top, top) * scale)


def _shift(norm: _BatchNorm, exact: Sequence[torch.Tensor], rounded: Sequence[torch.Tensor]) -> tuple[float, float]:
    """Change a normalization's statistics as rounding changed its input; the least and largest gain of deviation."""
    assert norm.running_mean is not None and norm.running_var is not None
    (mean, variance), (moved, spread) = _statistics(exact), _statistics(rounded)
    ratio = torch.where(variance > 0, spread / variance.clamp_min(SMALLEST), torch.ones_like(variance))
    old_mean, old = norm.running_mean.double(), norm.running_var.double() + norm.eps
    norm.running_var.copy_((old * ratio - norm.eps).clamp_min(0.0))
    gain = ((norm.running_var.double() + norm.eps) / old).sqrt()
    norm.running_mean.copy_(moved - (mean - old_mean) * gain)  # as many deviations from the mean as before
    return ratio.min().sqrt().item(), ratio.max().sqrt().item()


def _statistics(batches: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance of each channel (axis 1), (C,), float64."""
    flat_CN = torch.cat([each.transpose(0, 1).flatten(1) for each in batches], 1).double()
    return flat_CN.mean(1), flat_CN.var(1, correction=0)
