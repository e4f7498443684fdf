"""What does the temperature of a softmax do?

Claim: the entropy of softmax(z/T) grows with T, from one-hot at T -> 0 to uniform at T -> infinity.
Source: Hinton et al. 2015, arXiv 1503.02531, section 2.
Expected: entropy strictly increasing in T for logits that are not all equal; logits (5, 2, 1) give (.93624, .04661,
    .01715) at T = 1.
See: soft_gradients_fall_as_one_over_t_squared
"""

import numpy as np
from scipy.special import softmax

from ....seeding import numpy_generator
from ...figures import chart, series
from ...finding import Finding, Number, judged

TEMPERATURES = np.logspace(-2, 3, 51)


def entropy(logits: np.ndarray, temperature: float) -> float:
    p = softmax(logits / temperature)
    return float(-(p * np.log(np.maximum(p, 1e-300))).sum())


def run(seed: int, fast: bool) -> Finding:
    logits = np.array([5.0, 2.0, 1.0])
    p = softmax(logits)
    numbers = [Number(name=f"p{at + 1} at T=1", value=float(p[at]), expected=value, tolerance=5e-6)
               for at, value in enumerate((0.93624, 0.04661, 0.01715))]  # fmt: skip
    numbers += [
        Number(name="entropy at T=0.01", value=entropy(logits, 0.01), expected=0.0, tolerance=1e-6),
        Number(name="entropy at T=1000", value=entropy(logits, 1_000), expected=float(np.log(3)), tolerance=1e-5),
    ]
    generator = numpy_generator(seed, "logits")
    monotone = all(
        np.diff([entropy(each, t) for t in np.linspace(0.5, 20, 40)]).min() > 0
        for each in 3 * generator.standard_normal((50 if fast else 1_000, 10))
    )
    curves = [series(f"p{at + 1}", TEMPERATURES, [softmax(logits / t)[at] for t in TEMPERATURES]) for at in range(3)]
    return judged(
        monotone, all(each.agrees for each in numbers),
        summary=f"Entropy grew with T for every logits tried; (5, 2, 1) has {entropy(logits, 1):.3f} nats at T = 1 and "
        f"{entropy(logits, 4):.3f} at T = 4 (uniform: {np.log(3):.3f}).",
        numbers=numbers,
        figure=chart("softmax((5, 2, 1) / T).", *curves, x="T", y="probability", log_x=True),
    )  # fmt: skip
