"""Can Adam run away from the minimum of a convex loss?

Claim: Adam's moving mean of squares forgets a rare large gradient, so that on a simple convex problem it goes to the
    worst point; AMSGrad, which keeps the largest mean so far, finds the best.
Source: Reddi et al. 2018, ICLR, theorem 1 (in turn C, -1, -1, with b1 = 0 and b2 = 1/(1 + C^2)) and theorem 3 (drawn).
Expected: on [-1, 1] the best point is -1, for the mean gradient is above 0; Adam ends at +1 of the first problem and
    near it on the second, AMSGrad near -1 on both. With a b2 whose memory spans the rare gradients Adam finds -1 as
    well.
See: rmsprop_goes_on_where_adagrad_fades
"""

import numpy as np

from ....reference.optimizers import How, Memory, adam, amsgrad
from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...statistics import mean_of

C, RARE, SHARE = 4.0, 101.0, 0.02
RULES = {"Adam": adam, "AMSGrad": amsgrad}


def run(seed: int, fast: bool) -> Finding:
    num_walks, num_steps = (100, 5_000) if fast else (1_000, 50_000)
    in_turn = np.tile([C, -1.0, -1.0], num_steps // 3)[:, None]
    seen = numpy_generator(seed, "gradients").random((num_steps, num_walks)) < SHARE
    drawn = np.where(seen, RARE, -1.0)
    paths = {name: _walks(rule, drawn, m=0.9, b2=0.9) for name, rule in RULES.items()}
    turns = {name: float(_walks(rule, in_turn, m=0.0, b2=1 / (1 + C**2))[-1, 0]) for name, rule in RULES.items()}
    ends = {name: mean_of(path[-1], f"x at the end, drawn, {name}") for name, path in paths.items()}
    long = mean_of(_walks(adam, drawn, m=0.9, b2=0.999)[-1], "x at the end, drawn, Adam with b2 = 0.999")
    numbers = [Number(name=f"x at the end, in turn, {name}", value=x) for name, x in turns.items()]
    return judged(
        turns["Adam"] > 0.9, turns["AMSGrad"] < -0.9, ends["Adam"].exceeds(0.5), ends["AMSGrad"].value < -0.8,
        summary=f"The best point is -1. In turn, Adam ends at {turns['Adam']:+.2f} and AMSGrad at "
        f"{turns['AMSGrad']:+.2f}; "
        f"drawn, at {ends['Adam'].value:+.2f} and {ends['AMSGrad'].value:+.2f}, and with a b2 of 0.999 Adam too finds "
        f"{long.value:+.2f}.",
        numbers=(*numbers, *ends.values(), long, Number(name="mean of a drawn gradient", expected=1.04,
                 value=SHARE * RARE - (1 - SHARE))),
        figure=chart("Mean x of all walks, drawn gradients.",
                     *(series(name, *_thinned(path.mean(1))) for name, path in paths.items()),
                     series("best", [0, num_steps], [-1, -1], mark=Mark.DASHES), x="step", y="x"),
    )  # fmt: skip


def _walks(rule, gradients: np.ndarray, *, m: float, b2: float) -> np.ndarray:
    """(steps, walks) from 0; steps fall as 1/sqrt(t), as the theorems ask."""
    memory: Memory = {}
    x, path = np.zeros(gradients.shape[1]), []
    for step, gradient in enumerate(gradients, 1):
        x = np.clip(rule(x, gradient, memory, How(lr=1 / np.sqrt(step), m=m, b2=b2)), -1, 1)
        path.append(x)
    return np.array(path)


def _thinned(values: np.ndarray) -> tuple[range, np.ndarray]:
    every = len(values) // 200
    return range(0, len(values), every), values[::every]
