"""DS-CNN of the MLPerf Tiny benchmark (keyword spotting): the image is 49 frames of 10 cepstral coefficients.

Zhang et al. 2017, arXiv:1711.07128 (the family); Banbury et al. 2021, arXiv:2106.07597 (this one, 64 channels). Keras
pads the first convolution by 4 rows above and 5 below, PyTorch by 5 on both sides: same sizes, windows one frame
earlier. Biases before batch normalization as in the reference.
"""

from __future__ import annotations

import torch
from torch import nn

from .blocks import conv_bn, separable

CHANNELS = 64


class DSCNN(nn.Module):
    def __init__(self, *, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.first = conv_bn(in_channels, CHANNELS, (10, 4), stride=2, padding=(5, 1), bias=True)
        self.drop1 = nn.Dropout(0.2)
        self.separable = nn.Sequential(*(separable(CHANNELS, CHANNELS, bias=True) for _ in range(4)))
        self.drop2 = nn.Dropout(0.4)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(CHANNELS, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.drop1(self.first(x))  # (B, 64, 25, 5)
        x = self.drop2(self.separable(x))  # (B, 64, 25, 5)
        x = torch.flatten(self.pool(x), 1)  # (B, 64)
        return self.fc(x)  # (B, num_classes)


def ds_cnn(*, num_classes: int, in_channels: int) -> nn.Module:
    """DS-CNN with four separable convolutions."""
    return DSCNN(num_classes=num_classes, in_channels=in_channels)
