"""The CIFAR ResNets: 6n+2 layers in three stages of 16, 32 and 64 channels.

He et al. 2016, arXiv:1512.03385, section 4.2. Layer names are those of github.com/akamaster/pytorch_resnet_cifar10,
whose published weights load as they are.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


def shortcut_a(x_BCHW: torch.Tensor, out_channels: int) -> torch.Tensor:
    """Every second pixel, and zero channels on both sides up to `out_channels` (option A: no parameters)."""
    missing = out_channels - x_BCHW.shape[1]
    before = missing // 2
    return F.pad(x_BCHW[:, :, ::2, ::2], (0, 0, 0, 0, before, missing - before))  # (B, out_channels, H/2, W/2)


class BasicBlock(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.out_channels = out_channels
        self.halves = stride == 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (shortcut_a(x, self.out_channels) if self.halves else x))


def _stage(in_channels: int, out_channels: int, *, num_blocks: int) -> nn.Sequential:
    """`num_blocks` blocks, of which the first halves the image when the width grows."""
    first = BasicBlock(in_channels, out_channels, stride=1 if in_channels == out_channels else 2)
    return nn.Sequential(first, *(BasicBlock(out_channels, out_channels, stride=1) for _ in range(num_blocks - 1)))


class ResNetCifar(nn.Module):
    def __init__(self, *, num_blocks: int, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, num_blocks=num_blocks)
        self.layer2 = _stage(16, 32, num_blocks=num_blocks)
        self.layer3 = _stage(32, 64, num_blocks=num_blocks)
        self.linear = nn.Linear(64, num_classes)
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(layer.weight)  # He 2015, as in section 3.4 of the paper

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.bn1(self.conv1(x)))  # (B, 16, 32, 32)
        x = self.layer3(self.layer2(self.layer1(x)))  # (B, 64, 8, 8)
        x = torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)  # (B, 64)
        return self.linear(x)  # (B, num_classes)


def resnet20(*, num_classes: int, in_channels: int) -> nn.Module:
    """n = 3 blocks a stage."""
    return ResNetCifar(num_blocks=3, num_classes=num_classes, in_channels=in_channels)


def resnet32(*, num_classes: int, in_channels: int) -> nn.Module:
    """n = 5 blocks a stage."""
    return ResNetCifar(num_blocks=5, num_classes=num_classes, in_channels=in_channels)
