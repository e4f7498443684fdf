"""Does AdaGrad suit features that are rarely there?

Claim: where some features are a hundred times rarer than others, AdaGrad learns the rare ones sooner than stochastic
    gradient descent, because each weight's step shrinks with its own gradients alone.
Source: Duchi et al. 2011, JMLR 12.
Expected: a lower error of the weights than SGD at an equal number of steps, each at its best rate of a grid; but its
    base rate has to be tuned as well: the worst of that grid costs much.
See: rmsprop_goes_on_where_adagrad_fades
"""

import numpy as np

from ....reference.optimizers import How, Memory, adagrad, sgd
from ....seeding import numpy_generator
from ...figures import Mark, chart, panels, series
from ...finding import Finding, Number, judged
from ...statistics import difference_of, mean_of

FREQUENCIES = np.logspace(0, -2.5, 40)
RATES = {"SGD": (0.01, 0.03, 0.1, 0.3, 1.0), "AdaGrad": (0.03, 0.1, 0.3, 1.0, 3.0)}
RULES = {"SGD": sgd, "AdaGrad": adagrad}


def run(seed: int, fast: bool) -> Finding:
    num_runs = 30 if fast else 500
    errors = {name: [_errors(name, rate, num_runs, seed) for rate in rates] for name, rates in RATES.items()}
    by_rate = {name: [float((each**2).mean()) for each in found] for name, found in errors.items()}
    best = {name: int(np.argmin(values)) for name, values in by_rate.items()}
    tuned = {name: errors[name][best[name]] for name in RULES}
    halves = {"common": slice(0, 20), "rare": slice(20, 40)}
    numbers = [mean_of((tuned[name][:, half] ** 2).mean(1), f"error of {kind} weights, {name}")
               for kind, half in halves.items() for name in RULES]  # fmt: skip
    means = {name: (found**2).mean(1).tolist() for name, found in tuned.items()}
    gap = difference_of(means["SGD"], means["AdaGrad"], "error, SGD - AdaGrad")
    worst = max(by_rate["AdaGrad"]) / min(by_rate["AdaGrad"])
    return judged(
        gap.exceeds(0.0), numbers[2].exceeds(numbers[3]),
        when="its base rate is tuned too",
        summary=f"At the best of five rates each, rare weights end with an error of {numbers[2].value:.2f} under SGD "
        f"and "
        f"{numbers[3].value:.2f} under AdaGrad; AdaGrad's worst rate costs {worst:.0f} times its best.",
        numbers=(gap, *numbers, Number(name="error at AdaGrad's worst rate over its best", value=worst),
                 *(Number(name=f"best rate, {name}", value=RATES[name][at]) for name, at in best.items())),
        figure=panels("Error of the weights after 1,000 samples; all begin at 1.",
            each_weight=chart("", *(series(name, FREQUENCIES, (found**2).mean(0), mark=Mark.BOTH)
                              for name, found in tuned.items()), x="frequency of the feature", y="squared error",
                              log_x=True, log_y=True),
            each_rate=chart("", *(series(name, RATES[name], np.minimum(values, 10), mark=Mark.BOTH)
                            for name, values in by_rate.items()), x="learning rate", y="mean squared error (at most "
                            "10)",
                            log_x=True)),
    )  # fmt: skip


def _errors(name: str, rate: float, num_runs: int, seed: int) -> np.ndarray:
    """(runs, features): how far each weight is off after 1,000 samples, one sample a step."""
    memory: Memory = {}
    generator = numpy_generator(seed, "samples")
    truth = generator.choice([-1.0, 1.0], (num_runs, len(FREQUENCIES)))
    w = np.zeros_like(truth)
    for _ in range(1_000):
        x = (generator.random(truth.shape) < FREQUENCIES) * generator.choice([-1.0, 1.0], truth.shape)
        miss = ((w - truth) * x).sum(1, keepdims=True) + 0.3 * generator.standard_normal((num_runs, 1))
        w = np.clip(RULES[name](w, miss * x, memory, How(lr=rate)), -1e6, 1e6)  # a rate too large ends here
    return w - truth
