"""The programs that build and run firmware: which are missing, what installs them, and how they are called."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from ...errors import ExportError, ModelError, UnsupportedError
from ...files import read_json
from ...types import MANIFEST_FILE

TOOLS = MappingProxyType(
    {
        "arm-none-eabi-gcc": "gcc-arm-none-eabi",
        "qemu-system-arm": "qemu-system-arm",
    }
)
"""Program -> the Debian package that holds it."""
OWN_EXAMPLE = "main.c"


WHEELS = MappingProxyType({"ziglang": "a C compiler", "unicorn": "an emulator of processors"})
"""Package -> what it holds. Together they do without the programs of `TOOLS`: `pip install 'edgewright[firmware]'`."""


def missing_tools(names: Sequence[str] = tuple(TOOLS)) -> tuple[str, ...]:
    """Which of these programs are not found on the search path."""
    return tuple(name for name in names if shutil.which(name) is None)


def missing_wheels(names: Sequence[str] = tuple(WHEELS)) -> tuple[str, ...]:
    """Which of these packages cannot be imported."""
    return tuple(name for name in names if find_spec(name) is None)


def remedy(missing: tuple[str, ...]) -> str:
    """One sentence: which programs are missing, and the command that installs them; empty when nothing is."""
    if not missing:
        return ""
    packages = " ".join(sorted({TOOLS[name] for name in missing}))
    return f"{', '.join(missing)} not found: apt-get install --no-install-recommends {packages}"


def wheels_remedy(missing: tuple[str, ...]) -> str:
    """The same for packages."""
    return f"{', '.join(missing)} not installed: pip install 'edgewright[firmware]'" if missing else ""


def need_tools(names: Sequence[str] = tuple(TOOLS)) -> None:
    """Refuse to go on where a program is missing.

    Raises:
        UnsupportedError: names the programs and the packages.
    """
    told = remedy(missing_tools(names))
    if told:
        raise UnsupportedError(f"Firmware cannot be built and run here, {told}.")


def sources_of(folder: Path) -> list[Path]:
    """The C files of a model, without the folder's own example for the host; those that its manifest lists, where it
    has one.

    Raises:
        ModelError: it holds none.
    """
    manifest = folder / MANIFEST_FILE  # the user's own files and what CMake leaves in a build folder are not the model
    listed = [folder / part for part in read_json(manifest)["parts"]] if manifest.is_file() else folder.rglob("*.c")
    sources = sorted(path for path in listed if path.suffix == ".c" and path.name != OWN_EXAMPLE)
    if not sources:
        raise ModelError(f"{folder} holds no C files of a model: `edgewright export RUN --format c` writes some.")
    return sources


def call(
    arguments: Sequence[str], *, limit_s: float, where: Path | None = None
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run a compiler in the folder `where`; its exit status is for the caller to judge.

    Raises:
        ExportError: it does not finish in time.
    """
    try:
        return subprocess.run(arguments, cwd=where, capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        program = Path(arguments[0]).name
        raise ExportError(f"{program} did not finish within {limit_s:.0f} s: make the model smaller.") from None


def first_error(text: str) -> str:
    """The first line that reports an error, or the first line at all."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wrong = [line for line in lines if "error" in line.lower() or "undefined" in line]
    return (wrong or lines or ["no message"])[0][:300]
