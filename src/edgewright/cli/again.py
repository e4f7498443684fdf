"""The command that trains on what another command was asked about."""

from __future__ import annotations

import dataclasses
import inspect
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..train import Train
    from .load import Asked

# of `Asked`: what a training starts from, and where it learns
SAME = ("weights", "data_root", "image_size", "channels", "val_from", "accelerator", "seed")


def train_words(asked: Asked) -> list[str]:
    """`edgewright train` with MODEL, DATA and those options of the model and the data that were given."""
    defaults = {each.name: each.default for each in dataclasses.fields(asked)}
    told = {name: value for name in SAME if (value := getattr(asked, name)) != defaults[name]}
    return ["edgewright", "train", asked.model, "--data", asked.data, *_options(told)]


def train_lines(asked: Asked, values: Mapping[str, Any], *, train: Train, preset: str, device: str) -> list[str]:
    """The command that trains with these values; in a second line those that no option sets.

    Args:
        asked: model and data.
        values: settings of `Train` that differ from those of the preset.
        train: the settings that they change.
        preset: whose settings the others are.
        device: whose cost is counted, "" for the default.
    """
    from .stages import train as command

    values = dict(values)
    if "schedule" in values:  # one that rises by itself would leave out the warm-up that was learnt with
        values.setdefault("warmup_epochs", train.warmup_epochs)
    told = {name: value for name, value in values.items() if value is not None and value is not False}
    options = {name: value for name, value in told.items() if name in inspect.signature(command).parameters}
    others = {"preset": preset} if preset != "default" else {}
    if device:
        others["device"] = device
    rest = {name: value for name, value in values.items() if name not in options and value != getattr(train, name)}
    line = shlex.join([*train_words(asked), *_options({**others, **options})])
    said = ", ".join(f"{name}={value!r}" for name, value in rest.items())
    return [line, f"and in Python, where train has no option for it: Train({said})"] if rest else [line]


def _options(values: Mapping[str, Any]) -> list[str]:
    words = []
    for name, value in values.items():
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.append(str(value))
    return words
