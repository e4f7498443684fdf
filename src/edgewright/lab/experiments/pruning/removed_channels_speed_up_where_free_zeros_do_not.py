"""What do whole channels bring that single weights do not, and what do they cost?

Claim: at equal sparsity removing channels makes a network really faster, and loses more accuracy than removing single
    weights.
Source: Li et al. 2017, ICLR (filters by norm); Han et al. 2015, NeurIPS (weights by magnitude).
Expected: a network without 5/8 of its units has 3/4 fewer weights and MACs, and takes clearly less time, the masked one
    takes as long as before; without training again, the masked one keeps more accuracy.
See: zeros_speed_up_dense_hardware, pruned_channels_multiply
"""

import copy
from itertools import pairwise

import torch

from ...digits import accuracy, built, digits, perceptron, train
from ...figures import bars
from ...finding import Finding, Number, judged
from ...slimming import linear_layers, slimmed
from ...statistics import difference_of, mean_of
from ...timing import fastest_times

WIDTHS, HALF, LARGE = (64, 96, 96, 10), (64, 36, 36, 10), 768


def run(seed: int, fast: bool) -> Finding:
    scores = [_scores(seed * 100 + at) for at in range(8 if fast else 16)]
    whole, masked, cut = (mean_of([each[at] for each in scores], f"accuracy, {name}")
                          for at, name in enumerate(("all weights", "weights masked", "units removed")))  # fmt: skip
    gap = difference_of([each[1] for each in scores], [each[2] for each in scores], "masked - removed")
    weight, x = torch.ones(LARGE, LARGE), torch.ones(LARGE, 128)
    mask = torch.zeros(LARGE, LARGE)
    mask[::2, ::2] = 1  # a quarter of the weights
    zeroed, smaller = weight * mask, weight[: LARGE // 2, : LARGE // 2].contiguous()
    few = x[: LARGE // 2].contiguous()
    times = fastest_times({"all": lambda: weight @ x, "masked": lambda: zeroed @ x, "removed": lambda: smaller @ few},
                          repeats=12 if fast else 60)  # fmt: skip
    ratios = [Number(name=f"time, {name}", value=times[kind] / times["all"])
              for name, kind in (("weights masked", "masked"), ("units removed", "removed"))]  # fmt: skip
    return judged(
        ratios[0].value > 0.7, ratios[1].value < 0.6, gap.exceeds(0.0),
        summary=f"Masked weights take {ratios[0].value:.2f} of the time and leave {masked.value:.0%} right (of "
        f"{whole.value:.0%}); as many gone as whole units, {ratios[1].value:.2f} and {cut.value:.0%}.",
        numbers=(whole, masked, cut, gap, *ratios),
        figure=bars("Equal numbers of weights are left.", ["all weights", "weights masked", "units removed"],
                    value="share", accuracy=[whole, masked, cut], time=[1.0, *ratios]),
    )  # fmt: skip


def _scores(seed: int) -> tuple[float, float, float]:
    """Accuracy of a trained net, with most of its weights masked, and with most of its units removed."""
    data = digits(seed)
    net = built(lambda: perceptron(WIDTHS), seed, "net")
    train(net, data.x, data.y, optimizer=torch.optim.Adam(net.parameters(), 0.005), epochs=5, seed=seed)
    layers, masked = linear_layers(net), copy.deepcopy(net)
    sizes = torch.cat([layer.weight.detach().abs().flatten() for layer in layers])
    threshold = sizes.quantile(1 - sum(inputs * outputs for inputs, outputs in pairwise(HALF)) / len(sizes))
    for layer in linear_layers(masked):
        layer.weight.data *= layer.weight.data.abs() > threshold
    whole, few, half = (accuracy(each, data.test_x, data.test_y) for each in (net, masked, slimmed(net, HALF)))
    return whole, few, half
