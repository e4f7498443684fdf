"""Labelled images in memory, and the checks that every reader's output passes.

Axes: B images, C channels (1 grey or 3 RGB), H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ..errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """Images uint8 (B, C, H, W) with values 0 to 255, and their class ids int64 (B,).

    `repeats_B` says how often one epoch of training visits each image; None means once. Scoring ignores it.
    """

    images_BCHW: torch.Tensor
    labels_B: torch.Tensor
    repeats_B: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels_B)

    def take(self, index_N: torch.Tensor) -> Images:
        """The images at these positions, in this order."""
        repeats = None if self.repeats_B is None else self.repeats_B[index_N]
        return Images(images_BCHW=self.images_BCHW[index_N], labels_B=self.labels_B[index_N], repeats_B=repeats)

    def visits(self) -> torch.Tensor:
        """The positions that one epoch visits, in order, a repeated image as often as it is repeated."""
        positions = torch.arange(len(self))
        return positions if self.repeats_B is None else positions.repeat_interleave(self.repeats_B)


@dataclass(frozen=True, kw_only=True, eq=False)
class Raw:
    """What a reader found. `parts` holds either "all", or "train" and "test" and perhaps "val"."""

    class_names: tuple[str, ...]
    parts: Mapping[str, Images]
    facts: Mapping[str, Any] = field(default_factory=dict)  # JSON-able, goes into the provenance


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a reader is asked for. `argument` is the text after the colon of `folder:` and `npz:`, else empty."""

    argument: str
    root: Any  # Path | None
    download: bool
    image_size: int | None
    channels: int | None


def labelled(images_BCHW: np.ndarray, labels_B: np.ndarray, *, num_classes: int, where: str) -> Images:
    """Checked `Images` from two arrays.

    Args:
        images_BCHW: uint8, 1 or 3 channels.
        labels_B: integer class ids in [0, num_classes).
        where: what to call the source in an error.

    Raises:
        DataError: no images, another type than uint8, NaN, counts that differ, labels that are no class ids.
    """
    check_pixels(images_BCHW, where)
    check_labels(labels_B, num_classes=num_classes, where=where)
    if len(images_BCHW) != len(labels_B):
        raise DataError(f"{where} has {len(images_BCHW)} images and {len(labels_B)} labels: give one label per image.")
    return Images(
        images_BCHW=torch.from_numpy(np.ascontiguousarray(images_BCHW)),
        labels_B=torch.from_numpy(labels_B.astype(np.int64)),
    )


def check_pixels(images: np.ndarray, where: str) -> None:
    """Refuse an empty array, NaN, and any type but uint8."""
    if images.size == 0:
        raise DataError(f"{where} holds no images (shape {images.shape}).")
    if images.dtype.kind == "f" and np.isnan(images).any():
        raise DataError(f"{where} holds NaN pixels ({int(np.isnan(images).sum())} of {images.size}): remove them.")
    if images.dtype != np.uint8:
        raise DataError(f"{where} holds {images.dtype} pixels, expected uint8 from 0 to 255: rescale and round them.")


def check_labels(labels: np.ndarray, *, num_classes: int, where: str) -> None:
    """Refuse labels that are not a flat array of class ids in [0, num_classes)."""
    if labels.ndim != 1:
        raise DataError(f"{where} has labels of shape {labels.shape}, expected one class id per image, shape (N,).")
    if labels.dtype.kind not in "iu":
        raise DataError(f"{where} has {labels.dtype} labels, expected integers from 0 to {num_classes - 1}.")
    wrong = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if len(wrong):
        first = int(wrong[0])
        raise DataError(
            f"{where} has label {int(labels[first])} at image {first}, expected 0 to {num_classes - 1}: "
            f"{len(wrong)} of {len(labels)} labels are out of range."
        )
