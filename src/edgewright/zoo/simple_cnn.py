"""The smallest net that learns digits: every shape can be followed by hand.

(1, 28, 28) -> conv 8 -> pool -> (8, 14, 14) -> conv 16 -> pool -> (16, 7, 7) -> 784 -> 64 -> 10
"""

from __future__ import annotations

import torch
from torch import nn

from ..errors import ConfigError


class SimpleCNN(nn.Module):
    def __init__(self, *, num_classes: int, in_channels: int, height: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.relu = nn.ReLU()
        self.fc1 = nn.Linear(16 * (height // 4) * (width // 4), 64)
        self.fc2 = nn.Linear(64, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.relu(self.conv1(x)))  # (B, 8, H/2, W/2)
        x = self.pool(self.relu(self.conv2(x)))  # (B, 16, H/4, W/4)
        x = torch.flatten(x, 1)  # (B, 16 * H/4 * W/4)
        return self.fc2(self.relu(self.fc1(x)))  # (B, num_classes)


def simple_cnn(*, num_classes: int, in_channels: int, image_size: tuple[int, int]) -> nn.Module:
    """The net for images of `image_size` (height, width); its first linear layer is as wide as the image asks."""
    height, width = image_size
    if min(height, width) < 4:
        raise ConfigError(f"simple_cnn halves the image twice: it needs at least 4x4 pixels, got {height}x{width}.")
    return SimpleCNN(num_classes=num_classes, in_channels=in_channels, height=height, width=width)
