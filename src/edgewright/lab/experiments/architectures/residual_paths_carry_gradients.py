"""What does a residual path do for the gradient of a deep network?

Claim: with y = x + F(x) the gradient has a term of 1, so that it never falls below 1 on its way back.
Source: He et al. 2016, ECCV (Identity Mappings in Deep Residual Networks).
Expected: over 50 sigmoid layers the plain gradient vanishes and the residual one stays; but the Jacobian is I + dF/dx,
    and with F = -x it is 0: the "at least 1" is wrong.
See: sigmoid_gradients_obey_a_quarter_per_layer
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import chart, series
from ...finding import Finding, Number, judged
from ..backpropagation._stack import walk

DEPTH = 50


def run(seed: int, fast: bool) -> Finding:
    plain, residual = (
        walk(numpy_generator(seed, "nets"), depth=DEPTH, activation="sigmoid", gain=1.0, residual=path)
        for path in (False, True)
    )
    generator = numpy_generator(seed, "minus")
    delta = generator.standard_normal(16)
    cancelled = float(np.linalg.norm(delta + delta @ (-np.eye(16))))
    shrinking = [float(np.linalg.norm(delta @ (np.eye(16) - share * np.eye(16)))) / float(np.linalg.norm(delta))
                 for share in (0.1, 0.5)]  # fmt: skip
    numbers = (
        Number(name="gradient at the first layer, plain", value=plain.gradients[0]),
        Number(name="gradient at the first layer, residual", value=residual.gradients[0]),
        Number(name="gradient through F = -x", value=cancelled, expected=0.0),
        Number(name="gradient through F = -x/10", value=shrinking[0], expected=0.9),
        Number(name="gradient through F = -x/2", value=shrinking[1], expected=0.5),
    )
    never_below_one = cancelled >= 1
    return judged(
        plain.gradients[0] < 1e-20, residual.gradients[0] > 0.1, all(each.agrees is not False for each in numbers),
        never_below_one,
        summary=f"Over {DEPTH} layers the gradient is {residual.gradients[0]:.1f} with residual paths and "
        f"{plain.gradients[0]:.0e} without; but through F = -x nothing is left, so it is no bound.",
        numbers=numbers,
        figure=chart("Gradient in front of each of 50 sigmoid layers.",
                     series("plain", range(1, DEPTH + 1), plain.gradients),
                     series("residual", range(1, DEPTH + 1), residual.gradients), x="layer", y="|gradient|",
                     log_y=True),
    )  # fmt: skip
