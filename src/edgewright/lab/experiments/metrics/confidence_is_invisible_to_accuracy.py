"""Does accuracy see how sure a classifier is?

Claim: accuracy cannot tell a model that is 51 % sure of every right answer from one that is 99 % sure; log loss and
    calibration error can.
Source: Guo et al. 2017, ICML (calibration error); Gneiting & Raftery 2007, JASA 102 (proper scores).
Expected: equal accuracy; log loss -ln .51 = .673 and -ln .99 = .010 when all answers are right; of answers that are
    right with 80 %, the one that says 80 % has the least log loss and no calibration error.
See: accuracy_is_blind_to_rare_classes, auc_is_blind_to_calibration
"""

import math

import numpy as np

from ....reference.calibration import expected_calibration_error, log_loss
from ....seeding import numpy_generator
from ...figures import chart, series
from ...finding import Finding, Number, judged

SAID = np.linspace(0.51, 0.99, 25)


def run(seed: int, fast: bool) -> Finding:
    size = 5_000 if fast else 200_000
    right = numpy_generator(seed, "right").random(size) < 0.8
    labels = np.where(right, 0, 1)  # the classifier always says class 0
    losses = [log_loss(np.tile([p, 1 - p], (size, 1)), labels) for p in SAID]
    errors = [expected_calibration_error(np.full(size, p), right) for p in SAID]
    sure, unsure = (log_loss(np.array([[p, 1 - p]]), np.array([0])) for p in (0.99, 0.51))
    numbers = (
        Number(name="log loss of a right answer at 51 %", value=unsure, expected=-math.log(0.51)),
        Number(name="log loss of a right answer at 99 %", value=sure, expected=-math.log(0.99)),
        Number(name="confidence of the least log loss", value=float(SAID[int(np.argmin(losses))]), expected=0.8,
               tolerance=0.03),
        Number(name="confidence of the least calibration error", expected=0.8, tolerance=0.03,
               value=float(SAID[int(np.argmin(errors))])),
        Number(name="accuracy at every confidence", value=float(right.mean()), expected=0.8, error=0.4 / size**0.5),
    )  # fmt: skip
    return judged(
        all(each.agrees for each in numbers), sure < unsure,
        summary=f"Accuracy is {right.mean():.1%} whatever confidence is claimed; log loss and calibration error are "
        f"least at {numbers[2].value:.0%} and {numbers[3].value:.0%}.",
        numbers=numbers,
        figure=chart("One classifier, right in 80 %, that claims another confidence.", series("log loss", SAID, losses),
                     series("calibration error", SAID, errors), x="claimed confidence", y=""),
    )  # fmt: skip
