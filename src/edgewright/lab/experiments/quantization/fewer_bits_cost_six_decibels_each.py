"""What does one bit less cost?

Claim: each bit is worth 6.02 dB of signal to noise.
Source: Bennett 1948, Bell Syst. Tech. J. 27; Widrow & Kollar 2008.
Expected: 20 log10 2 = 6.0206 dB per bit for uniform data at a fixed range, from 4 to 12 bits; error variance step^2/12.
    At 2 bits of Gaussian data the model of uniform noise is off.
See: each_tensor_has_its_quantizer
"""

import math

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...statistics import slope_of

BITS = (2, 3, 4, 6, 8, 10, 12)


def run(seed: int, fast: bool) -> Finding:
    generator, size = numpy_generator(seed, "data"), (50_000 if fast else 2_000_000)
    tensors = {"uniform": generator.uniform(-1, 1, size), "Gaussian": generator.standard_normal(size)}
    found = {name: [_sqnr(x, bits) for bits in BITS] for name, x in tensors.items()}
    slopes = [slope_of(BITS[2:], found[name][2:], f"dB per bit, {name}, 4 to 12 bits", expected=20 * math.log10(2),
                       tolerance=0.06) for name in tensors]  # fmt: skip
    step = 2 / 255
    x = tensors["uniform"]
    error = np.round(x / step) * step - x
    noise = Number(name="error variance over step²/12, 8 bits", value=float(error.var() / (step**2 / 12)), expected=1.0,
                   tolerance=0.02)  # fmt: skip
    first = found["Gaussian"][1] - found["Gaussian"][0]
    return judged(
        all(each.agrees for each in slopes), bool(noise.agrees), when="the step is small against the data",
        summary=f"From 4 to 12 bits each is worth {slopes[0].value:.2f} dB for uniform and {slopes[1].value:.2f} dB "
        f"for Gaussian data; from 2 to 3 bits of Gaussian data {first:.1f} dB.",
        numbers=(*slopes, noise, Number(name="dB of the third bit, Gaussian", value=first)),
        figure=chart("Signal over quantization noise.",
                     *(series(name, BITS, values, mark=Mark.BOTH) for name, values in found.items()), x="bits", y="dB"),
    )  # fmt: skip


def _sqnr(x: np.ndarray, bits: int) -> float:
    step = 2 * np.abs(x).max() / 2**bits
    levels = 2 ** (bits - 1)
    found = (np.clip(np.floor(x / step), -levels, levels - 1) + 0.5) * step
    return float(10 * np.log10((x**2).mean() / ((x - found) ** 2).mean()))
