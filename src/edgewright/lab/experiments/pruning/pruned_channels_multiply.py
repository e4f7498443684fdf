"""How many MACs go when a share of all channels goes?

Claim: pruning a share p of the channels of every layer removes a share p of the MACs.
Source: often said of structured pruning; the count is Li et al. 2017, ICLR (Pruning Filters for Efficient ConvNets).
Expected: a layer's MACs scale with (1 - p_in)(1 - p_out): .25 at p = .5 and .49 at .3 on both sides; only the first
    layer, whose inputs stay, scales with 1 - p.
See: two_of_four_loses_more_energy_than_free_half
"""

from torch import nn

from ....analyze import profile
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

CHANNELS, SIZE = 40, 8


def run(seed: int, fast: bool) -> Finding:
    dense = _macs(0.0)
    numbers = []
    for p in (0.3, 0.5, 0.7):
        cut = _macs(p)
        numbers += [
            Number(name=f"MACs left between cut layers, p={p}", value=cut[1] / dense[1], expected=(1 - p) ** 2),
            Number(name=f"MACs left in the first layer, p={p}", value=cut[0] / dense[0], expected=1 - p),
        ]
    shares = [at / 20 for at in range(0, 19, 6 if fast else 1)]
    left = [sum(_macs(p)) / sum(dense) for p in shares]
    return judged(
        all(abs(1 - number.value - p) < 0.01 for number, p in zip(numbers[::2], (0.3, 0.5, 0.7), strict=True)),
        summary=f"With half of the channels {numbers[2].value:.0%} of a layer's MACs stay, with 30 % pruned "
        f"{numbers[0].value:.0%}: the shares multiply.",
        numbers=numbers,
        figure=chart("MACs left of four convolutions.", series("counted", shares, left, mark=Mark.BOTH),
                     series("(1 - p)²", shares, [(1 - p) ** 2 for p in shares], mark=Mark.DASHES),
                     series("1 - p", shares, [1 - p for p in shares], mark=Mark.DASHES), x="channels pruned, p",
                     y="MACs left"),
    )  # fmt: skip


def _macs(pruned: float) -> list[int]:
    width = round(CHANNELS * (1 - pruned))
    layers = [nn.Conv2d(3, width, 3, padding=1), *(nn.Conv2d(width, width, 3, padding=1) for _ in range(3))]
    found = profile(nn.Sequential(*layers).eval(), input_shape=(3, SIZE, SIZE))
    return [row.macs for row in found.rows if row.macs]
