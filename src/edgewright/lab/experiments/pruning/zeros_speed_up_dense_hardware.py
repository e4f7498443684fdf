"""Do zeros among the weights make a network faster?

Claim: a network with half of its weights pruned anywhere runs faster.
Source: often said; Han et al. 2016, ISCA (EIE), for hardware that is made for it; Gale et al. 2020, SC, for kernels.
Expected: a dense product takes as long with zeros as without. Compressed rows (CSR) are slower at moderate sparsity,
    for they look up every index, and win at high sparsity alone; in bytes they break even at 50 % (fp32, int32 indices:
    4,198,404 for 1024x1024 against 4,194,304).
See: removed_channels_speed_up_where_free_zeros_do_not, two_of_four_halves_storage_and_doubles_speed
"""

from functools import partial

import numpy as np
import torch
from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

from ....formats import csr
from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...timing import fastest_times

SPARSITIES, SIZE, BATCH = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99, 0.998), 512, 64


def run(seed: int, fast: bool) -> Finding:
    generator = numpy_generator(seed, "layer")
    weight, x = (generator.standard_normal((SIZE, columns)).astype(np.float32) for columns in (SIZE, BATCH))
    dense_x = torch.from_numpy(x)
    calls = {}
    for sparsity in SPARSITIES:
        pruned = np.where(np.abs(weight) >= np.quantile(np.abs(weight), sparsity), weight, 0)
        dense, rows = torch.from_numpy(pruned), csr_matrix(pruned)
        calls[f"dense {sparsity}"] = partial(torch.matmul, dense, dense_x)
        calls[f"csr {sparsity}"] = partial(rows.dot, x)
    times = fastest_times(calls, repeats=7 if fast else 40)
    base = times["dense 0.0"]
    ratios = {kind: [times[f"{kind} {sparsity}"] / base for sparsity in SPARSITIES] for kind in ("dense", "csr")}
    half = generator.standard_normal((1024, 1024)).astype(np.float32)
    half.ravel()[generator.permutation(half.size)[: half.size // 2]] = 0
    numbers = (
        *(Number(name=f"time, {kind}, {sparsity:.1%} zeros", value=ratio) for kind in ratios
          for sparsity, ratio in zip(SPARSITIES, ratios[kind], strict=True)),
        Number(name="bytes of 1024x1024 in CSR, half zeros", value=csr(half).num_bytes, expected=4_198_404),
    )  # fmt: skip
    faster = ratios["dense"][1] < 0.7 or ratios["csr"][1] < 1
    return judged(
        faster,
        summary=f"With half of the weights zero the dense product takes {ratios['dense'][1]:.2f} of its time and CSR "
        f"{ratios['csr'][1]:.0f} times as long; with 99.8 % zeros CSR takes {ratios['csr'][-1]:.2f}.",
        numbers=numbers,
        figure=chart("Time of a 512x512 layer on 64 samples; all weights, dense = 1.",
                     *(series(kind, [1 - each for each in SPARSITIES], values, mark=Mark.BOTH)
                       for kind, values in ratios.items()),
                     x="share of weights that are left", y="time", log_x=True, log_y=True),
    )  # fmt: skip
