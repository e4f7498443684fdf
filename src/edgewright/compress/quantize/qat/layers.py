"""A layer with integer weights as it is trained: weights, batch norm and step sizes apart, joined at every step.

In eval mode it *is* the integer layer of the simulation: its values are put into that layer's own forward. In training
there are two phases:

    batch statistics    convolve with rounded weights -> batch norm of the batch, which moves the running statistics
    frozen statistics   the integer layer, bias rounded too, differentiable

Source: Krishnamoorthi 2018, Quantizing deep convolutional networks for efficient inference, section 3.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from ....model.quantized import (
    BIAS_LIMIT,
    IntegerWeights,
    QuantConv2d,
    QuantConvTranspose2d,
    QuantLinear,
)
from .rounding import SMALLEST, Gradient, first_steps, rounded
from .settings import Qat
from .steps import Steps, TrainedPoint

Compute = Callable[[Any, torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]
COMPUTE: dict[type[nn.Module], Compute] = {  # the layer's own arithmetic with given weight and bias
    QuantConv2d: lambda layer, x, weight, bias: layer._conv_forward(x, weight, bias),
    QuantLinear: lambda layer, x, weight, bias: functional.linear(x, weight, bias),
    QuantConvTranspose2d: lambda layer, x, weight, bias: functional.conv_transpose2d(
        x, weight, bias, layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation
    ),
}


class TrainedLayer(nn.Module):
    """One layer in training. Channels that share one step size go on sharing it.

    Args:
        layer: the integer layer; not a part of this module, it lends its form.
        source: whose grid the input has: it decides the grid of the bias.
        settings: how steps change and what flows back.
        norm: the batch norm that was folded into `layer`, as it was before; None for a layer without.
        origin: weight and bias before that folding.
    """

    bias: torch.Tensor | None

    def __init__(
        self,
        layer: IntegerWeights,
        source: TrainedPoint,
        settings: Qat,
        *,
        norm: _BatchNorm | None = None,
        origin: tuple[torch.Tensor, torch.Tensor | None] | None = None,
    ) -> None:
        super().__init__()
        weight, bias = origin if origin is not None else (layer.weight, layer.bias)
        self._form, self._source, self.settings = [layer], [source], settings  # lists: no parts of this module
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())
        self.norm = norm
        self.is_shared = layer.weight_scale.numel() > 1 and bool((layer.weight_scale == layer.weight_scale[0]).all())
        self.is_live = settings.batch_norm == "live" and norm is not None and not self.is_shared
        self.steps = Steps(self._first_steps(layer), learned=settings.steps == "learned")
        self.is_frozen = self.is_watching = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return functional_call(self._form[0], self.values(), (x,))  # type: ignore[no-any-return, arg-type]
        if self.is_watching:
            self._observe()
        if self.norm is not None and not self.is_frozen:
            return self._with_batch_statistics(x, self.norm)
        weight, bias = self._folded()
        scale = self._scale()
        if bias is not None:
            bias = self._rounded_bias(bias, scale.detach())
        return self._compute(x, self._rounded_weight(weight, scale), bias)

    def values(self) -> dict[str, torch.Tensor]:
        """What the integer layer of the simulation holds: folded weights and bias, and their grids."""
        weight, bias = self._folded()
        values = {"weight": weight, "weight_scale": self._scale(), "input_scale": self._source[0].steps()}
        return values if bias is None else {**values, "bias": bias}

    def write_to(self, layer: IntegerWeights) -> None:
        """Give the integer layer of the simulation what was learnt."""
        state = {name: value.detach() for name, value in self.values().items()}
        layer.load_state_dict(state, strict=False)  # type: ignore[attr-defined]

    # -- folding ----------------------------------------------------------------------------------------------------
    def _folded(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Weight and bias with the running statistics in them, by the arithmetic of `fold_batch_norms`."""
        if self.norm is None:
            return self.weight, self.bias
        factor, shift = factor_and_shift(self.norm)
        bias = shift if self.bias is None else self.bias.double() * factor + shift
        return (self.weight.double() * self._along_weight(factor)).float(), bias.float()

    def _scale(self) -> torch.Tensor:
        """The steps of the folded weights, one per channel."""
        if not self.is_live:
            return self.steps().expand(self.weight.shape[self._axis])
        assert self.norm is not None
        return (self.steps() * factor_and_shift(self.norm)[0].abs()).float().clamp_min(SMALLEST)

    def _with_batch_statistics(self, x: torch.Tensor, norm: _BatchNorm) -> torch.Tensor:
        if self.is_live:
            return norm(self._compute(x, self._rounded_weight(self.weight, self.steps()), self.bias))  # type: ignore[no-any-return]
        factor = factor_and_shift(norm)[0].float()
        weight = self._rounded_weight(self.weight * self._along_weight(factor), self.steps())
        divisor = torch.where(factor == 0, 1.0, factor)  # a channel that is switched off computes 0 / 1
        outputs = self._compute(x, weight, None)
        outputs = outputs / divisor.reshape(1, -1, *[1] * (outputs.dim() - 2))
        if self.bias is not None:
            outputs = outputs + self.bias.reshape(1, -1, *[1] * (outputs.dim() - 2))
        return norm(outputs)  # type: ignore[no-any-return]

    # -- rounding ---------------------------------------------------------------------------------------------------
    @property
    def _axis(self) -> int:
        return self._form[0].weight_axis

    def _along_weight(self, values: torch.Tensor) -> torch.Tensor:
        """One value per output channel, shaped to meet the weight."""
        shape = [1] * self.weight.dim()
        shape[self._axis] = -1
        return values.reshape(shape)

    def _rounded_weight(self, weight: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        top = float(self._form[0].top)
        how = self.steps.gradient(
            self.settings, num_values=weight.numel() // self.steps.value.numel(), largest_code=top
        )
        return rounded(weight, self._along_weight(steps), -top, top, how=how)

    def _rounded_bias(self, bias: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        grid = self._source[0].steps().detach() * scale
        return rounded(bias, grid.repeat(bias.numel() // grid.numel()), -BIAS_LIMIT, BIAS_LIMIT, how=Gradient())

    def _compute(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        layer = self._form[0]
        return COMPUTE[type(layer)](layer, x, weight, bias)  # type: ignore[index]

    # -- steps ------------------------------------------------------------------------------------------------------
    def _first_steps(self, layer: IntegerWeights) -> torch.Tensor:
        """In the terms in which they are trained: of the folded weights, or live of the weights themselves."""
        calibrated = layer.weight_scale.detach()
        if self.settings.steps == "learned" and self.settings.first_steps != "calibrated":
            calibrated = self._better_steps(layer, calibrated)
        if self.is_shared:
            return calibrated[:1]
        if not self.is_live:
            return calibrated
        assert self.norm is not None
        factor = factor_and_shift(self.norm)[0].detach().abs()
        return torch.where(factor > 0, calibrated / factor.clamp_min(SMALLEST), 1.0).float()

    def _better_steps(self, layer: IntegerWeights, calibrated: torch.Tensor) -> torch.Tensor:
        weight, axis, top = layer.weight.detach(), layer.weight_axis, layer.top
        formula = first_steps(weight, axis=axis, top=top)
        if self.is_shared:
            formula = formula.mean().expand_as(formula)
        if self.settings.first_steps == "formula":
            return formula
        errors = [_squared_error(weight, steps, axis=axis, top=top) for steps in (calibrated, formula)]
        if self.is_shared:
            errors = [error.sum() for error in errors]
        return torch.where(errors[0] <= errors[1], calibrated, formula)

    def _observe(self) -> None:
        """Let the steps follow the largest weight of each channel."""
        weight = self.weight.detach() if self.is_live else self._folded()[0].detach()
        largest = weight.abs().transpose(0, self._axis).flatten(1).amax(1)
        if self.is_shared:
            largest = largest.amax().reshape(1)
        self.steps.value.copy_(torch.where(largest > 0, largest / self._form[0].top, 1.0))


def factor_and_shift(norm: _BatchNorm) -> tuple[torch.Tensor, torch.Tensor]:
    """What a batch norm multiplies by and adds with its running statistics, float64, differentiable."""
    assert norm.running_mean is not None and norm.running_var is not None
    factor = 1 / torch.sqrt(norm.running_var.double() + norm.eps)
    if norm.weight is not None:
        factor = factor * norm.weight.double()
    shift = -norm.running_mean.double() * factor
    return factor, shift if norm.bias is None else shift + norm.bias.double()


def _squared_error(weight: torch.Tensor, steps: torch.Tensor, *, axis: int, top: int) -> torch.Tensor:
    """Squared rounding error of each channel."""
    shape = [1] * weight.dim()
    shape[axis] = -1
    aligned = steps.reshape(shape)
    error = weight.div(aligned).round_().clamp_(-top, top).mul_(aligned).sub_(weight)
    return error.square_().transpose(0, axis).flatten(1).sum(1)
