"""The folder that an artifact is: files, and a manifest that names each with its size and hash."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..files import folder_atomic, sha256_file, write_atomic, write_json
from ..types import ARTIFACT_FORMAT, MANIFEST_FILE, Artifact


def write_folder(folder: Path, files: Mapping[str, bytes], facts: Mapping[str, Any]) -> Artifact:
    """Write `files` and their manifest to `folder`, which is replaced as a whole.

    Args:
        files: path inside of the folder -> content.
        facts: the rest of the manifest, JSON-able; `model` names the file to load.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder_atomic(folder) as temporary:
        for name, content in files.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            write_atomic(temporary / name, content)
        listed = [
            {"path": name, "bytes": (temporary / name).stat().st_size, "sha256": sha256_file(temporary / name)}
            for name in sorted(files)
        ]
        manifest = {"format": ARTIFACT_FORMAT, **facts, "files": listed}
        write_json(temporary / MANIFEST_FILE, manifest)
    return Artifact(folder=folder, manifest=manifest)
