"""`npz:FILE`, `npz:TRAIN,TEST`, `npz:TRAIN,VAL,TEST`, and several training archives at once: `npz:A*3+B,TEST`.

Keys of an archive (no pickled objects; read with `allow_pickle=False`):

    image        uint8 (N, H, W, C) with 1 or 3 channels, or (N, H, W)
    jpeg+offset  instead of `image`: all JPEG files one after the other as uint8, and int64 (N+1,) where each begins
    label        integer (N,), class ids from 0
    class_names  optional, text (K,)

A single file is split 60/20/20; with two, the first gives train (and val), the second test. `A*3` makes one epoch of
training visit each image of A three times; val and test count every image once.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import DataError
from .decode import decode
from .images import Images, Raw, Request, check_labels, check_pixels, labelled
from .preprocess import convert

PARTS = {1: ("all",), 2: ("train", "test"), 3: ("train", "val", "test")}
NPY_MAGIC = b"\x93NUMPY"  # a single array, which has a sentence of its own
REPEAT = re.compile(r"^(?P<file>.+)\*(?P<times>\d+)$")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Archive:
    path: Path
    images_BCHW: np.ndarray
    labels_B: np.ndarray
    class_names: tuple[str, ...] | None
    times: int


def read_npz(request: Request) -> Raw:
    """The archives that `request.argument` names (relative to the root, where one is given)."""
    groups = _groups(request.argument, Path(request.root or ""))
    archives = [[_read(path, times, request) for path, times in group] for group in groups]
    class_names = _class_names([archive for group in archives for archive in group])
    names = PARTS[len(archives)]
    parts = {name: _joined(group, len(class_names)) for name, group in zip(names, archives, strict=True)}
    files = [{"file": archive.path.name, "images": len(archive.labels_B), "times": archive.times}
             for group in archives for archive in group]  # fmt: skip
    _refuse_mixed_parts(parts)
    return Raw(class_names=class_names, parts=parts, facts={"reader": "npz archives", "archives": files})


def _groups(argument: str, root: Path) -> list[list[tuple[Path, int]]]:
    """One list of (file, times) per part. A name that is a file as it stands is never taken apart."""
    if (root / argument).is_file():
        return [[(root / argument, 1)]]
    groups = [[_repeated(each, root) for each in group.split("+")] for group in argument.split(",")]
    if len(groups) not in PARTS:
        raise DataError(
            f"`npz:` takes FILE, TRAIN,TEST or TRAIN,VAL,TEST, and got {len(groups)} parts: join training archives "
            "with '+'."
        )
    return groups


def _repeated(text: str, root: Path) -> tuple[Path, int]:
    match = REPEAT.match(text.strip())
    if match is None:
        return root / text.strip(), 1
    times = int(match["times"])
    if times < 1:
        raise DataError(f"'{text}' repeats an archive {times} times: give a whole number from 1.")
    return root / match["file"], times


def _read(path: Path, times: int, request: Request) -> _Archive:
    content = _content(path)
    if "label" not in content or not ("image" in content or {"jpeg", "offset"} <= content.keys()):
        raise DataError(
            f"{path} holds the keys {', '.join(sorted(content)) or 'nothing'}; expected `label` and either `image` or "
            "`jpeg` with `offset`."
        )
    if "image" in content:
        images_BCHW = _converted(_channels_first(content["image"], path), request)
    else:
        images_BCHW = _decoded(content["jpeg"], content["offset"], path, request)
    names = content.get("class_names")
    class_names = None if names is None else tuple(str(name) for name in names.tolist())
    return _Archive(path=path, images_BCHW=images_BCHW, labels_B=content["label"], class_names=class_names, times=times)


def _content(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file) and file.seek(0) == 0 and file.read(6) != NPY_MAGIC:
                raise DataError(f"{path} is not an .npz archive, or is cut short: save it again with numpy.savez.")
            file.seek(0)
            archive: Any = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise DataError(f"{path} holds a single array: save an .npz archive with the keys `image` and `label`.")
            return {key: archive[key] for key in archive.files}
    except FileNotFoundError as error:
        raise DataError(f"The archive {path} does not exist: check the path after `npz:`.") from error
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        if "allow_pickle" in str(error):
            raise DataError(f"{path} holds pickled objects, which are never loaded: save plain arrays.") from error
        raise DataError(f"{path} cannot be read as an .npz archive ({error}): save it again.") from error


def _channels_first(image: np.ndarray, path: Path) -> np.ndarray:
    check_pixels(image, str(path))
    if image.ndim == 3:
        return image[:, None]
    if image.ndim == 4 and image.shape[3] in (1, 3):
        return image.transpose(0, 3, 1, 2)
    hint = "; move the channels to the end" if image.ndim == 4 and image.shape[1] in (1, 3) else ""
    raise DataError(f"{path} has images of shape {image.shape}, expected (N, H, W) or (N, H, W, 1 or 3){hint}.")


def _converted(images_BCHW: np.ndarray, request: Request) -> np.ndarray:
    """Each archive by itself, so that archives of different sizes or channels can be brought together."""
    pixels = torch.from_numpy(np.ascontiguousarray(images_BCHW))
    return convert(pixels, image_size=request.image_size, channels=request.channels).numpy()


def _decoded(jpeg: np.ndarray, offset: np.ndarray, path: Path, request: Request) -> np.ndarray:
    fits = offset.ndim == jpeg.ndim == 1 and len(offset) >= 2 and offset.dtype.kind in "iu" and jpeg.dtype == np.uint8
    if not fits or offset[0] < 0 or offset[-1] > len(jpeg) or (np.diff(offset.astype(np.int64)) <= 0).any():
        raise DataError(
            f"{path} has `offset` values that do not cut `jpeg` into files: expected N + 1 rising positions from 0 to "
            f"{len(jpeg)}."
        )
    content, ends = jpeg.tobytes(), offset.tolist()
    sources = [
        (f"image {number} of {path}", content[start:stop]) for number, (start, stop) in enumerate(pairwise(ends))
    ]
    return decode(sources, image_size=request.image_size, channels=request.channels)


def _class_names(archives: list[_Archive]) -> tuple[str, ...]:
    named = [archive for archive in archives if archive.class_names is not None]
    for archive in named[1:]:
        if archive.class_names != named[0].class_names:
            raise DataError(f"{named[0].path} and {archive.path} have different `class_names`: give both the same.")
    if named:
        return named[0].class_names or ()
    for archive in archives:  # without names any label from 0 is a class; 65,536 is more than any data set has
        check_labels(archive.labels_B, num_classes=65_536, where=str(archive.path))
    count = 1 + max(int(archive.labels_B.max(initial=0)) for archive in archives)
    if count < 2:
        raise DataError(f"{archives[0].path} has the one class 0: at least two are needed.")
    return tuple(str(number) for number in range(count))


def _joined(archives: list[_Archive], num_classes: int) -> Images:
    checked = [
        labelled(each.images_BCHW, each.labels_B, num_classes=num_classes, where=str(each.path)) for each in archives
    ]
    for archive, part in zip(archives[1:], checked[1:], strict=True):
        if part.images_BCHW.shape[1:] != checked[0].images_BCHW.shape[1:]:
            shapes = [tuple(each.images_BCHW.shape[1:]) for each in (checked[0], part)]
            raise DataError(
                f"{archives[0].path} has images of shape {shapes[0]} and {archive.path} of {shapes[1]}: archives "
                "joined with '+' must agree; bring them to one with --image-size or --channels."
            )
    repeats = [torch.full((len(part),), archive.times) for archive, part in zip(archives, checked, strict=True)]
    return Images(
        images_BCHW=torch.cat([part.images_BCHW for part in checked]),
        labels_B=torch.cat([part.labels_B for part in checked]),
        repeats_B=torch.cat(repeats) if any(archive.times > 1 for archive in archives) else None,
    )


def _refuse_mixed_parts(parts: dict[str, Images]) -> None:
    shapes = {name: tuple(part.images_BCHW.shape[1:]) for name, part in parts.items()}
    for name, shape in shapes.items():
        if shape != shapes.get("train", shape):
            raise DataError(
                f"The train archive has images of shape {shapes['train']} and the {name} archive of {shape}: bring "
                "them to one with --image-size or --channels."
            )
