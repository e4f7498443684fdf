"""Augmentations of uint8 batches, drawn for each image by a generator of their own.

Axes: B images, C channels, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from .rand_augment import rand_augment

Draw = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


def shift(images_BCHW: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Each image moved by up to 1/14 of its size (2 pixels of 28, 1 of 8), black where it moved away from.

    Keeps the class of nearly everything; digits too, which must not be mirrored.
    """
    return _crop(images_BCHW, generator, share=1 / 14, mirror=False)


def crop_flip(images_BCHW: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Each image moved by up to 1/8 of its size (4 pixels of 32), and mirrored left to right every second time.

    Source: He 2016, Deep Residual Learning, section 4.2 (CIFAR-10).
    """
    return _crop(images_BCHW, generator, share=1 / 8, mirror=True)


def _after(first: Draw) -> Draw:
    """`first`, then RandAugment."""
    return lambda images_BCHW, generator: rand_augment(first(images_BCHW, generator), generator)


AUGMENTATIONS: dict[str, Draw | None] = {
    "none": None,
    "shift": shift,
    "crop-flip": crop_flip,
    "rand": rand_augment,
    "shift+rand": _after(shift),
    "crop-flip+rand": _after(crop_flip),
}


def augmentation(name: str, generator: torch.Generator) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """The named augmentation bound to its generator; None for "none"."""
    draw = AUGMENTATIONS[name]
    return None if draw is None else lambda images_BCHW: draw(images_BCHW, generator)


def _crop(images_BCHW: torch.Tensor, generator: torch.Generator, *, share: float, mirror: bool) -> torch.Tensor:
    """A window of the image's own size from the zero-padded image, at a random place."""
    batch, channels, height, width = images_BCHW.shape
    pad_rows, pad_columns = max(1, round(height * share)), max(1, round(width * share))
    padded = functional.pad(images_BCHW, (pad_columns, pad_columns, pad_rows, pad_rows))
    top_B1 = torch.randint(0, 2 * pad_rows + 1, (batch, 1), generator=generator)
    left_B1 = torch.randint(0, 2 * pad_columns + 1, (batch, 1), generator=generator)
    columns_BW = torch.arange(width).expand(batch, width)
    if mirror:
        mirrored_B1 = torch.rand(batch, 1, generator=generator) < 0.5
        columns_BW = torch.where(mirrored_B1, width - 1 - columns_BW, columns_BW)
    rows_BH, columns_BW = top_B1 + torch.arange(height), left_B1 + columns_BW
    # drawn on the CPU, so that they are the same for images on any device
    rows_BH, columns_BW = rows_BH.to(padded.device), columns_BW.to(padded.device)
    index_B, index_C = (torch.arange(size, device=padded.device) for size in (batch, channels))
    index_B, index_C = index_B[:, None, None, None], index_C[None, :, None, None]
    return padded[index_B, index_C, rows_BH[:, None, :, None], columns_BW[:, None, None, :]]
