"""Does dropout in front of a ReLU destroy the non-linearity?

Claim: dropout must come after the activation: in front of it, it would act on something else.
Source: often said; the identity follows from relu(a x) = a relu(x) for a >= 0.
Expected: with one mask both orders are equal, exactly, for ReLU and leaky ReLU; for a sigmoid they differ, since a
    dropped 0 becomes 1/2.
See: dropout_keeps_the_mean_and_adds_variance
"""

import numpy as np

from ....reference.activations import leaky
from ....reference.stable import sigmoid
from ....seeding import numpy_generator
from ...figures import bars
from ...finding import Finding, Number, judged

P = 0.5


def run(seed: int, fast: bool) -> Finding:
    generator = numpy_generator(seed, "values")
    x = generator.standard_normal(10_000)
    mask = (generator.random(x.shape) >= P) / (1 - P)
    functions = {"ReLU": leaky(0.0).value, "leaky ReLU": leaky(0.01).value, "sigmoid": sigmoid}
    gaps = {name: float(np.abs(f(mask * x) - mask * f(x)).max()) for name, f in functions.items()}
    numbers = [Number(name=f"largest difference of the orders, {name}", value=gap, tolerance=0.0,
                      expected=None if name == "sigmoid" else 0.0) for name, gap in gaps.items()]  # fmt: skip
    return judged(
        gaps["ReLU"] > 0, gaps["leaky ReLU"] > 0,
        summary=f"For ReLU and leaky ReLU the two orders are the same bits; for a sigmoid they differ by up to "
        f"{gaps['sigmoid']:.2f}.",
        numbers=numbers,
        figure=bars("Largest difference between dropout before and after.", list(gaps), value="difference",
                    only=list(gaps.values())),
    )  # fmt: skip
