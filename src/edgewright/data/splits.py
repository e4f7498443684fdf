"""Which image belongs to train, val or test: stratified by class, drawn by a generator named for the purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch

from ..errors import ConfigError, DataError
from ..seeding import numpy_generator
from .images import Images, Raw

ValFrom = Literal["train", "test"]
HELD_OUT = 0.2  # share of val, and of test, where the source has no split
VAL_SHARE, VAL_SHARE_SMALL, SMALL = 0.1, 0.2, 5000  # of train; below 5,000 images a tenth would judge too coarsely
VAL_MOST = 5000  # the standard error of a score is then below 0.71 points: more images are better spent on training


def assign(raw: Raw, *, seed: int, val_from: ValFrom) -> tuple[dict[str, Images], str]:
    """The three splits, and the rule in words.

    Args:
        raw: what a reader found.
        seed: of the draw.
        val_from: "train" carves val out of train; "test" takes half of test, for models whose weights may have seen
            every training image. A source that has its own val keeps it.

    Raises:
        DataError: a class has too few images for the split.
    """
    if val_from not in ("train", "test"):
        raise ConfigError(f"val_from is 'train' or 'test', got '{val_from}'.")
    if "all" in raw.parts:
        splits, rule = _three_ways(raw, seed)
    elif "val" in raw.parts:
        splits, rule = dict(raw.parts), "train, val and test as given by the source"
    elif val_from == "train":
        splits, rule = _val_from_train(raw.parts, seed)
    else:
        splits, rule = _val_from_test(raw.parts, seed)
    ordered = {name: splits[name] for name in ("train", "val", "test")}
    for name, part in ordered.items():
        if len(part) == 0:
            raise DataError(f"The {name} split is empty ({rule}): give more images of each class.")
    return ordered, rule


def _three_ways(raw: Raw, seed: int) -> tuple[dict[str, Images], str]:
    part = raw.parts["all"]
    per_class = np.bincount(part.labels_B.numpy(), minlength=len(raw.class_names))
    few = int(per_class.argmin())
    if per_class[few] < 3:
        raise DataError(
            f"Class '{raw.class_names[few]}' has {per_class[few]} images, and at least 3 are needed to split them into "
            "train, val and test: add images or remove the class."
        )
    test = choose(part.labels_B, HELD_OUT, seed, "data.split.test")
    rest = _without(len(part), test)
    val = rest[choose(part.labels_B[rest], HELD_OUT / (1 - HELD_OUT), seed, "data.split.val")]
    train = _without(len(part), torch.cat([val, test]))
    splits = {"train": part.take(train), "val": part.take(val), "test": part.take(test)}
    return splits, "60 % train, 20 % val, 20 % test, drawn per class"


def _val_from_train(parts: Mapping[str, Images], seed: int) -> tuple[dict[str, Images], str]:
    train = parts["train"]
    share = VAL_SHARE if len(train) >= SMALL else VAL_SHARE_SMALL
    share = min(share, VAL_MOST / len(train))
    val = choose(train.labels_B, share, seed, "data.split.val")
    splits = {"train": train.take(_without(len(train), val)), "val": train.take(val), "test": parts["test"]}
    return splits, f"test as given by the source; val is {100 * share:.3g} % of the given train split, drawn per class"


def _val_from_test(parts: Mapping[str, Images], seed: int) -> tuple[dict[str, Images], str]:
    test = parts["test"]
    val = choose(test.labels_B, 0.5, seed, "data.split.val")
    splits = {"train": parts["train"], "val": test.take(val), "test": test.take(_without(len(test), val))}
    return splits, "train as given by the source; val and test are halves of the given test split, drawn per class"


def choose(labels_B: torch.Tensor, share: float, seed: int, purpose: str) -> torch.Tensor:
    """Positions of `share` of the images of each class, ascending; one at least and never a whole class."""
    labels = labels_B.numpy()
    chosen = [np.empty(0, dtype=np.int64)]
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = min(max(1, round(len(members) * share)), len(members) - 1)
        chosen.append(numpy_generator(seed, purpose, int(label)).permutation(members)[:count])
    return torch.from_numpy(np.sort(np.concatenate(chosen)))


def quotas(labels_B: torch.Tensor, num: int) -> dict[int, int]:
    """How many of `num` samples each class gives: proportional, largest remainders first."""
    labels, counts = np.unique(labels_B.numpy(), return_counts=True)
    exact = counts * (min(num, len(labels_B)) / len(labels_B))
    whole = np.floor(exact).astype(int)
    missing = min(num, len(labels_B)) - int(whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:missing]] += 1
    return {int(label): int(count) for label, count in zip(labels, whole, strict=True)}


def _without(count: int, positions: torch.Tensor) -> torch.Tensor:
    keep = torch.ones(count, dtype=torch.bool)
    keep[positions] = False
    return keep.nonzero().flatten()
