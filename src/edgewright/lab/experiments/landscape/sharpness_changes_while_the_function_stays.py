"""Is the sharpness of a minimum a property of what the network computes?

Claim: a sharp minimum belongs to a network that generalizes worse than that of a flat one.
Source: Hochreiter & Schmidhuber 1997, Neural Computation 9; against it Dinh et al. 2017, ICML, theorem 4.
Expected: dividing one layer of a ReLU network by a and multiplying the next by a leaves every output as it is, to
    rounding, and with it all accuracies, while the largest eigenvalue of the Hessian grows about as a^2.
See: sharpness_measures_agree_on_quadratics, large_batches_find_sharp_minima_at_one_rate
"""

import torch
from torch import nn
from torch.nn import functional

from ....seeding import torch_generator
from ...digits import accuracy, built, digits, perceptron, train
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...sharpness import slope_of_net, top_eigenvalue

FACTORS = (1.0, 2.0, 4.0, 8.0, 16.0)


def run(seed: int, fast: bool) -> Finding:
    data = digits(seed)
    x, y = data.x[:300], data.y[:300]
    net = built(lambda: perceptron((64, 16, 10)), seed, "net")
    train(net, x, y, optimizer=torch.optim.SGD(net.parameters(), 0.3), epochs=10 if fast else 60, seed=seed)
    outputs, sharp, gaps, right = net.double()(data.test_x.double()).detach(), [], [], []
    for factor in FACTORS:
        scaled = _scaled(net, factor)
        slope, weights = slope_of_net(scaled, lambda logits: functional.cross_entropy(logits, y), x)
        sharp.append(top_eigenvalue(slope, weights, generator=torch_generator(seed, "power"), num_steps=30))
        gaps.append(float((scaled(data.test_x.double()).detach() - outputs).abs().max()))
        right.append(accuracy(scaled, data.test_x.double(), data.test_y))
    numbers = (
        Number(name="largest change of an output", value=max(gaps), expected=0.0, tolerance=1e-10),
        Number(name="largest change of accuracy", value=max(right) - min(right), expected=0.0),
        *(
            Number(name=f"largest eigenvalue, a={factor:g}", value=each)
            for factor, each in zip(FACTORS, sharp, strict=True)
        ),
        Number(name="accuracy", value=right[0]),
    )
    return judged(
        max(sharp) < 2 * min(sharp),
        summary=f"The same function, right on {right[0]:.1%} of new images however it is written, has a largest "
        f"eigenvalue of "
        f"{sharp[0]:.1f} or of {sharp[-1]:.0f}.",
        numbers=numbers,
        figure=chart("Sharpness of one function whose two layers are scaled by 1/a and a.",
                     series("largest eigenvalue", FACTORS, sharp, mark=Mark.BOTH),
                     series("a² times the last", FACTORS, [sharp[-1] * (each / FACTORS[-1]) ** 2 for each in FACTORS],
                            mark=Mark.DASHES), x="a", y="largest eigenvalue", log_x=True, log_y=True),
    )  # fmt: skip


def _scaled(net: nn.Module, factor: float) -> nn.Module:
    """A copy with its first layer, bias and all, over `factor`, and its last layer's weights times it."""
    copied = perceptron((64, 16, 10)).double()
    copied.load_state_dict(net.state_dict())
    with torch.no_grad():
        for weights, scale in zip(copied.parameters(), (1 / factor, 1 / factor, factor, 1.0), strict=True):
            weights.mul_(scale)
    return copied
