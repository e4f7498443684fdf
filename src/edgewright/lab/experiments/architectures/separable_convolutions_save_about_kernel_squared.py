"""How much does a depthwise separable convolution save?

Claim: a 3x3 depthwise separable convolution needs 8 to 9 times fewer MACs.
Source: Howard et al. 2017, arXiv 1704.04861, section 3.1.
Expected: the ratio is 1/(1/C_out + 1/K^2): 8.4088 for 64 -> 128 at 112 pixels (924,844,032 against 7,225,344 +
    102,760,448), 8.694 at C_out = 256; "8 to 9" needs C_out of at least 72, and 9 is only the limit.
See: pointwise_convolutions_dominate_mobilenet
"""

import numpy as np

from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

OUTS = (8, 16, 32, 64, 72, 128, 256, 512, 1024)


def costs(channels: int, out: int, size: int = 112, kernel: int = 3) -> tuple[int, int, int]:
    """MACs of the plain, the depthwise and the pointwise convolution."""
    pixels = size * size
    return pixels * kernel**2 * channels * out, pixels * kernel**2 * channels, pixels * channels * out


def run(seed: int, fast: bool) -> Finding:
    plain, depthwise, pointwise = costs(64, 128)
    ratios = {out: costs(64, out)[0] / sum(costs(64, out)[1:]) for out in OUTS}
    least = next(out for out in range(1, 200) if 1 / (1 / out + 1 / 9) >= 8)
    numbers = (
        Number(name="MACs, plain", value=plain, expected=924_844_032),
        Number(name="MACs, depthwise", value=depthwise, expected=7_225_344),
        Number(name="MACs, pointwise", value=pointwise, expected=102_760_448),
        Number(name="ratio at C_out=128", value=ratios[128], expected=8.4088, tolerance=5e-5),
        Number(name="ratio at C_out=256", value=ratios[256], expected=8.694, tolerance=5e-4),
        Number(name="ratio at C_out=8", value=ratios[8], expected=1 / (1 / 8 + 1 / 9)),
        Number(name="least C_out with a ratio of 8", value=least, expected=72),
    )
    kernels = [series(f"{kernel}x{kernel}", OUTS, [1 / (1 / out + 1 / kernel**2) for out in OUTS], mark=Mark.BOTH)
               for kernel in (3, 5)]  # fmt: skip
    return judged(
        all(each.agrees for each in numbers), bool(np.all(np.diff(list(ratios.values())) > 0)),
        when="there are at least 72 output channels",
        summary=f"64 -> 128 channels: {ratios[128]:.2f} times fewer; to 8 channels only {ratios[8]:.1f} times.",
        numbers=numbers,
        figure=chart("MACs of a plain over those of a separable convolution.", *kernels,
                     series("9, the limit for 3x3", OUTS, [9] * len(OUTS), mark=Mark.DASHES),
                     x="output channels", y="ratio", log_x=True),
    )  # fmt: skip
