"""Does a good ranking mean good probabilities?

Claim: a strictly increasing map of the scores leaves the AUC and spoils the calibration.
Source: Fawcett 2006, Pattern Recognition Letters 27; Guo et al. 2017, ICML.
Expected: the same AUC to the last digit, and another calibration error.
See: auc_survives_increasing_maps_alone, confidence_is_invisible_to_accuracy
"""

import numpy as np

from ....reference.calibration import expected_calibration_error
from ....reference.ranking import auc_by_ranks
from ....reference.stable import sigmoid
from ....seeding import numpy_generator
from ...figures import bars
from ...finding import Finding, Number, judged

MAPS = {"as they are": lambda p: p, "sharpened": lambda p: sigmoid(4 * np.log(p / (1 - p))),
        "softened": lambda p: sigmoid(0.25 * np.log(p / (1 - p))), "squared": lambda p: p**2}  # fmt: skip


def run(seed: int, fast: bool) -> Finding:
    generator = numpy_generator(seed, "probabilities")
    p = np.clip(generator.beta(1, 1, 4_000 if fast else 100_000), 1e-4, 1 - 1e-4)
    positive = generator.random(p.size) < p
    ranks, errors = {}, {}
    for name, change in MAPS.items():
        q = change(p)
        ranks[name] = auc_by_ranks(q, positive)
        sure = np.maximum(q, 1 - q)
        errors[name] = expected_calibration_error(sure, (q > 0.5) == positive)
    numbers = [Number(name=f"AUC, {name}", value=value, expected=ranks["as they are"]) for name, value in ranks.items()]
    numbers += [Number(name=f"calibration error, {name}", value=value) for name, value in errors.items()]
    worst = max(errors.values())
    return judged(
        all(each.agrees is not False for each in numbers), errors["as they are"] < 0.03, worst > 0.1,
        summary=f"The AUC is {ranks['as they are']:.4f} under all maps; the calibration error goes from "
        f"{errors['as they are']:.3f} to {worst:.3f}.",
        numbers=numbers,
        figure=bars("The same ranking, other probabilities.", list(MAPS), value="", AUC=list(ranks.values()),
                    calibration_error=list(errors.values())),
    )  # fmt: skip
