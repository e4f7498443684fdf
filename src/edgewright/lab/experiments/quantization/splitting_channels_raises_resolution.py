"""What does splitting outlier channels buy?

Claim: outlier channel splitting halves the largest weights by doubling their channels, so that the step shrinks and the
    signal to noise rises, at the price of a few channels.
Source: Zhao et al. 2019, ICML (outlier channel splitting).
Expected: the step falls with the share of channels that are split, the outputs before quantization stay the same; the
    error that clipping made elsewhere is not removed.
See: each_tensor_has_its_quantizer
"""

import numpy as np

from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

SHARES, INPUTS, OUTPUTS, BITS = (0.0, 0.02, 0.05, 0.1, 0.2), 128, 64, 4


def run(seed: int, fast: bool) -> Finding:
    generator = numpy_generator(seed, "layer")
    weight = generator.standard_t(4, (OUTPUTS, INPUTS))  # heavy tails: outliers
    x = generator.standard_normal((INPUTS, 500))
    want = weight @ x
    steps, gaps, noise = [], [], []
    for share in SHARES:
        wide, sources = _split(weight, round(share * INPUTS))
        step = np.abs(wide).max() / (2 ** (BITS - 1) - 1)
        coarse = np.round(wide / step) * step
        gaps.append(float(np.abs(wide @ x[sources] - want).max()))
        steps.append(float(step))
        noise.append(float(10 * np.log10((want**2).mean() / ((coarse @ x[sources] - want) ** 2).mean())))
    numbers = [Number(name=f"SQNR of the outputs, {share:.0%} split", value=value, unit="dB")
               for share, value in zip(SHARES, noise, strict=True)]  # fmt: skip
    numbers += [
        Number(name=f"step, {share:.0%} split", value=value) for share, value in zip(SHARES, steps, strict=True)
    ]
    exact = Number(
        name="largest change of an output before quantization", value=max(gaps), expected=0.0, tolerance=1e-9
    )
    return judged(
        bool(exact.agrees), bool((np.diff(steps) < 0).all()), noise[-1] > noise[0] + 2,
        summary=f"Splitting 20 % of the channels shrinks the step from {steps[0]:.2f} to {steps[-1]:.2f} and raises "
        f"the signal to noise at {BITS} bits from {noise[0]:.1f} to {noise[-1]:.1f} dB.",
        numbers=(exact, *numbers),
        figure=chart("Output of a layer of 4-bit weights.", series("SQNR", SHARES, noise, mark=Mark.BOTH),
                     x="share of channels split", y="dB"),
    )  # fmt: skip


def _split(weight_OI: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Halve the input channel of the largest weight, `count` times; and where each channel's input comes from."""
    sources = np.arange(weight_OI.shape[1])
    for _ in range(count):
        worst = int(np.abs(weight_OI).max(0).argmax())
        half = weight_OI[:, worst : worst + 1] / 2
        weight_OI = np.hstack([weight_OI[:, :worst], half, half, weight_OI[:, worst + 1 :]])
        sources = np.insert(sources, worst, sources[worst])
    return weight_OI, sources
