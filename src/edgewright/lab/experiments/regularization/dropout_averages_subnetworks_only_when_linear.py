"""Is a network with scaled weights the mean of all networks that dropout can make of it?

Claim: a network at test time, with dropout switched off, is the average of its 2^n sub-networks.
Source: Srivastava et al. 2014, JMLR 15; Warde-Farley et al. 2014, ICLR; Goodfellow et al. (2016), section 7.12.
Expected: exact for a linear output (arithmetic mean) and for one softmax layer (normalized geometric mean); with a ReLU
    behind the dropped units it is an approximation, which is close.
See: dropout_keeps_the_mean_and_adds_variance, dropout_prevents_coadaptation
"""

from collections import defaultdict
from itertools import product

import numpy as np

from ....reference.stable import softmax
from ....seeding import numpy_generator
from ...figures import bars
from ...finding import Finding, Number, judged
from ...statistics import mean_of

NUM_UNITS = 10
MASKS = np.array(list(product((0.0, 2.0), repeat=NUM_UNITS)))  # all 1,024 of p = 1/2, inverted: kept units count twice


def run(seed: int, fast: bool) -> Finding:
    gaps, moved = defaultdict[str, list[float]](list), []
    for index in range(20 if fast else 500):
        generator = numpy_generator(seed, "net", index)
        x = abs(generator.standard_normal(NUM_UNITS))
        first, second = _layer(generator, 8, NUM_UNITS), _layer(generator, 3, 8)
        whole = first @ x
        gaps["linear"].append(_gap((MASKS * x @ first.T).mean(0), whole))
        each = np.log(softmax(MASKS * x @ first.T))
        gaps["softmax"].append(_gap(softmax(each.mean(0)), softmax(whole)))
        outputs = np.maximum(MASKS * x @ first.T, 0) @ second.T
        gaps["deep"].append(_gap(outputs.mean(0), second @ np.maximum(whole, 0)))
        moved.append(float(np.sqrt(((outputs - outputs.mean(0)) ** 2).sum(1).mean())))
    numbers = {
        "linear": _most(gaps["linear"], "largest gap, arithmetic mean of a linear layer"),
        "softmax": _most(gaps["softmax"], "largest gap, geometric mean of a softmax layer"),
        "deep": mean_of(gaps["deep"], "mean gap, two layers with a ReLU"),
    }
    spread = mean_of(moved, "spread of the sub-networks, two layers with a ReLU")
    rows = ["one linear layer", "one softmax layer", "two layers with a ReLU", "one sub-network against their mean"]
    values = [numbers["linear"].value, numbers["softmax"].value, numbers["deep"], spread]
    return judged(
        all(numbers[name].agrees for name in ("linear", "softmax")), numbers["deep"].exceeds(0.01),
        numbers["deep"].value < spread.value / 2,
        when="the network is linear, or one softmax layer under a geometric mean; it is close for others",
        summary=f"Over all {len(MASKS)} masks the gap is {numbers['linear'].value:.0e} for a linear and "
        f"{numbers['softmax'].value:.0e} for a softmax layer, but {numbers['deep'].value:.2f} with a ReLU between, "
        f"where "
        f"one sub-network is {spread.value:.2f} from the mean.",
        numbers=(*numbers.values(), spread),
        figure=bars("Distance between the mean of all sub-networks and the network with scaled weights.", rows,
                    value="distance", only=values),
    )  # fmt: skip


def _layer(generator: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    return generator.standard_normal((rows, columns)) / np.sqrt(columns)


def _gap(mean: np.ndarray, scaled: np.ndarray) -> float:
    return float(np.linalg.norm(mean - scaled))


def _most(values: list[float], name: str) -> Number:
    return Number(name=name, value=max(values), expected=0.0, tolerance=1e-12)
