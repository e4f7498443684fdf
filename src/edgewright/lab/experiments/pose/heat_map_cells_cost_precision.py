"""How exact can a key point be that is read from a coarse heat map?

Claim: taking the largest cell of a heat map of stride s is off by .3826 s on average; a quarter shift towards the
    second largest neighbour halves it, and fitting a parabola or an expectation takes most of the rest.
Source: Newell et al. 2016, ECCV (quarter shift); Zhang et al. 2020, CVPR (DARK); Sun et al. 2018, ECCV (integral).
Expected: mean errors .382598 s (rms .408248 s), .191299 s with the quarter shift, and near 0 with sub-cell decoding:
    the error is one of decoding, not of heat maps.
"""

import numpy as np

from ....reference.keypoints import expectation, heat_map, largest_cell, parabola, quarter_shifted
from ....seeding import numpy_generator
from ...figures import bars
from ...finding import Finding, judged
from ...statistics import mean_of

SIZE, SIGMA = (24, 24), 1.5
DECODERS = {"largest cell": largest_cell, "quarter shift": quarter_shifted, "parabola (Taylor)": parabola,
            "expectation": lambda map_HW: expectation(map_HW / map_HW.sum(), sharpness=1.0)}  # fmt: skip
EXPECTED = {"largest cell": 0.382598, "quarter shift": 0.191299}


def run(seed: int, fast: bool) -> Finding:
    points = numpy_generator(seed, "points").uniform(9, 14, (400 if fast else 20_000, 2))
    errors: dict[str, list[float]] = {name: [] for name in DECODERS}
    for x, y in points:
        drawn = heat_map(x, y, size=SIZE, sigma=SIGMA)
        for name, decode in DECODERS.items():
            errors[name].append(float(np.hypot(*(np.array(decode(drawn)) - (x, y)))))
    numbers = [
        mean_of(values, f"mean error in cells, {name}", expected=EXPECTED.get(name)) for name, values in errors.items()
    ]
    rms = float(np.sqrt(np.mean(np.square(errors["largest cell"]))))
    numbers.append(mean_of(np.square(errors["largest cell"]), "mean squared error, largest cell", expected=1 / 6))
    return judged(
        all(each.agrees is not False for each in numbers), numbers[2].value < 0.05,
        summary=f"In cells: {numbers[0].value:.3f} by the largest cell (rms {rms:.3f}), {numbers[1].value:.3f} with a "
        f"quarter shift, {numbers[2].value:.4f} by a parabola.",
        numbers=numbers,
        figure=bars("Mean error of decoding a clean heat map.", list(DECODERS), value="cells", only=numbers[:4]),
    )  # fmt: skip
