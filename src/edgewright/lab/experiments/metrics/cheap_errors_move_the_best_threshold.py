"""At which score should one say yes, when the two mistakes do not cost the same?

Claim: with calibrated probabilities the cheapest threshold is c_fp / (c_fp + c_fn), whatever the data.
Source: Elkan 2001, IJCAI, theorem 1.
Expected: 1/2 for equal costs, 1/11 when a miss costs ten times a false alarm; the threshold found on simulated data
    lies there, within its sampling error.
See: accuracy_is_blind_to_rare_classes
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import chart, series
from ...finding import Finding, judged
from ...statistics import mean_of

COSTS = {"equal": (1.0, 1.0), "a miss costs 10": (1.0, 10.0), "a false alarm costs 4": (4.0, 1.0)}


def run(seed: int, fast: bool) -> Finding:
    num_sets, size = (30, 20_000) if fast else (200, 100_000)
    best: dict[str, list[float]] = {name: [] for name in COSTS}
    for index in range(num_sets):
        generator = numpy_generator(seed, "set", index)
        p = generator.beta(0.7, 1.5, size)
        cells = np.minimum((p * 200).astype(int), 199)
        yes = np.bincount(cells, generator.random(size) < p, minlength=200)
        no = np.bincount(cells, minlength=200) - yes
        missed, alarms = np.cumsum(yes)[:-1], no.sum() - np.cumsum(no)[:-1]
        for name, (false_alarm, miss) in COSTS.items():
            cost = (false_alarm * alarms + miss * missed) / size
            best[name].append(float((np.arange(1, 200) / 200)[cost.argmin()]))
            if index == 0:
                best[f"curve {name}"] = list(cost)
    numbers = [mean_of(best[name], f"cheapest threshold, {name}", expected=alarm / (alarm + miss), tolerance=0.02)
               for name, (alarm, miss) in COSTS.items()]  # fmt: skip
    curves = [series(name, np.arange(1, 200) / 200, best[f"curve {name}"]) for name in COSTS]
    return judged(
        all(each.agrees for each in numbers), when="the probabilities are calibrated",
        summary=f"The cheapest thresholds are {numbers[0].value:.2f}, {numbers[1].value:.3f} and "
        f"{numbers[2].value:.2f} (theory 0.50, 0.091, 0.80).",
        numbers=numbers,
        figure=chart("Cost per sample by threshold.", *curves, x="threshold", y="cost"),
    )  # fmt: skip
