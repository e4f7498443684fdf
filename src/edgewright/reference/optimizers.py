"""The update rules of optimizers as their papers write them, in float64 and one tensor at a time.

rule(w, g, memory, how) -> the new w     `memory` is the rule's own and is changed: a dict that begins empty
                                         `how` holds the numbers that a user chooses
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Memory = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class How:
    """The numbers of a rule; each uses those that its formula names."""

    lr: float
    m: float = 0.9  # momentum; Adam's first beta
    b2: float = 0.999  # share of the past in the mean of g^2
    eps: float = 1e-8
    decay: float = 0.0  # of the weights
    psi: float = 4e-3  # how fast NAdam's momentum grows
    d: float = 1.0  # the root mean square to which Adafactor clips a step
    power: float = 0.8  # Adafactor's b2 is 1 - t^-power
    axes: tuple[int, int] | None = (0, 1)  # over which Adafactor factors; None keeps all of the second moment
    eta: float = 1e-3  # LARS' trust in a tensor's own rate
    tolerance: float = 1e-9  # at which SWATS takes its rate for settled


Rule = Callable[[Array, Array, Memory, How], Array]


def walk(rule: Rule, how: How, *, slope: Callable[[Array], Array], start: Array, num_steps: int) -> list[Array]:
    """The weights after each of `num_steps` steps from `start`, with the gradients that `slope` gives there."""
    memory: Memory = {}
    path = []
    weight = np.array(start, dtype=np.float64)
    for _ in range(num_steps):
        weight = rule(weight, slope(weight), memory, how)
        path.append(weight)
    return path


def sgd(w: Array, g: Array, memory: Memory, how: How) -> Array:
    """w - lr g. Source: Robbins and Monro 1951."""
    return w - how.lr * (g + how.decay * w)


def momentum(w: Array, g: Array, memory: Memory, how: How) -> Array:
    """v = m v + g; w - lr v. Source: Polyak 1964."""
    memory["v"] = how.m * memory.get("v", 0.0) + g + how.decay * w
    return w - how.lr * memory["v"]


def nesterov(w: Array, g: Array, memory: Memory, how: How) -> Array:
    """v = m v + g; w - lr (g + m v): the form of Sutskever 2013, whose weights are those looked ahead to."""
    g = g + how.decay * w
    memory["v"] = how.m * memory.get("v", 0.0) + g
    return w - how.lr * (g + how.m * memory["v"])


def adagrad(w: Array, g: Array, memory: Memory, how: How) -> Array:
    """w - lr g / (sqrt(sum of g^2) + eps). Source: Duchi 2011."""
    g = g + how.decay * w
    memory["sum"] = memory.get("sum", 0.0) + g**2
    return w - how.lr * g / (np.sqrt(memory["sum"]) + how.eps)


def rmsprop(w: Array, g: Array, memory: Memory, how: How) -> Array:
    """E = b2 E + (1 - b2) g^2; w - lr g / (sqrt(E) + eps). Source: Tieleman and Hinton 2012."""
    g = g + how.decay * w
    memory["e"] = how.b2 * memory.get("e", 0.0) + (1 - how.b2) * g**2
    return w - how.lr * g / (np.sqrt(memory["e"]) + how.eps)


def adam(w: Array, g: Array, memory: Memory, how: How) -> Array:
    """w - lr m^/(sqrt(v^) + eps), with m and v corrected for their start at 0. Source: Kingma and Ba 2015."""
    first, second = _moments(g + how.decay * w, memory, how)
    return w - how.lr * first / (np.sqrt(second) + how.eps)


def amsgrad(w: Array, g: Array, memory: Memory, how: How) -> Array:
    """Adam over the root of the largest v so far. Source: Reddi 2018, algorithm 2.

    The paper corrects nothing; PyTorch keeps the largest v as it is and corrects it when it divides, and so does this.
    """
    first, _ = _moments(g + how.decay * w, memory, how)
    memory["most"] = np.maximum(memory.get("most", 0.0), memory["v"])
    return w - how.lr * first / (np.sqrt(memory["most"] / (1 - how.b2 ** memory["t"])) + how.eps)


def adamw(w: Array, g: Array, memory: Memory, how: How) -> Array:
    """Adam's step and, beside it, w - lr decay w. Source: Loshchilov and Hutter 2019, algorithm 2."""
    first, second = _moments(g, memory, how)
    return w - how.lr * how.decay * w - how.lr * first / (np.sqrt(second) + how.eps)


