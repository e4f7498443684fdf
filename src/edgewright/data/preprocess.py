"""From stored pixels to what the model sees. The same few steps everywhere, recorded with the artifact.

Axes: B images, C channels, H rows, W columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from ..errors import ConfigError, ShapeError

GREY_WEIGHTS = (0.299, 0.587, 0.114)  # luma of R, G, B, ITU-R BT.601
CHUNK = 1000  # images converted at a time, so that float copies stay small


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """Pixels uint8 (B, *, *, *) to float32 (B, *shape): channels, size, then `(pixel * scale - mean) / std`.

    `mean` and `std` are per channel, of pixels on the scale 0 to 1. `how` states the steps for whoever reads the
    record without this code.
    """

    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 1 / 255
    how: str = (
        "RGB order, channels first; grey to RGB by repeating, RGB to grey by 0.299 R + 0.587 G + 0.114 B; if the size "
        "differs: bilinear with antialiasing until the target is covered, then the centre crop; "
        "then (pixel * scale - mean) / std"
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(size) for size in self.shape))
        for name in ("mean", "std"):
            values = tuple(float(value) for value in getattr(self, name))
            object.__setattr__(self, name, values)
            if len(values) != self.shape[0] or not all(math.isfinite(value) for value in values):
                raise ConfigError(f"Preprocess.{name} needs {self.shape[0]} finite values, got {values}.")
        if min(self.std) <= 0:
            raise ConfigError(f"Preprocess.std must be greater than 0 in every channel, got {self.std}.")

    def __call__(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        channels, height, width = self.shape
        pixels = cover(to_channels(images_BCHW.float(), channels), height, width)
        mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (self.mean, self.std))
        return (pixels * self.scale).sub_(mean).div_(std)


def to_channels(pixels_BCHW: torch.Tensor, channels: int) -> torch.Tensor:
    """Float images with another number of channels: grey repeated, or RGB weighted to grey.

    Raises:
        ShapeError: there is no such conversion.
    """
    got = pixels_BCHW.shape[1]
    if got == channels:
        return pixels_BCHW
    if got == 1:
        return pixels_BCHW.repeat(1, channels, 1, 1)
    if got == 3 and channels == 1:
        return (pixels_BCHW * torch.tensor(GREY_WEIGHTS).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    raise ShapeError(f"Images of {got} channels cannot be turned into {channels} channels: use 1 (grey) or 3 (RGB).")


def cover(pixels_BCHW: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Float images of another size: scaled until the target is covered, then cropped at the centre."""
    rows, columns = pixels_BCHW.shape[2:]
    if (rows, columns) == (height, width):
        return pixels_BCHW
    size = covering_size((rows, columns), (height, width))
    if size != (rows, columns):
        pixels_BCHW = functional.interpolate(pixels_BCHW, size=size, mode="bilinear", antialias=True)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return pixels_BCHW[:, :, top : top + height, left : left + width]


def covering_size(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """The smallest (rows, columns) of the same aspect as `size` that `target` fits in."""
    factor = max(target[0] / size[0], target[1] / size[1])
    return max(target[0], round(size[0] * factor)), max(target[1], round(size[1] * factor))


def convert(images_BCHW: torch.Tensor, *, image_size: int | None, channels: int | None) -> torch.Tensor:
    """uint8 images with another size (square) or number of channels, rounded to uint8 again."""
    shape = (channels or images_BCHW.shape[1], *([image_size] * 2 if image_size else images_BCHW.shape[2:]))
    if tuple(images_BCHW.shape[1:]) == shape:
        return images_BCHW
    chunks = [cover(to_channels(chunk.float(), shape[0]), *shape[1:]) for chunk in images_BCHW.split(CHUNK)]
    return torch.cat([chunk.round_().clamp_(0, 255).to(torch.uint8) for chunk in chunks])


def statistics(images_BCHW: torch.Tensor, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel on the scale 0 to 1; a constant channel gets the deviation 1."""
    total = torch.zeros(channels, dtype=torch.float64)
    squares = torch.zeros(channels, dtype=torch.float64)
    for chunk in images_BCHW.split(CHUNK):
        pixels = to_channels(chunk.float(), channels).div_(255)
        total += pixels.sum(dim=(0, 2, 3), dtype=torch.float64)
        squares += pixels.square_().sum(dim=(0, 2, 3), dtype=torch.float64)
    count = images_BCHW.shape[0] * images_BCHW.shape[2] * images_BCHW.shape[3]
    mean = total / count
    std = (squares / count - mean**2).clamp_(min=0).sqrt()
    std = torch.where(std > 1e-4, std, 1.0)
    return tuple(_rounded(mean)), tuple(_rounded(std))


def _rounded(values: torch.Tensor) -> list[float]:
    """Six digits are beyond what the statistic means, and read well in a record."""
    return [round(float(value), 6) for value in values]
