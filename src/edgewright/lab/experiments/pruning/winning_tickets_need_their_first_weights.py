"""Is there a sparse network in a dense one that learns as well by itself?

Claim: a subnetwork found by pruning, set back to its own initial weights, learns as well as the whole; with other
    initial weights, or another mask, it does not.
Source: Frankle & Carbin 2019, ICLR.
Expected: at 12.5 % of the weights (three rounds that remove half) the ticket beats the same mask with new weights and a
    random mask of the same sizes, by paired differences over seeds; larger networks need weights of an early step, and
    at 6 % of the weights this small net's ticket no longer keeps up.
See: rewinding_to_an_early_epoch_makes_better_tickets
"""

import torch
from torch import Tensor

from ....seeding import torch_generator
from ...figures import bars
from ...finding import Finding, Number, judged
from ...statistics import difference_of, mean_of
from ._tickets import RATE, ROUNDS, found, fresh, score, share_left, trained, whole

KINDS = ("dense", "ticket", "same mask, new weights", "random mask")


def run(seed: int, fast: bool) -> Finding:
    runs = [_scores(seed * 100 + at) for at in range(3 if fast else 16)]
    columns = list(zip(*(scores for scores, _ in runs), strict=True))
    dense, ticket, renewed, random = (mean_of(column, f"accuracy, {kind}")
                                      for kind, column in zip(KINDS, columns, strict=True))  # fmt: skip
    gaps = [difference_of(columns[1], column, f"ticket - {kind}")
            for kind, column in zip(KINDS[2:], columns[2:], strict=True)]  # fmt: skip
    left = Number(name="share of weights left", value=runs[0][1], expected=(1 - RATE) ** ROUNDS, tolerance=2e-3)
    return judged(
        bool(left.agrees), *(gap.exceeds(0.0) for gap in gaps), ticket.value > dense.value - 0.03,
        summary=f"With {left.value:.1%} of the weights the ticket is right in {ticket.value:.1%} (the whole net in "
        f"{dense.value:.1%}), the same mask with new weights in {renewed.value:.1%}, a random one in "
        f"{random.value:.1%}.",
        numbers=(dense, ticket, renewed, random, *gaps, left),
        figure=bars("Accuracy on digits after the same training.", KINDS, value="accuracy",
                    only=[dense, ticket, renewed, random]),
    )  # fmt: skip


def _scores(seed: int) -> tuple[list[float], float]:
    start = fresh(seed)
    masks, _ = found(start, seed)
    generator = torch_generator(seed, "shuffled")
    nets = (trained(start, whole(start), seed), trained(start, masks, seed),
            trained(fresh(seed, "again"), masks, seed),
            trained(start, [_shuffled(mask, generator) for mask in masks], seed))  # fmt: skip
    return [score(net, seed) for net in nets], share_left(masks)


def _shuffled(mask: Tensor, generator: torch.Generator) -> Tensor:
    return mask.flatten()[torch.randperm(mask.numel(), generator=generator)].view_as(mask)
