"""What does an AUC of 0.8 mean?

Claim: the area under the ROC curve is the probability that a random positive scores above a random negative, with half
    credit for ties.
Source: Hanley & McNeil 1982, Radiology 143.
Expected: y = 10110010 with scores .9 to .1 gives .6875, and y = 1100 with a tie .875, by area, by ranks and by pairs;
    drawing pairs gives the same within its standard error.
See: auc_survives_increasing_maps_alone, sorting_computes_auc_faster_than_pairs
"""

import numpy as np

from ....reference.ranking import area, auc_by_pairs, auc_by_ranks, roc_curve
from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...statistics import mean_of

EXAMPLES = {
    "eight samples": ([0.9, 0.8, 0.7, 0.6, 0.55, 0.5, 0.4, 0.1], [1, 0, 1, 1, 0, 0, 1, 0], 0.6875),
    "four with a tie": ([0.8, 0.5, 0.5, 0.2], [1, 1, 0, 0], 0.875),
}  # fmt: skip


def run(seed: int, fast: bool) -> Finding:
    numbers = []
    for name, (scores, labels, expected) in EXAMPLES.items():
        s, y = np.array(scores), np.array(labels, dtype=bool)
        fall_out, recall, _ = roc_curve(s, y)
        for way, value in (
            ("area", area(fall_out, recall)),
            ("ranks", auc_by_ranks(s, y)),
            ("pairs", auc_by_pairs(s, y)),
        ):
            numbers.append(Number(name=f"{name}, by {way}", value=float(value), expected=expected))
    generator = numpy_generator(seed, "scores")
    positive = np.arange(2_000) < 600
    s = np.round(generator.standard_normal(2_000) + positive, 1)  # one decimal: many ties
    pairs = 50_000 if fast else 2_000_000
    high, low = generator.choice(s[positive], pairs), generator.choice(s[~positive], pairs)
    drawn = mean_of((high > low) + 0.5 * (high == low), "by drawing pairs", expected=auc_by_ranks(s, positive))
    fall_out, recall, _ = roc_curve(s, positive)
    return judged(
        all(each.agrees for each in numbers), bool(drawn.agrees),
        summary=f"Area, ranks and pairs agree; {pairs:,} drawn pairs are in order in {drawn.value:.3f} ± "
        f"{drawn.error:.3f} of cases, the area is {drawn.expected:.3f}.",
        numbers=(*numbers, drawn),
        figure=chart("ROC curve of 2,000 samples.", series("ROC", fall_out, recall),
                     series("chance", [0, 1], [0, 1], mark=Mark.DASHES), x="share of negatives said yes",
                     y="share of positives said yes", equal=True),
    )  # fmt: skip
