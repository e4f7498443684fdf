"""Can a classifier with far more features than samples still learn, and tell which features matter?

Claim: with thousands of genes, a hundred patients and few genes that matter, logistic regression with an L1 penalty
    finds the genes that matter and sets nearly all others to exactly zero; with an L2 penalty all stay.
Source: Tibshirani 1996, J. R. Statist. Soc. B 58; Ng 2004, ICML (L1 needs samples in proportion to log p); Wainwright
    2009, IEEE Trans. Inf. Theory 55 (when the support is recovered).
Expected: nearly all of 5 informative features among 2,000 kept, under 5 % of all kept, better decisions than L2 on new
    samples. Not all that is kept matters: the penalty that predicts best lets some strangers in.
See: lasso_thresholds_where_ridge_shrinks, only_proximal_steps_make_exact_zeros
"""

from collections import defaultdict

import numpy as np

from ....reference.optimizers import elastic_net
from ....reference.stable import sigmoid
from ....seeding import numpy_generator
from ...figures import bars
from ...finding import Finding, Number, judged
from ...statistics import difference_of, mean_of

NUM_GENES, NUM_PATIENTS, NUM_STEPS = 2_000, 120, 300
EFFECTS = np.array([2.5, -2.5, 2.0, -2.0, 2.0])
PENALTIES = {"L1": {"l1": 0.08, "l2": 0.0}, "L2": {"l1": 0.0, "l2": 0.08}}


def run(seed: int, fast: bool) -> Finding:
    example: dict[str, np.ndarray] = {}
    kept, recalled, right = (defaultdict[str, list[float]](list) for _ in range(3))
    for index in range(6 if fast else 60):
        x, y = _patients(numpy_generator(seed, "patients", index), NUM_PATIENTS)
        fresh, truth = _patients(numpy_generator(seed, "new patients", index), 1_000)
        for name, penalty in PENALTIES.items():
            w = _fit(x, y, **penalty)
            kept[name].append(float((w != 0).sum()))
            recalled[name].append(float((w[: len(EFFECTS)] != 0).mean()))
            right[name].append(float(((fresh @ w > 0) == truth).mean()))
            example[name] = w
    counts = {name: mean_of(values, f"genes kept of {NUM_GENES}, {name}") for name, values in kept.items()}
    recall = mean_of(recalled["L1"], "share of the informative genes kept, L1")
    gain = difference_of(right["L1"], right["L2"], "right on new patients, L1 - L2")
    rightly = [mean_of(values, f"right on new patients, {name}") for name, values in right.items()]
    strangers = counts["L1"].value - recall.value * len(EFFECTS)
    largest = np.argsort(-abs(example["L1"]))[:12]
    names = [f"gene {at + 1}" + (" (informative)" if at < len(EFFECTS) else "") for at in largest]
    return judged(
        recall.value > 0.85, counts["L1"].value < 0.05 * NUM_GENES, counts["L2"].value == NUM_GENES, gain.exceeds(0.05),
        summary=f"L1 keeps {counts['L1'].value:.0f} of {NUM_GENES} genes, {recall.value:.0%} of the informative ones "
        f"among them and {strangers:.0f} strangers, and is right on {rightly[0].value:.0%} of new patients; L2 keeps "
        f"all and is right on {rightly[1].value:.0%}.",
        numbers=(*counts.values(), recall, gain, *rightly, Number(name="strangers kept, L1", value=strangers)),
        figure=bars("The twelve largest weights of L1, and what L2 gives the same genes.", names, value="|weight|",
                    L1=abs(example["L1"])[largest].tolist(), L2=abs(example["L2"])[largest].tolist()),
    )  # fmt: skip


def _patients(generator: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    x = generator.standard_normal((count, NUM_GENES))
    return x, generator.random(count) < sigmoid(x[:, : len(EFFECTS)] @ EFFECTS)


def _fit(x: np.ndarray, y: np.ndarray, *, l1: float, l2: float) -> np.ndarray:
    """Accelerated proximal gradient steps on the mean log loss (Beck & Teboulle 2009)."""
    step = float(4 * len(x) / np.linalg.norm(x, 2) ** 2)
    w = ahead = np.zeros(x.shape[1])
    t = 1.0
    for _ in range(NUM_STEPS):
        before, w = w, elastic_net(ahead - step * x.T @ (sigmoid(x @ ahead) - y) / len(x), step=step, l1=l1, l2=l2)
        t, last = (1 + np.sqrt(1 + 4 * t * t)) / 2, t
        ahead = w + (last - 1) / t * (w - before)
    return w
