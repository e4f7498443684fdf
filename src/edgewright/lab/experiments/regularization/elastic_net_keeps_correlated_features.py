"""Which of several nearly equal features does a penalty keep?

Claim: L1 alone picks one of a group of correlated features; with some L2 added (elastic net) they stay together, with
    nearly equal weights. One step of its proximal operator is a soft threshold, then a division.
Source: Zou & Hastie 2005, J. R. Statist. Soc. B 67.
Expected: prox of t (l1 |w| + .5 l2 w^2) is soft(w, t l1) / (1 + t l2); the spread of weights within the group is much
    smaller for the elastic net.
See: lasso_thresholds_where_ridge_shrinks
"""

import numpy as np
from scipy.optimize import minimize_scalar

from ....seeding import numpy_generator
from ...figures import bars
from ...finding import Finding, Number, judged
from ...statistics import mean_of, share_of
from ._lasso import lasso

L1, L2, GROUP = 8.0, 40.0, 4


def run(seed: int, fast: bool) -> Finding:
    spreads: dict[str, list[float]] = {"lasso": [], "elastic net": []}
    kept: dict[str, list[bool]] = {"lasso": [], "elastic net": []}
    first: dict[str, list[float]] = {}
    for index in range(20 if fast else 300):
        generator = numpy_generator(seed, "group", index)
        shared = generator.standard_normal((80, 1))
        x = np.hstack([shared + 0.05 * generator.standard_normal((80, GROUP)), generator.standard_normal((80, 6))])
        y = 2 * shared[:, 0] + 0.5 * generator.standard_normal(80)
        for name, l2 in (("lasso", 0.0), ("elastic net", L2)):
            weights = lasso(x, y, L1, l2, max_sweeps=300)[:GROUP]
            spreads[name].append(float(weights.std() / abs(weights.mean())))
            kept[name].append(bool((weights > 0).all()))
            first.setdefault(name, list(weights))
    spread = {name: mean_of(values, f"spread of weights over their mean, {name}") for name, values in spreads.items()}
    share = {name: share_of(values, f"all {GROUP} features kept, {name}") for name, values in kept.items()}
    prox = Number(name="prox of 2.0 at t=0.5, l1=1, l2=3", value=_prox(2.0, 0.5, 1.0, 3.0), expected=1.5 / 2.5,
                  tolerance=1e-6)  # fmt: skip
    return judged(
        spread["lasso"].exceeds(spread["elastic net"], by=0.3), share["elastic net"].exceeds(share["lasso"]),
        bool(prox.agrees),
        summary=f"Four copies of one feature: weights differ by {spread['lasso'].value:.0%} of their mean under L1, by "
        f"{spread['elastic net'].value:.0%} under the elastic net, which keeps all of them in "
        f"{share['elastic net'].value:.0%} of trials (L1: {share['lasso'].value:.0%}).",
        numbers=(*spread.values(), *share.values(), prox),
        figure=bars("Weights of four nearly equal features, first trial.", [f"copy {at + 1}" for at in range(GROUP)],
                    value="weight", lasso=first["lasso"], elastic_net=first["elastic net"]),
    )  # fmt: skip


def _prox(w: float, t: float, l1: float, l2: float) -> float:
    """The proximal operator by its definition: argmin of (z - w)^2 / 2 + t (l1 |z| + .5 l2 z^2)."""
    found = minimize_scalar(lambda z: (z - w) ** 2 / 2 + t * (l1 * abs(z) + l2 * z * z / 2), bounds=(-5, 5),
                            method="bounded", options={"xatol": 1e-10})  # fmt: skip
    return float(found.x)
