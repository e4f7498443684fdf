"""Which quantizer suits which tensor?

Claim: symmetric quantization is less accurate than asymmetric.
Source: Nagel et al. 2021, arXiv 2106.08295, section 2.2.
Expected: for weights around zero both are as good (within 0.5 dB), and symmetric is cheaper; for ReLU outputs and
    shifted data, asymmetric gains about 6 dB, one bit, since half of a symmetric grid is never used.
See: fewer_bits_cost_six_decibels_each
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import bars
from ...finding import Finding, judged
from ...statistics import mean_of

TENSORS = {
    "Gaussian weights": lambda g, n: g.standard_normal(n),
    "ReLU outputs": lambda g, n: np.maximum(g.standard_normal(n), 0),
    "shifted data": lambda g, n: g.uniform(1, 3, n),
}


def sqnr_db(x: np.ndarray, *, symmetric: bool, bits: int = 8) -> float:
    """Power of x over the power of its error, on a grid over the whole range."""
    if symmetric:
        scale, low, high, zero = np.abs(x).max() / (2 ** (bits - 1) - 1), -(2 ** (bits - 1)) + 1, 2 ** (bits - 1) - 1, 0
    else:
        bottom, top = min(x.min(), 0.0), max(x.max(), 0.0)
        scale, low, high = (top - bottom) / (2**bits - 1), 0, 2**bits - 1
        zero = round(-bottom / scale)
    found = scale * (np.clip(np.round(x / scale) + zero, low, high) - zero)
    return float(10 * np.log10((x**2).mean() / ((x - found) ** 2).mean()))


def run(seed: int, fast: bool) -> Finding:
    numbers = {}
    for name, draw in TENSORS.items():
        for way, symmetric in (("symmetric", True), ("asymmetric", False)):
            values = [sqnr_db(draw(numpy_generator(seed, name, index), 20_000), symmetric=symmetric)
                      for index in range(8 if fast else 100)]  # fmt: skip
            numbers[name, way] = mean_of(values, f"SQNR, {name}, {way}", unit="dB")
    gains = {name: numbers[name, "asymmetric"].value - numbers[name, "symmetric"].value for name in TENSORS}
    return judged(
        abs(gains["Gaussian weights"]) < 0.5, all(abs(gains[name] - 6) < 0.5 for name in list(TENSORS)[1:]),
        when="the data do not lie around zero",
        summary=f"An asymmetric grid gains {gains['Gaussian weights']:+.1f} dB on Gaussian weights, "
        f"{gains['ReLU outputs']:+.1f} dB on ReLU outputs and {gains['shifted data']:+.1f} dB on shifted data.",
        numbers=numbers.values(),
        figure=bars("Signal over quantization noise at 8 bits.", list(TENSORS), value="dB",
                    symmetric=[numbers[name, "symmetric"] for name in TENSORS],
                    asymmetric=[numbers[name, "asymmetric"] for name in TENSORS]),
    )  # fmt: skip
