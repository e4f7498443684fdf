"""What may one do to scores without changing the AUC?

Claim: the AUC does not depend on threshold, scale or prevalence.
Source: Fawcett 2006, Pattern Recognition Letters 27; Saito & Rehmsmeier 2015, PLoS ONE 10 for precision.
Expected: (.1, .7, .4) with y = (0, 1, 0): AUC 1, also times 10 and through a sigmoid; ten times the negatives keep
    .6875 and halve the average precision (.747 -> .379). A map must be STRICTLY increasing: in float32 a sigmoid makes
    17 and 40 equal, and the AUC changes.
See: auc_is_the_chance_of_a_right_order, auc_is_blind_to_calibration
"""

import numpy as np

from ....reference.ranking import auc_by_ranks, average_precision
from ...figures import bars
from ...finding import Finding, Number, judged

S = np.array([0.9, 0.8, 0.7, 0.6, 0.55, 0.5, 0.4, 0.1])
Y = np.array([1, 0, 1, 1, 0, 0, 1, 0], dtype=bool)


def run(seed: int, fast: bool) -> Finding:
    three, one = np.array([0.1, 0.7, 0.4]), np.array([False, True, False])
    times, y_times = np.concatenate([S[Y], np.repeat(S[~Y], 10)]), np.repeat([True, False], [4, 40])
    logits, y = np.array([17.0, 40.0, 5.0], dtype=np.float32), np.array([False, True, False])
    squashed = (1 / (1 + np.exp(-logits))).astype(np.float32)
    numbers = (
        Number(name="AUC of three", value=auc_by_ranks(three, one), expected=1.0),
        Number(name="AUC of three, times 10", value=auc_by_ranks(10 * three, one), expected=1.0),
        Number(name="AUC of three, sigmoid", value=auc_by_ranks(1 / (1 + np.exp(-three)), one), expected=1.0),
        Number(name="AUC of eight", value=auc_by_ranks(S, Y), expected=0.6875),
        Number(name="AUC, negatives times 10", value=auc_by_ranks(times, y_times), expected=0.6875),
        Number(name="AP of eight", value=average_precision(S, Y), expected=0.747024, tolerance=1e-6),
        Number(
            name="AP, negatives times 10", value=average_precision(times, y_times), expected=0.378771, tolerance=1e-6
        ),
        Number(name="AUC of logits 17 and 40", value=auc_by_ranks(logits, y), expected=1.0),
        Number(name="AUC behind a float32 sigmoid", value=auc_by_ranks(squashed, y), expected=0.75),
    )
    return judged(
        all(each.agrees for each in numbers), when="the map is strictly increasing, in floating point too",
        summary="Scaling, a sigmoid and ten times the negatives keep the AUC; average precision falls from "
        f"{numbers[5].value:.3f} to {numbers[6].value:.3f}, and a float32 sigmoid that ties 17 with 40 costs "
        f"{1 - numbers[8].value:.2f} of AUC.",
        numbers=numbers,
        figure=bars("Before and after a change of the scores.", ["negatives x 10", "float32 sigmoid"], value="AUC",
                    before=[numbers[3], numbers[7]], after=[numbers[4], numbers[8]]),
    )  # fmt: skip
