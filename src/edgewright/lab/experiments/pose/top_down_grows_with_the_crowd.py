"""How does the cost of pose estimation grow with the number of people?

Claim: top-down (detect, then one pose network per person) is linear in the number N of people; bottom-up (all points at
    once, then grouping) is constant.
Source: Cao et al. 2017, CVPR, section 3.3.
Expected: T = T_det + N T_pose, with a slope of one pose network; the network of bottom-up has slope 0, but its grouping
    does not: that part grows with N, here counted in comparisons, N^2 for each limb.
See: heat_map_cells_cost_precision
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from ....analyze import profile
from ....seeding import numpy_generator
from ....zoo import resolve
from ...figures import Mark, chart, series
from ...finding import Finding, judged
from ...statistics import slope_of

PEOPLE, LIMBS = (1, 2, 4, 8, 16, 32), 13


def run(seed: int, fast: bool) -> Finding:
    net = resolve("mobilenet_v2:0.35@96", num_classes=17).model
    crop, whole = (profile(net, input_shape=(3, size, size)).macs for size in (96, 224))
    top_down = [whole + n * crop for n in PEOPLE]
    compared = [_group(n, numpy_generator(seed, "people", n)) for n in PEOPLE]
    numbers = (
        slope_of(PEOPLE, top_down, "top-down MACs per person", expected=crop, tolerance=1e-3 * crop),
        slope_of(PEOPLE, [whole] * len(PEOPLE), "bottom-up MACs of the network per person", expected=0.0),
        slope_of(np.log(PEOPLE), np.log(compared), "log comparisons of grouping over log people", expected=2.0,
                 tolerance=1e-6),
    )  # fmt: skip
    even = next((n for n, macs in zip(PEOPLE, top_down, strict=True) if macs > 2 * whole), 0)
    return judged(
        all(each.agrees for each in numbers), when="grouping is left out",
        summary=f"Each person costs top-down {crop / 1e6:.1f} M MACs more; bottom-up stays at {whole / 1e6:.0f} M, and "
        f"its grouping compares {compared[-1]:,} pairs of 32 people. From {even} on the crops cost more than it.",
        numbers=numbers,
        figure=chart("MACs of the networks.", series("top-down", PEOPLE, top_down, mark=Mark.BOTH),
                     series("bottom-up", PEOPLE, [whole] * len(PEOPLE), mark=Mark.BOTH), x="people", y="MACs",
                     log_x=True, log_y=True),
    )  # fmt: skip


def _group(people: int, generator: np.random.Generator) -> int:
    """Assign the ends of each limb to each other by distance, and count the pairs that were compared."""
    count = 0
    for _ in range(LIMBS):
        start = generator.uniform(0, 1, (people, 2))
        end = generator.permutation(start + 0.001 * generator.standard_normal((people, 2)))
        distances = np.linalg.norm(start[:, None] - end, axis=2)
        linear_sum_assignment(distances)
        count += distances.size
    return count
