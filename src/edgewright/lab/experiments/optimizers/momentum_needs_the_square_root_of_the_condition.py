"""What does momentum gain on a badly conditioned loss?

Claim: gradient descent needs steps in proportion to the condition number k, heavy-ball momentum to its square root.
Source: Polyak 1964, USSR Comp. Math. and Math. Phys. 4.
Expected: best rates (k - 1)/(k + 1) and (sqrt k - 1)/(sqrt k + 1): .980198 and .818182 at k = 100; slopes of log steps
    over log k of 1 and 1/2.
See: gradient_descent_converges_below_two_over_curvature, nesterov_is_not_always_faster_than_momentum
"""

import math

import numpy as np

from ....reference.optimizers import How, momentum, sgd, walk
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...statistics import slope_of

CONDITIONS = (10, 30, 100, 300, 1000)


def run(seed: int, fast: bool) -> Finding:
    steps = {name: [_steps(rule, condition) for condition in CONDITIONS] for name, rule in RULES.items()}
    logs = np.log(CONDITIONS)
    slopes = [
        slope_of(logs, np.log(steps[name]), f"log steps over log k, {name}", expected=expected, tolerance=0.12)
        for name, expected in (("gradient descent", 1.0), ("momentum", 0.5))
    ]
    rates = [
        Number(name=f"rate of {name}, k=100", value=_rate(name, 100), expected=expected, tolerance=tolerance)
        for name, expected, tolerance in (("gradient descent", 99 / 101, 1e-4), ("momentum", 9 / 11, 0.01))
    ]
    curves = [series(name, CONDITIONS, counts, mark=Mark.BOTH) for name, counts in steps.items()]
    gain = steps["gradient descent"][-1] / steps["momentum"][-1]
    return judged(
        all(each.agrees for each in (*slopes, *rates)), gain > 5,
        summary=f"At k = 1000 gradient descent needs {steps['gradient descent'][-1]} steps and momentum "
        f"{steps['momentum'][-1]}, {gain:.0f} times fewer.",
        numbers=(*slopes, *rates),
        figure=chart("Steps until the distance has fallen by a million, each at its best settings.", *curves,
                     x="condition number", y="steps", log_x=True, log_y=True),
    )  # fmt: skip


def _best(name: str, condition: float) -> How:
    """Polyak's settings for curvatures from 1 to `condition`."""
    root = math.sqrt(condition)
    if name == "gradient descent":
        return How(lr=2 / (1 + condition))
    return How(lr=4 / (1 + root) ** 2, m=((root - 1) / (root + 1)) ** 2)


RULES = {"gradient descent": (sgd, "gradient descent"), "momentum": (momentum, "momentum")}


def _distances(name: str, condition: float, num_steps: int) -> list[float]:
    curvatures = np.array([1.0, condition])
    path = walk(RULES[name][0], _best(name, condition), slope=lambda w: curvatures * w, start=np.ones(2),
                num_steps=num_steps)  # fmt: skip
    return [float(np.linalg.norm(w)) for w in path]


def _steps(rule: tuple, condition: int) -> int:
    distances = _distances(rule[1], condition, 9 * condition)
    return next(at for at, distance in enumerate(distances, 1) if distance < math.sqrt(2) * 1e-6)


def _rate(name: str, condition: float) -> float:
    distances = _distances(name, condition, 150)
    return (distances[149] / distances[99]) ** (1 / 50)
