"""The programs that build and run firmware: which are missing, and what installs them."""

from __future__ import annotations

import shutil
from types import MappingProxyType

from ...errors import UnsupportedError

TOOLS = MappingProxyType(
    {
        "arm-none-eabi-gcc": "gcc-arm-none-eabi",
        "arm-none-eabi-size": "binutils-arm-none-eabi",
        "qemu-system-arm": "qemu-system-arm",
    }
)
"""Program -> the Debian package that holds it."""


def missing_tools() -> tuple[str, ...]:
    """The programs of `TOOLS` that are not found on the search path."""
    return tuple(name for name in TOOLS if shutil.which(name) is None)


def remedy(missing: tuple[str, ...]) -> str:
    """One sentence: what is missing, and the command that installs it; empty when nothing is."""
    if not missing:
        return ""
    packages = " ".join(sorted({TOOLS[name] for name in missing}))
    return f"{', '.join(missing)} not found: apt-get install --no-install-recommends {packages}"


def need_tools() -> None:
    """Refuse to go on where a program is missing.

    Raises:
        UnsupportedError: names the programs and the packages.
    """
    told = remedy(missing_tools())
    if told:
        raise UnsupportedError(f"Firmware cannot be built and run here, {told}.")
