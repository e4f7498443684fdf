"""`Data`: three splits of labelled images and the preprocessing that feeds a model.

Axes: B images, C channels, H rows, W columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..errors import ConfigError, ShapeError
from ..seeding import torch_generator
from .images import Images
from .preprocess import Preprocess, statistics
from .splits import quotas

Augment = Callable[[torch.Tensor], torch.Tensor]  # uint8 (B, C, H, W) to the same


@dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """A data set ready for use. `fingerprint` is the hash of every split's pixels and labels."""

    name: str
    class_names: tuple[str, ...]
    splits: Mapping[str, Images]
    preprocess: Preprocess
    provenance: Mapping[str, Any]  # JSON-able: source, split rule, seed, counts
    fingerprint: str

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images as stored; what a model sees is `preprocess.shape`."""
        channels, height, width = self.splits["train"].images_BCHW.shape[1:]
        return channels, height, width

    def split(self, name: str) -> Images:
        """One split by name.

        Raises:
            ConfigError: there is no such split.
        """
        if name not in self.splits:
            raise ConfigError(f"There is no split '{name}': choose one of {', '.join(self.splits)}.")
        return self.splits[name]

    def fitted_to(
        self,
        input_shape: tuple[int, ...],
        mean: tuple[float, ...] | None = None,
        std: tuple[float, ...] | None = None,
    ) -> Data:
        """The same images, preprocessed for a model of this input shape (C, H, W).

        `mean` and `std` are those the model was trained with, on the scale 0 to 1; None takes the statistics of this
        data set's train split.

        Raises:
            ShapeError: the model does not take images of 1 or 3 channels.
        """
        if len(input_shape) != 3 or input_shape[0] not in (1, 3):
            raise ShapeError(
                f"The model takes inputs of shape {tuple(input_shape)}, and images have shape (1, H, W) or (3, H, W)."
            )
        if mean is None or std is None:
            own_mean, own_std = statistics(self.splits["train"].images_BCHW, input_shape[0])
            mean, std = mean or own_mean, std or own_std
        channels, height, width = input_shape
        return replace(self, preprocess=Preprocess(shape=(channels, height, width), mean=mean, std=std))

    def batches(
        self,
        split: str,
        *,
        batch_size: int,
        generator: torch.Generator | None = None,
        augment: Augment | None = None,
        num_images: int | None = None,
        start: int = 0,
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches of (float32 (B, C, H, W), int64 (B,)) of one split.

        Args:
            split: "train", "val" or "test".
            batch_size: images per batch; the last batch is smaller.
            generator: shuffles, and honours `Images.repeats_B`; None goes through the split in order, each image once.
            augment: changes each batch of uint8 images before preprocessing.
            num_images: stop after the first so many images of the order.
            start: leave out the first so many batches; nothing is drawn from `augment` for them.
        """
        part = self.split(split)
        order = self._order(part, generator)[:num_images]
        for positions in _chunks(order, batch_size, join_lone=generator is not None)[start:]:
            images_BCHW = part.images_BCHW[positions]
            if augment is not None:
                images_BCHW = augment(images_BCHW)
            yield self.preprocess(images_BCHW), part.labels_B[positions]

    def num_batches(self, split: str, *, batch_size: int, num_images: int | None = None) -> int:
        """How many batches `batches` gives with a generator."""
        order = self.split(split).visits()[:num_images]
        return len(_chunks(order, batch_size, join_lone=True))

    def calibration(self, num_samples: int, seed: int) -> torch.Tensor:
        """Preprocessed images, float32 (B, C, H, W), of the subset that `calibration_subset` names."""
        chosen = self._calibration_positions(num_samples, seed)
        return self.preprocess(self.splits["train"].images_BCHW[chosen])

    def calibration_subset(self, num_samples: int, seed: int) -> dict[str, Any]:
        """The record of a calibration set: its name, where it comes from, and the hash of its positions."""
        chosen = self._calibration_positions(num_samples, seed)
        digest = hashlib.sha256(chosen.numpy().tobytes()).hexdigest()[:16]
        name = f"{self.name}/train/calibration-{len(chosen)}-seed{seed}"
        return {"name": name, "split": "train", "num": len(chosen), "seed": seed, "positions_sha256": digest}

    def _calibration_positions(self, num_samples: int, seed: int) -> torch.Tensor:
        """Per class in proportion; within a class a repeated image is drawn so much more likely."""
        if num_samples < 1:
            raise ConfigError(f"A calibration set needs at least 1 image, got {num_samples}.")
        part = self.splits["train"]
        left = quotas(part.labels_B, num_samples)
        chosen: dict[int, None] = {}
        for position in self._order(part, torch_generator(seed, "data.calibration")).tolist():
            if not any(left.values()):
                break
            label = int(part.labels_B[position])
            if left[label] and position not in chosen:
                chosen[position] = None
                left[label] -= 1
        return torch.tensor(list(chosen))

    @staticmethod
    def _order(part: Images, generator: torch.Generator | None) -> torch.Tensor:
        if generator is None:
            return torch.arange(len(part))
        visits = part.visits()
        return visits[torch.randperm(len(visits), generator=generator)]


def _chunks(order: torch.Tensor, batch_size: int, *, join_lone: bool) -> list[torch.Tensor]:
    """Consecutive parts. A lone last image joins the part before it: batch norm cannot be trained on one."""
    if batch_size < 1:
        raise ConfigError(f"batch_size must be at least 1, got {batch_size}.")
    chunks = list(order.split(batch_size))
    if join_lone and len(chunks) > 1 and len(chunks[-1]) == 1:
        chunks[-2:] = [torch.cat(chunks[-2:])]
    return chunks


def fingerprint_of(splits: Mapping[str, Images], class_names: tuple[str, ...]) -> str:
    """SHA-256 over the class names and every split's shape, pixels, labels and repeats, in order."""
    digest = hashlib.sha256("\0".join(class_names).encode())
    for name, part in splits.items():
        digest.update(f"{name}{tuple(part.images_BCHW.shape)}".encode())
        for values in (part.images_BCHW, part.labels_B, part.repeats_B):
            if values is not None:
                digest.update(values.contiguous().numpy().data)
    return digest.hexdigest()[:32]
