"""Which parameter is decayed, how fast it learns, and whether it learns at all: each in one group, exactly once.

Parts of a network are named by prefixes of dotted paths: `layer1` is `layer1.0.conv1.weight` and all beside it, not
`layer10`; the longest prefix counts; the empty one is everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from ..errors import ConfigError
from .companion import inside, learners_of

if TYPE_CHECKING:
    from .settings import Train

Groups = list[dict[str, Any]]
NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def parameter_groups(net: nn.Module, *, weight_decay: float, rates: Mapping[str, float] | None = None) -> Groups:
    """Every trainable parameter of `net` in one group; no decay for norms and for parameters of one axis (biases).

    Args:
        net: as it will be trained; parameters that want no gradient are left out.
        weight_decay: of the others.
        rates: prefix -> share of the learning rate, which its groups hold as `lr_scale`; None gives all the same.

    Raises:
        ConfigError: a parameter under no prefix, a prefix without a parameter, or a share that is not above 0.
    """
    known = dict(net.named_parameters())
    trainable = {name: each for name, each in known.items() if each.requires_grad}
    norms = {id(own) for part in net.modules() if isinstance(part, NORMS) for own in part.parameters(recurse=False)}
    share_of = _shares(trainable, rates, known) if rates else dict.fromkeys(trainable, 1.0)
    groups: Groups = []
    for share in dict.fromkeys(share_of.values()):
        members = [each for name, each in trainable.items() if share_of[name] == share]
        plain = {id(each) for each in members if each.dim() <= 1 or id(each) in norms}
        scale = {"lr_scale": share} if rates else {}
        groups += [
            {"params": [each for each in members if id(each) not in plain], "weight_decay": weight_decay, **scale},
            {"params": [each for each in members if id(each) in plain], "weight_decay": 0.0, **scale},
        ]
    return [group for group in groups if group["params"]]


def rates_of(net: nn.Module, settings: Train) -> dict[str, float] | None:
    """The shares that a training's settings ask for; None where all parameters learn alike.

    In a wrapper they are those of each learner, and 1 for what is beside them.
    """
    if not settings.rates and settings.layer_decay == 1:
        return None
    found: dict[str, float] = {}
    learners = learners_of(net)
    for path, learner in learners.items():
        own = parse_rates(settings.rates) if settings.rates else layer_decay_rates(learner, settings.layer_decay)
        found |= {inside(path, prefix): share for prefix, share in own.items()}
    beside = [name for name, _ in net.named_parameters() if not any(is_under(name, path) for path in learners)]
    return found | dict.fromkeys(beside, 1.0)


def parse_rates(text: str) -> dict[str, float]:
    """`stem=0.1,layer1=0.3,=1` as prefix -> share; a part without a name is the rest.

    Raises:
        ConfigError: it is not written so, or a share is not above 0.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        prefix, equals, share = part.partition("=")
        try:
            found[prefix.strip()] = float(share)
        except ValueError:
            equals = ""
        if not equals or not 0 < found[prefix.strip()] < float("inf"):
            raise ConfigError(f"Rates are written PREFIX=SHARE,... with shares above 0, got '{part}': see stem=0.1,=1.")
    return found


def stages_of(net: nn.Module) -> tuple[str, ...]:
    """Prefixes of the stages in the order in which they are defined, from the input on; they cover every parameter.

    A stage ends behind the first number in a path (`layer1.0`, `blocks.3`, `features.5`) or is a layer that no number
    names (`conv1`, `fc`). One that holds no kernel or matrix, as a norm or a token does, counts to the next level with
    the stage before it (`levels_of`).
    """
    return tuple(dict.fromkeys(_stage(name) for name, _ in net.named_parameters()))


def levels_of(net: nn.Module) -> dict[str, int]:
    """Stage -> its level, 0 at the input. A stage without a kernel shares the level of the stage before it."""
    weights = {_stage(name) for name, each in net.named_parameters() if each.dim() > 1}
    levels: dict[str, int] = {}
    level = -1
    for stage in stages_of(net):
        level += stage in weights
        levels[stage] = max(0, level)
    return levels


def layer_decay_rates(net: nn.Module, decay: float) -> dict[str, float]:
    """Stage -> decay^(levels above it): the last stage learns at the full rate, each before it at `decay` times that.

    Source: Howard and Ruder 2018, ULMFiT, section 3.2 (discriminative fine-tuning); Bao 2022, BEiT (layer decay).
    """
    levels = levels_of(net)
    highest = max(levels.values(), default=0)
    return {stage: decay ** (highest - level) for stage, level in levels.items()}


def freeze(net: nn.Module, prefixes: Iterable[str]) -> tuple[str, ...]:
    """Let the parameters under `prefixes` want no gradient, in place; their names.

    Raises:
        ConfigError: a prefix without a parameter.
    """
    named = dict(net.named_parameters())
    frozen = []
    for prefix in prefixes:
        found = [name for name in named if is_under(name, prefix)]
        if not found:
            raise _no_such_part(prefix, named)
        frozen += found
    for name in frozen:
        named[name].requires_grad_(False)
    return tuple(dict.fromkeys(frozen))


def hold_statistics(net: nn.Module, prefixes: Iterable[str]) -> None:
    """Put the batch norms under `prefixes` into eval mode: a frozen weight does not keep its running statistics still.

    To be called whenever the network has been put into training mode.
    """
    for prefix in prefixes:
        for name, part in net.named_modules():
            if isinstance(part, _BatchNorm) and is_under(name, prefix):
                part.eval()


def is_under(name: str, prefix: str) -> bool:
    """Whether a dotted name is the part `prefix` or lies in it."""
    return not prefix or name == prefix or name.startswith(prefix + ".")


def _shares(
    trainable: Mapping[str, nn.Parameter], rates: Mapping[str, float], known: Iterable[str]
) -> dict[str, float]:
    """Name of each parameter -> the share of its longest prefix; a prefix may name what is frozen."""
    for prefix, share in rates.items():
        if not 0 < share < float("inf"):
            raise ConfigError(f"The share of the learning rate of '{prefix}' must be above 0, got {share}: freeze it.")
        if prefix and not any(is_under(name, prefix) for name in known):
            raise _no_such_part(prefix, known)
    found = {name: [prefix for prefix in rates if is_under(name, prefix)] for name in trainable}
    left = [name for name, prefixes in found.items() if not prefixes]
    if left:
        values = sum(trainable[name].numel() for name in left)
        raise ConfigError(
            f"The rates name no share for {len(left)} parameters with {values:,} values ({', '.join(left[:3])}): they "
            "would not be trained; add their prefix, or '' for the rest."
        )
    return {name: rates[max(prefixes, key=len)] for name, prefixes in found.items()}


def _stage(name: str) -> str:
    """`layer1.0.conv1.weight` -> `layer1.0`; `conv1.weight` -> `conv1`; `cls_token` -> itself."""
    parts = name.split(".")
    for position, part in enumerate(parts[:-1]):
        if part.isdigit():
            return ".".join(parts[: position + 1])
    return parts[0]


def _no_such_part(prefix: str, names: Iterable[str]) -> ConfigError:
    parts = sorted({".".join(name.split(".")[:depth]) for name in names for depth in range(1, name.count(".") + 1)})
    near = get_close_matches(prefix, parts, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(p for p in parts if '.' not in p)}."
    return ConfigError(f"The model has no part '{prefix}': {hint}")
