"""The table of data sets, and `load_data`, the one way in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DataError, LookupFailed, unknown_name
from .cifar10 import read_cifar10
from .dataset import Data, fingerprint_of
from .digits import read_digits
from .folder import read_folder
from .idx import read_fashion_mnist, read_mnist
from .images import Images, Raw, Request
from .npz import read_npz
from .preprocess import Preprocess, convert, statistics
from .splits import ValFrom, assign


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """One line of `edgewright datasets`."""

    name: str
    what: str
    classes: str
    get: str
    read: Callable[[Request], Raw]


CATALOG = (
    DatasetInfo(
        name="digits", what="1,797 handwritten digits, grey 8x8", classes="10",
        get="built in (scikit-learn), no network", read=read_digits,
    ),
    DatasetInfo(
        name="mnist", what="70,000 handwritten digits, grey 28x28", classes="10",
        get="--data-root FOLDER with MNIST/raw/*, or add --download", read=read_mnist,
    ),
    DatasetInfo(
        name="fashion-mnist", what="70,000 articles of clothing, grey 28x28", classes="10",
        get="--data-root FOLDER with FashionMNIST/raw/*, or add --download", read=read_fashion_mnist,
    ),
    DatasetInfo(
        name="cifar10", what="60,000 photographs, colour 32x32", classes="10",
        get="--data-root FOLDER with cifar-10-batches-bin/ or -py/, or add --download", read=read_cifar10,
    ),
    DatasetInfo(
        name="folder:PATH", what="your image files, one folder per class", classes="the folders",
        get="PATH/CLASS/*.png, or PATH/train/CLASS/* beside val/ or test/", read=read_folder,
    ),
    DatasetInfo(
        name="npz:FILE", what="your arrays; npz:TRAIN,TEST for two archives", classes="the labels",
        get="keys image (uint8 NHWC) or jpeg + offset, label, class_names", read=read_npz,
    ),
)  # fmt: skip
FOLDERS = re.compile(r"(?<=[:,+])[^,+]*/(?=[^/])")  # a name says which file, the provenance says where
BY_NAME = {info.name.partition(":")[0]: info for info in CATALOG}


def dataset_table() -> tuple[DatasetInfo, ...]:
    """What `load_data` can load, for listing."""
    return CATALOG


def load_data(
    spec: str,
    *,
    root: Path | None = None,
    download: bool = False,
    seed: int = 0,
    image_size: int | None = None,
    channels: int | None = None,
    val_from: ValFrom = "train",
) -> Data:
    """Load a data set into memory, split it, and record how.

    Args:
        spec: a name of `dataset_table`, `folder:PATH` or `npz:FILE[,FILE]`.
        root: where `mnist`, `fashion-mnist` and `cifar10` lie, and what relative paths of the others start from.
        download: fetch a named data set into `root` when it is not there.
        seed: of the split.
        image_size: bring all images to this many pixels squared (bilinear, short side, then centre crop).
        channels: 1 or 3, convert all images.
        val_from: "train" carves val out of train; "test" takes half of test, for models that may have seen all training
            images.

    Raises:
        LookupFailed: no such data set.
        DataError: it is missing, damaged, empty or inconsistent.
        ConfigError: an argument is out of range.
    """
    if channels not in (None, 1, 3):
        raise ConfigError(f"channels is 1 (grey) or 3 (RGB), got {channels}.")
    if image_size is not None and image_size < 1:
        raise ConfigError(f"image_size is a number of pixels from 1, got {image_size}.")
    info, argument = _look_up(spec)
    request = Request(
        argument=argument,
        root=None if root is None else Path(root),
        download=download,
        image_size=image_size,
        channels=channels,
    )
    raw = _converted(info.read(request), request)
    splits, rule = assign(raw, seed=seed, val_from=val_from)
    asked = {"source": spec, "val_from": val_from, "seed": seed, "image_size": image_size, "channels": channels}
    return Data(
        name=FOLDERS.sub("", spec) if argument else spec,
        class_names=raw.class_names,
        splits=splits,
        preprocess=_own_preprocess(splits["train"]),
        provenance={**asked, **raw.facts, "split_rule": rule, "counts": _counts(splits, raw.class_names)},
        fingerprint=fingerprint_of(splits, raw.class_names),
    )


def _look_up(spec: str) -> tuple[DatasetInfo, str]:
    kind, _, argument = spec.partition(":")
    info = BY_NAME.get(kind)
    takes_argument = info is not None and ":" in info.name
    if info is None or (argument and not takes_argument):
        if Path(spec).is_dir():
            raise LookupFailed(f"Unknown dataset '{spec}': it is a folder, write `folder:{spec}`.")
        if spec.endswith(".npz"):
            raise LookupFailed(f"Unknown dataset '{spec}': it is an archive, write `npz:{spec}`.")
        raise unknown_name("dataset", spec, [entry.name for entry in CATALOG], command="edgewright datasets")
    if takes_argument and not argument:
        raise DataError(f"'{spec}' needs a path: write `{info.name}`.")
    return info, argument


def _converted(raw: Raw, request: Request) -> Raw:
    def change(part: Images) -> Images:
        images = convert(part.images_BCHW, image_size=request.image_size, channels=request.channels)
        return replace(part, images_BCHW=images)

    return replace(raw, parts={name: change(part) for name, part in raw.parts.items()})


def _own_preprocess(train: Images) -> Preprocess:
    channels, height, width = train.images_BCHW.shape[1:]
    mean, std = statistics(train.images_BCHW, channels)
    return Preprocess(shape=(channels, height, width), mean=mean, std=std)


def _counts(splits: dict[str, Images], class_names: tuple[str, ...]) -> dict[str, Any]:
    counts = {name: Counter(part.labels_B.tolist()) for name, part in splits.items()}
    return {
        name: {"num": len(splits[name]), "per_class": [count[label] for label in range(len(class_names))]}
        for name, count in counts.items()
    }
