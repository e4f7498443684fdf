"""Why is the largest logit taken off before a softmax?

Claim: softmax does not change when one number is added to all logits, so the largest may be taken off, and no
    exponential can overflow; the sigmoid needs a formula of its own for each sign.
Source: Goodfellow, Bengio, Courville, Deep Learning (2016), section 4.1.
Expected: softmax(z + c) = softmax(z) to rounding; written plainly, softmax gives no number from logits of about 709 on
    (log of the largest float64), the other form is right at 10,000. "In (0, 1)" is true in exact arithmetic alone: a
    gap of 800 rounds to 0 and 1.
See: cross_entropy_learns_where_squared_error_sleeps
"""

import numpy as np

from ....reference.stable import sigmoid, softmax
from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

SIZES = (1.0, 10.0, 100.0, 700.0, 720.0, 1_000.0, 10_000.0)


def plain_softmax(z: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.exp(z) / np.exp(z).sum(-1, keepdims=True))


def run(seed: int, fast: bool) -> Finding:
    logits = numpy_generator(seed, "logits").standard_normal((200 if fast else 20_000, 10))
    shift = float(np.abs(softmax(logits + 37.5) - softmax(logits)).max())
    rows = [logits[:100] / np.abs(logits[:100]).max(1, keepdims=True) * size for size in SIZES]
    broken = [float(np.mean(~np.isfinite(plain_softmax(row)).all(1))) for row in rows]
    kept = [float(np.mean(~np.isfinite(softmax(row)).all(1))) for row in rows]
    with np.errstate(over="raise"):
        low, high = sigmoid(np.array([-1e4, 1e4]))
    gap = float(softmax(np.array([0.0, 800.0])).max())
    numbers = (
        Number(name="largest change by a shift of 37.5", value=shift, expected=0.0, tolerance=1e-12),
        Number(name="rows without a number at 10,000, plain", value=broken[-1], expected=None),
        Number(name="rows without a number at 700, plain", value=broken[3], expected=0.0),
        Number(name="rows without a number at 10,000, largest taken off", value=kept[-1], expected=0.0),
        Number(name="sigmoid of -10,000", value=float(low), expected=0.0),
        Number(name="sigmoid of 10,000", value=float(high), expected=1.0),
        Number(name="larger probability at a gap of 800", value=gap, expected=1.0),
    )
    return judged(
        all(each.agrees is not False for each in numbers), broken[-1] > 0.3, max(kept) == 0,
        summary=f"With the largest logit taken off no row of any size fails; plainly {broken[4]:.0%} fail at logits of "
        f"720 and {broken[-1]:.0%} at 10,000.",
        numbers=numbers,
        figure=chart("Rows of logits for which softmax gives no number.",
                     series("plain", SIZES, broken, mark=Mark.BOTH),
                     series("largest taken off", SIZES, kept, mark=Mark.BOTH), x="largest |logit|", y="share of rows",
                     log_x=True),
    )  # fmt: skip
