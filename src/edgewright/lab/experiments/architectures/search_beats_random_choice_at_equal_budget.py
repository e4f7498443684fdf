"""Is a clever search for architectures better than drawing them at random?

Claim: at an equal number of evaluations evolution finds better architectures than random choice.
Source: Real et al. 2019, AAAI (regularized evolution); Li & Talwalkar 2019, UAI, who find random choice hard to beat.
Expected: after few evaluations no difference, after many a small one; the reward accuracy * (MACs/target)^-.07 of Tan
    et al. 2019, every candidate judged in full: random filters, pooling, and a ridge regression behind them on digits.
See: macs_predict_latency
"""

from functools import cache

import numpy as np
import torch
from torch.nn import functional

from ....seeding import numpy_generator, torch_generator
from ...digits import digits
from ...figures import Mark, chart, series
from ...finding import Finding, judged
from ...statistics import difference_of, mean_of

CHOICES = ((1, 2, 3, 4, 5), (2, 4, 8, 16, 24), (1, 2), (1, 2, 3), (0, 1, 2), (0.003, 0.03, 0.3, 3.0))
ACTIVATIONS = (torch.relu, torch.abs, torch.tanh)
BUDGET, POPULATION, SAMPLE, TARGET_MACS, EXPONENT = 60, 10, 4, 2_000, -0.07
TRAIN, TEST = 200, 300
Genome = tuple[int, ...]


def run(seed: int, fast: bool) -> Finding:
    trials = 24 if fast else 100
    found = {way: np.array([call(seed, numpy_generator(seed, "search", at)) for at in range(trials)])
             for way, call in (("random", _random), ("evolution", _evolution))}  # fmt: skip
    early, late = ({way: curves[:, at] for way, curves in found.items()} for at in (POPULATION - 1, BUDGET - 1))
    numbers = [mean_of(late[way], f"best reward after {BUDGET}, {way}") for way in found]
    gaps = [difference_of(best["evolution"].tolist(), best["random"].tolist(), f"evolution - random after {count}")
            for best, count in ((early, POPULATION), (late, BUDGET))]  # fmt: skip
    return judged(
        gaps[1].exceeds(0.0), when=f"the budget goes beyond the first population of {POPULATION}",
        summary=f"After {BUDGET} evaluations evolution has a reward of {numbers[1].value:.4f} and random choice "
        f"{numbers[0].value:.4f}: {gaps[1].value:+.4f} ± {gaps[1].error:.4f}.",
        numbers=(*numbers, *gaps),
        figure=chart("Best reward so far, mean of the searches.",
                     *(series(way, range(1, BUDGET + 1), curves.mean(0), mark=Mark.STEPS)
                       for way, curves in found.items()), x="evaluations", y="reward"),
    )  # fmt: skip


def _random(seed: int, generator: np.random.Generator) -> np.ndarray:
    return np.maximum.accumulate([_reward(seed, _drawn(generator)) for _ in range(BUDGET)])


def _evolution(seed: int, generator: np.random.Generator) -> np.ndarray:
    """The best of a few of the living has a child with one gene changed, and the oldest goes."""
    living = [_drawn(generator) for _ in range(POPULATION)]
    rewards = [_reward(seed, each) for each in living]
    while len(rewards) < BUDGET:
        few = generator.choice(POPULATION, SAMPLE, replace=False)
        parent = living[max(few, key=lambda at: _reward(seed, living[at]))]
        gene = int(generator.integers(len(CHOICES)))
        others = [value for value in range(len(CHOICES[gene])) if value != parent[gene]]
        child = (*parent[:gene], int(generator.choice(others)), *parent[gene + 1 :])
        living = [*living[1:], child]
        rewards.append(_reward(seed, child))
    return np.maximum.accumulate(rewards)


def _drawn(generator: np.random.Generator) -> Genome:
    return tuple(int(generator.integers(len(options))) for options in CHOICES)


@cache
def _reward(seed: int, genome: Genome) -> float:
    *shape, penalty = (options[at] for options, at in zip(CHOICES, genome, strict=True))
    kernel, filters, stride, pool, activation = map(int, shape)
    data, generator = digits(seed), torch_generator(seed, "filters", *map(int, shape))
    weight = torch.randn(filters, 1, kernel, kernel, generator=generator) / kernel
    features = [functional.max_pool2d(ACTIVATIONS[activation](functional.conv2d(
        x.view(-1, 1, 8, 8), weight, stride=stride, padding=kernel // 2)), pool, ceil_mode=True).flatten(1)
        for x in (data.x[:TRAIN], data.test_x[:TEST])]  # fmt: skip
    targets = functional.one_hot(data.y[:TRAIN], 10).float() - 0.1
    seen, unseen = (each - features[0].mean(0) for each in features)
    dual = torch.linalg.solve(seen @ seen.T + penalty * len(seen) * torch.eye(len(seen)), targets)
    right = ((unseen @ (seen.T @ dual)).argmax(1) == data.test_y[:TEST]).float().mean()
    size = (8 + 2 * (kernel // 2) - kernel) // stride + 1
    macs = size**2 * filters * kernel**2 + 10 * seen.shape[1]
    return float(right) * (macs / TARGET_MACS) ** EXPONENT
