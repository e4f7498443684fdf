"""Should the learning rate grow with the batch?

Claim: k times the batch needs k times the rate (SGD) and then learns as much from as many samples.
Source: Goyal et al. 2017, arXiv:1706.02677 (linear, with warm-up); Krizhevsky 2014, arXiv:1404.5997 (square root);
    McCandlish et al. 2018, arXiv:1812.06162, and Shallue et al. 2019, JMLR 20 (the critical batch).
Expected: from 256 to 8,192 .1 becomes 3.2 (linear) or .565685 (square root). On digits the losses after as many samples
    agree up to some batch with a scaled rate, where an unscaled one falls behind, and no longer beyond it.
See: large_batches_find_sharp_minima_at_one_rate, gradient_variance_falls_with_the_batch
"""

import math

import numpy as np
import torch

from ....reference.schedules import scaled, warmed_up
from ....seeding import torch_generator
from ...digits import built, digits
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged
from ...many import cross_entropies, many_perceptrons, summed_cross_entropy
from ...statistics import mean_of

BATCHES, BASE, RATE, EPOCHS = (8, 16, 32, 64, 128, 256, 512), 8, 0.05, 8
WAYS = {"linear": lambda batch: scaled(RATE, batch_size=batch, base_batch_size=BASE),
        "square root": lambda batch: scaled(RATE, batch_size=batch, base_batch_size=BASE, root=True),
        "unscaled": lambda batch: RATE}  # fmt: skip


def run(seed: int, fast: bool) -> Finding:
    num_seeds = 4 if fast else 20
    found = {way: [_losses(batch, rate(batch), seed, num_seeds) for batch in BATCHES] for way, rate in WAYS.items()}
    ends = {way: [float(np.mean(each)) for each in losses] for way, losses in found.items()}
    base = ends["linear"][0]
    matched = {way: max(batch for batch, end in zip(BATCHES, each, strict=True) if end < 1.2 * base)
               for way, each in ends.items()}  # fmt: skip
    numbers = (
        Number(name="rate for 8192, .1 at 256, linear", value=scaled(0.1, batch_size=8192, base_batch_size=256),
            expected=3.2),
        Number(name="rate for 8192, .1 at 256, square root", expected=0.565685, tolerance=1e-6,
               value=scaled(0.1, batch_size=8192, base_batch_size=256, root=True)),
        *(Number(name=f"largest batch that ends within 20 % of that of 8, {way}", value=float(batch))
          for way, batch in matched.items()),
        *(mean_of(np.array(losses), f"loss, {way}, B={batch}")
          for way in ("linear", "unscaled") for batch, losses in zip(BATCHES, found[way], strict=True)),
    )  # fmt: skip
    return judged(
        all(each.agrees is not False for each in numbers), matched["linear"] > matched["unscaled"],
        matched["linear"] < BATCHES[-1], ends["linear"][-1] > 2 * base,
        when="the batch stays below a critical size",
        summary=f"After {EPOCHS} passes, rates scaled in proportion end within 20 % of the loss of a batch of 8 up to "
        f"a batch "
        f"of {matched['linear']} (unscaled {matched['unscaled']}, square root {matched['square root']}); at "
        f"{BATCHES[-1]} the loss is {ends['linear'][-1] / base:.0f} times as high.",
        numbers=numbers,
        figure=chart("Training loss after as many samples for each batch.",
                     *(series(way, BATCHES, each, mark=Mark.BOTH) for way, each in ends.items()),
                     series("batch of 8", BATCHES, [base] * len(BATCHES), mark=Mark.DASHES), x="batch", y="loss",
                         log_x=True,
                     log_y=True),
    )  # fmt: skip


def _losses(batch: int, rate: float, seed: int, num_seeds: int) -> list[float]:
    """Of each network after EPOCHS passes through 1,024 images, the first eighth of them under rising rates."""
    data = digits(seed)
    x, y = data.x[:1_024], data.y[:1_024]
    net = built(lambda: many_perceptrons(num_seeds, (64, 32, 10)), seed, "nets")
    optimizer, order, num_steps = torch.optim.SGD(net.parameters(), rate), torch_generator(seed, "order"), 0
    num_warmup = EPOCHS * 1_024 // batch // 8
    for _ in range(EPOCHS):
        for rows in torch.randperm(1_024, generator=order).split(batch):
            optimizer.param_groups[0]["lr"] = warmed_up(num_steps, num_warmup, rate)
            optimizer.zero_grad()
            summed_cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
            num_steps += 1
    return [min(each, 10.0) if math.isfinite(each) else 10.0 for each in cross_entropies(net(x).detach(), y).tolist()]
