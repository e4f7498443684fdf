"""Do Dice and IoU ever disagree about which mask is better?

Claim: Dice and IoU are one number in two scales, D = 2J/(1 + J), and neither sees true negatives.
Source: Dice 1945, Ecology 26; Jaccard 1912; Milletari et al. 2016, 3DV.
Expected: the identity on random masks to rounding; the same order of all pairs of masks; the same values when the image
    grows by background. Means over many images can differ in order.
See: accuracy_is_blind_to_rare_classes
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged


def overlaps(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """IoU and Dice."""
    both = float((a & b).sum())
    return both / float((a | b).sum()), 2 * both / float(a.sum() + b.sum())


def run(seed: int, fast: bool) -> Finding:
    generator = numpy_generator(seed, "masks")
    truth = generator.random((32, 32)) < 0.2
    found = np.array([overlaps(truth, _noisy(truth, share, generator))
                      for share in generator.uniform(0.01, 0.6, 300 if fast else 5_000)])  # fmt: skip
    iou, dice = found.T
    mask = _noisy(truth, 0.2, generator)
    larger = [np.pad(each, 50) for each in (truth, mask)]
    # two images each: one method is even, the other all or nothing; their means are in another order by IoU and by Dice
    even, uneven = np.array([0.5, 0.5]), np.array([1.0, 0.02])
    by_dice = [float((2 * each / (1 + each)).mean()) for each in (even, uneven)]
    numbers = (
        Number(name="largest |D - 2J/(1+J)|", value=float(abs(dice - 2 * iou / (1 + iou)).max()), expected=0.0),
        Number(name="pairs of masks in another order", expected=0.0,
               value=float((np.sign(np.subtract.outer(iou, iou)) != np.sign(np.subtract.outer(dice, dice))).sum())),
        Number(name="change of IoU by 50 pixels of background", expected=0.0,
               value=overlaps(*larger)[0] - overlaps(truth, mask)[0]),
        Number(name="mean IoU, even minus uneven method", value=float(even.mean() - uneven.mean())),
        Number(name="mean Dice, even minus uneven method", value=by_dice[0] - by_dice[1]),
    )  # fmt: skip
    grid = np.linspace(0, 1, 51)
    return judged(
        all(each.agrees is not False for each in numbers), numbers[3].value < 0 < numbers[4].value,
        when="masks are compared one by one",
        summary=f"On {len(iou)} masks the identity holds to rounding and no pair changes its order; means over images "
        f"can: an even method loses by {-numbers[3].value:.2f} of IoU and wins by {numbers[4].value:.2f} of Dice.",
        numbers=numbers,
        figure=chart("Dice against IoU.", series("2J/(1 + J)", grid, 2 * grid / (1 + grid), mark=Mark.DASHES),
                     series("random masks", iou, dice, mark=Mark.DOTS), x="IoU", y="Dice", equal=True),
    )  # fmt: skip


def _noisy(mask: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    return mask ^ (generator.random(mask.shape) < share)
