"""MNIST and Fashion-MNIST in their official IDX files, packed (.gz) or not. Reads in place, never writes.

IDX: two zero bytes, the type (8: unsigned byte), the number of axes, each axis as a big-endian 32-bit count, the bytes.
Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database, "the IDX file format".
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from ..errors import DataError
from .digits import DIGITS
from .download import download
from .images import Images, Raw, Request, labelled

UNSIGNED_BYTE = 8
FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
PREFIX = {"train": "train", "test": "t10k"}


def read_mnist(request: Request) -> Raw:
    """MNIST below the root, in torchvision's layout (`MNIST/raw`) or directly."""
    return _read("mnist", "MNIST", DIGITS, request)


def read_fashion_mnist(request: Request) -> Raw:
    """Fashion-MNIST below the root, in torchvision's layout (`FashionMNIST/raw`) or directly."""
    return _read("fashion-mnist", "FashionMNIST", FASHION, request)


def _read(name: str, kind: str, class_names: tuple[str, ...], request: Request) -> Raw:
    if request.root is None:
        raise DataError(f"{name} is read from a folder: give --data-root, and --download to fetch it there.")
    if request.download and _folder(request.root, kind) is None:
        download(kind, request.root)
    folder = _folder(request.root, kind)
    if folder is None:
        raise DataError(
            f"{name} is not in {request.root}: neither {kind}/raw/train-images-idx3-ubyte[.gz] nor the file itself is "
            "there; correct --data-root, or add --download."
        )
    parts = {part: _part(folder, prefix) for part, prefix in PREFIX.items()}
    return Raw(class_names=class_names, parts=parts, facts={"reader": "IDX files"})


def _folder(root: Path, kind: str) -> Path | None:
    for folder in (root / kind / "raw", root / "raw", root):
        if _file(folder, "train", "images", 3) is not None:
            return folder
    return None


def _file(folder: Path, prefix: str, what: str, axes: int) -> Path | None:
    names = [f"{prefix}-{what}{mark}idx{axes}-ubyte{packed}" for packed in ("", ".gz") for mark in ("-", ".")]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _part(folder: Path, prefix: str) -> Images:
    found = {what: _file(folder, prefix, what, axes) for what, axes in (("images", 3), ("labels", 1))}
    for (what, path), axes in zip(found.items(), (3, 1), strict=True):
        if path is None:
            raise DataError(f"{folder}/{prefix}-{what}-idx{axes}-ubyte[.gz] is missing: copy it beside the others.")
    images_BHW, labels_B = read_idx(found["images"], axes=3), read_idx(found["labels"], axes=1)  # type: ignore[arg-type]
    return labelled(images_BHW[:, None], labels_B, num_classes=10, where=str(found["images"]))


def read_idx(path: Path, *, axes: int) -> np.ndarray:
    """The uint8 array in one IDX file.

    Raises:
        DataError: the file is missing, damaged, or not an IDX file of unsigned bytes with this many axes.
    """
    content = _content(path)
    start = 4 + 4 * axes
    if len(content) < start or content[:4] != bytes((0, 0, UNSIGNED_BYTE, axes)):
        raise DataError(f"{path} is not an IDX file of unsigned bytes with {axes} axes: get the official file again.")
    shape = struct.unpack(f">{axes}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise DataError(
            f"{path} is damaged: its header promises {math.prod(shape)} bytes of shape {shape}, and it holds "
            f"{len(content) - start}: get it again."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape).copy()


def _content(path: Path) -> bytes:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rb") as file:
                return file.read()
        return path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{path} cannot be read ({reason}): get the official file again.") from error
