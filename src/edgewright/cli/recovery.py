"""`--recover none|train|distill`: the training behind a stage that cuts, empties or shares weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..compress.distill import Distill
    from ..recipes import Recipe
    from ..train import Train

RECOVERIES = ("none", "train", "distill")


def flags(names: Iterable[str]) -> str:
    """`--batch-size, --lr` for the names of settings."""
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)


def check_recovery(name: str, training: dict[str, Any], *, trains: bool = False) -> None:
    """Refuse a name that is none, and settings of a training that would not take place.

    Args:
        trains: the stage itself trains with these settings.

    Raises:
        ConfigError: names them.
    """
    if name not in RECOVERIES:
        raise ConfigError(f"--recover is one of {', '.join(RECOVERIES)}, got '{name}'.")
    if name == "none" and training and not trains:
        raise ConfigError(f"{flags(training)} would train nothing: add --recover train or distill.")


def recovery(recipe: Recipe, name: str, training: dict[str, Any]) -> Train | Distill | None:
    """The recipe's training of this name with the settings that were given; None for none."""
    if name == "train":
        return dataclasses.replace(recipe.train, **training)
    start = recipe.recover
    return dataclasses.replace(start, train=dataclasses.replace(start.train, **training)) if name == "distill" else None
