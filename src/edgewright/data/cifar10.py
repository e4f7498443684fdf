"""CIFAR-10 in its official formats. Reads in place, never writes.

`cifar-10-batches-bin`: records of 1 label byte and 3,072 pixel bytes (red, green, blue planes of 32x32).
`cifar-10-batches-py`: pickled dictionaries; read with an unpickler that can rebuild NumPy arrays and nothing else.
Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from ..errors import DataError
from .download import download
from .images import Images, Raw, Request, labelled

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32
DAMAGED = (
    OSError, EOFError, pickle.UnpicklingError, ValueError, TypeError, KeyError, IndexError, AttributeError, MemoryError,
    OverflowError,
)  # fmt: skip
BATCHES = {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}


def read_cifar10(request: Request) -> Raw:
    """CIFAR-10 below the root: the binary version, or else the Python version."""
    if request.root is None:
        raise DataError("cifar10 is read from a folder: give --data-root, and --download to fetch it there.")
    if request.download and _folder(request.root) is None:
        download("CIFAR10", request.root)
    found = _folder(request.root)
    if found is None:
        raise DataError(
            f"cifar10 is not in {request.root}: neither cifar-10-batches-bin/data_batch_1.bin nor "
            "cifar-10-batches-py/data_batch_1 is there; correct --data-root, or add --download."
        )
    folder, suffix = found
    read = _read_binary if suffix else _read_python
    parts = {part: _joined([read(folder / f"{name}{suffix}") for name in names]) for part, names in BATCHES.items()}
    version = "binary" if suffix else "Python"
    return Raw(class_names=CLASSES, parts=parts, facts={"reader": f"CIFAR-10 {version} version"})


def _folder(root: Path) -> tuple[Path, str] | None:
    for name, suffix in (("cifar-10-batches-bin", ".bin"), ("", ".bin"), ("cifar-10-batches-py", ""), ("", "")):
        if (root / name / f"data_batch_1{suffix}").is_file():
            return root / name, suffix
    return None


def _joined(batches: list[tuple[np.ndarray, np.ndarray, Path]]) -> Images:
    checked = [labelled(images, labels, num_classes=10, where=str(path)) for images, labels, path in batches]
    return Images(
        images_BCHW=torch.cat([part.images_BCHW for part in checked]),
        labels_B=torch.cat([part.labels_B for part in checked]),
    )


def _read_binary(path: Path) -> tuple[np.ndarray, np.ndarray, Path]:
    content = np.frombuffer(_content(path), dtype=np.uint8)
    if len(content) == 0 or len(content) % (1 + PIXELS):
        raise DataError(
            f"{path} is damaged: its {len(content)} bytes are no whole number of 3,073-byte records: get it again."
        )
    records = content.reshape(-1, 1 + PIXELS)
    return records[:, 1:].reshape(-1, *SHAPE), records[:, 0], path


def _read_python(path: Path) -> tuple[np.ndarray, np.ndarray, Path]:
    batch = read_pickled_arrays(path)
    data, labels = (batch.get(b"data"), batch.get(b"labels")) if isinstance(batch, dict) else (None, None)
    if not isinstance(data, np.ndarray) or not isinstance(labels, list) or data.shape[1:] != (PIXELS,):
        raise DataError(f"{path} is no CIFAR-10 batch: 'data' (N, 3072) and the list 'labels' are expected in it.")
    if not all(isinstance(label, int) for label in labels):
        raise DataError(f"{path} has labels that are no integers: get the official file again.")
    return data.reshape(-1, *SHAPE), np.array(labels, dtype=np.int64), path


def read_pickled_arrays(path: Path) -> Any:
    """The content of a pickle file made of plain values and NumPy arrays.

    Raises:
        DataError: the file is damaged, or names anything besides NumPy's array reconstruction.
    """
    try:
        with path.open("rb") as file:
            return _ArrayUnpickler(file, encoding="bytes").load()
    except DAMAGED as error:
        raise DataError(
            f"{path} cannot be read as a pickled CIFAR-10 batch ({error}): get the official file again."
        ) from error


def _rebuild(kind: type, shape: tuple[int, ...], code: bytes) -> np.ndarray:
    """NumPy's `_reconstruct`, for plain arrays only: an empty array that the pickled state then fills."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError(f"an array of type {kind} is not admitted")
    return np.ndarray.__new__(np.ndarray, (0,), dtype="b")


def _from_buffer(content: bytes, kind: np.dtype, shape: tuple[int, ...], order: str) -> np.ndarray:
    """How NumPy writes an array at pickle protocol 5."""
    return np.frombuffer(content, dtype=kind).reshape(shape, order="F" if order == "F" else "C")


def _encode(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes at pickle protocol 2."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"the encoding {encoding} is not admitted")
    return text.encode("latin1")


class _ArrayUnpickler(pickle.Unpickler):
    """Looks up nothing but what NumPy needs to rebuild an array; a stranger's file cannot run code."""

    ADMITTED: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy.core.multiarray", "_reconstruct"): _rebuild,
        ("numpy._core.multiarray", "_reconstruct"): _rebuild,
        ("numpy.core.numeric", "_frombuffer"): _from_buffer,
        ("numpy._core.numeric", "_frombuffer"): _from_buffer,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): _encode,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ADMITTED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, and only NumPy arrays are admitted")
        return self.ADMITTED[module, name]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): get the official file again.") from error
