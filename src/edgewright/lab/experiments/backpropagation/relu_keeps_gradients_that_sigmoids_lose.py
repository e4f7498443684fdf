"""Why does a ReLU ease the vanishing of gradients?

Claim: a sigmoid's slope is 1/4 at most, so a gradient falls by at least 4 with each layer of unit weights; a ReLU's is
    1 where it is active, so that with weights of variance 2/n the gradient keeps its size.
Source: Glorot & Bengio 2010, AISTATS; Glorot et al. 2011, AISTATS.
Expected: with variance 2/n ReLU keeps the norm within a factor of 3 over 50 layers; the sigmoid stays under .25^L times
    the growth of its weights; tanh lies between. The ReLU's slope is 1 for positive inputs alone.
See: sigmoid_gradients_obey_a_quarter_per_layer, he_initialization_keeps_the_mean_square
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import chart, series
from ...finding import Finding, judged
from ...statistics import mean_of
from ._stack import walk

DEPTHS = (5, 10, 20, 50)
GAINS = {"sigmoid": 1.0, "tanh": 1.0, "relu": 2.0}


def run(seed: int, fast: bool) -> Finding:
    num_nets = 3 if fast else 30
    found = {}
    for name, gain in GAINS.items():
        for depth in DEPTHS:
            norms = [walk(numpy_generator(seed, name, depth, net), depth=depth, activation=name, gain=gain).gradients[0]
                     for net in range(num_nets)]  # fmt: skip
            found[name, depth] = mean_of(np.log10(norms), f"log10 of the gradient at the input, {name}, {depth} layers")
    curves = [series(name, DEPTHS, [10 ** found[name, depth].value for depth in DEPTHS]) for name in GAINS]
    relu, tanh, sigmoid = (found[name, 50] for name in ("relu", "tanh", "sigmoid"))
    return judged(
        abs(relu.value) < np.log10(3), relu.exceeds(tanh), tanh.exceeds(sigmoid),
        sigmoid.value < 50 * np.log10(0.25) + 1,
        summary=f"Over 50 layers a gradient becomes {10**relu.value:.2f} with ReLU, {10**tanh.value:.1e} with tanh "
        f"and {10**sigmoid.value:.0e} with sigmoids.",
        numbers=found.values(),
        figure=chart("Gradient at the first layer, for a gradient of 1 at the last.", *curves,
                     
                     x="layers", y="|gradient|", log_y=True),
    )  # fmt: skip
