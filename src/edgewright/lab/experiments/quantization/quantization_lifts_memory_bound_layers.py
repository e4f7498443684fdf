"""What does int8 do for a layer that waits for memory?

Claim: quantization to int8 multiplies the arithmetic intensity by 4, which speeds up layers that are bound by memory
    even where int8 arithmetic is no faster.
Source: Williams et al. 2009, CACM 52(4), for the roofline; Jacob et al. 2018, CVPR.
Expected: without biases MACs per byte grow by exactly 4 (3x3 convolution 64 -> 128 at 112x112: 186.30 -> 745.19
    FLOP/B); with int32 biases and the scales of channels by a little less. Below the ridge the attainable rate grows by
    the same factor, above it by nothing unless the arithmetic is faster as well.
See: the_ridge_point_tells_what_binds, moving_data_costs_more_than_computing
"""

from torch import nn

from ....analyze import traced
from ....analyze.profiling import profile_of
from ....zoo import resolve
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...statistics import mean_of

RIDGES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # MACs per byte, with an arithmetic of the same speed for both types


def run(seed: int, fast: bool) -> Finding:
    net = resolve("mobilenet_v2:0.35@96" if fast else "mobilenet_v2@224", num_classes=10)
    calls = traced(net.model, (3, 96, 96) if fast else (3, 224, 224))
    wide, narrow = (
        [row for row in profile_of(calls, dtype=kind).rows if row.macs] for kind in ("float32", "int8")
    )  # fmt: skip
    pairs = [(one.macs, one.intensity or 0.0, other.intensity or 0.0) for one, other in zip(wide, narrow, strict=True)]
    growth = mean_of([after / before for _, before, after in pairs], "growth of the intensity, MobileNet V2")
    plain = traced(nn.Conv2d(64, 128, 3, padding=1, bias=False), (64, 112, 112))
    alone = [2 * (profile_of(plain, dtype=kind).rows[0].intensity or 0.0) for kind in ("float32", "int8")]
    gains = [_gain(pairs, ridge) for ridge in RIDGES]
    below = [min(RIDGES[-1], after) / before for _, before, after in pairs if after < RIDGES[-1]]
    above = [min(0.5, after) / min(0.5, before) for _, before, after in pairs if before > 0.5]
    numbers = (
        growth,
        Number(name="3x3 convolution, float32", value=alone[0], expected=186.30, tolerance=0.05, unit="FLOP/B"),
        Number(name="3x3 convolution, int8", value=alone[1], expected=745.19, tolerance=0.3, unit="FLOP/B"),
        mean_of(below, "speed-up of layers below the ridge"),
        mean_of(above, "speed-up of layers above the ridge", expected=1.0),
        *(Number(name=f"speed-up of the net, ridge {ridge:g}", value=gain)
          for ridge, gain in zip(RIDGES, gains, strict=True)),
    )  # fmt: skip
    return judged(
        all(each.agrees is not False for each in numbers), abs(alone[1] / alone[0] - 4) < 0.01,
        gains[-1] > 3.5, gains[0] < 1.2,
        when="the layer lies below the ridge",
        summary=f"int8 multiplies MACs per byte by {alone[1] / alone[0]:.2f} (with int32 biases by "
        f"{growth.value:.2f}); with equal arithmetic the whole net gains "
        f"{gains[0]:.2f} on a machine with a ridge of {RIDGES[0]:g} and {gains[-1]:.2f} with one of {RIDGES[-1]:g}.",
        numbers=numbers,
        figure=chart("Roofline speed-up of MobileNet V2 by bytes alone.",
                     series("float32 time / int8 time", RIDGES, gains, mark=Mark.BOTH),
                     x="ridge point in MACs per byte", y="speed-up", log_x=True),
    )  # fmt: skip


def _gain(pairs: list[tuple[int, float, float]], ridge: float) -> float:
    """Time at a peak of 1: MACs over min(1, intensity / ridge), layer by layer."""
    times = [sum(macs / min(1.0, row[at] / ridge) for macs, *row in pairs) for at in (0, 1)]
    return times[0] / times[1]
