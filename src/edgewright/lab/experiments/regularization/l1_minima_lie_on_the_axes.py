"""Why does the L1 penalty put its minima on the axes?

Claim: the contours of a loss touch the diamond |w1| + |w2| = r at a corner again and again, the more the further
    their centre is off, and the circle of L2 anywhere; a weight is 0 exactly when the slope of the loss there is at
    most lambda.
Source: Tibshirani 1996, J. R. Statist. Soc. B 58, figure 2; Hastie et al., The Elements of Statistical Learning (2009),
    section 3.4.
Expected: nearest points of the diamond of radius r to targets at distance d: a corner where the two coordinates differ
    by r or more, a share of 1 - (4/pi) arcsin(r / (d sqrt 2)) of all directions; the circle never. With round contours
    and targets N(0, 1) a weight is 0 in a share erf(lambda / sqrt 2) of draws.
See: lasso_thresholds_where_ridge_shrinks, l1_finds_few_genes_among_thousands
"""

import math

import numpy as np

from ....reference.optimizers import elastic_net
from ....seeding import numpy_generator
from ...figures import Mark, chart, panels, series
from ...finding import Finding, Number, judged
from ...statistics import share_of

RADIUS, DISTANCES, LAMBDAS = 1.0, (1.5, 2.0, 4.0), (0.5, 1.0, 2.0)
ROUND = np.linspace(0, 2 * math.pi, 73)


def run(seed: int, fast: bool) -> Finding:
    num_draws = 20_000 if fast else 1_000_000
    corners, circle = [], 0
    for distance in DISTANCES:
        angle = numpy_generator(seed, "direction", str(distance)).uniform(0, 2 * math.pi, num_draws)
        target = distance * np.stack([np.cos(angle), np.sin(angle)])
        expected = 1 - 4 / math.pi * math.asin(RADIUS / distance / math.sqrt(2))
        corners.append(share_of((_on_diamond(target) == 0).any(0), f"minima at a corner, targets at {distance:g}",
                                expected=expected))  # fmt: skip
        circle += int((RADIUS * target / np.linalg.norm(target, axis=0) == 0).any(0).sum())
    draws = numpy_generator(seed, "targets").standard_normal(num_draws)
    zeros = [share_of(elastic_net(draws, step=1.0, l1=each) == 0, f"weights at 0, lambda={each:g}",
                      expected=math.erf(each / math.sqrt(2))) for each in LAMBDAS]  # fmt: skip
    wrong = sum(_breaks_the_rule(draws[:2_000], each) for each in LAMBDAS)
    rule = Number(name="weights at 0 with a slope above lambda, or the reverse", value=float(wrong), expected=0.0)
    axes = Number(name="minima on an axis, circle", value=float(circle), expected=0.0)
    return judged(
        all(each.agrees for each in (*corners, *zeros, rule, axes)), corners[2].exceeds(corners[1]),
        corners[1].exceeds(corners[0]), corners[0].exceeds(0.3),
        summary=f"Of targets at distance {DISTANCES[0]} the diamond takes {corners[0].value:.0%} to a corner, of those "
        f"at "
        f"{DISTANCES[2]:g} {corners[2].value:.0%}; the circle none. Zeros are just where the slope is at most lambda.",
        numbers=(*corners, axes, *zeros, rule),
        figure=panels("Contours of a loss around its minimum without penalty, grown until they touch.",
                      L1=_picture(np.array([0.6, 1.7]), "L1"), L2=_picture(np.array([0.6, 1.7]), "L2")),
    )  # fmt: skip


def _on_diamond(target: np.ndarray) -> np.ndarray:
    """The nearest point of |w1| + |w2| <= RADIUS to targets (2, draws) outside: the soft threshold that reaches it."""
    large, small = np.sort(abs(target), axis=0)[::-1]
    threshold = np.where(large - small >= RADIUS, large - RADIUS, (large + small - RADIUS) / 2)
    return np.sign(target) * np.maximum(abs(target) - threshold, 0)


def _breaks_the_rule(targets: np.ndarray, strength: float) -> int:
    """How often the best point of a fine grid for .5 (w - target)^2 + strength |w| is 0 where |slope| > strength."""
    grid = np.linspace(-4, 4, 2_001)
    best = grid[((grid - targets[:, None]) ** 2 / 2 + strength * abs(grid)).argmin(1)]
    clear = abs(abs(targets) - strength) > 0.01  # the grid cannot tell what is nearer than its step
    return int((((best == 0) != (abs(targets) <= strength)) & clear).sum())


def _picture(target: np.ndarray, kind: str):
    touch = _on_diamond(target[:, None])[:, 0] if kind == "L1" else RADIUS * target / np.linalg.norm(target)
    reach = float(np.linalg.norm(target - touch))
    edge = ([1, 0, -1, 0, 1], [0, 1, 0, -1, 0]) if kind == "L1" else (np.cos(ROUND), np.sin(ROUND))
    rings = [series(f"loss {part:.0%}", target[0] + part * reach * np.cos(ROUND), target[1] + part * reach *
                    np.sin(ROUND), mark=Mark.DASHES, colour=1) for part in (0.5, 1.0)]  # fmt: skip
    return chart("", series("allowed", *edge, colour=0), *rings, series("minimum", touch[:1], touch[1:],
                 mark=Mark.DOTS, colour=2), x="w1", y="w2", equal=True)  # fmt: skip
