"""MobileNet V2: inverted residuals with linear bottlenecks.

Sandler et al. 2018, arXiv:1801.04381, table 2. Layer names are those of torchvision, whose weight files
load as they are.
"""

from __future__ import annotations

import torch
from torch import nn

from .blocks import conv_bn

FIRST, LAST = 32, 1280
# expansion, out channels, repeats, stride of the first (table 2)
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def scaled(channels: int, width: float) -> int:
    """`channels` times `width`, rounded to a multiple of 8 that is at least 8 and not below 0.9 of the exact value.

    Source: `make_divisible` of the authors' code.
    """
    exact = channels * width
    rounded = max(8, int(exact + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * exact else rounded


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise, 1x1 linear projection; added to its input where the shapes are equal."""

    def __init__(self, in_channels: int, out_channels: int, *, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        expand = [conv_bn(in_channels, hidden, 1, activation=nn.ReLU6)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *expand,
            conv_bn(hidden, hidden, 3, stride=stride, groups=hidden, activation=nn.ReLU6),
            *conv_bn(hidden, out_channels, 1, activation=None),  # linear: a ReLU would lose information (section 3.2)
        )
        self.adds = stride == 1 and in_channels == out_channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x) if self.adds else self.conv(x)


class MobileNetV2(nn.Module):
    def __init__(self, *, num_classes: int, in_channels: int, width: float) -> None:
        super().__init__()
        channels = scaled(FIRST, width)
        blocks: list[nn.Module] = [conv_bn(in_channels, channels, 3, stride=2, activation=nn.ReLU6)]
        for expansion, stage_channels, repeats, first_stride in STAGES:
            out_channels = scaled(stage_channels, width)
            for index in range(repeats):
                stride = first_stride if index == 0 else 1
                blocks.append(InvertedResidual(channels, out_channels, expansion=expansion, stride=stride))
                channels = out_channels
        last = scaled(LAST, max(1.0, width))  # "for multipliers below 1, to all layers except the last" (section 6.1)
        self.features = nn.Sequential(*blocks, conv_bn(channels, last, 1, activation=nn.ReLU6))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, num_classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.features(x)  # (B, 1280, H/32, W/32)
        x = torch.flatten(self.pool(x), 1)  # (B, 1280)
        return self.classifier(x)  # (B, num_classes)


def mobilenet_v2(*, num_classes: int, in_channels: int, width: float = 1.0) -> nn.Module:
    """MobileNet V2 of the given width multiplier."""
    return MobileNetV2(num_classes=num_classes, in_channels=in_channels, width=width)
