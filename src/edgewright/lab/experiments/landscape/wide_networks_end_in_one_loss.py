"""Does it matter from which weights a training starts?

Claim: a network with more units than it needs has many minima of nearly equal loss, so that every start ends well; a
    narrow one gets stuck at different heights.
Source: Choromanska et al. 2015, AISTATS; Safran & Shamir 2018, ICML (students as wide as their teacher get stuck, wider
    ones hardly ever).
Expected: of students of a teacher with six ReLU units, none of those with three or six units gets the loss below a
    thousandth of the variance, and nearly all with 48 do; the spread of the final losses falls with the width.
See: deep_linear_networks_have_no_bad_minima
"""

import numpy as np
import torch

from ....seeding import torch_generator
from ...digits import built
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...many import many_perceptrons
from ...statistics import share_of

WIDTHS, NUM_UNITS, NUM_STEPS, GOOD = (3, 6, 12, 48), 6, 700, 1e-3


def run(seed: int, fast: bool) -> Finding:
    num_starts = 12 if fast else 200
    losses = {width: _final_losses(width, num_starts, seed) for width in WIDTHS}
    good = [share_of(each < GOOD, f"starts that reach 0.001, {width} units") for width, each in losses.items()]
    spread = [Number(name=f"spread of the final loss, {width} units", value=float(each.std(ddof=1)))
              for width, each in losses.items()]  # fmt: skip
    middle = [float(np.median(each)) for each in losses.values()]
    dots = series("each start", np.repeat(WIDTHS, num_starts), np.concatenate(list(losses.values())), mark=Mark.DOTS)
    return judged(
        good[-1].value > 0.9, good[0].value == good[1].value == 0, spread[-1].value < spread[1].value / 20,
        summary=f"Of {num_starts} starts with 6 units, as many as the teacher has, {good[1].value:.0%} reach a loss of "
        f"0.001 "
        f"(median {middle[1]:.2g}, spread {spread[1].value:.2g}); of those with 48, {good[-1].value:.0%} "
        f"(median {middle[-1]:.2g}, spread {spread[-1].value:.1g}).",
        numbers=(*good, *spread),
        figure=chart("Final loss of every start, as a share of the variance.", dots,
                     series("median", WIDTHS, middle, mark=Mark.LINE), x="hidden units of the student", y="loss",
                         log_x=True,
                     log_y=True),
    )  # fmt: skip


def _final_losses(width: int, num_starts: int, seed: int) -> np.ndarray:
    """Of students of y = sum of relu(x_i), all on the same 200 points, scaled to variance 1."""
    x = torch.randn(200, NUM_UNITS, generator=torch_generator(seed, "points"))
    y = x.relu().sum(1, keepdim=True)
    y = (y - y.mean()) / y.std()
    net = built(lambda: many_perceptrons(num_starts, (NUM_UNITS, width, 1)), seed, "students", width)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(NUM_STEPS):
        optimizer.zero_grad()
        losses = ((net(x) - y) ** 2).mean((1, 2))
        losses.sum().backward()
        optimizer.step()
    return losses.detach().numpy()
