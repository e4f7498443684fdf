"""Does batch norm let a network learn with a larger learning rate?

Claim: with batch norm the largest rate that still learns is several times larger, and the scale of the first weights
    hardly matters.
Source: Ioffe & Szegedy 2015, ICML, section 3.3; Bjorck et al. 2018, NeurIPS.
Expected: a larger range of rates that learn; a smaller spread of accuracy over initial scales.
See: tiny_batches_break_batch_norm_alone
"""

import torch
from torch import nn

from ...digits import accuracy, built, digits, perceptron, train
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

RATES, SCALES = (0.1, 0.3, 1.0, 3.0, 10.0), (0.1, 1.0, 4.0)
KINDS = {"plain": None, "batch norm": nn.BatchNorm1d}


def run(seed: int, fast: bool) -> Finding:
    epochs = 6 if fast else 15
    by_rate = {name: [_score(norm, rate, 1.0, seed, epochs) for rate in RATES] for name, norm in KINDS.items()}
    by_scale = {name: [_score(norm, 0.1, scale, seed, epochs) for scale in SCALES] for name, norm in KINDS.items()}
    largest = {name: max((rate for rate, score in zip(RATES, scores, strict=True) if score > 0.7), default=0.0)
               for name, scores in by_rate.items()}  # fmt: skip
    spread = {name: max(scores) - min(scores) for name, scores in by_scale.items()}
    numbers = [Number(name=f"largest rate with over 70 %, {name}", value=rate) for name, rate in largest.items()]
    numbers += [Number(name=f"spread over initial scales, {name}", value=value) for name, value in spread.items()]
    return judged(
        largest["batch norm"] >= 3 * largest["plain"] > 0, spread["batch norm"] < spread["plain"] / 2,
        summary=f"The largest rate to learn is {largest['plain']:g} without and {largest['batch norm']:g} with batch "
        f"norm; initial scales of 0.1 to 4 move accuracy by {spread['plain']:.0%} without it and by "
        f"{spread['batch norm']:.0%} with it.",
        numbers=numbers,
        figure=chart("Right answers after a short training on digits.",
                     *(series(name, RATES, scores, mark=Mark.BOTH) for name, scores in by_rate.items()),
                     x="learning rate", y="accuracy", log_x=True),
    )  # fmt: skip


def _score(norm, rate: float, scale: float, seed: int, epochs: int) -> float:
    data = digits(seed)
    net = built(lambda: perceptron((64, 32, 32, 10), norm=norm), seed, "net")
    with torch.no_grad():
        for each in net:
            if isinstance(each, nn.Linear):
                each.weight *= scale
    optimizer = torch.optim.SGD(net.parameters(), rate)
    train(net, data.x[:600], data.y[:600], optimizer=optimizer, epochs=epochs, batch=16, seed=seed)
    return accuracy(net, data.test_x, data.test_y)
