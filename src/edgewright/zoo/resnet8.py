"""ResNet-8 of the MLPerf Tiny benchmark (image classification, CIFAR-10).

Banbury et al. 2021, arXiv:2106.07597; layer for layer the Keras model of github.com/mlcommons/tiny. Two differences
that change no count: the Keras "same" padding of its stride-2 convolutions adds its one row and column at the bottom
right, here they are at the top left (the row on the other side is never read); and batch normalization keeps PyTorch's
epsilon and momentum. The convolutions carry a bias although a batch normalization follows, as the reference's do.
"""

from __future__ import annotations

import torch
from torch import nn


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut: identity, or a 1x1 projection without normalization when sizes change."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride=stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + self.shortcut(x))  # (B, out_channels, H/stride, W/stride)


class ResNet8(nn.Module):
    def __init__(self, *, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 16, 3, padding=1)
        self.bn = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.stage1 = Block(16, 16, stride=1)
        self.stage2 = Block(16, 32, stride=2)
        self.stage3 = Block(32, 64, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn(self.conv(x)))  # (B, 16, 32, 32)
        x = self.stage1(x)  # (B, 16, 32, 32)
        x = self.stage2(x)  # (B, 32, 16, 16)
        x = self.stage3(x)  # (B, 64, 8, 8)
        x = torch.flatten(self.pool(x), 1)  # (B, 64)
        return self.fc(x)  # (B, num_classes)


def resnet8(*, num_classes: int, in_channels: int) -> nn.Module:
    """ResNet-8: three stages of 16, 32 and 64 channels."""
    return ResNet8(num_classes=num_classes, in_channels=in_channels)
