"""Adam that hands over to SGD."""

import io

import numpy as np
import pytest
import torch
from torch import nn

from edgewright.reference import optimizers as reference
from edgewright.reference.optimizers import How
from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.train.optimizers import AdamToSgd, end_epoch, make_optimizer

LR = 0.01
CURVATURE = np.linspace(0.5, 2, 12).reshape(3, 4)


def slope(weight):
    return CURVATURE * weight


def start():
    return np.random.default_rng(3).normal(size=(3, 4))


def weight_of(dtype=torch.float64):
    return nn.Parameter(torch.from_numpy(start()).to(dtype))


def make(weight, name, *, weight_decay=0.0):
    optimizer = make_optimizer([weight], name=name, lr=LR, weight_decay=weight_decay, momentum=0.9)
    assert isinstance(optimizer, AdamToSgd)
    return optimizer


def walk(optimizer, weight, num_steps):
    path = []
    for _ in range(num_steps):
        weight.grad = torch.from_numpy(slope(weight.detach().numpy())).to(weight.dtype)
        optimizer.step()
        path.append(weight.detach().numpy().copy())
    return path


def loss_at(weight):
    return float((CURVATURE * weight**2).sum() / 2)


@pytest.mark.parametrize("tolerance", [1e-9, 3e-4, 1e-2])
def test_swats_is_its_algorithm_step_by_step(tolerance):
    """1e-9: Adam to the end; the others switch within the 200 steps."""
    weight = weight_of()
    optimizer = make(weight, f"swats:tolerance={tolerance}")
    path = walk(optimizer, weight, 200)
    how = How(lr=LR, tolerance=tolerance)
    expected = reference.walk(reference.swats, how, slope=slope, start=start(), num_steps=200)
    np.testing.assert_allclose(path, expected, rtol=1e-7, atol=1e-9)
    assert (optimizer.progress.switched_at is None) == (tolerance == 1e-9)


def test_before_the_switch_it_is_adam_and_after_it_sgd_with_momentum():
    weight, twin = weight_of(), weight_of()
    optimizer, adam = make(weight, "adam-to-sgd:epoch=2,sgd_lr=0.05"), torch.optim.Adam([twin], lr=LR)
    assert np.array_equal(walk(optimizer, weight, 7), walk(adam, twin, 7))
    end_epoch(optimizer, number=1, score=50)
    assert np.array_equal(walk(optimizer, weight, 3), walk(adam, twin, 3))
    end_epoch(optimizer, number=2, score=50)
    sgd = torch.optim.SGD([twin], lr=0.05, momentum=0.9)
    np.testing.assert_allclose(walk(optimizer, weight, 10), walk(sgd, twin, 10), rtol=1e-12)
    assert optimizer.progress.switched_at == 10


def test_sgd_follows_the_schedule_at_its_share():
    weight, twin = weight_of(), weight_of()
    optimizer = make(weight, "adam-to-sgd:epoch=1,sgd_lr=0.05")
    end_epoch(optimizer, number=1, score=50)
    optimizer.param_groups[0]["lr"] = LR / 10
    sgd = torch.optim.SGD([twin], lr=0.05 / 10, momentum=0.9)
    np.testing.assert_allclose(walk(optimizer, weight, 10), walk(sgd, twin, 10), rtol=1e-12)


def test_without_a_rate_of_its_own_sgd_goes_on_without_a_jump_of_the_loss():
    weight = weight_of()
    optimizer = make(weight, "adam-to-sgd:epoch=1")
    before = walk(optimizer, weight, 40)
    end_epoch(optimizer, number=1, score=50)
    assert optimizer.progress.switched_at == 40
    losses = [loss_at(each) for each in (*before[-1:], *walk(optimizer, weight, 60))]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] / 2


def test_a_plateau_of_the_score_switches():
    weight = weight_of()
    optimizer = make(weight, "adam-to-sgd-plateau:patience=2")
    for number, score in enumerate([50, 60, 60, 61, 61, 60], start=1):
        walk(optimizer, weight, 5)
        note = end_epoch(optimizer, number=number, score=score)
        assert (optimizer.progress.switched_at is None) == (number < 6) == (note == "")
    assert note.startswith("SGD took over from Adam after step 30, at ")
    assert end_epoch(optimizer, number=7, score=60) == ""
    assert optimizer.progress.switched_at == 30


def test_it_waits_for_a_step_downhill_before_it_hands_over():
    weight = weight_of()
    optimizer = make(weight, "adam-to-sgd:epoch=1")
    end_epoch(optimizer, number=1, score=50)
    assert optimizer.progress.switched_at is None
    walk(optimizer, weight, 5)
    end_epoch(optimizer, number=2, score=50)
    assert optimizer.progress.switched_at == 5


@pytest.mark.parametrize("halfway", [4, 10, 16])  # before, at and after the switch
def test_a_state_that_was_written_and_read_goes_on_to_the_same_bits(halfway):
    def run(weight, optimizer, first, last):
        for step in range(first, last):
            if step == 10:
                end_epoch(optimizer, number=1, score=50)
            walk(optimizer, weight, 1)

    whole, halved = weight_of(torch.float32), weight_of(torch.float32)
    settings = {"name": "adam-to-sgd:epoch=1", "weight_decay": 0.01}
    run(whole, make(whole, **settings), 0, 20)
    first = make(halved, **settings)
    run(halved, first, 0, halfway)
    buffer = io.BytesIO()
    torch.save(first.state_dict(), buffer)
    buffer.seek(0)
    second = make(halved, **settings)
    second.load_state_dict(torch.load(buffer, weights_only=True))
    run(halved, second, halfway, 20)
    assert torch.equal(whole, halved)
    assert second.progress.switched_at == 10


class Killed(BaseException):
    """Stands for a kill: nothing in the library may catch it."""


@pytest.mark.parametrize("name", ["adam-to-sgd:epoch=2", "lookahead:sgd:k=3", "swats:tolerance=0.1"])
@pytest.mark.parametrize("step", [2, 5, 7])  # 3 steps an epoch: before, at and after the switch
@pytest.mark.slow
def test_a_training_that_was_killed_goes_on_to_the_same_bits(name, step, net, digits, tmp_path):
    settings = Train(epochs=4, batch_size=512, optimizer=name, lr=0.01, weight_decay=1e-4, checkpoint_steps=1)
    task = Classify(num_classes=10)
    left = step

    def loss(trained, inputs, targets):
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return task.loss(trained(inputs), targets)

    def train(**others):
        return train_weights(net, task=task, data=digits, settings=settings, seed=0, **others).net.state_dict()

    with pytest.raises(Killed):
        train(loss=loss, checkpoint=tmp_path)
    left = 1000
    again, whole = train(loss=loss, checkpoint=tmp_path), train()
    assert all(torch.equal(again[name], whole[name]) for name in whole)
