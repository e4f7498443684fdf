"""What kills a ReLU, and does it ever return?

Claim: a large negative bias, or one step with a huge learning rate, leaves a ReLU at 0 for every input; then it gets no
    gradient and never returns. A leaky ReLU still learns.
Source: Maas et al. 2013, ICML workshop; Lu et al. 2020, CiCP 28.
Expected: at a bias of -20 all units are dead and the loss stays to the bit, while leaky units lower it; dead units grow
    with the size of the first step.
See: equal_weights_stay_equal, relu_keeps_gradients_that_sigmoids_lose
"""

import numpy as np

from ....reference.activations import leaky
from ....seeding import numpy_generator
from ...figures import Mark, chart, series
from ...finding import Finding, Number, judged

HIDDEN, LR, FIRST_STEPS = 64, 0.05, (0.05, 1.0, 10.0, 100.0)


def run(seed: int, fast: bool) -> Finding:
    steps = 300 if fast else 3_000
    dead = {first: _Net(seed, bias=0.0, share=0.0).step(first).num_dead() for first in FIRST_STEPS}
    drops = {}
    for name, share in (("ReLU", 0.0), ("leaky ReLU", 0.1)):
        net = _Net(seed, bias=-20.0, share=share)
        before, dead_at_start = net.loss(), net.num_dead()
        for _ in range(steps):
            net.step(LR)
        drops[name] = (dead_at_start, net.num_dead(), net.loss() / before)
    numbers = (
        *(Number(name=f"dead units of {HIDDEN} after a step of {lr:g}", value=count) for lr, count in dead.items()),
        Number(name="dead units at a bias of -20", value=drops["ReLU"][0], expected=HIDDEN),
        Number(name="dead units at a bias of -20, after training", value=drops["ReLU"][1], expected=HIDDEN),
        Number(name="loss after training over before, ReLU", value=drops["ReLU"][2], expected=1.0, tolerance=0.0),
        Number(name="loss after training over before, leaky ReLU", value=drops["leaky ReLU"][2]),
    )  # fmt: skip
    counts = list(dead.values())
    return judged(
        all(each.agrees is not False for each in numbers), counts[-1] > HIDDEN / 4, counts == sorted(counts),
        counts[0] < HIDDEN / 10, drops["leaky ReLU"][2] < 0.9,
        summary=f"A first step of 100 kills {counts[-1]} of {HIDDEN} ReLUs, one of 0.05 {counts[0]}. At a bias of -20 "
        f"all are dead and {steps} steps change nothing; leaky units bring the loss to {drops['leaky ReLU'][2]:.0%}.",
        numbers=numbers,
        figure=chart("Units at 0 for every input, after one step.",
                     series("dead units", FIRST_STEPS, counts, mark=Mark.BOTH), x="learning rate of the step",
                     y="dead units", log_x=True),
    )  # fmt: skip


class _Net:
    """One hidden layer, whose input weights and biases are trained."""

    def __init__(self, seed: int, *, bias: float, share: float) -> None:
        generator, self.relu = numpy_generator(seed, "net"), leaky(share)
        self.x = generator.random((256, 16))  # like pixels: never below 0
        self.y = self.x[:, 0] + self.x[:, 1] * self.x[:, 2]
        self.w, self.c = generator.standard_normal((16, HIDDEN)) / np.sqrt(8), np.full(HIDDEN, bias)
        self.v = generator.standard_normal(HIDDEN) / np.sqrt(HIDDEN)

    def step(self, lr: float) -> "_Net":
        z = self.x @ self.w + self.c
        down = 2 * (self.relu.value(z) @ self.v - self.y)[:, None] / len(self.y) * self.v * self.relu.slope(z)
        self.w, self.c = self.w - lr * self.x.T @ down, self.c - lr * down.sum(0)
        return self

    def num_dead(self) -> int:
        return int((self.x @ self.w + self.c <= 0).all(0).sum())

    def loss(self) -> float:
        return float(((self.relu.value(self.x @ self.w + self.c) @ self.v - self.y) ** 2).mean())
