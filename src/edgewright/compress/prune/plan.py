"""What leaves a model, decided and written down before anything is cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import fx

from ...errors import ConfigError, DataError, first_line
from ...files import read_tagged, write_json
from ...model import ChannelMap, cut, find_channels
from ...types import PLAN_FILE, plain
from .quantities import NEAR, QUANTITIES

PLAN_FORMAT = "edgewright.prune-plan/1"
REMEDY = "plan again with `edgewright prune`"


@dataclass(frozen=True, kw_only=True)
class GroupPlan:
    """What happens to one group of coupled channels. `dropped` are indices of its classes."""

    name: str
    num_classes: int
    width: int  # channels that leave with a class
    dropped: tuple[int, ...] = ()
    rise: float = 0.0  # expected rise of the loss
    locked: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "dropped", tuple(self.dropped))  # a list, when read from JSON

    @property
    def keep(self) -> float:
        """The share of the classes that stays."""
        return 1 - len(self.dropped) / self.num_classes


@dataclass(frozen=True, kw_only=True)
class PrunePlan:
    """A cut as plain data: `types.plain` writes it, `from_plain` reads it; `save_plan` and `read_plan` for files."""

    target: str  # what a share of was asked for, one of `QUANTITIES`
    target_keep: float  # at most this share
    before: float  # that quantity in the whole model, in bytes or seconds where it has a unit
    after: float
    macs_before: int
    macs_after: int
    params_before: int
    params_after: int
    score: str  # which channels matter
    ranking: str = "planned"  # which classes competed
    measured: bool  # whether `rise` comes from measurements; else it is minus the log of the share of the score kept
    groups: tuple[GroupPlan, ...]
    counted: str = ""  # device and type of numbers for which the quantity was counted; empty where they do not matter
    weights: str = ""  # fingerprint of the model whose channels were ranked

    def __post_init__(self) -> None:
        groups = (each if isinstance(each, GroupPlan) else GroupPlan(**each) for each in self.groups)
        object.__setattr__(self, "groups", tuple(groups))  # a list of objects, when read from JSON

    @property
    def keep(self) -> float:
        """The share of the quantity that stays."""
        return self.after / self.before

    @property
    def keep_macs(self) -> float:
        """The share of the MACs that stays."""
        return self.macs_after / self.macs_before

    @property
    def title(self) -> str:
        """What is kept a share of, in words."""
        return QUANTITIES[self.target].title

    @property
    def is_near(self) -> bool:
        """Whether at least 98 % of the asked share is used."""
        return self.keep >= (1 - NEAR) * self.target_keep

    @property
    def drop(self) -> dict[str, tuple[int, ...]]:
        """Group -> classes that leave, for `model.cut`."""
        return {group.name: group.dropped for group in self.groups if group.dropped}

    @staticmethod
    def from_plain(content: Mapping[str, Any]) -> PrunePlan:
        """The plan that `types.plain` turned into `content`."""
        return PrunePlan(**content)


def save_plan(plan: PrunePlan, path: Path) -> None:
    """Write a plan as JSON, in one step."""
    write_json(path, {"format": PLAN_FORMAT, "plan": plain(plan)})


def read_plan(path: Path) -> PrunePlan:
    """The plan in a file that `save_plan` wrote.

    Raises:
        ConfigError: there is no such file.
        DataError: it is damaged, or of another format.
    """
    absent = ConfigError(f"There is no plan {path}: a run of `edgewright prune` writes {PLAN_FILE}.")
    content = read_tagged(path, PLAN_FORMAT, absent=absent, remedy=REMEDY)
    try:
        plan = PrunePlan.from_plain(content["plan"])
        _check_values(plan)
    except (KeyError, TypeError, ValueError) as error:
        reason = first_line(error, typed=True)
        raise DataError(f"{path} holds no plan ({reason}): {REMEDY}.") from error
    return plan


def _check_values(plan: PrunePlan) -> None:
    if plan.target not in QUANTITIES:
        raise ValueError(f"unknown target {plan.target!r}")
    for group in plan.groups:
        if not all(isinstance(each, int) for each in group.dropped):
            raise ValueError(f"group {group.name!r} drops what is no index")


def apply_plan(net: fx.GraphModule, plan: PrunePlan) -> fx.GraphModule:
    """The model without what the plan drops. `net` stays as it was.

    Raises:
        ConfigError: the plan was made for a model with other groups.
    """
    channels = find_channels(net)
    check_plan(channels, plan)
    return cut(net, plan.drop, channels=channels)


def check_plan(channels: ChannelMap, plan: PrunePlan) -> None:
    """Refuse a plan for a model whose channels are coupled in another way.

    Raises:
        ConfigError: names the first group that differs.
    """
    found = {group.name: group.num_classes for group in channels.groups}
    planned = {group.name: group.num_classes for group in plan.groups}
    for name in (*planned, *found):
        if found.get(name) != planned.get(name):
            there, here = (str(each[name]) if name in each else "none" for each in (planned, found))
            raise ConfigError(
                f"The plan was made for another model: group '{name}' has {there} classes in it "
                f"and {here} here. Plan again for this model."
            )
