"""Does a focal loss help when there are a thousand negatives for each positive?

Claim: the sum of many easy negatives drowns the few positives in cross-entropy; the factor (1 - p)^gamma of the focal
    loss makes easy ones silent.
Source: Lin et al. 2017, ICCV.
Expected: at gamma 2 an example that is right with p = .9 weighs .01 of its cross-entropy (.00105361), p = .5 .173287,
    p = .1 1.865094; a detector's usual outputs leave easy negatives most of the cross-entropy and little of the focal
    loss.
See: cross_entropy_learns_where_squared_error_sleeps
"""

import math

import numpy as np

from ....reference.stable import sigmoid
from ....seeding import numpy_generator
from ...figures import bars
from ...finding import Finding, Number, judged
from ...statistics import mean_of

EXPECTED = {0.9: 0.00105361, 0.5: 0.173287, 0.1: 1.865094}


def focal(p_t: np.ndarray | float, gamma: float = 2.0):
    return -((1 - p_t) ** gamma) * np.log(p_t)


def run(seed: int, fast: bool) -> Finding:
    numbers = [Number(name=f"focal loss at p={p}", value=float(focal(p)), expected=value, tolerance=1e-6)
               for p, value in EXPECTED.items()]  # fmt: skip
    numbers.append(
        Number(name="weight of p=0.9", value=float(focal(0.9)) / -math.log(0.9), expected=0.01, tolerance=1e-9)
    )
    shares: dict[str, list[float]] = {"cross-entropy": [], "focal": []}
    for index in range(20 if fast else 400):
        generator = numpy_generator(seed, "image", index)
        negative = 1 - sigmoid(generator.normal(-3, 1, 10_000))  # p of the right answer
        positive = sigmoid(generator.normal(-1, 1.5, 10))
        for name, gamma in (("cross-entropy", 0.0), ("focal", 2.0)):
            easy = focal(negative[negative > 0.9], gamma).sum()
            shares[name].append(float(easy / (focal(negative, gamma).sum() + focal(positive, gamma).sum())))
    found = [mean_of(values, f"share of easy negatives in the loss, {name}") for name, values in shares.items()]
    return judged(
        all(each.agrees is not False for each in numbers), found[0].value > 0.4, found[0].exceeds(found[1], by=0.2),
        summary=f"Of 10,000 negatives and 10 positives, the easy negatives make {found[0].value:.0%} of the "
        f"cross-entropy and {found[1].value:.0%} of the focal loss.",
        numbers=(*numbers, *found),
        figure=bars("Share of the loss that easy negatives (p > 0.9) make.", list(shares), value="share", only=found),
    )  # fmt: skip
