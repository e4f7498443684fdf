"""Is a classifier that is right 99 times of 100 a good one?

Claim: on 10 positives among 1,000 a classifier that always says "no" is 99 % accurate and finds nothing.
Source: a standard warning; balanced accuracy: Brodersen et al. 2010, ICPR.
Expected: accuracy .99, recall 0, F1 0, balanced accuracy .5; with 5 % positives accuracy is .95.
See: confidence_is_invisible_to_accuracy, cheap_errors_move_the_best_threshold
"""

import numpy as np

from ....reference.decisions import confusion, one_against_rest
from ....seeding import numpy_generator
from ...figures import chart, series
from ...finding import Finding, Number, judged


def run(seed: int, fast: bool) -> Finding:
    truth = np.repeat([1, 0], [10, 990])
    never = one_against_rest(confusion(truth, np.zeros(1000, int), 2), 1)
    background = one_against_rest(confusion(np.repeat([1, 0], [50, 950]), np.zeros(1000, int), 2), 1)
    numbers = (
        Number(name="accuracy of 'no'", value=never.accuracy, expected=0.99),
        Number(name="recall of 'no'", value=never.recall, expected=0.0),
        Number(name="F1 of 'no'", value=never.f1, expected=0.0),
        Number(name="balanced accuracy of 'no'", value=never.balanced_accuracy, expected=0.5),
        Number(name="accuracy of 'no', 5 % positives", value=background.accuracy, expected=0.95),
    )
    scores = numpy_generator(seed, "scores").normal(0, 1, 1000) + 3 * truth  # a useful classifier
    thresholds = np.linspace(-2, 5, 57)
    found = [one_against_rest(confusion(truth, (scores > at).astype(int), 2), 1) for at in thresholds]
    best = max(found, key=lambda each: each.balanced_accuracy)
    curves = [series(name, thresholds, [getattr(each, name.replace(" ", "_")) for each in found])
              for name in ("accuracy", "balanced accuracy", "recall")]  # fmt: skip
    return judged(
        all(each.agrees for each in numbers), best.accuracy < never.accuracy, best.recall > 0.7,
        summary=f"'No' is {never.accuracy:.0%} accurate and finds 0 of 10; a classifier that finds {best.recall:.0%} "
        f"of them has an accuracy of {best.accuracy:.1%}, which is less.",
        numbers=numbers,
        figure=chart("A useful classifier on 10 : 990, by threshold.", *curves, x="threshold", y="score"),
    )  # fmt: skip
