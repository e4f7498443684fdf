"""When does a layer wait for memory, and when for arithmetic?

Claim: a layer is bound by memory where its arithmetic intensity lies below the ridge point peak / bandwidth of the
    machine, and by arithmetic above it.
Source: Williams, Waterman & Patterson 2009, CACM 52(4).
Expected: 1 TFLOP/s and 25 GB/s: ridge 40 FLOP/B; attainable 12.5, 250 and 1000 GFLOP/s at intensities .5, 10 and 84.6.
    At fp32 the 3x3 convolution 64 -> 128 at 112x112 has 186.30 FLOP/B, the depthwise one 2.249, a fully connected
    4096x4096 .49976 alone and 31.03 in a batch of 64: the batch moves a layer across.
See: quantization_lifts_memory_bound_layers, macs_predict_latency
"""

import numpy as np
from torch import nn

from ....analyze import profile
from ....calc import CALCULATIONS
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

PEAK, BANDWIDTH, FLOP_PER_MAC = 1e12, 25e9, 2
LAYERS = {
    "3x3 convolution": (lambda: nn.Conv2d(64, 128, 3, padding=1, bias=False), (64, 112, 112), 1, 186.30),
    "depthwise 3x3": (lambda: nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False), (64, 112, 112), 1, 2.249),
    "pointwise": (lambda: nn.Conv2d(64, 128, 1, bias=False), (64, 112, 112), 1, 21.26),
    "linear, batch 1": (lambda: nn.Linear(4096, 4096, bias=False), (4096,), 1, 0.49976),
    "linear, batch 8": (lambda: nn.Linear(4096, 4096, bias=False), (4096,), 8, 3.984),
    "linear, batch 64": (lambda: nn.Linear(4096, 4096, bias=False), (4096,), 64, 31.03),
}


def attainable(intensity: float) -> float:
    """FLOP/s, by the calculation that the command line offers too."""
    found = CALCULATIONS["roofline"](peak_ops_s=PEAK, bandwidth_bytes_s=BANDWIDTH, ops_per_byte=intensity).result
    return float(found["attainable_ops_s"])  # type: ignore[arg-type]


def run(seed: int, fast: bool) -> Finding:
    numbers = [Number(name=f"attainable at {intensity} FLOP/B", value=attainable(intensity) / 1e9, expected=expected,
                      unit="GFLOP/s")
               for intensity, expected in ((0.5, 12.5), (10.0, 250.0), (84.6, 1000.0))]  # fmt: skip
    found = []
    for name, (make, shape, batch, expected) in LAYERS.items():
        row = next(each for each in profile(make(), input_shape=shape, batch=batch).rows if each.macs)
        assert row.intensity is not None
        found.append(FLOP_PER_MAC * row.intensity)
        numbers.append(Number(name=f"intensity, {name}", value=found[-1], expected=expected, unit="FLOP/B",
                              tolerance=5e-4 * expected))  # fmt: skip
    ridge = PEAK / BANDWIDTH
    numbers.append(Number(name="ridge point", value=ridge, expected=40.0, unit="FLOP/B"))
    bound = {name: "compute" if each >= ridge else "memory" for name, each in zip(LAYERS, found, strict=True)}
    axis = np.logspace(-1, 3, 81)
    return judged(
        all(each.agrees for each in numbers), bound["3x3 convolution"] == "compute",
        sum(kind == "memory" for kind in bound.values()) == len(LAYERS) - 1,
        summary=f"At a ridge of {ridge:.0f} FLOP/B only the 3x3 convolution ({found[0]:.0f}) is bound by arithmetic; "
        "the "
        f"depthwise one ({found[1]:.1f}) can reach {attainable(found[1]) / PEAK:.1%} of the peak.",
        numbers=numbers,
        figure=chart("Roofline of 1 TFLOP/s and 25 GB/s, and six layers in fp32.",
                     series("roof", axis, [attainable(float(each)) / 1e9 for each in axis]),
                     *(series(name, [each], [attainable(each) / 1e9], mark=Mark.DOTS)
                       for name, each in zip(LAYERS, found, strict=True)),
                     x="FLOP per byte", y="GFLOP/s", log_x=True, log_y=True),
    )  # fmt: skip
