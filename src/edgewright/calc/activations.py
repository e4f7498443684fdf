"""Activations: their cost, and hard-swish against the function that it stands for (gaps are searched, not quoted)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

from ..errors import ConfigError
from .worked import Pair, Step, Worked, finite, one_of, pair, product, shown, whole

PER_VALUE = {
    "relu": 1, "relu6": 2, "leaky-relu": 2, "prelu": 2, "sigmoid": 4, "hard-sigmoid": 4, "tanh": 5, "swish": 5,
    "hard-swish": 5, "gelu": 5, "dropout": 0,
}  # fmt: skip
"""Operations per value; exponentials are charged 4 or 5 by convention. The same as `edgewright analyze` counts."""

REACH = 12.0  # beyond it sigmoid differs from 0 or 1 by less than 1e-5
GRID = 2401  # steps of 0.01, which hit the kinks at -3 and 3


def activation(*, kind: str, size: Pair = 1, channels: int = 1, per_channel: bool = False) -> Worked:
    """ReLU, PReLU, sigmoid and others, and dropout.

    Args:
        kind: one of relu, relu6, leaky-relu, prelu, sigmoid, hard-sigmoid, tanh, swish, hard-swish, gelu or dropout.
        per_channel: a PReLU learns one slope per channel instead of one for all.
    """
    each = one_of("kind", kind, PER_VALUE)
    high, wide = pair("size", size)
    elements = whole("channels", channels) * high * wide
    if per_channel and kind != "prelu":
        raise ConfigError(f"per_channel is for prelu alone, got it with {kind!r}.")
    params = 0 if kind != "prelu" else channels if per_channel else 1
    steps = (
        Step("params", "C" if per_channel else shown(params), "slopes" if params else "none", params),
        Step("elementwise", "C H W x operations", product(channels, high, wide, each), each * elements),
    )
    result = {"params": params, "macs": 0, "elementwise": each * elements}
    notes = ("at inference dropout is the identity",) if kind == "dropout" else ()
    return Worked(title=f"{kind} on {shown([channels, high, wide])}", steps=steps, result=result, notes=notes)


def hard_swish(*, values: Sequence[float] = ()) -> Worked:
    """Hard-swish, its minimum, and its gap to swish.

    h-sigmoid(x) = relu6(x+3)/6 and h-swish(x) = x h-sigmoid(x).

    Args:
        values: x to work out.

    Source: Howard 2019, arXiv:1905.02244 (MobileNet V3).
    """
    (lowest_at, lowest), to_swish, to_sigmoid = _extremes()
    steps = [
        Step("minimum", "x (x+3)/6", f"{lowest_at:.4g} x {lowest_at + 3:.4g} / 6", -lowest, f"at x = {lowest_at:.4g}"),
        _gap("gap to swish", "max |h-swish - x sigmoid(x)|", to_swish, _hard_swish, lambda x: x * _sigmoid(x)),
        _gap("gap to sigmoid", "max |h-sigmoid - sigmoid|", to_sigmoid, _hard_sigmoid, _sigmoid),
    ]
    rows = [
        {"x": x, "hard_sigmoid": _hard_sigmoid(x), "hard_swish": _hard_swish(x), "swish": x * _sigmoid(x)}
        for x in (finite("values", value) for value in values)
    ]
    steps += [
        Step(f"h-swish({row['x']:g})", "x relu6(x+3)/6", f"{row['x']:g} x {shown(row['hard_sigmoid'])}",
             row["hard_swish"], f"(swish {shown(row['swish'])})")
        for row in rows
    ]  # fmt: skip
    result = {
        "minimum": -lowest, "minimum_at": lowest_at, "gap_to_swish": to_swish[1], "gap_to_swish_at": abs(to_swish[0]),
        "gap_to_sigmoid": to_sigmoid[1], "gap_to_sigmoid_at": abs(to_sigmoid[0]), "values": rows,
    }  # fmt: skip
    notes = ("h-sigmoid is linear between -3 and 3, h-swish is quadratic there",)
    return Worked(title="Hard-swish", steps=tuple(steps), result=result, notes=notes)


@functools.cache
def _extremes() -> tuple[tuple[float, float], ...]:
    """Where and how large: minus the minimum of h-swish, its gap to swish, the gap of h-sigmoid to sigmoid."""
    return (
        _largest(lambda x: -_hard_swish(x)),
        _largest(lambda x: abs(_hard_swish(x) - x * _sigmoid(x))),
        _largest(lambda x: abs(_hard_sigmoid(x) - _sigmoid(x))),
    )


def _gap(
    what: str, formula: str, found: tuple[float, float], hard: Callable[[float], float], soft: Callable[[float], float]
) -> Step:
    at = abs(found[0])
    return Step(what, formula, f"|{hard(at):.7g} - {soft(at):.7g}|", found[1], f"at |x| = {at:.4g}")


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _hard_sigmoid(x: float) -> float:
    return min(max(x + 3, 0.0), 6.0) / 6


def _hard_swish(x: float) -> float:
    return x * _hard_sigmoid(x)


def _largest(function: Callable[[float], float]) -> tuple[float, float]:
    """Where `function` is largest, and how large: the best point of a grid, then thirds of the interval around it."""
    step = 2 * REACH / (GRID - 1)
    best = max((round(-REACH + step * i, 10) for i in range(GRID)), key=function)
    low, high = best - step, best + step
    while high - low > 1e-9:
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (left, high) if function(left) < function(right) else (low, right)
    return max(((x, function(x)) for x in (best, (low + high) / 2)), key=lambda found: found[1])
