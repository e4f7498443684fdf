"""What does a convolution do when the picture moves?

Claim: convolution is invariant to translation.
Source: Goodfellow et al., Deep Learning (2016), section 9.2, which says equivariant.
Expected: it is equivariant: the output moves along, exactly, at stride 1 and away from borders. A stride of 2 breaks
    this for odd shifts; pooling makes a classifier's input approximately invariant to small shifts.
See: strides_divide_macs_by_their_square
"""

import numpy as np

from ....reference.convolution import conv2d
from ....reference.pooling import max_pool2d
from ....reference.windows import Window
from ....seeding import numpy_generator
from ...figures import bars
from ...finding import Finding, Number, judged


def run(seed: int, fast: bool) -> Finding:
    generator = numpy_generator(seed, "image")
    x = generator.standard_normal((1, 2, 24, 24))
    weight, bias = generator.standard_normal((3, 2, 3, 3)), np.zeros(3)
    moved = np.roll(x, 1, axis=3)
    one, two = Window(kernel=(3, 3), padding=((1, 1), (1, 1))), Window(
        kernel=(3, 3), stride=(2, 2), padding=((1, 1), (1, 1)))  # fmt: skip
    inside = (slice(None), slice(None), slice(2, -2), slice(3, -3))
    same, strided = (conv2d(x, weight, bias, window=window) for window in (one, two))
    same_moved, strided_moved = (conv2d(moved, weight, bias, window=window) for window in (one, two))
    pool = Window(kernel=(4, 4), stride=(4, 4))
    pooled, pooled_moved = max_pool2d(same, window=pool), max_pool2d(same_moved, window=pool)
    size = float(np.abs(same).mean())
    numbers = (
        Number(name="change of the output itself", value=float(np.abs(same_moved - same)[inside].mean()) / size),
        Number(name="change after moving the output along", expected=0.0,
               value=float(np.abs(np.roll(same, 1, axis=3) - same_moved)[inside].max()) / size),
        Number(name="change after moving along, stride 2", value=min(
            float(np.abs(np.roll(strided, step, axis=3) - strided_moved)[inside].mean()) for step in (0, 1)) / size),
        Number(name="change behind a 4x4 maximum", value=float(np.abs(pooled_moved - pooled).mean()) / float(
            np.abs(pooled).mean())),
        Number(name="change at the border", value=float(
            np.abs(np.roll(same, 1, axis=3) - same_moved)[:, :, :, :1].max()) / size),
    )  # fmt: skip
    invariant = numbers[0].value < 1e-9
    return judged(
        invariant, bool(numbers[1].agrees),
        summary=f"The output changes by {numbers[0].value:.2f} of its size when the picture moves, and by 0 once it is "
        f"moved along (stride 2: {numbers[2].value:.2f}; behind a 4x4 maximum, unmoved: {numbers[3].value:.2f}).",
        numbers=numbers,
        figure=bars("Change of the output when the picture moves by one pixel.",
                    ["as it is", "moved along", "moved along, stride 2", "behind a maximum"], value="relative change",
                    only=numbers[:4]),
    )  # fmt: skip
