"""`--recover none|train|distill[:KINDS]`: the training behind a stage that cuts, empties or shares weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .kinds import WAYS, Kinds, parse_kinds, weighed

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
    if name.startswith("distill:"):
        _kinds(name)
    elif name not in RECOVERIES:
        raise ConfigError(f"--recover is one of {', '.join(RECOVERIES)}, got '{name}'.")
    if name == "none" and training and not trains:
        raise ConfigError(f"{flags(training)} would train nothing: add --recover train or distill.")


def recovery(recipe: Recipe, name: str, training: dict[str, Any]) -> Train | Distill | None:
    """The recipe's training of this name with the settings that were given; None for none.

    `distill:hints,attention:2` imitates these kinds, as `edgewright distill --kind` does.
    """
    if name == "train":
        return dataclasses.replace(recipe.train, **training)
    if name == "none":
        return None
    start = dataclasses.replace(recipe.recover, train=dataclasses.replace(recipe.recover.train, **training))
    return weighed(start, _kinds(name), {})


def _kinds(name: str) -> Kinds:
    """What follows the colon of `distill:KINDS`.

    Raises:
        LookupFailed, ConfigError: a kind that is none, or that has no teacher.
    """
    _, _, text = name.partition(":")
    kinds = parse_kinds(text, "--recover distill:") if text else {}
    if foreign := [way for way in WAYS if way in kinds]:
        raise ConfigError(f"--recover distill learns from the model as it came, got {foreign[0]}: name another kind.")
    return kinds