def nadam(w: Array, g: Array, memory: Memory, how: How) -> Array:
    """mu_t = m (1 - 0.96^(t psi) / 2); the step mixes the next mean and this gradient. Source: Dozat 2016."""
    g = g + how.decay * w
    _, second = _moments(g, memory, how)
    now, following = (how.m * (1 - 0.5 * 0.96 ** (time * how.psi)) for time in (memory["t"], memory["t"] + 1))
    memory["mu"] = memory.get("mu", 1.0) * now  # the product of all so far
    mean = following * memory["m"] / (1 - memory["mu"] * following) + (1 - now) * g / (1 - memory["mu"])
    return w - how.lr * mean / (np.sqrt(second) + how.eps)


def rectification(t: int, *, b2: float = 0.999) -> tuple[float, float | None]:
    """rho_t and the factor r_t; None as long as the variance of the scaling is not tractable (rho_t up to 5).

    The paper turns at 4, its authors' code and PyTorch at 5. Source: Liu 2020, RAdam, algorithm 2.
    """
    last = 2 / (1 - b2) - 1
    rho = last - 2 * t * b2**t / (1 - b2**t)
    return rho, rectified(rho, last) if rho > 5 else None


def rectified(rho: float, last: float) -> float:
    """sqrt((rho - 4)(rho - 2) last / ((last - 4)(last - 2) rho)), `last` being what rho grows to."""
    return float(np.sqrt((rho - 4) * (rho - 2) * last / ((last - 4) * (last - 2) * rho)))


def radam(w: Array, g: Array, memory: Memory, how: How) -> Array:
    """lr m^ while the variance is not tractable, then lr r_t m^/sqrt(v^). Source: Liu 2020, algorithm 2.

    eps stands beside the root of v before its correction, as in PyTorch.
    """
    first, _ = _moments(g + how.decay * w, memory, how)
    _, factor = rectification(memory["t"], b2=how.b2)
    if factor is None:
        return w - how.lr * first
    correction = np.sqrt(1 - how.b2 ** memory["t"])
    return w - how.lr * factor * first * correction / (np.sqrt(memory["v"]) + how.eps)


def adafactor(w: Array, g: Array, memory: Memory, how: How) -> Array:
    """V = R C / mean(R), u = g / sqrt(V), w - lr decay w - lr u / max(1, RMS(u)/d).

    R and C are the moving means of g^2 + eps over the second and the first of `axes`.

    Source: Shazeer and Stern 2018, algorithm 4.
    """
    update = g / np.sqrt(_second_moment(g**2 + how.eps, memory, how))
    return w - how.lr * how.decay * w - how.lr * update / max(1.0, _size(update) / how.d)


def adafactor_relative(w: Array, g: Array, memory: Memory, how: How) -> Array:
    """Adafactor at the rate max(0.001, RMS(w)) min(lr, 1/sqrt(t)). Source: Shazeer and Stern 2018, algorithm 6."""
    update = g / np.sqrt(_second_moment(g**2 + how.eps, memory, how))
    rate = max(1e-3, _size(w)) * min(how.lr, 1 / np.sqrt(memory["t"]))
    return w - how.lr * how.decay * w - rate * update / max(1.0, _size(update) / how.d)


def lars(w: Array, g: Array, memory: Memory, how: How) -> Array:
    """v = m v + eta |w| / (|g| + decay |w| + eps) (g + decay w); w - lr v; a norm of 0 leaves the plain rate.

    The paper has lr inside v; with a constant rate that is the same. Source: You 2017, arXiv:1708.03888, algorithm 1.
    """
    size, slope = float(np.linalg.norm(w)), float(np.linalg.norm(g))
    local = how.eta * size / (slope + how.decay * size + how.eps) if size > 0 and slope > 0 else 1.0
    memory["v"] = how.m * memory.get("v", 0.0) + local * (g + how.decay * w)
    return w - how.lr * memory["v"]


