"""What does a softmax over a hundred thousand classes cost?

Claim: weights, memory and time of the last layer grow linearly with the number of classes K.
Source: Grave et al. 2017, ICML (adaptive softmax); Morin & Bengio 2005, AISTATS (tree).
Expected: 1024 x 100,000 = 102,400,000 weights, 409.6 MB in fp32, four times that with gradient and Adam; a balanced
    tree needs ceil(log2 K) = 17 decisions, an adaptive softmax with cut-offs 2,000 and 10,000 has 10,185,728 weights.
"""

import math

import numpy as np

from ....calc import CALCULATIONS
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...statistics import slope_of

SIZES, WIDTH = (100, 1_000, 10_000, 100_000), 1024


def run(seed: int, fast: bool) -> Finding:
    weights = [int(CALCULATIONS["linear"](in_features=WIDTH, out_features=size, bias=False).result["params"])
               for size in SIZES]  # fmt: skip
    adaptive = WIDTH * (2_000 + 2) + 256 * WIDTH + 8_000 * 256 + 64 * WIDTH + 90_000 * 64
    numbers = (
        Number(name="weights at K=100,000", value=weights[-1], expected=102_400_000),
        Number(name="MB in fp32", value=4 * weights[-1] / 1e6, expected=409.6, unit="MB"),
        Number(name="MB with gradient and Adam", value=16 * weights[-1] / 1e6, expected=1_638.4, unit="MB"),
        Number(name="decisions of a balanced tree", value=math.ceil(math.log2(100_000)), expected=17),
        Number(name="weights of an adaptive softmax", value=adaptive, expected=10_185_728),
        slope_of(np.log(SIZES), np.log(weights), "log weights over log K", expected=1.0, tolerance=1e-9),
    )
    tree = [math.ceil(math.log2(size)) * WIDTH for size in SIZES]
    return judged(
        all(each.agrees for each in numbers),
        summary=f"100,000 classes behind {WIDTH} features take {weights[-1] / 1e6:.1f} M weights, "
        f"{numbers[1].value:.1f} MB; an adaptive softmax {adaptive / 1e6:.1f} M, and one class of a tree "
        f"{numbers[3].value:.0f} products.",
        numbers=numbers,
        figure=chart("Multiplications for one class's probability.", series("softmax", SIZES, weights, mark=Mark.BOTH),
                     series("balanced tree", SIZES, tree, mark=Mark.BOTH), x="classes", y="MACs", log_x=True,
                     log_y=True),
    )  # fmt: skip
