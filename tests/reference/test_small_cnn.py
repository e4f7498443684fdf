"""The network of the reference: its size, its gradients, and what it learns of the digits of scikit-learn."""

import time

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.nn import functional

from autograd_oracle import check
from edgewright.reference.small_cnn import Training, accuracy, initial_weights, loss_and_slopes, scores, train


def digits(seed: int):
    found = load_digits()
    images = (found.images / 16)[:, None]
    return train_test_split(images, found.target, test_size=0.2, random_state=seed, stratify=found.target)


def test_on_28_by_28_it_has_52138_parameters():
    weights = initial_weights(size=28, num_classes=10, rng=np.random.default_rng(0))
    counts = [weights[f"{name}.weight"].size + weights[f"{name}.bias"].size for name in
              ("conv1", "conv2", "linear1", "linear2")]  # fmt: skip
    assert counts == [80, 1_168, 50_240, 650] and sum(counts) == 52_138


def test_loss_and_every_gradient_are_pytorchs():
    rng = np.random.default_rng(0)
    weights = initial_weights(size=8, num_classes=10, rng=rng)
    images, labels = rng.random((5, 1, 8, 8)), rng.integers(0, 10, 5)
    loss, slopes = loss_and_slopes(images, labels, weights)
    w = {name: torch.tensor(value, requires_grad=True) for name, value in weights.items()}
    x = torch.tensor(images)
    for name in ("conv1", "conv2"):
        x = functional.max_pool2d(functional.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1).relu(), 2)
    x = functional.linear(x.flatten(1), w["linear1.weight"], w["linear1.bias"]).relu()
    wanted = functional.cross_entropy(
        functional.linear(x, w["linear2.weight"], w["linear2.bias"]), torch.tensor(labels)
    )
    wanted.backward()
    assert loss == pytest.approx(wanted.item(), rel=1e-12)
    check(list(slopes.values()), [w[name].grad.numpy() for name in slopes])


def test_an_untrained_network_guesses_and_the_first_epochs_lower_the_loss():
    images, _, labels, _ = digits(0)
    _, losses = train(images[:300], labels[:300], Training(epochs=3), num_classes=10)
    assert losses[0] > losses[1] > losses[2]
    weights = initial_weights(size=8, num_classes=10, rng=np.random.default_rng(0))
    assert accuracy(images, labels, weights) < 0.3
    assert isinstance(scores(images[:2], weights), np.ndarray)


def test_the_same_seed_gives_the_same_weights():
    images, _, labels, _ = digits(0)
    first, second = (train(images[:64], labels[:64], Training(epochs=1, seed=3), num_classes=10)[0] for _ in range(2))
    assert all((first[name] == second[name]).all() for name in first)


@pytest.mark.slow  # about 4 seconds of one core
def test_it_reads_more_than_95_percent_of_unseen_digits_in_under_a_minute():
    start = time.process_time()
    images, unseen, labels, answers = digits(0)
    weights, _ = train(images, labels, Training(), num_classes=10)
    assert accuracy(unseen, answers, weights) > 0.95
    assert time.process_time() - start < 60


def test_an_image_that_cannot_be_halved_twice_is_refused():
    with pytest.raises(ValueError, match="must be a multiple of 4, got 10"):
        initial_weights(size=10, num_classes=10, rng=np.random.default_rng(0))
