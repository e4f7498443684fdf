"""Penalties by hand, and what training with them does to scales and to the cut that follows."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from edgewright.compress.prune import PENALTIES, Planner, Prepare, Prune, refreshed
from edgewright.compress.prune.penalties import class_sizes
from edgewright.data import load_data
from edgewright.devices import device
from edgewright.errors import ConfigError, LookupFailed
from edgewright.model import capture, find_channels
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train
from edgewright.types import Job


def two_filters(norm: bool = True):
    """Filters 3 and -4 on one channel, batch norm with scales 2 and -0.5, read with weights 1."""
    layers = [nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Conv2d(2, 1, 1, bias=False), nn.Flatten()]
    if norm:
        layers.insert(1, nn.BatchNorm2d(2))
    model = nn.Sequential(*layers)
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([3.0, -4.0]).view(2, 1, 1, 1))
        model[-2].weight.fill_(1)
        if norm:
            model[1].weight.copy_(torch.tensor([2.0, -0.5]))
    return capture(model, (1, 2, 2))


def value(name: str, net) -> torch.Tensor:
    return PENALTIES[name](net, find_channels(net))(net)


def test_scales_are_summed_without_their_sign():
    net = two_filters()
    total = value("bn-l1", net)
    total.backward()
    assert total.item() == 2.5
    assert net.get_parameter("1.weight").grad.tolist() == [1, -1]
    assert net.get_parameter("0.weight").grad is None


def test_a_class_is_one_length_times_the_root_of_its_size():
    """Without batch norm a class holds a row and a column: sqrt(2) (sqrt(9 + 1) + sqrt(16 + 1))."""
    assert value("group-lasso", two_filters(norm=False)).item() == pytest.approx(2**0.5 * (10**0.5 + 17**0.5))


def test_group_lasso_holds_scales_and_biases_too():
    """Row, column, scale and shift (0): sqrt(4) (sqrt(9 + 1 + 4) + sqrt(16 + 1 + 0.25))."""
    assert value("group-lasso", two_filters()).item() == pytest.approx(2 * (14**0.5 + 17.25**0.5))


def test_l1_sums_weights_and_leaves_scales_alone():
    net = two_filters()
    total = value("l1", net)
    total.backward()
    assert total.item() == 9  # 3 + 4 + 1 + 1
    assert net.get_parameter("1.weight").grad is None


@pytest.mark.parametrize("name", PENALTIES)
def test_a_class_at_zero_has_a_finite_slope(name):
    net = two_filters()
    with torch.no_grad():
        for each in net.parameters():
            each.zero_()
    value(name, net).backward()
    assert all(torch.isfinite(each.grad).all() for each in net.parameters() if each.grad is not None)


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("factor", [0.25, 3.0])
def test_a_penalty_grows_with_the_weights(name, factor):
    net, larger = two_filters(), two_filters()
    with torch.no_grad():
        for each in larger.parameters():
            each.mul_(factor)
    assert value(name, larger).item() == pytest.approx(factor * value(name, net).item(), rel=1e-5)


def test_scales_need_batch_norm():
    with pytest.raises(ConfigError, match=r"'bn-l1' pulls at the scales of batch norm, .*: choose 'group-lasso'"):
        value("bn-l1", two_filters(norm=False))


def test_settings_outside_their_range_are_refused():
    with pytest.raises(LookupFailed, match="Unknown penalty 'bn-l2': did you mean bn-l1"):
        Prepare(penalty="bn-l2")
    with pytest.raises(ConfigError, match=r"Prepare.strength must be greater than 0, got 0"):
        Prepare(strength=0)


# What the training does, on digits


class Net(nn.Module):
    """Three convolutions with batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.n1 = nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.b, self.n2 = nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(32)
        self.c, self.n3 = nn.Conv2d(32, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32)
        self.fc = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.n2(self.b(torch.relu(self.n1(self.a(x))))))
        return self.fc(torch.relu(self.n3(self.c(x))).mean((2, 3)))


LEARN = Train(epochs=6, batch_size=64, lr=0.02, keep="last")


@pytest.fixture(scope="module")
def job() -> Job:
    """A trained net."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = capture(Net(), (1, 8, 8))
    data, task = load_data("digits"), Classify(num_classes=10)
    start = Job(model=net, task=task, data=data, device=device("generic-x86"), model_name="net")
    return start.with_model(LEARN.run(start).model)


def drop_of(job: Job) -> float:
    """Points lost by a cut by scales to half of every width."""
    settings = Prune(score="bn-scale", ranking="local", sensitivity_samples=0)
    net = refreshed(Planner(job, settings).cut({"a": 8, "b": 16, "c": 16}), job, settings)
    whole, cut = (evaluate(each, job.task, job.data, "test").value for each in (job.model, net))
    return whole - cut


@pytest.mark.slow
def test_a_cut_by_scales_loses_less_after_training_them_small(job):
    plain = job.with_model(LEARN.run(job).model)
    slim = job.with_model(Prepare(strength=0.01, train=LEARN).run(job).model)
    sizes = [
        torch.cat(list(class_sizes(each.model, find_channels(each.model), "bn-l1").values())) for each in (plain, slim)
    ]
    assert sizes[1].mean() < 0.7 * sizes[0].mean()
    assert drop_of(slim) < drop_of(plain)


@pytest.mark.slow
@pytest.mark.parametrize(("penalty", "strength"), [("group-lasso", 1e-3), ("l1", 1e-3)])
def test_the_other_penalties_shrink_what_they_pull_at(job, penalty, strength):
    result = Prepare(penalty=penalty, strength=strength, train=replace(LEARN, epochs=2)).run(job)
    plain = replace(LEARN, epochs=2).run(job)
    sizes = [
        torch.cat(list(class_sizes(each.model, find_channels(each.model), penalty).values()))
        for each in (plain, result)
    ]
    assert sizes[1].mean() < 0.9 * sizes[0].mean()
    assert result.details["small_classes"]["after"] >= result.details["small_classes"]["before"]
    assert any(note.startswith("Classes smaller than 0.1 of the mean before:") for note in result.notes)
