"""How do batch, layer, instance and group norm differ?

Claim: they differ in the axes that share statistics alone: group norm with one group is layer norm over channels and
    places, with a group for each channel instance norm.
Source: Wu & He 2018, ECCV; Ba et al. 2016; Ulyanov et al. 2016.
Expected: equal to 1e-12; only batch norm mixes samples.
See: tiny_batches_break_batch_norm_alone
"""

import numpy as np

from ....reference.normalization import batch_norm, group_norm, instance_norm
from ....seeding import numpy_generator
from ...figures import bars
from ...finding import Finding, Number, judged


def run(seed: int, fast: bool) -> Finding:
    x = numpy_generator(seed, "x").normal(1, 2, (4, 6, 5, 5))
    gain, shift = np.ones(6), np.zeros(6)
    over_all = (x - x.mean((1, 2, 3), keepdims=True)) / np.sqrt(x.var((1, 2, 3), keepdims=True) + 1e-5)
    whole, each = (np.asarray(group_norm(x, gain, shift, groups=count)[0]) for count in (1, 6))
    changed = x.copy()
    changed[1:] *= 3
    mixes = {}
    for name, norm in (("batch", lambda v: batch_norm(v, gain, shift)[0]), ("instance", lambda v: instance_norm(
            v, gain, shift)[0]), ("group (3)", lambda v: group_norm(v, gain, shift, groups=3)[0]),
            ("layer", lambda v: group_norm(v, gain, shift, groups=1)[0])):  # fmt: skip
        mixes[name] = float(np.abs(np.asarray(norm(x))[0] - np.asarray(norm(changed))[0]).max())
    numbers = [
        Number(name="|group norm(1) - layer norm|", value=float(np.abs(whole - over_all).max()), expected=0.0,
               tolerance=1e-12),
        Number(name="|group norm(C) - instance norm|", expected=0.0, tolerance=1e-12,
               value=float(np.abs(each - np.asarray(instance_norm(x, gain, shift)[0])).max())),
        *(Number(name=f"change by other samples, {name} norm", value=value, expected=None if name == "batch" else 0.0)
          for name, value in mixes.items()),
    ]  # fmt: skip
    return judged(
        all(number.agrees is not False for number in numbers), mixes["batch"] > 0.1,
        summary=f"Group norm is layer norm at one group and instance norm at {6}; other samples change batch norm by "
        f"{mixes['batch']:.2f} and the three others by 0.",
        numbers=numbers,
        figure=bars("Change of one sample when the others change.", list(mixes), value="largest change",
                    only=list(mixes.values())),
    )  # fmt: skip
