"""How many bits does a trained network need?

Claim: quantizing the weights of a trained network without training again costs nothing at 8 bits and more with every
    bit below 4.
Source: Krishnamoorthi 2018, arXiv 1806.08342, section 3; Banner et al. 2019, NeurIPS, for 4 bits.
Expected: 8 and 6 bits lose less than a point, 4 little, 3 more, 2 most. Clipping for the least error instead of at the
    largest weight helps where bits are few, and can do nothing at 8.
See: fewer_bits_cost_six_decibels_each, least_divergence_clips_best
"""

import copy

import torch
from torch import nn

from ....compress.quantize.ranges.weights import rounded, weight_scales
from ...digits import accuracy, built, digits, perceptron, train
from ...figures import Mark, chart, series
from ...finding import Finding, judged
from ...statistics import mean_of

BITS, METHODS = (8, 6, 4, 3, 2), ("minmax", "mse")


def run(seed: int, fast: bool) -> Finding:
    runs = [_lost(seed * 100 + at) for at in range(4 if fast else 16)]
    numbers = {(method, bits): mean_of([each[method, bits] for each in runs],
                                       f"accuracy lost at {bits} bits, {method}") for method in METHODS
               for bits in BITS}  # fmt: skip
    whole, clipped = ([numbers[method, bits] for bits in BITS] for method in METHODS)
    return judged(
        abs(whole[0].value) < 0.01, abs(whole[1].value) < 0.01, whole[-1].exceeds(0.03),
        whole[-1].exceeds(whole[2], by=0.02), whole[-1].value > clipped[-1].value,
        summary=f"8 bits lose {100 * whole[0].value:.1f} points, 4 bits {100 * whole[2].value:.1f}, 3 bits "
        f"{100 * whole[3].value:.1f} and 2 bits {100 * whole[4].value:.0f}; with clips of least error 2 bits lose "
        f"{100 * clipped[4].value:.0f}.",
        numbers=numbers.values(),
        figure=chart("Accuracy lost by rounding the weights of a trained net (digits, a scale for each output).",
                     *(series(name, BITS, [each.value for each in values], [each.error or 0 for each in values],
                              mark=Mark.BOTH) for name, values in zip(("largest weight", "least error"),
                                                                      (whole, clipped), strict=True)),
                     x="bits", y="accuracy lost"),
    )  # fmt: skip


def _lost(seed: int) -> dict[tuple[str, int], float]:
    data = digits(seed)
    net = built(lambda: perceptron((64, 48, 48, 10)), seed, "net")
    train(net, data.x, data.y, optimizer=torch.optim.Adam(net.parameters(), 0.004), epochs=8, seed=seed)
    before = accuracy(net, data.test_x, data.test_y)
    return {(method, bits): before - accuracy(_quantized(net, bits, method), data.test_x, data.test_y)
            for method in METHODS for bits in BITS}  # fmt: skip


def _quantized(net: nn.Module, bits: int, method: str) -> nn.Module:
    coarse = copy.deepcopy(net)
    for layer in coarse.modules():
        if isinstance(layer, nn.Linear):
            scales = weight_scales(layer, bits=bits, method=method)
            layer.weight.data = rounded(layer.weight.detach(), scales, bits=bits)
    return coarse
