"""Why might training with small batches end in flat minima?

Claim: the noise of a small batch throws a walk out of a sharp basin sooner than out of a flat one of the same depth, so
    that the smaller the batch, the more walks end in the flat one.
Source: Keskar et al. 2017, ICLR; Jastrzebski et al. 2017, arXiv:1711.04623; Zhu et al. 2019, ICML.
Expected: starting in the sharp basin, the share that ends in the flat one rises as the batch falls, and is 0 without
    noise; hardly any goes the other way. In the sharp basin the walks spread by lr s^2/(B h (2 - lr h)) for curvature
    h.
See: large_batches_find_sharp_minima_at_one_rate, gradient_variance_falls_with_the_batch
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, chart, panels, series
from ...finding import Finding, Number, judged
from ...statistics import share_of, variance_of

SHARP, FLAT, LR, NOISE = 100.0, 4.0, 0.01, 48.0  # curvatures, of basins around -1 and 1
BATCHES = (12, 16, 20, 24, 32, 64)
BORDER = (FLAT**0.5 - SHARP**0.5) / (FLAT**0.5 + SHARP**0.5)  # where the two parabolas meet


def run(seed: int, fast: bool) -> Finding:
    num_walks, num_steps = 600 if fast else 20_000, 1_500
    leaves, returns = ([share_of((_walk(start, batch, num_walks, num_steps, seed) > BORDER) == (start < 0),
                        f"{name}, B={batch}") for batch in BATCHES]
                       for name, start in (("from sharp to flat", -1.0), ("from flat to sharp", 1.0)))  # fmt: skip
    still = Number(name="from sharp to flat, no noise", expected=0.0,
                   value=float((_walk(-1.0, np.inf, 1, num_steps, seed) > BORDER).mean()))  # fmt: skip
    spread = variance_of(_walk(-1.0, 64, num_walks, num_steps, seed), "spread in the sharp basin, B=64",
                         expected=LR * NOISE**2 / (64 * SHARP * (2 - LR * SHARP)))  # fmt: skip
    x = np.linspace(-1.6, 2.6, 200)
    loss = np.minimum(SHARP / 2 * (x + 1) ** 2, FLAT / 2 * (x - 1) ** 2)
    shares = [each.value for each in leaves]
    return judged(
        shares == sorted(shares, reverse=True), leaves[0].exceeds(0.8), leaves[-1].value < 0.01, bool(still.agrees),
        bool(spread.agrees), all(there.exceeds(back) for there, back in zip(leaves[:3], returns[:3], strict=True)),
        summary=f"In {num_steps} steps {leaves[0].value:.0%} of the walks with a batch of {BATCHES[0]} go from the "
        f"sharp to the flat "
        f"basin and {returns[0].value:.1%} the other way; with a batch of 64 {leaves[-1].value:.0%} leave.",
        numbers=(*leaves, *returns, still, spread),
        figure=panels("Two basins of the same depth, and where walks end.",
            loss=chart("", series("loss", x, loss), x="x", y="loss"),
            share_that_changes_the_basin=chart("", *(
                series(name, BATCHES, [each.value for each in found], mark=Mark.BOTH)
                for name, found in (("sharp to flat", leaves), ("flat to sharp", returns))), x="batch", y="share",
                log_x=True)),
    )  # fmt: skip


def _walk(start: float, batch: float, num_walks: int, num_steps: int, seed: int) -> np.ndarray:
    """Where walks of SGD end whose gradient has the variance NOISE^2 / batch."""
    generator, x = numpy_generator(seed, "walk", str(start), str(batch)), np.full(num_walks, start)
    for _ in range(num_steps):
        slope = np.where(x < BORDER, SHARP * (x + 1), FLAT * (x - 1))
        x = x - LR * (slope + NOISE / np.sqrt(batch) * generator.standard_normal(num_walks))
    return x
