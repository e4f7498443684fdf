"""Why is the gradient of a network affordable at all?

Claim: back-propagation is dynamic programming: it pulls each node's sum once, where adding up all paths would take
    exponentially many products.
Source: Goodfellow et al., Deep Learning (2016), section 6.5.3.
Expected: in a chain of L layers of two units that are all connected there are 2^(L-1) paths from an input unit to an
    output, and 4 products a layer by back-propagation; both give the same derivative.
See: sigmoid_gradients_obey_a_quarter_per_layer
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

LENGTHS = (2, 4, 8, 12, 16)


def run(seed: int, fast: bool) -> Finding:
    paths, visits, gaps = [], [], []
    for length in LENGTHS:
        weights = numpy_generator(seed, "weights", length).uniform(-1, 1, (length, 2, 2))
        by_paths, count = _over_paths(weights, 0, 0)
        once, products = _backwards(weights)
        paths.append(count)
        visits.append(products)
        gaps.append(abs(by_paths - once[0]))
    numbers = [Number(name=f"paths of {length} layers", value=count, expected=2 ** (length - 1))
               for length, count in zip(LENGTHS, paths, strict=True)]  # fmt: skip
    numbers += [Number(name=f"products of back-propagation, {length} layers", value=count, expected=4 * (length - 1))
                for length, count in zip(LENGTHS, visits, strict=True)]  # fmt: skip
    numbers.append(Number(name="largest difference", value=max(gaps), expected=0.0, tolerance=1e-12))
    return judged(
        all(each.agrees for each in numbers),
        summary=f"Through 16 layers of two units lead {paths[-1]:,} paths; back-propagation needs "
        f"{visits[-1]} products for the same derivative.",
        numbers=numbers,
        figure=chart("Work for one derivative.", series("paths", LENGTHS, paths, mark=Mark.BOTH),
                     series("products of back-propagation", LENGTHS, visits, mark=Mark.BOTH), x="layers", y="count",
                     log_y=True),
    )  # fmt: skip


def _over_paths(weights: np.ndarray, layer: int, unit: int) -> tuple[float, int]:
    """d output 0 / d `unit` of `layer` as the sum over all paths, and how many there are."""
    if layer == len(weights) - 1:
        return float(weights[layer, 0, unit]), 1
    total, count = 0.0, 0
    for following in range(2):
        rest, paths = _over_paths(weights, layer + 1, following)
        total += float(weights[layer, following, unit]) * rest
        count += paths
    return total, count


def _backwards(weights: np.ndarray) -> tuple[np.ndarray, int]:
    """The same for both input units by one walk from the output, and its products."""
    slope, products = weights[-1, 0], 0
    for weight in weights[-2::-1]:
        slope = slope @ weight
        products += weight.size
    return slope, products
