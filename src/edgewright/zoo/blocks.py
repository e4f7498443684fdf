"""Blocks that more than one family is made of."""

from __future__ import annotations

from torch import nn


def conv_bn(
    in_channels: int,
    out_channels: int,
    kernel: int | tuple[int, int] = 3,
    *,
    stride: int = 1,
    groups: int = 1,
    bias: bool = False,
    padding: int | tuple[int, int] | None = None,
    activation: type[nn.Module] | None = nn.ReLU,
) -> nn.Sequential:
    """Convolution, batch normalization, activation. Without `padding`, an odd kernel keeps the size at stride 1."""
    if padding is None:
        padding = kernel // 2 if isinstance(kernel, int) else (kernel[0] // 2, kernel[1] // 2)
    layers: list[nn.Module] = [
        nn.Conv2d(in_channels, out_channels, kernel, stride=stride, padding=padding, groups=groups, bias=bias),
        nn.BatchNorm2d(out_channels),
    ]
    if activation is not None:
        layers.append(activation())
    return nn.Sequential(*layers)


def separable(in_channels: int, out_channels: int, *, stride: int = 1, bias: bool = False) -> nn.Sequential:
    """Depthwise 3x3, then pointwise 1x1, each with batch normalization and ReLU (Howard 2017, figure 3)."""
    return nn.Sequential(
        conv_bn(in_channels, in_channels, 3, stride=stride, groups=in_channels, bias=bias),
        conv_bn(in_channels, out_channels, 1, bias=bias),
    )
