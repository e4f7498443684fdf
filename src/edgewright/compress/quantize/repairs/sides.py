"""The two sides of a layer's weight: its output channels and its input channels, whatever the kind of layer.

Every weight is seen as (G, O, I, K): groups, output channels of a group, input channels of a group, kernel positions.
Output channel `g * O + o` and input channel `g * I + i` are counted as the layer counts them.
"""

from __future__ import annotations

import torch
from torch import nn

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED, nn.Linear)


def is_layer(layer: nn.Module | None) -> bool:
    """Whether the layer is a convolution or a linear layer, in float or in integers."""
    return isinstance(layer, LAYERS)


def sided(layer: nn.Module, weight: torch.Tensor) -> torch.Tensor:
    """`weight`, laid out as the weight of `layer`, in the shape (G, O, I, K)."""
    groups = int(getattr(layer, "groups", 1))
    if isinstance(layer, TRANSPOSED):
        inner, outer = weight.shape[0] // groups, weight.shape[1]
        return weight.reshape(groups, inner, outer, -1).transpose(1, 2)
    return weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], -1)


def unsided(layer: nn.Module, weight_GOIK: torch.Tensor) -> torch.Tensor:
    """The inverse of `sided`: laid out as the weight of `layer`, with any number of channels on both sides."""
    kernel = _weight(layer).shape[2:]
    groups, outer, inner, _ = weight_GOIK.shape
    if isinstance(layer, TRANSPOSED):
        return weight_GOIK.transpose(1, 2).reshape(groups * inner, outer, *kernel)
    return weight_GOIK.reshape(groups * outer, inner, *kernel)


def largest_per_output(layer: nn.Module) -> torch.Tensor:
    """Largest magnitude among the weights of each output channel, (C_out,)."""
    return sided(layer, _weight(layer)).abs().amax((2, 3)).flatten()


def largest_per_input(layer: nn.Module) -> torch.Tensor:
    """Largest magnitude among the weights of each input channel, (C_in,)."""
    return sided(layer, _weight(layer)).abs().amax((1, 3)).flatten()


def scale_outputs(layer: nn.Module, factor_C: torch.Tensor) -> None:
    """Multiply what each output channel gives, bias included, in place."""
    weight_GOIK = sided(layer, _weight(layer))
    factor_GO = factor_C.to(weight_GOIK).reshape(weight_GOIK.shape[0], -1, 1, 1)
    _weight(layer).copy_(unsided(layer, weight_GOIK * factor_GO))
    bias: torch.Tensor | None = layer.bias  # type: ignore[assignment]
    if bias is not None:
        bias.detach().mul_(factor_C.to(bias))


def scale_inputs(layer: nn.Module, factor_C: torch.Tensor) -> None:
    """Multiply the weights of each input channel, in place."""
    weight_GOIK = sided(layer, _weight(layer))
    factor_GI = factor_C.to(weight_GOIK).reshape(weight_GOIK.shape[0], 1, -1, 1)
    _weight(layer).copy_(unsided(layer, weight_GOIK * factor_GI))


def response(layer: nn.Module, weight: torch.Tensor, level_C: torch.Tensor) -> torch.Tensor:
    """What each output channel gives, bias apart, when input channel c has the value `level_C[c]` everywhere, (C_out,).

    Borders that are padded with zeros get less; they are not looked at.
    """
    weight_GOIK = sided(layer, weight.detach())
    return (weight_GOIK * level_C.to(weight_GOIK).reshape(weight_GOIK.shape[0], 1, -1, 1)).sum((2, 3)).flatten()


def add_to_bias(layer: nn.Module, shift_C: torch.Tensor) -> None:
    """Add to the bias of each output channel, in place; a layer without bias gets one."""
    bias: torch.Tensor | None = layer.bias  # type: ignore[assignment]
    start = _weight(layer).new_zeros(len(shift_C)) if bias is None else bias.detach()
    layer.bias = nn.Parameter(start + shift_C.to(start))  # type: ignore[union-attr]


def _weight(layer: nn.Module) -> torch.Tensor:
    weight: torch.Tensor = layer.weight  # type: ignore[assignment]
    return weight.detach()
