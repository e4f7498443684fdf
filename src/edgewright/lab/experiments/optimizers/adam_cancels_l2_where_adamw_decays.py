"""Is weight decay in Adam the same as an L2 penalty?

Claim: for Adam an L2 penalty is not weight decay: on f = p^2/2 the penalty only rescales the gradient, which Adam
    divides away again, so the path is that of Adam without it; AdamW decays.
Source: Loshchilov & Hutter 2019, ICLR.
Expected: p after 1, 2, 3 steps of lr .1 from 1: Adam and Adam with L2 .1 both .9, .800412, .701586; AdamW .1 gives .89,
    .781572, .675101. SGD's decay and penalty are one.
See: momentum_needs_the_square_root_of_the_condition
"""

import numpy as np

from ....reference.optimizers import How, adam, adamw, sgd, walk
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

EXPECTED = {
    "Adam": (0.9, 0.800412, 0.701586), "Adam with L2": (0.9, 0.800412, 0.701586), "AdamW": (0.89, 0.781572, 0.675101),
}  # fmt: skip
RULES = {"Adam": (adam, 0.0), "Adam with L2": (adam, 0.1), "AdamW": (adamw, 0.1)}


def run(seed: int, fast: bool) -> Finding:
    paths = {name: _path(rule, decay) for name, (rule, decay) in RULES.items()}
    numbers = [Number(name=f"{name}, step {at + 1}", value=path[at], expected=EXPECTED[name][at], tolerance=1e-6)
               for name, path in paths.items() for at in range(3)]  # fmt: skip
    apart = max(abs(a - b) for a, b in zip(paths["Adam"], paths["Adam with L2"], strict=True))
    same = Number(name="largest distance of Adam and Adam with L2", value=apart, expected=0.0, tolerance=1e-6)
    penalty, decay = _path(sgd, 0.1)[:3], [0.89, 0.7921, 0.704969]
    numbers += [Number(name=f"SGD with decay, step {at + 1}", value=penalty[at], expected=decay[at], tolerance=1e-9)
                for at in range(3)]  # fmt: skip
    curves = [series(name, range(31), [1.0, *path[:30]], mark=Mark.DASHES if name == "Adam with L2" else Mark.LINE)
              for name, path in paths.items()]  # fmt: skip
    return judged(
        all(each.agrees for each in numbers), bool(same.agrees),
        summary=f"Adam and Adam with an L2 penalty of 0.1 walk the same path (apart by {apart:.0e}); AdamW is at "
        f"{paths['AdamW'][2]:.6f} after three steps, Adam at {paths['Adam'][2]:.6f}.",
        numbers=(*numbers, same), figure=chart("p on f = p²/2 from 1.", *curves, x="step", y="p"),
    )  # fmt: skip


def _path(rule, decay: float) -> list[float]:
    how = How(lr=0.1, decay=decay)
    return [float(w[0]) for w in walk(rule, how, slope=lambda w: w, start=np.ones(1), num_steps=30)]
