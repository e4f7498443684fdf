"""Devices: one TOML file each in `data/`, a source beside each number; your own file works the same way."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError, unknown_name
from ..types import Device
from .parse import parse_device

DATA = Path(__file__).parent / "data"


def device_names() -> tuple[str, ...]:
    """The names of all built-in devices, sorted."""
    return tuple(sorted(path.stem for path in DATA.glob("*.toml")))


def device(name: str | Path) -> Device:
    """The device called `name`, or the one that a `.toml` file describes.

    Raises:
        LookupFailed: no such device; the message offers near matches.
        ConfigError: the file is missing, or does not describe a device.
    """
    if isinstance(name, Path) or name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise ConfigError(f"The device file {path} does not exist: give a .toml file or a built-in device's name.")
        return parse_device(path)
    if name not in device_names():
        raise unknown_name("device", name, device_names(), command="edgewright devices")
    return parse_device(DATA / f"{name}.toml")


__all__ = ["device", "device_names"]
