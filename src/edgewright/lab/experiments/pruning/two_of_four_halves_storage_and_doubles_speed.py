"""Does 2:4 sparsity take half the space and give double speed?

Claim: a 2:4 matrix takes half the space and multiplies twice as fast.
Source: often said; Mishra et al. 2021, arXiv 2104.08378, where the doubling is the peak of the arithmetic.
Expected: the places cost 4 bits for each group of four, so fp16 shrinks by 1.778 (saves 43.75 %) and int8 by 1.6
    (37.5 %); twice the speed is peak arithmetic on units that know the pattern: a layer that waits for fp16 weights
    gains at most 1.778. Without such units nothing is gained.
See: two_of_four_loses_more_energy_than_free_half, zeros_speed_up_dense_hardware
"""

import numpy as np

from ....formats import pack_n_of_m
from ....seeding import numpy_generator
from ...figures import bars
from ...finding import Finding, Number, judged

TYPES = {"fp32, storage only": (np.float32, None, 128 / 68), "fp16": (np.float16, None, 64 / 36),
         "int8": (np.int8, None, 1.6), "int4": (np.int8, 4, 12 / 9)}  # fmt: skip
PEAK = 2.0  # of units that skip the two zeros


def run(seed: int, fast: bool) -> Finding:
    size = 256 if fast else 1024
    matrix = _two_of_four(size, numpy_generator(seed, "weights"))
    ratios, exact = [], True
    for kind, bits, _ in TYPES.values():
        values = matrix.astype(kind)
        packed = pack_n_of_m(values, "2:4", value_bits=bits)
        ratios.append(size * size * (bits or values.itemsize * 8) / 8 / packed.num_bytes)
        exact &= bool((packed.decode() == values).all())
    numbers = [Number(name=f"dense bytes over packed bytes, {name}", value=ratio, expected=expected)
               for (name, (*_, expected)), ratio in zip(TYPES.items(), ratios, strict=True)]  # fmt: skip
    bound = _gain(ratios[1], work=0.01), _gain(ratios[1], work=100.0)
    numbers += [
        Number(name="saved of fp16", value=1 - 1 / ratios[1], expected=0.4375),
        Number(name="saved of int8", value=1 - 1 / ratios[2], expected=0.375),
        Number(name="speed-up where weights are waited for, fp16", value=bound[0], expected=64 / 36, tolerance=1e-3),
        Number(name="speed-up where arithmetic binds", value=bound[1], expected=PEAK, tolerance=1e-3),
    ]
    half = all(ratio >= 2 for ratio in ratios) and bound[0] >= PEAK
    return judged(
        exact, all(each.agrees for each in numbers), half,
        summary=f"2:4 shrinks fp16 by {ratios[1]:.3f} and int8 by {ratios[2]:.2f}, not by 2: the places take room. "
        "Where "
        f"fp16 weights are waited for, that is the most that units for the pattern can gain.",
        numbers=numbers,
        figure=bars("How much smaller a 2:4 matrix is than a dense one.", list(TYPES),
                    value="dense bytes / packed bytes", only=ratios),
    )  # fmt: skip


def _two_of_four(size: int, generator: np.random.Generator) -> np.ndarray:
    """Whole numbers from 1 to 7 at two random places of each four, so that every type holds them."""
    groups = generator.integers(1, 8, (size * size // 4, 4))
    order = generator.random(groups.shape).argsort(1)
    return np.asarray(np.where(order < 2, groups, 0).reshape(size, size))


def _gain(ratio: float, *, work: float) -> float:
    """Roofline: dense time over sparse time, of a layer whose arithmetic takes `work` times as long as its weights."""
    return max(1.0, work) / max(1 / ratio, work / PEAK)
