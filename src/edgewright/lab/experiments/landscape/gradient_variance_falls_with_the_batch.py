"""How noisy is the gradient of a batch?

Claim: the variance of a batch's gradient is s^2/B.
Source: Goodfellow et al., Deep Learning (2016), section 8.1.3.
Expected: s^2/B when samples are drawn with replacement; times (N - B)/(N - 1) without, so that the whole set has none.
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

N, BATCHES = 256, (1, 4, 16, 64, 256)


def run(seed: int, fast: bool) -> Finding:
    generator = numpy_generator(seed, "gradients")
    x = generator.standard_normal((N, 8))
    y = x @ generator.standard_normal(8) + generator.standard_normal(N)
    gradients = 2 * (x @ generator.standard_normal(8) - y)[:, None] * x
    per_sample = float(gradients.var(0).sum())
    num_draws, numbers = (2_000 if fast else 50_000), []
    for way in ("with replacement", "without replacement"):
        for batch in BATCHES:
            draws = numpy_generator(seed, way, batch)
            rows = draws.integers(0, N, (num_draws, batch)) if way == "with replacement" else draws.permuted(
                np.tile(np.arange(N), (num_draws, 1)), axis=1)[:, :batch]  # fmt: skip
            means = gradients[rows].mean(1)
            found = ((means - gradients.mean(0)) ** 2).sum(1)
            expected = per_sample / batch * (1 if way == "with replacement" else (N - batch) / (N - 1))
            numbers.append(
                Number(
                    name=f"variance, B={batch}, {way}",
                    value=float(found.mean()),
                    expected=expected,
                    error=float(found.std() / np.sqrt(num_draws)),
                    tolerance=None if expected else 1e-20,
                )
            )
    curves = [series(way, BATCHES, [max(each.value, 1e-12) for each in numbers[at : at + 5]], mark=Mark.BOTH)
              for way, at in (("with replacement", 0), ("without replacement", 5))]  # fmt: skip
    theory = series("s²/B", BATCHES, [per_sample / batch for batch in BATCHES], mark=Mark.DASHES)
    return judged(
        all(each.agrees for each in numbers), numbers[9].value < 1e-20,
        when="samples are drawn with replacement, or B is far below N",
        summary=f"Variance times B is constant with replacement; without, a batch of 64 of {N} has "
        f"{numbers[8].value / numbers[3].value:.2f} of it (theory {(N - 64) / (N - 1):.2f}) and the whole set none.",
        numbers=numbers,
        figure=chart("Variance of the gradient of a batch.", *(
            series(each.name, *zip(*each.points[:-1], strict=True), mark=Mark.BOTH) for each in curves), theory,
            x="batch", y="variance", log_x=True, log_y=True),
    )  # fmt: skip