def lamb(w: Array, g: Array, memory: Memory, how: How) -> Array:
    """r = m^/(sqrt(v^) + eps) + decay w; w - lr |w|/|r| r; a norm of 0 leaves the plain rate.

    Source: You 2020, arXiv:1904.00962, algorithm 2, with phi(z) = z.
    """
    first, second = _moments(g, memory, how)
    update = first / (np.sqrt(second) + how.eps) + how.decay * w
    size, length = float(np.linalg.norm(w)), float(np.linalg.norm(update))
    return w - how.lr * (size / length if size > 0 and length > 0 else 1.0) * update


def swats(w: Array, g: Array, memory: Memory, how: How) -> Array:
    """Adam, and from where its projected rate has settled SGD with momentum at that rate.

    Source: Keskar and Socher 2017, arXiv:1712.07628, algorithm 1.
    """
    if "rate" in memory:
        memory["velocity"] = how.m * memory.get("velocity", 0.0) + g
        return w - (1 - how.m) * memory["rate"] * memory["velocity"]
    moved = adam(w, g, memory, how)
    step = moved - w
    along = float(np.sum(step * g))
    if along != 0:
        projected = float(np.sum(step * step)) / -along
        memory["mean"] = how.b2 * memory.get("mean", 0.0) + (1 - how.b2) * projected
        settled = memory["mean"] / (1 - how.b2 ** memory["t"])
        if memory["t"] > 1 and abs(settled - projected) < how.tolerance:
            memory["rate"] = settled
    return moved


def lookahead(rule: Rule, *, k: int = 5, alpha: float = 0.5) -> Rule:
    """`rule`, and every k steps slow + alpha (fast - slow), where both go on. Source: Zhang 2019, algorithm 1."""

    def wrapped(w: Array, g: Array, memory: Memory, how: How) -> Array:
        slow = memory.setdefault("slow", w)
        fast = rule(w, g, memory.setdefault("fast", {}), how)
        memory["steps"] = memory.get("steps", 0) + 1
        if memory["steps"] % k:
            return fast
        memory["slow"] = slow + alpha * (fast - slow)
        return np.asarray(memory["slow"])

    return wrapped


def elastic_net(w: Array, *, step: float, l1: float, l2: float = 0.0) -> Array:
    """What is best for step (l1 |x| + l2/2 x^2) + (x - w)^2/2: soft(w, step l1) / (1 + step l2).

    Source: Zou and Hastie 2005; l2 = 0: Tibshirani 1996.
    """
    return np.asarray(np.sign(w) * np.maximum(np.abs(w) - step * l1, 0) / (1 + step * l2))


RULES: Mapping[str, Rule] = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "adam": adam,
    "amsgrad": amsgrad,
    "adamw": adamw,
    "nadam": nadam,
    "radam": radam,
    "adafactor": adafactor,
    "adafactor-relative": adafactor_relative,
    "lars": lars,
    "lamb": lamb,
    "swats": swats,
}


def _moments(g: Array, memory: Memory, how: How) -> tuple[Array, Array]:
    """m = b1 m + (1 - b1) g and v = b2 v + (1 - b2) g^2, both divided by 1 - b^t: they begin at 0."""
    memory["t"] = memory.get("t", 0) + 1
    memory["m"] = how.m * memory.get("m", 0.0) + (1 - how.m) * g
    memory["v"] = how.b2 * memory.get("v", 0.0) + (1 - how.b2) * g**2
    return memory["m"] / (1 - how.m ** memory["t"]), memory["v"] / (1 - how.b2 ** memory["t"])


def _second_moment(squares: Array, memory: Memory, how: How) -> Array:
    """The moving mean of g^2: whole, or as the product of its means over one axis and the other."""
    memory["t"] = memory.get("t", 0) + 1
    past = 1 - memory["t"] ** -how.power
    if how.axes is None:
        memory["v"] = past * memory.get("v", 0.0) + (1 - past) * squares
        return np.asarray(memory["v"])
    first, second = how.axes
    memory["rows"] = past * memory.get("rows", 0.0) + (1 - past) * squares.mean(second, keepdims=True)
    memory["columns"] = past * memory.get("columns", 0.0) + (1 - past) * squares.mean(first, keepdims=True)
    return np.asarray(memory["rows"] * memory["columns"] / memory["rows"].mean(first, keepdims=True))


def _size(values: Array) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(values**2)))
