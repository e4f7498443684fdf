"""Writing to disk so that a reader never sees half a file, and naming content by its hash.

Every file that edgewright leaves behind is written beside its final name, flushed to the disk, and renamed: a kill at
any instant leaves the old content or the new, never a mixture.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import ConfigError, DataError, UserError


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write `content` to `path` in one step as seen by any reader."""
    data = content.encode() if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes files that only the owner reads
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON, atomically. NaN and infinity are refused: they are not JSON."""
    write_atomic(path, json_text(value))


def json_text(value: Any) -> str:
    """`value` as `write_json` writes it."""
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def read_json(path: Path) -> Any:
    """The value that `write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_tagged(path: Path, format_: str, *, absent: UserError, remedy: str) -> dict[str, Any]:
    """The JSON object in `path`, which says of itself that it is of `format_`.

    Args:
        absent: what to raise when there is no such file.
        remedy: what the user can do about a file that is damaged or of another version.

    Raises:
        DataError: the file cannot be read, is not JSON, or is of another format.
    """
    try:
        content = read_json(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise absent from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): check its permissions.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON ({error}): {remedy}.") from error
    found = content.get("format") if isinstance(content, dict) else type(content).__name__
    if not isinstance(content, dict) or found != format_:
        raise DataError(f"{path} has the format {found!r}, this version reads {format_!r}: {remedy}.")
    return content


@contextmanager
def folder_atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that takes the place of `path` when the block ends well, and else vanishes."""
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield temporary
        os.chmod(temporary, 0o755)
        sync_folder(temporary)
        _take_place(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _take_place(new: Path, path: Path) -> None:
    """Rename `new` to `path`. What was there is renamed before it is deleted, so that no half of it is ever seen."""
    if not path.exists():
        os.replace(new, path)
        return
    old = new.with_name(f"{new.name}.old")
    os.replace(path, old)
    try:
        os.replace(new, path)
    except BaseException:
        os.replace(old, path)
        raise
    shutil.rmtree(old)


def sync_folder(folder: Path) -> None:
    """Flush every file below `folder` to the disk."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())


def writable_folder(path: Path) -> Path:
    """Create `path` if need be and prove that a file can be written there.

    Raises:
        ConfigError: the folder cannot be created or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"Cannot write to the output folder {path} ({reason}): choose another with --out.") from error
    return path


def sha256_file(path: Path) -> str:
    """Hex digest of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def content_key(*parts: Any) -> str:
    """A short name for JSON-able content: equal content, equal key."""
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
