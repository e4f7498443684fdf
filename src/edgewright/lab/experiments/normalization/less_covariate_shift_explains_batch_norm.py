"""Does batch norm help because the inputs of layers move less during training?

Claim: batch norm works because it reduces internal covariate shift.
Source: Ioffe & Szegedy 2015, ICML; refuted by Santurkar et al. 2018, NeurIPS, section 2, whose test this is.
Expected: noise of a new mean and scale at every step, put in behind each batch norm, makes the inputs of layers move
    more than in a network without norm; it still learns about as fast as with batch norm, and faster than without.
See: batch_norm_allows_larger_steps
"""

import torch
from torch import Tensor, nn

from ....seeding import torch_generator
from ...digits import built, digits, train
from ...figures import chart, series
from ...finding import Finding, judged
from ...statistics import mean_of

WIDTHS = (64, 32, 32, 32)


class Shaken(nn.Module):
    """Adds and multiplies by numbers that are drawn anew for each unit at every step, and remembers how means move."""

    def __init__(self, amount: float, seed: int) -> None:
        super().__init__()
        self.amount, self.generator, self.before = amount, torch_generator(seed, "shake"), torch.zeros(0)
        self.moves: list[float] = []

    def forward(self, x_BC: Tensor) -> Tensor:
        if self.training and self.amount:
            scale, shift = self.amount * torch.randn(2, x_BC.shape[1], generator=self.generator)
            x_BC = x_BC * (1 + scale) + shift
        if self.training:
            mean = x_BC.detach().mean(0)
            if len(self.before):
                self.moves.append(float((mean - self.before).abs().mean() / x_BC.detach().std()))
            self.before = mean
        return x_BC


KINDS = {"plain": (False, 0.0), "batch norm": (True, 0.0), "batch norm, shaken": (True, 0.3)}


def run(seed: int, fast: bool) -> Finding:
    seeds = [seed * 100 + at for at in range(3 if fast else 10)]
    found = {kind: [_training(each, *options, epochs=5 if fast else 12) for each in seeds]
             for kind, options in KINDS.items()}  # fmt: skip
    moves = {
        kind: mean_of([move for move, _ in runs], f"movement of the inputs, {kind}") for kind, runs in found.items()
    }
    losses = {kind: mean_of([sum(curve) / len(curve) for _, curve in runs], f"mean training loss, {kind}")
              for kind, runs in found.items()}  # fmt: skip
    shaken = "batch norm, shaken"
    explains = not (moves[shaken].exceeds(moves["plain"]) and losses["plain"].exceeds(losses[shaken]))
    return judged(
        explains,
        summary=f"Shaken, the inputs move by {moves[shaken].value:.2f} of their deviation at each step, without norm "
        f"by {moves['plain'].value:.2f}; yet the mean loss is {losses[shaken].value:.2f} against "
        f"{losses['plain'].value:.2f} without norm and {losses['batch norm'].value:.2f} with batch norm alone.",
        numbers=(*moves.values(), *losses.values()),
        figure=chart("Training loss on digits.",
                     *(series(kind, range(1, len(runs[0][1]) + 1),
                              torch.tensor([each[1] for each in runs]).mean(0).tolist())
                       for kind, runs in found.items()), x="epoch", y="loss", log_y=True),
    )  # fmt: skip


def _training(seed: int, norm: bool, amount: float, *, epochs: int) -> tuple[float, list[float]]:
    """How much the means of layers' inputs move at a step, in their deviations; and the loss of each epoch."""
    data, shakers = digits(seed), [Shaken(amount, seed * 10 + at) for at in range(len(WIDTHS) - 1)]
    net = built(lambda: nn.Sequential(*(layer for at, shaker in enumerate(shakers) for layer in (
        nn.Linear(WIDTHS[at], WIDTHS[at + 1]), *([nn.BatchNorm1d(WIDTHS[at + 1])] if norm else []), shaker, nn.ReLU())),
        nn.Linear(WIDTHS[-1], 10)), seed, "net")  # fmt: skip
    optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
    losses = train(net, data.x[:800], data.y[:800], optimizer=optimizer, epochs=epochs, seed=seed)
    moves = torch.tensor([move for shaker in shakers for move in shaker.moves])
    return float(moves.mean()), losses
