"""Games of judge and maker, and textures."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from autograd_oracle import check, torch_gradients
from edgewright.reference.generative_losses import GAMES, gram, texture

Z = np.array([-8.0, -1.5, -0.3, 0.0, 0.4, 1.6, 9.0])
TORCH = {
    "saturating": (
        lambda z: -functional.logsigmoid(z), lambda z: -functional.logsigmoid(-z), lambda z: functional.logsigmoid(-z),
    ),
    "non-saturating": (
        lambda z: -functional.logsigmoid(z), lambda z: -functional.logsigmoid(-z), lambda z: -functional.logsigmoid(z),
    ),
    "least-squares": (lambda z: (z - 1) ** 2 / 2, lambda z: z**2 / 2, lambda z: (z - 1) ** 2 / 2),
    "hinge": (lambda z: functional.relu(1 - z), lambda z: functional.relu(1 + z), lambda z: -z),
}  # fmt: skip


@pytest.mark.parametrize("name", GAMES)
def test_values_and_slopes_are_those_of_pytorch(name):
    game = GAMES[name]
    for term, theirs in zip((game.real, game.made, game.maker), TORCH[name], strict=True):
        y, dy, wanted = torch_gradients(theirs, [Z])
        check([term.value(Z), dy * term.slope(Z)], [y, *wanted])


def test_the_best_judge_of_a_perfect_maker_says_one_half_and_the_game_is_worth_minus_log_4():
    game, undecided = GAMES["saturating"], np.zeros(5)
    assert -game.judge_loss(undecided, undecided) == pytest.approx(-math.log(4))
    for other in (np.full(5, 0.3), np.full(5, -0.3)):
        assert game.judge_loss(other, other) > game.judge_loss(undecided, undecided)


def test_the_best_judge_is_the_share_of_what_is_real():
    """Of one place where 3 of 4 images are real: the loss is least at σ(z) = 3/4."""
    z = np.linspace(-3, 3, 60_001)
    game = GAMES["saturating"]
    best = z[np.argmin(3 * game.real.value(z) + game.made.value(z))]
    assert 1 / (1 + math.exp(-best)) == pytest.approx(0.75, abs=1e-4)


def test_a_sure_judge_leaves_the_saturating_maker_without_a_slope():
    sure = np.array([-8.0])
    assert abs(GAMES["saturating"].maker.slope(sure)[0]) < 4e-4
    assert GAMES["non-saturating"].maker.slope(sure)[0] == pytest.approx(-1, abs=4e-4)


def test_a_texture_does_not_know_where_and_has_pytorchs_gradient():
    rng = np.random.default_rng(0)
    image, other = rng.standard_normal((3, 4, 5)), rng.standard_normal((3, 20))
    moved = np.roll(image, (1, 2), axis=(1, 2))
    np.testing.assert_allclose(gram(moved.reshape(3, -1)), gram(image.reshape(3, -1)), atol=1e-15)
    wanted = gram(other)

    def loss(features):
        return ((features @ features.T / features.numel() - torch.tensor(wanted)) ** 2).sum()

    y, dy, slopes = torch_gradients(loss, [image.reshape(3, -1)])
    value, slope = texture(image.reshape(3, -1), wanted)
    check([np.array(value), dy * slope], [y, *slopes])
    assert texture(other, wanted)[0] == 0
