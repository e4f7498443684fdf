"""Reading an artifact that may be damaged: every problem is one sentence to the user."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..errors import DataError
from ..files import read_tagged, sha256_file
from ..types import ARTIFACT_FORMAT, EXPECTED_FILE, MANIFEST_FILE, Artifact

NEEDED = ("name", "model", "quantized", "input", "outputs", "preprocess", "class_names", "files")


def read_artifact(folder: Path) -> Artifact:
    """The artifact in `folder`, every file checked against the manifest's sizes and hashes.

    Raises:
        DataError: a file is missing, or is not the one that was exported.
    """
    folder = Path(folder)
    manifest = _manifest(folder)
    for entry in manifest["files"]:
        path = folder / entry["path"]
        if not path.is_file():
            raise DataError(f"The artifact {folder} lacks {entry['path']}: export it again.")
        size = path.stat().st_size
        if size != entry["bytes"]:
            raise DataError(
                f"{path} has {size} bytes, its manifest says {entry['bytes']}: it is damaged, export it again."
            )
        if sha256_file(path) != entry["sha256"]:
            raise DataError(f"{path} is not the file that was exported (its SHA-256 differs): export it again.")
    return Artifact(folder=folder, manifest=manifest)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST_FILE
    absent = DataError(f"{folder} is not an artifact (it holds no {MANIFEST_FILE}): give the folder that export wrote.")
    manifest = read_tagged(path, ARTIFACT_FORMAT, absent=absent, remedy="export the artifact again")
    missing = [key for key in NEEDED if key not in manifest]
    if missing or not _files_are_inside(manifest["files"]):
        raise DataError(f"{path} is incomplete ({missing[0] if missing else 'files'}): export the artifact again.")
    return manifest


def _files_are_inside(files: Any) -> bool:
    """A manifest may only speak of files beside it and below."""
    return isinstance(files, list) and all(
        isinstance(entry, Mapping) and {"path", "bytes", "sha256"} <= set(entry) and _is_inside(entry["path"])
        for entry in files
    )


def _is_inside(path: Any) -> bool:
    return (
        isinstance(path, str)
        and bool(path)
        and not PurePosixPath(path).is_absolute()
        and ".." not in PurePosixPath(path).parts
        and str(PurePosixPath(path)) == path
    )


def read_expected(artifact: Artifact) -> dict[str, np.ndarray] | None:
    """The golden vectors of an artifact, None when it has none."""
    path = artifact.folder / EXPECTED_FILE
    if not path.is_file():
        return None
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read ({error}): export the artifact again.") from error
