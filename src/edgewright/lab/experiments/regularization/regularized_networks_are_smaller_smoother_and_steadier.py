"""Why do regularized networks do better on new samples?

Claim: weight decay, dropout and noise on the inputs have one effect in common: smaller weights, a smoother function and
    steadier answers under noise, and with them better answers on new samples.
Source: Bishop 1995, Neural Computation 7 (noise as a penalty on slopes); Bartlett 1998, IEEE Trans. Inf. Theory 44
    (size of weights); Goodfellow et al., Deep Learning (2016), chapter 7.
Expected: trained on images of which a fifth have wrong labels, each of the three has a smaller slope of its outputs by
    its inputs than the plain network, more right answers under noise, and more right answers. The norm of the weights
    is the weakest of the probes: it falls far only where it is itself penalized.
See: dropout_prevents_coadaptation, each_cause_of_overfitting_acts_alone
"""

import torch
from torch import Tensor, nn

from ....seeding import torch_generator
from ...digits import Digits, built, digits, mislabelled, train
from ...figures import Panel, bars, panels
from ...finding import Finding, judged
from ...many import accuracies, many_perceptrons, summed_cross_entropy
from ...statistics import mean_of

NUM_TRAIN, NOISE = 300, 0.3
WAYS = {"plain": {}, "weight decay": {"decay": 0.01}, "dropout": {"dropout": 0.5}, "noisy inputs": {"noise": NOISE}}
PROBES = ("norm of the weights", "slope by the inputs", "right under noise", "right")


class Noise(nn.Module):
    """Gaussian noise on the inputs, in training alone."""

    def __init__(self, size: float, seed: int) -> None:
        super().__init__()
        self.size, self.generator = size, torch_generator(seed, "noise")

    def forward(self, x: Tensor) -> Tensor:
        return x + self.size * torch.randn(x.shape, generator=self.generator) if self.training else x


def run(seed: int, fast: bool) -> Finding:
    num_seeds, data = 4 if fast else 20, digits(seed)
    found = {way: _probes(_trained(num_seeds, seed, **how), data, seed) for way, how in WAYS.items()}
    numbers = {(probe, way): mean_of(each[probe], f"{probe}, {way}") for probe in PROBES for way, each in found.items()}
    others = [way for way in WAYS if way != "plain"]
    norm, slope, steady, right = ([numbers[probe, way] for way in WAYS] for probe in PROBES)
    shown: dict[str, Panel] = {probe.replace(" ", "_"): bars("", list(WAYS), value=probe, only=values).panels[0][1]
                               for probe, values in zip(PROBES, (norm, slope, steady, right), strict=True)}  # fmt: skip
    return judged(
        all(slope[0].exceeds(each) for each in slope[1:]), all(each.exceeds(steady[0]) for each in steady[1:]),
        all(each.exceeds(right[0]) for each in right[1:]), norm[0].exceeds(norm[1]),
        summary=f"Slope by the inputs {slope[0].value:.1f} plain, "
        + ", ".join(f"{each.value:.1f} with {way}" for way, each in zip(others, slope[1:], strict=True))
        + f"; right on {right[0].value:.0%} plain and "
        + ", ".join(f"{each.value:.0%}" for each in right[1:]) + "; the norm of the weights is "
        + ", ".join(f"{each.value:.1f}" for each in norm) + ".",
        numbers=numbers.values(),
        figure=panels("Three probes, and the answers on new images.", **shown),
    )  # fmt: skip


def _trained(
    num_seeds: int, seed: int, *, decay: float = 0.0, dropout: float = 0.0, noise: float = 0.0
) -> nn.Sequential:
    data = digits(seed)
    net = built(lambda: many_perceptrons(num_seeds, (64, 64, 10), dropout=dropout), seed, "nets")
    optimizer = torch.optim.SGD(net.parameters(), 0.2, weight_decay=decay)
    train(nn.Sequential(Noise(noise, seed), net), data.x[:NUM_TRAIN], mislabelled(data.y[:NUM_TRAIN], 0.2, seed),
          optimizer=optimizer, epochs=60, batch=20, loss=summed_cross_entropy, seed=seed)  # fmt: skip
    return net


def _probes(net: nn.Sequential, data: Digits, seed: int) -> dict[str, list[float]]:
    """Of each network; the slope is that of the highest logit, its mean length over new images."""
    squares = [(each**2).sum((1, 2)) for each in net.parameters() if each.shape[1] > 1]  # weights, no biases
    x = data.test_x.expand(len(squares[0]), *data.test_x.shape).clone().requires_grad_()
    (slope,) = torch.autograd.grad(net(x).max(-1).values.sum(), x)
    noisy = data.test_x + NOISE * torch.randn(data.test_x.shape, generator=torch_generator(seed, "probe"))
    norm = torch.stack(squares).sum(0).sqrt().tolist()
    right = (accuracies(net, each, data.test_y) for each in (noisy, data.test_x))
    return dict(zip(PROBES, (norm, slope.norm(dim=-1).mean(1).tolist(), *right), strict=True))
