"""What does it take to train a network of many layers?

Claim: plain stacks stop learning beyond some depth, even on the data they are trained on; with residual paths, batch
    norm and He initialization they do not.
Source: He et al. 2015, ICCV (initialization) and 2016, CVPR, section 4.1 (degradation).
Expected: at 2 layers all learn; at 24 the plain stack with small first weights stays at chance on its own training set,
    and the residual one keeps what it had. That batch norm alone is not enough is degradation and not a vanishing
    gradient.
See: zero_gain_makes_a_block_the_identity, residual_paths_carry_gradients
"""

import torch
from torch import Tensor, nn

from ...digits import accuracy, built, digits, train
from ...figures import Mark, chart, series
from ...finding import Finding, judged
from ...statistics import mean_of

DEPTHS, WIDTH = (2, 8, 24), 32


class Stack(nn.Module):
    """A first layer, `depth` layers of equal width, and a last one."""

    def __init__(self, depth: int, *, norm: bool, residual: bool) -> None:
        super().__init__()
        self.first, self.last, self.residual = nn.Linear(64, WIDTH), nn.Linear(WIDTH, 10), residual
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH, bias=not norm) for _ in range(depth))
        self.norms = nn.ModuleList(nn.BatchNorm1d(WIDTH) if norm else nn.Identity() for _ in range(depth))
        for layer in self.layers if norm else ():
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = x + norm(layer(x.relu())) if self.residual else norm(layer(x)).relu()
        return self.last(x)


KINDS = {
    "plain": {"norm": False, "residual": False},
    "He and batch norm": {"norm": True, "residual": False},
    "He, batch norm, residual": {"norm": True, "residual": True},
}


def run(seed: int, fast: bool) -> Finding:
    seeds = [seed * 100 + at for at in range(1 if fast else 6)]
    found = {kind: [mean_of([_score(depth, each, fast, **flags) for each in seeds],
                            f"training accuracy, {kind}, depth {depth}") for depth in DEPTHS]
             for kind, flags in KINDS.items()}  # fmt: skip
    plain, normed, residual = found.values()
    return judged(
        all(each[0].value > 0.8 for each in (plain, residual)), plain[-1].value < 0.3, residual[-1].value > 0.9,
        residual[-1].exceeds(normed[-1]),
        summary=f"On its own training set a plain stack of {DEPTHS[-1]} layers is right in {plain[-1].value:.0%}, with "
        "He "
        f"and batch norm in {normed[-1].value:.0%}, with residual paths as well in {residual[-1].value:.0%}.",
        numbers=[each for kind in found.values() for each in kind],
        figure=chart("Accuracy on the training set after the same short training.",
                     *(series(kind, DEPTHS, [each.value for each in numbers], mark=Mark.BOTH)
                       for kind, numbers in found.items()), x="layers of equal width", y="accuracy"),
    )  # fmt: skip


def _score(depth: int, seed: int, fast: bool, *, norm: bool, residual: bool) -> float:
    data = digits(seed)
    net = built(lambda: Stack(depth, norm=norm, residual=residual), seed, "net", depth)
    optimizer = torch.optim.Adam(net.parameters(), 0.003)
    train(net, data.x[:800], data.y[:800], optimizer=optimizer, epochs=5 if fast else 15, batch=64, seed=seed)
    return accuracy(net, data.x[:800], data.y[:800])
