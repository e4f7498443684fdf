"""From what the user typed to a built model. Torch is imported when something is built, not before."""

from __future__ import annotations

import dataclasses
import importlib
import math
import re
from pathlib import Path

from ..errors import ConfigError, LookupFailed
from .registry import find, names
from .spec import Wanted, ZooModel

SPEC = re.compile(r"(?P<name>[^:@]*)(:(?P<width>[^@]*))?(@(?P<size>.*))?")
WIDEST = 10  # a slip of the keyboard must not ask for more memory than there is
LIBRARIES = ("timm", "torchvision")


def resolve(
    spec: str,
    *,
    num_classes: int | None,
    channels: int | None = None,
    image_size: int | tuple[int, int] | None = None,
    weights: Path | None = None,
    seed: int = 0,
) -> ZooModel:
    """Build the model that `spec` names. Nothing is downloaded; without `weights` they are random ones of `seed`.

    Args:
        spec: a zoo name, with multipliers as `mobilenet_v1:0.25@128` (width 0.25, 128 pixels), `timm:NAME`,
            `torchvision:NAME`, or `FILE.py:factory`.
        num_classes: width of the model's output; None for the model's own.
        channels: channels of the image; None for the model's own.
        image_size: height and width in pixels, one number where they are equal; None for the model's own.
        weights: a `.safetensors`, `.pt`, `.pth` or `.th` file with the model's state dict.
        seed: the run's seed; the global generators stay as they were.

    Raises:
        LookupFailed: no such model; near matches are offered.
        ConfigError: a multiplier, size or count is out of range.
        ModelError: the user's file or the weights cannot be used.
    """
    wanted = Wanted(num_classes=num_classes, channels=channels, image_size=image_size, seed=seed)
    built = _build(spec, wanted)
    if weights is not None:
        from .weights import load_weights

        load_weights(built.model, Path(weights), name=built.name)
        built = dataclasses.replace(built, trained=True)
    built.model.eval()
    return built


def _build(spec: str, wanted: Wanted) -> ZooModel:
    source, _, rest = spec.partition(":")
    if source == "timm":
        from .timm_models import build_timm

        return build_timm(rest, wanted)
    if source == "torchvision":
        from .torchvision_models import build_torchvision

        return build_torchvision(rest, wanted)
    if spec.endswith(".py") or spec.rpartition(":")[0].endswith(".py"):
        from .user_file import build_from_file

        return build_from_file(spec, wanted)
    return _build_own(spec, wanted)


def _build_own(spec: str, wanted: Wanted) -> ZooModel:
    name, width, wanted = _read_multipliers(spec, wanted)
    if name not in names():
        _refer_to_libraries(name)
    entry = find(name)
    if width is not None and "width" not in entry.takes:
        raise ConfigError(f"{name} takes no width multiplier, got '{spec}': write {name} alone.")
    shape = wanted.shape(entry.input_shape)
    settings: dict[str, object] = {"num_classes": wanted.num_classes or entry.num_classes, "in_channels": shape[0]}
    if width is not None:
        settings["width"] = width
    if "image_size" in entry.takes:
        settings["image_size"] = shape[1:]
    factory = getattr(importlib.import_module(f".{entry.module}", __package__), entry.factory)
    from .seeded import seeded

    with seeded(wanted.seed):
        model = factory(**settings)
    own = shape[0] == entry.input_shape[0]  # statistics of RGB images say nothing about other channels
    mean, std = (entry.mean, entry.std) if own else (None, None)
    return ZooModel(model=model, name=spec, input_shape=shape, mean=mean, std=std)


def _read_multipliers(spec: str, wanted: Wanted) -> tuple[str, float | None, Wanted]:
    """`name:width@size` taken apart; a size in the spec becomes the wanted image size."""
    parts = SPEC.fullmatch(spec)
    if parts is None:
        raise ConfigError(f"Cannot read the model '{spec}': expected NAME, NAME:WIDTH or NAME:WIDTH@SIZE.")
    width = None if parts["width"] is None else _number(parts["width"], spec, "width multiplier", float)
    if width is not None and width > WIDEST:
        raise ConfigError(f"The width multiplier in '{spec}' is at most {WIDEST}, got {width}: 0.25 to 1.4 is usual.")
    if parts["size"] is None:
        return parts["name"], width, wanted
    size = int(_number(parts["size"], spec, "image size", int))
    if wanted.sides not in (None, (size, size)):
        raise ConfigError(f"'{spec}' asks for {size} pixels, and the image size for {wanted.image_size}: drop either.")
    return parts["name"], width, dataclasses.replace(wanted, image_size=size)


def _number(text: str, spec: str, what: str, kind: type[int] | type[float]) -> float:
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not (value > 0 and math.isfinite(value)):
        raise ConfigError(f"The {what} in '{spec}' is not a number above 0, got '{text}': write for instance 0.25@128.")
    return value


def _refer_to_libraries(name: str) -> None:
    """Say so when the name is that of a timm or torchvision model. They take seconds to import, so only on failure.

    Raises:
        LookupFailed: names the spelling that works.
    """
    libraries = {each: importlib.import_module(f".{each}_models", __package__) for each in LIBRARIES}
    known = [f"{library}:{name}" for library, module in libraries.items() if name in module.model_names()]
    if known:
        raise LookupFailed(f"Unknown model '{name}': edgewright has no own one, write {' or '.join(known)}.")
