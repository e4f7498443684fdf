"""How far off is the variance that maximum likelihood gives, and which divisor is best?

Claim: dividing the squared deviations of m draws by m gives a variance that is too small by sigma^2 / m on average;
    m - 1 removes that bias, and m + 1 has the least squared error of the three.
Source: Bishop, Pattern Recognition and Machine Learning (2006), section 1.2.4; the three errors follow from
    Var(chi^2 of k degrees) = 2 k.
Expected: at sigma = 1 the biases are -1/m, 0 and -2/(m + 1); the mean squared errors (2m - 1)/m^2, 2/(m - 1) and
    2/(m + 1).
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, judged
from ...statistics import mean_of

SIZES = (2, 5, 10, 30)
EXPECTED = {
    "1/m": lambda m: (-1 / m, (2 * m - 1) / m**2),
    "1/(m-1)": lambda m: (0.0, 2 / (m - 1)),
    "1/(m+1)": lambda m: (-2 / (m + 1), 2 / (m + 1)),
}  # bias and mean squared error of a variance of 1
OFFSET = {"1/m": 0, "1/(m-1)": -1, "1/(m+1)": 1}


def run(seed: int, fast: bool) -> Finding:
    num_draws = 20_000 if fast else 400_000
    numbers = []
    for m in SIZES:
        x = numpy_generator(seed, "variance", m).standard_normal((num_draws, m))
        squares = ((x - x.mean(1, keepdims=True)) ** 2).sum(1)
        for divisor, offset in OFFSET.items():
            error = squares / (m + offset) - 1
            bias, squared = EXPECTED[divisor](m)
            numbers += [mean_of(error, f"bias of {divisor}, m={m}", expected=bias),
                        mean_of(error**2, f"squared error of {divisor}, m={m}", expected=squared)]  # fmt: skip
    found = {number.name: number for number in numbers}
    least = all(
        found[f"squared error of 1/(m+1), m={m}"].value < found[f"squared error of {other}, m={m}"].value
        for m in SIZES for other in ("1/m", "1/(m-1)")
    )  # fmt: skip
    curves = [
        series(name, SIZES, *zip(*((found[f"bias of {name}, m={m}"].value, found[f"bias of {name}, m={m}"].error)
                                   for m in SIZES), strict=True), mark=Mark.BOTH)
        for name in OFFSET
    ]  # fmt: skip
    theory = series("-1/m", np.arange(2, 31), [-1 / m for m in range(2, 31)], mark=Mark.DASHES, colour=0)
    return judged(
        least, all(number.agrees for number in numbers),
        summary=f"With m = 5 draws, 1/m is off by {found['bias of 1/m, m=5'].value:+.3f} (theory -0.200); 1/(m+1) has "
        f"the least squared error, {found['squared error of 1/(m+1), m=5'].value:.3f}, and the largest bias.",
        numbers=numbers,
        figure=chart("Bias of three variances of m draws from N(0, 1).", *curves, theory, x="m", y="bias"),
    )  # fmt: skip
