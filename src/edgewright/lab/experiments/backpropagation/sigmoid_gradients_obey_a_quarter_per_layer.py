"""How fast must the gradient of sigmoid layers vanish?

Claim: through L sigmoid units with weights of 1 the gradient is at most .25^L.
Source: Hochreiter 1991; Bengio et al. 1994, IEEE Trans. Neural Networks 5.
Expected: .25^10 = 9.54e-7 and .25^20 = 9.09e-13 bound a chain of single units; ReLU, fresh initialization by He, and a
    residual path each restore the gradient of wide layers.
See: relu_keeps_gradients_that_sigmoids_lose, residual_paths_carry_gradients
"""

import numpy as np

from ....reference.activations import ACTIVATIONS
from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ._stack import walk

SIGMOID = ACTIVATIONS["sigmoid"]
LENGTHS = (5, 10, 20, 40)


def run(seed: int, fast: bool) -> Finding:
    starts = numpy_generator(seed, "inputs").normal(0, 3, 500 if fast else 20_000)
    steepest = {length: max(_slope(float(x), length) for x in starts) for length in LENGTHS}
    numbers = [Number(name=f"largest slope of {length} units", value=slope) for length, slope in steepest.items()]
    bounds = [Number(name=f".25^{length}", value=0.25**length, expected=value, tolerance=value / 100)
              for length, value in ((10, 9.54e-7), (20, 9.09e-13))]  # fmt: skip
    ways = {"plain sigmoid": ("sigmoid", 1.0, False), "ReLU, variance 2/n": ("relu", 2.0, False),
            "sigmoid, residual": ("sigmoid", 1.0, True)}  # fmt: skip
    rescued = {
        name: walk(numpy_generator(seed, name), depth=20, activation=kind, gain=gain, residual=residual).gradients[0]
        for name, (kind, gain, residual) in ways.items()
    }
    numbers += [
        Number(name=f"gradient at the first of 20 layers, {name}", value=norm) for name, norm in rescued.items()
    ]
    return judged(
        all(slope <= 0.25**length for length, slope in steepest.items()), all(each.agrees for each in bounds),
        rescued["plain sigmoid"] < 1e-9, rescued["ReLU, variance 2/n"] > 0.1, rescued["sigmoid, residual"] > 0.1,
        summary=f"The steepest of {len(starts)} chains of 20 units has slope {steepest[20]:.1e} (bound 9.1e-13); in "
        f"wide layers a ReLU keeps {rescued['ReLU, variance 2/n']:.2f} of the gradient, a residual path "
        f"{rescued['sigmoid, residual']:.2f}.",
        numbers=(*numbers, *bounds),
        figure=chart("Slope of a chain of sigmoid units.",
                     series("steepest of all inputs", LENGTHS, list(steepest.values()), mark=Mark.BOTH),
                     series("0.25^L", LENGTHS, [0.25**length for length in LENGTHS], mark=Mark.DASHES),
                     x="units", y="slope", log_y=True),
    )  # fmt: skip


def _slope(x: float, length: int) -> float:
    slope = 1.0
    for _ in range(length):
        slope *= float(SIGMOID.slope(np.array([x]))[0])
        x = float(SIGMOID.value(np.array([x]))[0])
    return slope
