"""What happens to the steps of AdaGrad, and what does RMSProp change?

Claim: under a constant gradient AdaGrad's steps fade as lr/sqrt(t), for it adds up all squares; RMSProp forgets old
    ones and keeps steps of lr.
Source: Duchi et al. 2011, JMLR 12; Tieleman & Hinton 2012, Coursera lecture 6.5.
Expected: AdaGrad's step t is lr/sqrt(t) and RMSProp's lr / sqrt(1 - a^t), both exactly and for every size of gradient;
    on p^2/2 from 1 at lr .1 three steps end at .780456 and .369181 (a = .9). On a minimum that moves, AdaGrad is left
    behind.
See: adagrad_learns_rare_features_sooner
"""

from functools import partial

import numpy as np

from ....reference.optimizers import How, Memory, adagrad, rmsprop, walk
from ...figures import Mark, chart, panels, series
from ...finding import Finding, Number, judged

HOW, RULES = How(lr=0.1, b2=0.9, eps=0.0), {"AdaGrad": adagrad, "RMSProp": rmsprop}


def run(seed: int, fast: bool) -> Finding:
    num_steps = 1_000 if fast else 100_000
    t = np.arange(1, num_steps + 1)
    theory = {"AdaGrad": 0.1 / np.sqrt(t), "RMSProp": 0.1 / np.sqrt(1 - 0.9 ** t.astype(float))}
    steps, numbers = {}, []
    for name, rule in RULES.items():
        for gradient in (0.001, 1000.0):
            path = walk(
                rule, HOW, slope=partial(np.full_like, fill_value=gradient), start=np.zeros(1), num_steps=num_steps
            )
            steps[name] = -np.diff(np.concatenate([[0.0], np.ravel(path)]))
            gap = float(abs(steps[name] / theory[name] - 1).max())
            numbers.append(Number(name=f"relative gap to the closed form, {name}, gradient {gradient:g}", value=gap,
                                  expected=0.0, tolerance=1e-6))  # fmt: skip
    for (name, rule), expected in zip(RULES.items(), (0.780456, 0.369181), strict=True):
        end = walk(rule, HOW, slope=lambda w: w, start=np.ones(1), num_steps=3)[-1][0]
        numbers.append(Number(name=f"p after 3 steps, {name}", value=float(end), expected=expected, tolerance=1e-6))
    paths = {name: _follow(rule) for name, rule in RULES.items()}
    behind = {name: Number(name=f"distance behind after 1,000 steps, {name}", value=abs(10.0 - path[-1]))
              for name, path in paths.items()}  # fmt: skip
    ratio = float(steps["RMSProp"][-1] / steps["AdaGrad"][-1])
    return judged(
        all(each.agrees for each in numbers), behind["AdaGrad"].value > 4 * behind["RMSProp"].value,
        summary=f"After {num_steps} steps RMSProp's are {ratio:.1f} times as long as AdaGrad's (theory "
        f"{np.sqrt(num_steps):.1f}); behind a minimum that moves from 0 to 10 AdaGrad is {behind['AdaGrad'].value:.1f} "
        f"and RMSProp {behind['RMSProp'].value:.2f}.",
        numbers=(*numbers, *behind.values()),
        figure=panels("Constant gradient, and a minimum that moves.",
            length_of_the_steps=chart("", *(series(name, t[:200], each[:200]) for name, each in steps.items()),
                                      x="step", y="length", log_y=True),
            following_a_minimum=chart("", *(series(name, range(1_000), path) for name, path in paths.items()),
                series("minimum", [0, 500, 999], [0, 0, 10], mark=Mark.DASHES), x="step", y="w")),
    )  # fmt: skip


def _follow(rule) -> list[float]:
    """A weight under (w - c)^2/2, whose minimum c stands 500 steps and then goes to 10; it begins far off."""
    memory: Memory = {}
    w, path = np.full(1, 10.0), []
    for step in range(1_000):
        w = rule(w, w - max(0.0, (step - 499) / 50), memory, HOW)
        path.append(float(w[0]))
    return path
