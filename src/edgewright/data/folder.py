"""`folder:PATH`: one folder per class, with or without splits of its own.

    PATH/cat/*.jpg  PATH/dog/*.jpg                     split 60/20/20 here
    PATH/train/cat/*  PATH/test/cat/*                  val is carved out of train
    PATH/train/cat/*  PATH/val/cat/*                   likewise: the one held-out folder is the test split
    PATH/train/cat/*  PATH/val/cat/*  PATH/test/cat/*  as given

Class ids follow the sorted folder names. Files of other formats, and names that start with a dot, are passed over.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import DataError
from .decode import SUFFIXES, Source, decode
from .images import Images, Raw, Request, labelled

HELD_OUT_FOLDERS = ("val", "test")


def read_folder(request: Request) -> Raw:
    """Images below `request.argument` (relative to the root, where one is given)."""
    path = Path(request.root or "") / request.argument
    if not path.is_dir():
        raise DataError(f"The image folder {path} does not exist: check the path after `folder:`.")
    folders = _parts(path)
    class_names = tuple(_class_folders(folders[0][1]))
    files = {part: _files(folder, class_names, path) for part, folder in folders}
    passed_over = sum(len(other) for _, _, other in files.values())
    parts = _decoded({part: (sources, labels) for part, (sources, labels, _) in files.items()}, class_names, request)
    facts = {"reader": "image files", "layout": _layout(folders), "files_passed_over": passed_over}
    return Raw(class_names=class_names, parts=parts, facts=facts)


def _parts(path: Path) -> list[tuple[str, Path]]:
    """(split, folder) pairs; a single held-out folder is the test split whatever its name."""
    held_out = [name for name in HELD_OUT_FOLDERS if (path / name).is_dir()]
    if not held_out or not (path / "train").is_dir():
        return [("all", path)]
    if len(held_out) == 1:
        return [("train", path / "train"), ("test", path / held_out[0])]
    return [("train", path / "train"), ("val", path / "val"), ("test", path / "test")]


def _layout(folders: list[tuple[str, Path]]) -> str:
    if folders[0][0] == "all":
        return "one folder per class"
    return ", ".join(f"{folder.name}/ is {part}" for part, folder in folders)


def _class_folders(folder: Path) -> list[str]:
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if len(names) < 2:
        found = f"only '{names[0]}'" if names else "none"
        raise DataError(f"{folder} needs one sub-folder of images per class, at least two, and holds {found}.")
    return names


def _files(folder: Path, class_names: tuple[str, ...], root: Path) -> tuple[list[Source], list[int], list[Path]]:
    """The image files and class ids of one part, and the files passed over."""
    here = _class_folders(folder)
    if tuple(here) != class_names:
        odd = sorted(set(here) ^ set(class_names))[0]
        raise DataError(f"The class '{odd}' is not in every split of {root}: give all splits the same class folders.")
    sources: list[Source] = []
    labels: list[int] = []
    others: list[Path] = []
    for label, name in enumerate(class_names):
        found = sorted((folder / name).rglob("*"))
        files = [file for file in found if file.is_file() and not file.name.startswith(".")]
        images = [file for file in files if file.suffix.lower() in SUFFIXES]
        if not images:
            raise DataError(
                f"The class folder {folder / name} holds no images ({', '.join(SUFFIXES)}): fill it or remove it."
            )
        sources += [(str(file), file) for file in images]
        labels += [label] * len(images)
        others += [file for file in files if file.suffix.lower() not in SUFFIXES]
    return sources, labels, others


def _decoded(
    files: dict[str, tuple[list[Source], list[int]]], class_names: tuple[str, ...], request: Request
) -> dict[str, Images]:
    """Decode all parts together, so that sizes are compared across them too."""
    sources = [source for part, _ in files.values() for source in part]
    images_BCHW = decode(sources, image_size=request.image_size, channels=request.channels)
    parts, start = {}, 0
    for name, (part, labels) in files.items():
        stop = start + len(part)
        parts[name] = labelled(images_BCHW[start:stop], np.array(labels), num_classes=len(class_names), where=name)
        start = stop
    return parts
