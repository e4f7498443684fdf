"""A plain network from a list of layers in words: shapes, parameters and MACs, layer by layer.

A layer is a kind, its width or window, and settings: `conv 16 k3 s2 p1`, `pool 2`, `linear 10`. Settings are a letter
with a number (`k` kernel, `s` stride, `p` padding, `d` dilation, `g` groups, `o` output padding) or a word.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ConfigError
from .activations import PER_VALUE, activation
from .elementwise import batch_norm, pool
from .layers import conv, depthwise, linear, transposed
from .worked import Pair, Step, Worked, pair, product, shown, whole

Shape = tuple[int, ...]
Settings = Mapping[str, Any]

LETTERS = {"k": "kernel", "s": "stride", "p": "padding", "d": "dilation", "g": "groups", "o": "output_padding"}
WORDS: Mapping[str, tuple[str, Any]] = {
    "same": ("padding", "same"), "full": ("padding", "full"), "ceil": ("ceil", True), "nobias": ("bias", False),
    "per-channel": ("per_channel", True),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How a kind of layer is worked."""

    work: Callable[[Shape, Settings], Worked]
    width: str | None = None  # the setting that the number after the kind stands for
    takes: frozenset[str] = field(default_factory=frozenset)
    reads_image: bool = True


def chain(*, size: Pair, channels: int, layers: Sequence[str]) -> Worked:
    """Shapes, params and MACs of a plain network.

    Args:
        layers: in order, such as "conv 8 k3 p1", "pool 2", "linear 10". Kinds: conv, depthwise, transposed, pool,
            average-pool, global-pool, batch-norm, flatten, linear, relu and other activations. Settings: k3 kernel,
            s2 stride, p1 padding, d2 dilation, g4 groups, o1 output padding, same, ceil, nobias. A linear layer
            flattens.
    """
    if not layers:
        raise ConfigError('layers is a list such as "conv 8 k3 p1", "pool 2", "linear 10", got none.')
    shape: Shape = (whole("channels", channels), *pair("size", size))
    steps: list[Step] = []
    rows: list[dict[str, Any]] = []
    for number, text in enumerate(layers, start=1):
        words = " ".join(str(text).split())
        worked = _work(words, shape)
        shape = tuple(worked.result["shape_out"])
        steps += [replace(line, what=f"{number} {words} -> {shown(shape)}, {line.what}") for line in _lines(worked)]
        counts = {key: worked.result.get(key, 0) for key in ("params", "macs", "elementwise")}
        rows.append({"layer": words, "shape_out": list(shape), **counts})
    totals = {key: sum(row[key] for row in rows) for key in ("params", "macs", "elementwise")}
    for key, what in (("params", "params"), ("macs", "MACs")):
        terms = " + ".join(shown(row[key]) for row in rows if row[key])
        steps.append(Step(what, "sum", terms or "0", totals[key]))
    return Worked(
        title=f"Chain of {len(rows)} layers on {shown([channels, *pair('size', size)])}",
        steps=tuple(steps),
        result={**totals, "shape_out": list(shape), "layers": rows},
    )


def _work(text: str, shape: Shape) -> Worked:
    name, *words = text.split() or [""]
    if name not in KINDS:
        raise ConfigError(f"A layer starts with one of {', '.join(KINDS)}, got {text!r}.")
    kind = KINDS[name]
    settings = dict(_setting(word, kind, text) for word in words)
    if kind.width and kind.width not in settings:
        raise ConfigError(f"{name} needs its {kind.width.replace('_', ' ')} after it, got {text!r}.")
    if kind.reads_image and len(shape) != 3:
        raise ConfigError(f"{text!r} needs an image, but gets {shown(shape)}: put it before the flattening.")
    return kind.work(shape, settings)


def _setting(word: str, kind: Kind, text: str) -> tuple[str, Any]:
    """One word after the kind as the argument that it stands for."""
    if word.isdigit() and kind.width:
        return kind.width, int(word)
    match = re.fullmatch(r"([kspdgo])(\d+)", word)
    name, value = (LETTERS[match[1]], int(match[2])) if match else WORDS.get(word, ("", None))
    if name not in kind.takes:
        known = [f"{letter}N" for letter, full in LETTERS.items() if full in kind.takes]
        known += [each for each, (full, _) in WORDS.items() if full in kind.takes]
        raise ConfigError(f"{text.split()[0]} takes {', '.join(known) or 'no settings'}, got {word!r} in {text!r}.")
    return name, value


def _lines(worked: Worked) -> list[Step]:
    """The steps that a chain shows of a layer: what it holds and what it computes."""
    named = {step.what: step for step in worked.steps}
    if worked.result.get("macs"):
        return [named.get("params", named["weights"]), named["MACs"]]
    wanted = ("params",) if worked.result.get("params") else ()
    return [named[name] for name in (*wanted, "elementwise", "scale and shift", "values") if name in named]


def _on_image(make: Callable[..., Worked], channels: str = "in_channels", **fixed: Any) -> Callable[..., Worked]:
    def work(shape: Shape, settings: Settings) -> Worked:
        return make(size=shape[1:], **{channels: shape[0]}, **fixed, **settings)

    return work


def _global_pool(shape: Shape, settings: Settings) -> Worked:
    return pool(size=(shape[1], shape[2]), channels=shape[0], kernel=(shape[1], shape[2]), kind="average")


def _batch_norm(shape: Shape, settings: Settings) -> Worked:
    worked = batch_norm(size=(shape[1], shape[2]), channels=shape[0])
    return replace(worked, result={**worked.result, "shape_out": list(shape)})


def _flatten(shape: Shape, settings: Settings) -> Worked:
    step = Step("values", "C H W", product(*shape), math.prod(shape))
    return Worked(title="Flatten", steps=(step,), result={"shape_out": [math.prod(shape)]})


def _linear(shape: Shape, settings: Settings) -> Worked:
    worked = linear(in_features=math.prod(shape), **settings)
    return replace(worked, result={**worked.result, "shape_out": worked.result["shape_out"][1:]})


def _activation(kind: str) -> Callable[[Shape, Settings], Worked]:
    def work(shape: Shape, settings: Settings) -> Worked:
        size = (shape[1], shape[2]) if len(shape) == 3 else 1
        worked = activation(kind=kind, channels=shape[0], size=size, **settings)
        return replace(worked, result={**worked.result, "shape_out": list(shape)})

    return work


WINDOW = frozenset({"stride", "padding"})
CONV = WINDOW | {"kernel", "dilation", "bias"}

KINDS: Mapping[str, Kind] = {
    "conv": Kind(work=_on_image(conv), width="out_channels", takes=CONV | {"groups"}),
    "depthwise": Kind(work=_on_image(depthwise, "channels"), takes=CONV),
    "transposed": Kind(work=_on_image(transposed), width="out_channels", takes=CONV | {"groups", "output_padding"}),
    "pool": Kind(work=_on_image(pool, "channels"), width="kernel", takes=WINDOW | {"ceil"}),
    "average-pool": Kind(work=_on_image(pool, "channels", kind="average"), width="kernel", takes=WINDOW | {"ceil"}),
    "global-pool": Kind(work=_global_pool),
    "batch-norm": Kind(work=_batch_norm),
    "flatten": Kind(work=_flatten, reads_image=False),
    "linear": Kind(work=_linear, width="out_features", takes=frozenset({"bias"}), reads_image=False),
    **{kind: Kind(work=_activation(kind), reads_image=False) for kind in PER_VALUE if kind != "prelu"},
    "prelu": Kind(work=_activation("prelu"), takes=frozenset({"per_channel"}), reads_image=False),
}
