"""Which rates do the usual schedules give?

Claim: cosine annealing lowers the rate and raises it again, over and over.
Source: Loshchilov & Hutter 2017, ICLR (SGDR); Smith 2017, WACV (cyclical rates); Chen et al. 2017 (power .9).
Expected: cosine at quarters 1, .853553, .5, .146447, 0 and 0 from then on; only warm restarts bring it back. Power .9:
    .771890, .535887, .287175. Step .1 every 30 at 65: .001. Triangular .001 to .006 in 2,000: .0035, .006, .001 at
    1,000, 2,000 and 4,000. A warm-up meets what follows without a jump.
See: rates_too_small_stall_and_too_large_diverge
"""

import math

import numpy as np

from ....reference import schedules
from ...figures import chart, panels, series
from ...finding import Finding, Number, judged

QUARTERS = (0, 25, 50, 75, 100)
ONE_CYCLE = dict(high=0.006, low=0.001)


def run(seed: int, fast: bool) -> Finding:
    table = [
        *((f"cosine at {t} %", schedules.cosine(t, 100), (1 + math.cos(math.pi * t / 100)) / 2) for t in QUARTERS),
        *((f"power 0.9 at {t} %", schedules.polynomial(t, 100), value)
          for t, value in zip(QUARTERS[1:4], (0.771890, 0.535887, 0.287175), strict=True)),
        ("step at epoch 65", 0.1 * schedules.step_decay(65, every=30, gamma=0.1), 0.001),
        ("exponential, k = 0.05, at 10", schedules.exponential(10, k=0.05), 0.606531),
        *((f"triangular at {t}", schedules.triangular(t, 2_000, **ONE_CYCLE), value)
          for t, value in ((1_000, 0.0035), (2_000, 0.006), (4_000, 0.001))),
        ("triangular, second peak of halved ones", schedules.triangular(6_000, 2_000, shrink=0.5, **ONE_CYCLE), 0.0035),
    ]  # fmt: skip
    numbers = [Number(name=name, value=value, expected=expected, tolerance=1e-6) for name, value, expected in table]
    t = range(300)
    once, again = ([rate(each) for each in t] for rate in (lambda t: schedules.cosine(t, 100),
                   lambda t: schedules.cosine_restarts(t, 100, growth=1)))  # fmt: skip
    warm = [schedules.warmed_up(each, 20, schedules.cosine(max(0.0, each - 20), 280)) for each in t]
    jump = Number(
        name="largest change of the rate in one step, warm-up and cosine", value=float(abs(np.diff(warm)).max())
    )
    rises = {name: Number(name=f"rises of the rate in 300 steps, {name}", value=float((np.diff(rates) > 1e-12).sum()))
             for name, rates in (("cosine", once), ("cosine with restarts", again))}  # fmt: skip
    triangle = [schedules.triangular(each, 50, low=0.1, high=1.0) for each in t]
    return judged(
        rises["cosine"].value > 0,
        summary=f"Cosine annealing falls once, to 0 at its end, and stays there; with restarts it comes back "
        f"{rises['cosine with restarts'].value:.0f} times in three periods. A warm-up of 20 steps joins it with steps "
        f"of at most {jump.value:.3f}.",
        numbers=(*numbers, *rises.values(), jump),
        figure=panels("Shares of the highest rate.",
            once_or_again=chart("", series("cosine", t, once), series("with restarts", t, again), x="step", y="rate"),
            others=chart("", series("warm-up and cosine", t, warm), series("triangular", t, triangle),
                         series("power 0.9", t, [schedules.polynomial(each, 300) for each in t]), x="step", y="rate")),
    )  # fmt: skip
