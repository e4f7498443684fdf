"""Recipes: which stages, with which settings, in which order, and why.

A recipe is plain data and round-trips through a dict, so that it can be kept in a file, compared and repeated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .compress.distill import Distill
from .compress.prune import Prune
from .compress.quantize import LearnRounding, Limits, Mixed, Qat, Quantize, Scheme
from .errors import ConfigError, unknown_name
from .train import Train
from .types import Budget, ModelProfile, plain


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of every stage of `fit`.

    Args:
        train: how a model with random weights is trained first.
        prune: scores, rounding and sensitivity scan of the cut; its `keep_macs` is replaced by each round's target.
        recover: how a cut model learns from the original.
        quantize: how integers are made.
        keep_macs: aim at this share of the MACs only; None searches for the smallest that keeps the score.
        max_rounds: how many shares the search may try.
        reserve: share of the allowed drop that a round may use on the validation split; the rest is kept for the
            sampling error between validation and test split.
    """

    name: str = "default"
    train: Train = field(default_factory=Train)
    prune: Prune = field(default_factory=Prune)
    recover: Distill = field(default_factory=Distill)
    quantize: Quantize = field(default_factory=Quantize)
    keep_macs: float | None = None
    max_rounds: int = 3
    reserve: float = 0.5

    def __post_init__(self) -> None:
        if self.keep_macs is not None and not 0 < self.keep_macs <= 1:
            raise ConfigError(f"The share of MACs to keep is in (0, 1], got {self.keep_macs}.")
        if self.max_rounds < 1:
            raise ConfigError(f"Recipe.max_rounds is at least 1, got {self.max_rounds}.")
        if not 0 < self.reserve <= 1:
            raise ConfigError(f"Recipe.reserve is a share in (0, 1], got {self.reserve}.")

    def as_plain(self) -> dict[str, Any]:
        """The dict from which `from_plain` builds the same recipe."""
        return plain(self)

    @staticmethod
    def from_plain(content: Mapping[str, Any]) -> Recipe:
        """The recipe that `as_plain` wrote.

        Raises:
            ConfigError: unknown settings, or values outside their range.
        """
        return _build(Recipe, content)


def _build(kind: type[Any], content: Mapping[str, Any]) -> Any:
    """A settings dataclass from a dict; settings inside settings are built the same way."""
    nested: dict[str, type[Any]] = {
        "train": Train, "prune": Prune, "recover": Distill, "quantize": Quantize, "qat": Qat, "mixed": Mixed,
        "limits": Limits, "scheme": Scheme, "rounding": LearnRounding,
    }  # fmt: skip
    if not isinstance(content, Mapping):
        raise ConfigError(f"The settings of {kind.__name__} are an object with names and values, got {content!r}.")
    known = {each.name for each in dataclasses.fields(kind)}
    if foreign := sorted(set(content) - known):
        raise ConfigError(f"{kind.__name__} has no setting '{foreign[0]}': it has {', '.join(sorted(known))}.")
    values = {
        name: _build(nested[name], value) if name in nested and value is not None else value
        for name, value in content.items()
    }
    try:
        return kind(**values)
    except TypeError as error:  # a text where a number is compared
        raise ConfigError(f"A setting of {kind.__name__} has the wrong type ({error}): see its defaults.") from error


CAREFUL = Quantize(repair_if_drop_over=0.5, qat_if_drop_over=0.5)  # half a point is worth repairs, then training
SHORT = Train(epochs=5)
ADAM_SGD = Train(optimizer="adam-to-sgd:epoch=15,sgd_lr=0.02", lr=2e-3, weight_decay=5e-4)
COSINE_ADAMW = Train(optimizer="adamw", lr=3e-3, warmup_epochs=3, clip_norm=1.0)
COSINE_SGD = Train(optimizer="sgd", lr=0.1, weight_decay=5e-4, warmup_epochs=3)
REGULARIZED = Train(
    epochs=60, weight_decay=0.05, dropout=0.2, label_smoothing=0.1, augment="shift+rand", mixup=0.2, cutmix=1.0
)
PARALLEL = Train(processes=2, dtype="bfloat16", batch_size=64)  # batch norms look at both shares of every batch

RECIPES: Mapping[str, Recipe] = {
    each.name: each
    for each in (
        Recipe(quantize=CAREFUL),
        Recipe(name="quick", train=SHORT, recover=Distill(train=SHORT), max_rounds=1),
        Recipe(name="thorough", quantize=CAREFUL, max_rounds=6),
        Recipe(name="int8", quantize=CAREFUL, keep_macs=1.0),  # no cut: integers only
        Recipe(name="adam-sgd", quantize=CAREFUL, train=ADAM_SGD),
        Recipe(name="cosine-adamw", quantize=CAREFUL, train=COSINE_ADAMW),
        Recipe(name="cosine-sgd", quantize=CAREFUL, train=COSINE_SGD),
        Recipe(name="regularized", quantize=CAREFUL, train=REGULARIZED),
        Recipe(name="parallel", quantize=CAREFUL, train=PARALLEL),
    )
}


def recipe(name: str) -> Recipe:
    """The named recipe.

    Raises:
        LookupFailed: there is none of that name.
    """
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES, command="edgewright fit --help")
    return RECIPES[name]


def for_budget(recipe: Recipe, profile: ModelProfile, budget: Budget, *, trained: bool) -> tuple[str, ...]:
    """Which stages `fit` will run on a model of this cost, in order, each with its reason.

    Args:
        recipe: what was asked for.
        profile: of the model as given, at int8 on the target.
        budget: with the device's own limits filled in.
        trained: whether the model came with weights.
    """
    broken = budget.overruns(profile.cost)
    limits = ", ".join(f"{each.factor:.2f} times its {each.title}" for each in broken)
    prune = (
        f"needed: at int8 the model spends {limits}"
        if broken
        else "int8 alone meets the limits; smaller while the score holds"
    )
    train = () if trained else ("train: the model came without weights",)
    quantize = "quantize: int8 kernels on the target"
    if recipe.keep_macs == 1:
        return (*train, quantize)
    return (*train, f"prune: {prune}", "distill: the cut model learns from the original", quantize)
