"""RandAugment: a few operations on each image, drawn evenly from a table, all at one strength.

Source: Cubuk 2020, RandAugment (section 3), with the operations and ranges of torchvision's `RandAugment`, whose
kernels do the work. Ours is the drawing: for each image by a generator of its own, and one call of a kernel for all
images that drew the same. Axes: B images, C channels, H rows, W columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torchvision.transforms.v2 import functional as kernels

NUM_OPERATIONS = 2  # per image, in the paper's setting for CIFAR-10 and ImageNet alike
STRENGTH = 9 / 30  # of each operation's largest; the paper's setting for ImageNet with ResNet-50
Images = torch.Tensor  # uint8 (B, C, H, W)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What changes images, and how strongly: `most` is the strength 1 (of a width of 1 for shares of the width)."""

    apply: Callable[[Images, float], Images]
    most: float = 0.0
    is_signed: bool = False  # a coin decides between the strength and its negative


def _affine(images_BCHW: Images, **changes: Any) -> Images:
    plain = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]}
    return kernels.affine(images_BCHW, **{**plain, **changes})  # type: ignore[arg-type,no-any-return]


def _shear_x(images_BCHW: Images, slope: float) -> Images:
    return _affine(images_BCHW, shear=[math.degrees(math.atan(slope)), 0.0], center=[0, 0])


def _shear_y(images_BCHW: Images, slope: float) -> Images:
    return _affine(images_BCHW, shear=[0.0, math.degrees(math.atan(slope))], center=[0, 0])


def _translate_x(images_BCHW: Images, share: float) -> Images:
    return _affine(images_BCHW, translate=[int(share * images_BCHW.shape[3]), 0])


def _translate_y(images_BCHW: Images, share: float) -> Images:
    return _affine(images_BCHW, translate=[0, int(share * images_BCHW.shape[2])])


OPERATIONS: Mapping[str, Operation] = {
    "identity": Operation(apply=lambda images, _: images),
    "shear-x": Operation(apply=_shear_x, most=0.3, is_signed=True),
    "shear-y": Operation(apply=_shear_y, most=0.3, is_signed=True),
    "translate-x": Operation(apply=_translate_x, most=150 / 331, is_signed=True),
    "translate-y": Operation(apply=_translate_y, most=150 / 331, is_signed=True),
    "rotate": Operation(apply=lambda images, degrees: kernels.rotate(images, degrees), most=30, is_signed=True),
    "brightness": Operation(apply=lambda images, x: kernels.adjust_brightness(images, 1 + x), most=0.9, is_signed=True),
    "color": Operation(apply=lambda images, x: kernels.adjust_saturation(images, 1 + x), most=0.9, is_signed=True),
    "contrast": Operation(apply=lambda images, x: kernels.adjust_contrast(images, 1 + x), most=0.9, is_signed=True),
    "sharpness": Operation(apply=lambda images, x: kernels.adjust_sharpness(images, 1 + x), most=0.9, is_signed=True),
    "posterize": Operation(apply=lambda images, bits: kernels.posterize(images, 8 - round(bits)), most=4),
    "solarize": Operation(apply=lambda images, below: kernels.solarize(images, 255 - below), most=255),
    "autocontrast": Operation(apply=lambda images, _: kernels.autocontrast(images)),
    "equalize": Operation(apply=lambda images, _: kernels.equalize(images)),
}


def rand_augment(images_BCHW: Images, generator: torch.Generator) -> Images:
    """Each image changed by `NUM_OPERATIONS` of `OPERATIONS` one after the other, at `STRENGTH`, black where it left.

    Colours, edges and places change, so it suits photographs; operations without effect on grey images stay without.
    """
    for _ in range(NUM_OPERATIONS):
        images_BCHW = _one_operation(images_BCHW, generator)
    return images_BCHW


def _one_operation(images_BCHW: Images, generator: torch.Generator) -> Images:
    """One operation for each image; images that drew the same one with the same sign are changed in one call."""
    number_B = torch.randint(len(OPERATIONS), (len(images_BCHW),), generator=generator)
    negative_B = torch.rand(len(images_BCHW), generator=generator) < 0.5
    changed = images_BCHW.clone()
    for number, operation in enumerate(OPERATIONS.values()):
        for negative in (False, True):
            chosen = ((number_B == number) & (negative_B == negative)).nonzero().flatten()
            if len(chosen):
                strength = STRENGTH * operation.most * (-1 if negative and operation.is_signed else 1)
                changed[chosen] = operation.apply(images_BCHW[chosen], strength)
    return changed
