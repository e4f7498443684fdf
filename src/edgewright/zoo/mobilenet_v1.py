"""MobileNet V1: thirteen depthwise separable convolutions.

Howard et al. 2017, arXiv:1704.04861, table 1. The width multiplier scales every channel count, the resolution
multiplier is the image's size.
"""

from __future__ import annotations

import torch
from torch import nn

from .blocks import conv_bn, separable

FIRST = 32
# out channels and stride of each separable convolution (table 1)
SEPARABLE = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),  # the paper prints stride 2 for the last one too; its own shapes (7x7 to 7x7) say 1
)


def scaled(channels: int, width: float) -> int:
    """`channels` times `width`, cut down to an integer and at least 8, the minimum of the authors' code."""
    return max(8, int(channels * width))


class MobileNetV1(nn.Module):
    def __init__(self, *, num_classes: int, in_channels: int, width: float) -> None:
        super().__init__()
        channels = scaled(FIRST, width)
        blocks = [conv_bn(in_channels, channels, 3, stride=2)]
        for out_channels, stride in SEPARABLE:
            blocks.append(separable(channels, scaled(out_channels, width), stride=stride))
            channels = scaled(out_channels, width)
        self.features = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.features(x)  # (B, 1024 * width, H/32, W/32)
        x = torch.flatten(self.pool(x), 1)  # (B, 1024 * width)
        return self.classifier(x)  # (B, num_classes)


def mobilenet_v1(*, num_classes: int, in_channels: int, width: float = 1.0) -> nn.Module:
    """MobileNet V1 of the given width multiplier."""
    return MobileNetV1(num_classes=num_classes, in_channels=in_channels, width=width)
