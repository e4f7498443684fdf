"""Which capacity should be chosen when nobody knows the truth?

Claim: the capacity at the minimum of the validation error comes close to the best one could choose; the minimum of the
    training error is the largest capacity on offer.
Source: Goodfellow et al., Deep Learning (2016), section 5.3.1.
Expected: the loss of the choice against an oracle is small; the training error always chooses the largest degree.
See: validation_error_is_u_shaped_in_capacity
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import bars
from ...finding import Finding, judged
from ...statistics import mean_of, share_of

DEGREES, NOISE = range(1, 11), 0.3


def run(seed: int, fast: bool) -> Finding:
    generator = numpy_generator(seed, "choice")
    chosen: dict[str, list[float]] = {"oracle": [], "validation": [], "training": []}
    largest = []
    for _ in range(200 if fast else 4_000):
        fits, (train, val, test) = _fits(generator)
        errors = np.array([[((fit(x) - y) ** 2).mean() for x, y in (train, val, test)] for fit in fits])
        pick = {"training": errors[:, 0].argmin(), "validation": errors[:, 1].argmin(), "oracle": errors[:, 2].argmin()}
        for name, degree in pick.items():
            chosen[name].append(errors[degree, 2])
        largest.append(bool(pick["training"] == len(fits) - 1))
    medians = {name: float(np.median(values)) for name, values in chosen.items()}
    loss = mean_of(
        np.log(np.array(chosen["validation"]) / chosen["oracle"]), "log of error over the oracle's, validation"
    )
    worse = mean_of(np.log(np.array(chosen["training"]) / chosen["oracle"]), "log of error over the oracle's, training")
    share = share_of(np.array(largest), "training error chooses the largest degree", expected=1.0)
    return judged(
        worse.exceeds(loss), share.value == 1.0, medians["validation"] < 1.5 * medians["oracle"],
        summary=f"Median error on new data: {medians['oracle']:.3f} with hindsight, {medians['validation']:.3f} chosen "
        f"by validation, {medians['training']:.3f} by training error.",
        numbers=(loss, worse, share),
        figure=bars("Error on new data of the degree that each rule chooses.", list(medians), log=True,
                    value="median squared error", only=list(medians.values())),
    )  # fmt: skip


def _fits(generator: np.random.Generator) -> tuple[list, list]:
    """Polynomials of all degrees, and what they learn from, are chosen by, and are judged on."""
    sets = []
    for count in (20, 20, 400):
        x = generator.uniform(-1, 1, count)
        sets.append((x, np.sin(np.pi * x) + NOISE * generator.standard_normal(count)))
    return [np.polynomial.Chebyshev.fit(*sets[0], degree, domain=[-1, 1]) for degree in DEGREES], sets
