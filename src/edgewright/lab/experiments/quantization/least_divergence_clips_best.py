"""Which clipping is best when a tensor has outliers: min-max, least squared error, or least divergence (KL)?

Claim: clipping by KL divergence gives the best 8-bit grid.
Source: Migacz 2017, GTC (TensorRT calibration), for KL; facts computed for a million draws of N(0,1) and ten values of
    40.
Expected: one outlier stretches the min-max grid over all codes; KL clips near 4.6. But the least divergence is not the
    least error: in the whole, min-max has a mean squared error of .0083 and KL .0126, since clipping 40 to 4.6 costs
    more than the bulk gains; of the bulk alone .0083 against .00011. Which one is better depends on whether outliers
    matter.
See: each_tensor_has_its_quantizer, splitting_channels_raises_resolution
"""

import torch
from torch import Tensor

from ....compress.quantize.ranges.kl import kl_range
from ....compress.quantize.ranges.mse import mse_range
from ....compress.quantize.ranges.observation import Observation
from ....seeding import torch_generator
from ...figures import bars
from ...finding import Finding, Number, judged

OUTLIER, RATE, CODES = 40.0, 10 / 1_000_000, 255
EXPECTED = {"min-max": (0.0083, 0.0083), "KL": (0.0126, 0.00011)}


def run(seed: int, fast: bool) -> Finding:
    count = 1_000_000
    bulk = torch.randn(count, generator=torch_generator(seed, "bulk"))
    values = torch.cat([bulk, torch.full((round(RATE * count),), OUTLIER)])
    seen = Observation()
    seen.see(values[None])
    largest = float(values.abs().max())
    ranges = {"min-max": (-largest, largest), "KL": kl_range(seen, bits=8), "MSE": mse_range(seen, bits=8)}
    whole = {name: _error(values, *bounds) for name, bounds in ranges.items()}
    part = {name: _error(bulk, *bounds) for name, bounds in ranges.items()}
    numbers = [Number(name=f"squared error of {what}, {name}", value=errors[name],
                      expected=EXPECTED[name][at] if name in EXPECTED else None,
                      tolerance=0.25 * EXPECTED[name][at] if name in EXPECTED else None)
               for at, (what, errors) in enumerate((("all values", whole), ("the bulk", part)))
               for name in ranges]  # fmt: skip
    numbers += [Number(name=f"upper end, {name}", value=bounds[1]) for name, bounds in ranges.items()]
    return judged(
        all(each.agrees is not False for each in numbers), whole["KL"] <= min(whole["MSE"], whole["min-max"]),
        summary=f"KL clips at {ranges['KL'][1]:.2f}: the bulk's error falls from {part['min-max']:.4f} to "
        f"{part['KL']:.5f}, but with the ten outliers it is {whole['KL']:.4f} against {whole['min-max']:.4f} of "
        "min-max "
        f"and {whole['MSE']:.4f} of the least error.",
        numbers=numbers,
        figure=bars("Mean squared error of an 8-bit grid, a million N(0,1) and ten values of 40.", list(ranges),
                    value="mean squared error", log=True, all_values=list(whole.values()), bulk=list(part.values())),
    )  # fmt: skip


def _error(values: Tensor, low: float, high: float) -> float:
    """Of the grid of 256 codes from low to high."""
    step = (high - low) / CODES
    codes = ((values.double() - low) / step).round().clamp(0, CODES)
    return float(((codes * step + low - values) ** 2).mean())
