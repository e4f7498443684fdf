"""Why is the soft part of a distillation loss multiplied by T squared?

Claim: the gradient of the soft loss falls as 1/T^2, so T^2 keeps it level with the hard loss.
Source: Hinton et al. 2015, arXiv 1503.02531, section 2.1.
Expected: dKL/dz = (q_s - q_t)/T exactly; the law 1/T^2 holds for large T alone (slope -2 of log norm over log T).
    Teacher (5, 2, 1), student (3, 1, .5): T^2 grad_1 = -.114831, -.263340, -.306028, -.291351 at T = 1, 2, 4, 16, and
    the limit -.277778.
See: temperature_softens_from_one_hot_to_uniform
"""

import numpy as np
import torch
from scipy.special import softmax
from torch.nn import functional

from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...statistics import slope_of

TEACHER, STUDENT = np.array([5.0, 2.0, 1.0]), np.array([3.0, 1.0, 0.5])
EXPECTED = {1: -0.114831, 2: -0.263340, 4: -0.306028, 16: -0.291351}


def gradient(temperature: float) -> np.ndarray:
    return (softmax(STUDENT / temperature) - softmax(TEACHER / temperature)) / temperature


def run(seed: int, fast: bool) -> Finding:
    numbers = [Number(name=f"T² grad_1 at T={t}", value=float(t**2 * gradient(t)[0]), expected=value, tolerance=1e-6)
               for t, value in EXPECTED.items()]  # fmt: skip
    limit = Number(
        name="T² grad_1 at T=10,000", value=float(1e8 * gradient(1e4)[0]), expected=-0.277778, tolerance=1e-4
    )
    exact = Number(
        name="largest difference to autograd, T=4", value=_against_autograd(4.0), expected=0.0, tolerance=1e-12
    )
    large, small = np.logspace(1.5, 3, 16), np.linspace(0.7, 1.5, 9)
    slopes = [slope_of(np.log(many), [np.log(np.linalg.norm(gradient(t))) for t in many], f"slope, {name} T",
                       expected=expected, tolerance=0.1)
              for name, many, expected in (("large", large, -2.0), ("small", small, None))]  # fmt: skip
    many = np.logspace(-0.3, 3, 60)
    norms = [float(np.linalg.norm(gradient(t))) for t in many]
    return judged(
        all(each.agrees for each in (*numbers, limit, exact, slopes[0])), abs(slopes[1].value + 2) > 0.5,
        when="T is large against the logits",
        summary=f"The slope of log |gradient| is {slopes[0].value:.2f} for large T and {slopes[1].value:+.2f} "
        "around T = 1; T² times the gradient tends to a limit.",
        numbers=(*numbers, limit, exact, *slopes),
        figure=chart("Norm of the gradient of the soft loss.", series("|gradient|", many, norms),
                     series("limit / T²", many, [norms[-1] * many[-1] ** 2 / t**2 for t in many], mark=Mark.DASHES),
                     x="T", y="|gradient|", log_x=True, log_y=True),
    )  # fmt: skip


def _against_autograd(temperature: float) -> float:
    student = torch.tensor(STUDENT, requires_grad=True)
    log_q, p = functional.log_softmax(student / temperature, 0), torch.softmax(torch.tensor(TEACHER) / temperature, 0)
    functional.kl_div(log_q, p, reduction="sum").backward()
    assert student.grad is not None
    return float(np.abs(student.grad.numpy() - gradient(temperature)).max())
