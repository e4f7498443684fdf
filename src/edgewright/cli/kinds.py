"""`--kind soft,hints:2`: what a student imitates, and how much each of it weighs."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from ..compress.distill import Distill

TERM_WEIGHTS: dict[str, float | None] = {
    "soft": None,  # the rest beside the labels
    "decoupled": 1.0,
    "features": 1.0,
    "hints": 1.0,
    "attention": 10.0,  # the usual 1,000 a mean over all places (Zagoruyko 2017) weighs 1 to 16 a map in our units
    "relational": 25.0,  # distances 25, angles 50 (Park 2019)
}
"""Name of a term -> its weight where none is given. Keys of `compress.distill.terms.TERMS`; help must not load that."""
WAYS = ("born-again", "mutual")  # kinds that are a training of their own, without a teacher
KIND_NAMES = (*TERM_WEIGHTS, *WAYS)

Kinds = dict[str, float | None]


def parse_kinds(text: str, option: str = "--kind") -> Kinds:
    """`soft,hints:2` as {"soft": None, "hints": 2.0}; a weight that is not given is that of `TERM_WEIGHTS`.

    Raises:
        LookupFailed: there is no such kind.
        ConfigError: a kind twice, a weight that is none, or two trainings at once.
    """
    found: Kinds = {}
    for word in text.split(","):
        name, colon, weight = word.strip().partition(":")
        if name not in KIND_NAMES:
            raise unknown_name("kind", name, KIND_NAMES, command="edgewright distill --help")
        if name in found:
            raise ConfigError(f"{option} names {name} twice: give each kind once.")
        found[name] = _weight(weight, name, option) if colon else TERM_WEIGHTS.get(name)
    if "mutual" in found and len(found) > 1:
        other = next(name for name in found if name != "mutual")
        raise ConfigError(
            f"{option} mutual has peers and no teacher, so nothing for {other} to imitate: name one of both."
        )
    return found


def _weight(text: str, name: str, option: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not 0 < weight < math.inf or name == "born-again":
        expected = "takes no weight" if name == "born-again" else "takes a weight greater than 0"
        raise ConfigError(f"{option} {name} {expected}, got '{text}': write for instance hints:2.")
    return weight


def weighed(start: Distill, kinds: Kinds, changes: dict[str, Any]) -> Distill:
    """`start` with these kinds and settings.

    Without any kind of term it is as `start` weighs. Where soft is not among them, the labels count whole unless
    `changes` says otherwise.
    """
    terms = {name: weight for name, weight in kinds.items() if name in TERM_WEIGHTS and name != "soft"}
    if "soft" in kinds and kinds["soft"] is not None:
        terms["soft"] = kinds["soft"]
    elif terms and "soft" not in kinds:
        terms |= {"soft": 0.0, "alpha": 1.0}
    return dataclasses.replace(start, **{**terms, **changes})
