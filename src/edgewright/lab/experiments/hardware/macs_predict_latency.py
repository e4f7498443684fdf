"""Can latency be read off the number of MACs?

Claim: fewer MACs mean less time, so MACs can stand for latency.
Source: often assumed; Ma et al. 2018, ECCV (ShuffleNet V2), and Howard et al. 2017 for the depthwise share, against it.
Expected: over layers of one kind log time grows with log MACs, loosely for depthwise ones; between kinds MACs per
    second differ by factors: depthwise layers, 3 % of MobileNet V1's MACs, run far below the rate of dense ones, since
    they move many bytes for few MACs.
See: the_ridge_point_tells_what_binds, pointwise_convolutions_dominate_mobilenet
"""

from functools import partial

import numpy as np
import torch
from torch import nn

from ....analyze import profile
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...timing import fastest_times

SIZES = ((32, 14), (64, 28), (128, 28), (128, 56), (256, 56))  # channels, height and width
KINDS = {
    "3x3": lambda width: nn.Conv2d(width, width, 3, padding=1, bias=False),
    "pointwise": lambda width: nn.Conv2d(width, width, 1, bias=False),
    "depthwise": lambda width: nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
}


def run(seed: int, fast: bool) -> Finding:
    macs, calls = {}, {}
    for name, make in KINDS.items():
        for width, size in SIZES:
            layer, key = make(width), f"{name} {width} {size}"
            macs[key] = profile(layer, input_shape=(width, size, size)).macs
            calls[key] = partial(layer, torch.ones(1, width, size, size))
    times = fastest_times(calls, repeats=10 if fast else 40)
    rates = {name: [macs[key] / times[key] / 1e9 for key in _keys(name)] for name in KINDS}
    median = {name: float(np.median(values)) for name, values in rates.items()}
    together = _correlation([macs[key] for key in calls], [times[key] for key in calls])
    inside = [_correlation([macs[key] for key in _keys(name)], [times[key] for key in _keys(name)]) for name in KINDS]
    lag = median["3x3"] / median["depthwise"]
    numbers = (
        *(Number(name=f"rate, {name}", value=value, unit="GMAC/s") for name, value in median.items()),
        Number(name="correlation of logs, all layers", value=together),
        *(Number(name=f"correlation of logs, {name}", value=value) for name, value in zip(KINDS, inside, strict=True)),
        Number(name="rate of 3x3 / rate of depthwise", value=lag),
    )  # fmt: skip
    return judged(
        lag < 2,
        summary=f"Over all layers log time follows log MACs with a correlation of {together:.2f}; but a MAC "
        f"of a depthwise layer takes {lag:.0f} times as long as one of a 3x3 layer.",
        numbers=numbers,
        figure=chart("Time of fifteen layers on one core.",
                     *(series(name, [macs[key] for key in _keys(name)], [times[key] * 1e3 for key in _keys(name)],
                              mark=Mark.BOTH) for name in KINDS), x="MACs", y="ms", log_x=True, log_y=True),
    )  # fmt: skip


def _keys(name: str) -> list[str]:
    return [f"{name} {width} {size}" for width, size in SIZES]


def _correlation(ones: list[float], others: list[float]) -> float:
    return float(np.corrcoef(np.log(ones), np.log(others))[0, 1])
