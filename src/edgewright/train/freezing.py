"""Which parts of a network do not learn in which epoch: none, some, or ever fewer from the head down.

A frozen part keeps its weights (no gradient, and so no decay either) and the running statistics of its batch norms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from .companion import inside, learners_of
from .groups import freeze, hold_statistics, is_under, levels_of

if TYPE_CHECKING:
    from .settings import Train

BACKBONE = "backbone"  # in the settings: every stage but the last


def head_of(net: nn.Module) -> tuple[str, ...]:
    """The last stage: what turns features into answers. Empty for a network without weights."""
    levels = levels_of(net)
    return tuple(stage for stage, level in levels.items() if level == max(levels.values()))


def backbone_of(net: nn.Module) -> tuple[str, ...]:
    """Every stage but the last; nothing for a network of one stage."""
    head = head_of(net)
    return tuple(stage for stage in levels_of(net) if stage not in head)


def frozen_at(net: nn.Module, settings: Train, *, epoch: int) -> tuple[str, ...]:
    """Prefixes of what does not learn in an epoch (from 1).

    With `unfreeze_every` one stage more of what is frozen learns after every so many epochs, the last one first; a
    part that is given by name thaws stage by stage in the same order.

    Source: Howard and Ruder 2018, Universal Language Model Fine-tuning, section 3.3 (gradual unfreezing).
    """
    parts = _parts(net, settings)
    if settings.unfreeze_every is None or not parts:
        return tuple(parts)
    levels = {stage: level for stage, level in _levels(net).items() if _overlaps(stage, parts)}
    num_thawed = (epoch - 1) // settings.unfreeze_every
    still = sorted(set(levels.values()))[: max(0, len(set(levels.values())) - num_thawed)]
    return tuple(each for stage, level in levels.items() if level in still for each in _inner(stage, parts))


def begin_frozen(net: nn.Module, settings: Train) -> None:
    """Freeze, in place, what never learns. What thaws later is left trainable: the optimizer has to know it.

    Raises:
        ConfigError: a part that the network does not have.
    """
    before = {name for name, each in net.named_parameters() if each.requires_grad}
    names = freeze(net, _parts(net, settings))
    if settings.unfreeze_every is not None:
        for name in before.intersection(names):
            net.get_parameter(name).requires_grad_(True)


def hold_frozen(net: nn.Module, optimizer: torch.optim.Optimizer, settings: Train, *, epoch: int) -> None:
    """Make the frozen parts of an epoch stand still, in place; what has thawed learns again.

    To be called whenever the network has been put into training mode. Everything follows from the epoch's number, so
    a run that is continued freezes the same.
    """
    parts = frozen_at(net, settings, epoch=epoch)
    if settings.unfreeze_every is not None:
        known = {id(each) for group in optimizer.param_groups for each in group["params"]}
        for name, each in net.named_parameters():
            if id(each) in known:
                each.requires_grad_(not any(is_under(name, part) for part in parts))
    hold_statistics(net, parts)


def _parts(net: nn.Module, settings: Train) -> list[str]:
    """Prefixes of all that is frozen in the first epoch."""
    return [
        inside(path, each)
        for path, learner in learners_of(net).items()
        for name in settings.frozen
        for each in (backbone_of(learner) if name == BACKBONE else (name,))
    ]


def _levels(net: nn.Module) -> dict[str, int]:
    """Stage -> its level in its own learner: peers thaw side by side."""
    return {
        inside(path, stage): level
        for path, learner in learners_of(net).items()
        for stage, level in levels_of(learner).items()
    }


def _overlaps(stage: str, parts: list[str]) -> bool:
    """Whether a part is the stage, or one lies in the other."""
    return any(is_under(stage, part) or is_under(part, stage) for part in parts)


def _inner(stage: str, parts: list[str]) -> list[str]:
    """The parts that lie in a stage, or the stage where it lies in one."""
    return [part for part in parts if is_under(part, stage)] or [stage]
