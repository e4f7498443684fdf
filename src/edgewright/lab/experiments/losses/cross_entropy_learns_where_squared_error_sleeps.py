"""Why is a classifier not trained on squared error?

Claim: behind a sigmoid the squared error has a gradient (p - y) p (1 - p), which vanishes for a confident mistake; the
    cross-entropy has p - y.
Source: Goodfellow et al., Deep Learning (2016), section 6.2.2.2.
Expected: at z = -8 and y = 1 the gradients are -3.35e-4 and -.999665; from a confident wrong start cross-entropy learns
    and squared error stands still for long.
See: focal_loss_lets_rare_positives_speak
"""

import numpy as np

from ....reference.loss_gradients import binary_cross_entropy, squared_error_of_sigmoid
from ....reference.stable import sigmoid
from ...figures import chart, series
from ...finding import Finding, Number, judged

Z = np.linspace(-10, 10, 81)


def run(seed: int, fast: bool) -> Finding:
    gradients = {"cross-entropy": binary_cross_entropy, "squared error": squared_error_of_sigmoid}
    at = {name: float(np.sum(g(np.array([-8.0]), np.array([1.0])))) for name, g in gradients.items()}
    steps = {name: _steps(g) for name, g in gradients.items()}
    numbers = (
        Number(
            name="gradient of cross-entropy at z=-8, y=1", value=at["cross-entropy"], expected=-0.999665, tolerance=1e-6
        ),
        Number(
            name="gradient of the squared error there", value=at["squared error"], expected=-3.35e-4, tolerance=1e-6
        ),
        Number(name="steps until p > 1/2, cross-entropy", value=steps["cross-entropy"]),
        Number(name="steps until p > 1/2, squared error", value=steps["squared error"]),
    )
    curves = [
        series(name, Z, [float(np.sum(g(np.array([z]), np.array([1.0])))) for z in Z]) for name, g in gradients.items()
    ]
    return judged(
        all(each.agrees is not False for each in numbers), steps["squared error"] > 20 * steps["cross-entropy"],
        summary=f"From z = -8 and a target of 1 cross-entropy needs {steps['cross-entropy']} steps to p > 1/2 and "
        f"squared error {steps['squared error']:,}.",
        numbers=numbers,
        figure=chart("Gradient with respect to the logit, target 1.", *curves, x="logit z", y="gradient"),
    )  # fmt: skip


def _steps(gradient) -> int:
    """Steps of rate 0.5 from z = -8 until the decision is right."""
    z, count = np.array([-8.0]), 0
    while sigmoid(z)[0] <= 0.5 and count < 50_000:
        z, count = z - 0.5 * gradient(z, np.array([1.0])), count + 1
    return count
