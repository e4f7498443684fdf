"""What does a convolution see?

Claim: small filters detect edges and corners: set by hand they answer to edges of one direction, and a trained network
    finds filters of that kind by itself.
Source: LeCun et al. 1998, Proc. IEEE; Sobel's operator after Duda & Hart 1973.
Expected: a Sobel kernel answers 4 to a vertical step of 1 and 0 to a horizontal one; a filter for diagonals the most to
    its own diagonal; a flat image gives 0. "By itself" is checked on digits: a filter that sums to almost 0 detects
    change, one that does not measures brightness.
See: convolution_is_equivariant_to_shifts
"""

import numpy as np
import torch
from torch import nn

from ....reference.convolution import conv2d
from ....reference.windows import Window
from ....seeding import numpy_generator
from ...digits import accuracy, built, digits, train
from ...figures import Field, field, panels
from ...finding import Finding, Number, judged

KERNELS = {
    "vertical": np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
    "horizontal": np.array([[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]]),
    "diagonal": np.array([[-2.0, -1, 0], [-1, 0, 1], [0, 1, 2]]),
}


def run(seed: int, fast: bool) -> Finding:
    rows, columns = np.mgrid[0:9, 0:9]
    images = {"vertical": columns > 4, "horizontal": rows > 4, "diagonal": rows + columns > 8, "flat": rows >= 0}
    answers = {(image, kernel): _answer(images[image].astype(float), KERNELS[kernel])
               for image in images for kernel in KERNELS}  # fmt: skip
    expected = {("vertical", "vertical"): 4.0, ("horizontal", "horizontal"): 4.0, ("vertical", "horizontal"): 0.0,
                ("horizontal", "vertical"): 0.0, **{("flat", kernel): 0.0 for kernel in KERNELS}}  # fmt: skip
    numbers = [Number(name=f"{kernel} filter on a {image} edge" if image != "flat" else f"{kernel} filter, no edge",
                      value=value, expected=expected.get((image, kernel)))
               for (image, kernel), value in answers.items()]  # fmt: skip
    own = all(answers[edge, edge] > answers[edge, other] for edge in KERNELS for other in KERNELS if other != edge)
    filters, score = _learned(seed, fast)
    drawn = numpy_generator(seed, "random").standard_normal((2_000, 9))
    sums = [_balance(filters), _balance(drawn)]
    numbers += [
        Number(name="accuracy with 8 learned filters", value=score),
        Number(name="|sum| / sum of |w|, learned filters", value=sums[0]),
        Number(name="|sum| / sum of |w|, random filters", value=sums[1]),
    ]
    span, extent = np.abs(filters).argmax() // 9, (0, 3, 0, 3)
    return judged(
        all(each.agrees is not False for each in numbers), own, score > 0.85, when="the filters are set by hand",
        summary=f"Each filter set by hand answers most to its own direction. Learned filters classify {score:.0%} of "
        f"digits; they are as little balanced as random ones ({sums[0]:.2f} and {sums[1]:.2f} of their weight remains "
        "in the sum): edges and brightness are mixed in them.",
        numbers=numbers,
        figure=panels("A Sobel filter, and the strongest learned one.",
                      set_by_hand=_map(KERNELS["vertical"], extent), learned=_map(filters[span], extent)),
    )  # fmt: skip


def _answer(image_HW: np.ndarray, kernel: np.ndarray) -> float:
    """The strongest answer anywhere inside the image."""
    found = conv2d(image_HW[None, None], kernel[None, None], np.zeros(1), window=Window.square(3))
    return float(np.abs(found).max())


def _learned(seed: int, fast: bool) -> tuple[np.ndarray, float]:
    """The 8 filters (8, 9) of a small network behind its training, and its accuracy."""
    data = digits(seed)
    net = built(lambda: nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2),
                                      nn.Flatten(), nn.Linear(72, 10)), seed, "net")  # fmt: skip
    train(net, data.x, data.y, optimizer=torch.optim.Adam(net.parameters(), 0.01), epochs=4 if fast else 20, seed=seed)
    convolution = next(each for each in net.modules() if isinstance(each, nn.Conv2d))
    return convolution.weight.detach().numpy().reshape(8, 9), accuracy(net, data.test_x, data.test_y)


def _balance(filters_F9: np.ndarray) -> float:
    return float((np.abs(filters_F9.sum(1)) / np.abs(filters_F9).sum(1)).mean())


def _map(filter_9: np.ndarray, extent: tuple[int, ...]) -> Field:
    return field("column", "row", filter_9.reshape(3, 3), extent=extent)
