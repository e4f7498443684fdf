"""What happens to a person whom the detector misses?

Claim: in a crowd bottom-up pose estimation finds people whom top-down loses, because a missed detection cannot be
    recovered.
Source: Cao et al. 2017, CVPR, section 1; Fang et al. 2017, ICCV (RMPE), for the suppression of neighbours.
Expected: recall of points top-down = recall of the detector, at most; suppression by IoU .5 drops people whose boxes
    overlap by more, so recall falls as people move together: two equal boxes overlap by more than .5 when one is
    shifted by less than a third of its width. Points found without boxes do not fall, until grouping mixes them up.
See: top_down_grows_with_the_crowd
"""

import numpy as np
from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

from ....reference.boxes import suppress
from ....seeding import numpy_generator
from ...figures import chart, series
from ...finding import Finding, judged
from ...statistics import mean_of, share_of

SPACINGS = (1.2, 0.8, 0.5, 0.4, 0.3, 0.2, 0.1)  # distance of neighbours in widths of a person
PEOPLE, FOUND, MAX_IOU = 8, 0.97, 0.5


def run(seed: int, fast: bool) -> Finding:
    scenes = 30 if fast else 500
    down, up = [], []
    for spacing in SPACINGS:
        generators = [numpy_generator(seed, "scene", scene) for scene in range(scenes)]
        tries = [_scene(spacing, generator) for generator in generators]
        down.append(share_of(np.concatenate([each[0] for each in tries]), f"recall top-down, spacing {spacing}"))
        up.append(mean_of([each[1] for each in tries], f"recall bottom-up, spacing {spacing}"))
    return judged(
        down[0].value > 0.9, up[4].exceeds(down[4], by=0.15), down[0].exceeds(down[4], by=0.3),
        up[4].exceeds(up[-1], by=0.1),
        when="people stand closer than a third of a width, and points can still be told apart",
        summary=f"People {SPACINGS[4]} widths apart are found to {down[4].value:.0%} top-down and their limbs to "
        f"{up[4].value:.0%} bottom-up, against {down[0].value:.0%} and {up[0].value:.0%} where boxes do not touch; at "
        f"{SPACINGS[-1]} widths grouping mixes people up and finds {up[-1].value:.0%}.",
        numbers=(*down, *up),
        figure=chart("Share of people (top-down) and of limbs (bottom-up) that are right.",
                     *(series(name, SPACINGS, [each.value for each in numbers], [each.error or 0 for each in numbers])
                       for name, numbers in (("top-down", down), ("bottom-up", up))),
                     x="distance of neighbours in widths", y="recall"),
    )  # fmt: skip


def _scene(spacing: float, generator: np.random.Generator) -> tuple[np.ndarray, float]:
    """Which people of a row keep a box behind suppression; and the share of limbs that are joined right."""
    left = np.arange(PEOPLE) * spacing + 0.02 * generator.standard_normal(PEOPLE)
    boxes = np.stack([left, np.zeros(PEOPLE), left + 1, np.full(PEOPLE, 3.0)], 1)
    seen = np.flatnonzero(generator.random(PEOPLE) < FOUND)
    kept = seen[suppress(boxes[seen], generator.random(len(seen)), max_iou=MAX_IOU)]
    start = np.stack([left + 0.5, np.full(PEOPLE, 1.0)], 1)
    end = start + (0.0, 1.0) + 0.12 * generator.standard_normal(start.shape)
    points = [np.flatnonzero(generator.random(PEOPLE) < FOUND) for _ in range(2)]
    distances = np.linalg.norm(start[points[0], None] + (0.0, 1.0) - end[points[1]], axis=2)
    ones, others = linear_sum_assignment(distances)
    right = int((points[0][ones] == points[1][others]).sum())
    return np.isin(np.arange(PEOPLE), kept), right / PEOPLE
