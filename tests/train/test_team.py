"""Two processes on one machine are one process on the whole batch. Each test starts a second process, which takes
seconds, so they are few and look at much."""

import copy
import io
import signal
import subprocess
import sys
from functools import partial

import pytest
import torch
import torch.distributed as dist
from torch import nn

from edgewright.compress.distill import Distill, DistillLoss
from edgewright.data import load_data
from edgewright.errors import ConfigError, ModelError, UnsupportedError
from edgewright.model import capture
from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.train.state import FILE
from edgewright.train.sync_norm import SyncBatchNorm, synchronized
from edgewright.train.team import ALONE, Team, _named, _sent, gathered

TASK = Classify(num_classes=10)
CPU = torch.device("cpu")
INPUTS = torch.randn(7, 3, 5, 5, generator=torch.Generator().manual_seed(0)) * 3 + 10
TARGETS = torch.arange(7) % 4


def layers() -> nn.Sequential:
    """Batch norms of two kinds, one with a cumulative mean and one without scale."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6, momentum=None), nn.ReLU(), nn.Flatten(),
            nn.BatchNorm1d(54, affine=False), nn.Linear(54, 4),
        )  # fmt: skip


def learn(net: nn.Module, team: Team, weight: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs and input gradients of this process's share after one backward pass of the mean loss."""
    inputs = team.share(INPUTS).clone().requires_grad_()
    outputs = net(inputs)
    loss = nn.functional.cross_entropy(outputs, team.share(TARGETS)) * weight
    loss.backward()
    total = team.sum_gradients(net, loss.detach())
    assert total.shape == ()
    return outputs.detach(), inputs.grad  # type: ignore[return-value]


def share_of_the_work(team: Team, results: list) -> None:
    """What both processes do; the first collects what it needs to compare."""
    torch.manual_seed(team.rank)
    values = torch.tensor([[0.0], [2.0]]) + 10 * team.rank  # the shards (0, 2) and (10, 12)
    norm = SyncBatchNorm(1, momentum=1.0)
    unit = norm(values)
    net = synchronized(layers(), CPU)
    outputs, slopes = learn(net, team, len(team.share(TARGETS)) / 7)
    wrapped = nn.parallel.DistributedDataParallel(nn.Linear(5, 2).requires_grad_())
    own = copy.deepcopy(wrapped.module)
    for model in (wrapped, own):
        model(team.share(INPUTS[:6, 0, 0])).square().mean().backward()
    team.sum_gradients(own, torch.zeros(()))
    told = team.told(lambda: 12.5 + team.rank, CPU)
    if team.is_first:
        gradients = [each.grad for each in net.parameters()]
        results.append((unit, norm.running_var, outputs, slopes, gradients, dict(net.named_buffers()), told))
        theirs, ours = ([p.grad for p in model.parameters()] for model in (wrapped.module, own))
        results.append((theirs, [each / team.size for each in ours]))


@pytest.mark.slow
def test_two_processes_give_the_outputs_and_gradients_of_one_on_the_whole_batch():
    results: list = []
    with gathered(2, share_of_the_work, ([],), CPU) as team:
        share_of_the_work(team, results)
    assert not dist.is_initialized()
    (unit, variance, outputs, slopes, gradients, buffers, told), (theirs, ours) = results
    close = partial(torch.testing.assert_close, rtol=1e-5, atol=1e-5)
    close(unit.flatten(), (torch.tensor([0.0, 2.0]) - 6) / (26 + 1e-5) ** 0.5)  # the mean of all four is 6
    close(variance, torch.tensor([26 * 4 / 3]))  # kept unbiased
    net = layers()
    whole_outputs, whole_slopes = learn(net, ALONE, 1.0)
    close(outputs, whole_outputs[:4])
    close(slopes, whole_slopes[:4])
    close(gradients, [each.grad for each in net.parameters()])
    close(buffers, dict(net.named_buffers()))
    assert told == 12.5
    close(ours, theirs)  # torch's DistributedDataParallel on equal shares


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_run_of_two_processes_ends_with_the_weights_of_one(accumulate, tmp_path):
    digits = load_data("digits")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = capture(
            nn.Sequential(
                nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                nn.Linear(128, 10),
            ),
            (1, 8, 8),
        )  # fmt: skip
    how = {"epochs": 2, "batch_size": 64, "epoch_images": 300, "optimizer": "sgd", "lr": 0.05, "ema_decay": 0.9,
           "clip_norm": 1.0, "mixup": 0.2, "accumulate": accumulate}  # fmt: skip
    one, two = (
        train_weights(net, task=TASK, data=digits, settings=Train(**how, processes=count), seed=0, checkpoint=folder)
        for count, folder in ((1, None), (2, tmp_path))
    )
    assert (two.best_epoch, len(two.history)) == (one.best_epoch, 2)
    for epoch, other in zip(one.history, two.history, strict=True):
        assert (epoch.score, epoch.lr) == pytest.approx((other.score, other.lr), abs=0.5)
        assert epoch.loss == pytest.approx(other.loss, abs=1e-5)
    torch.testing.assert_close(two.net.state_dict(), one.net.state_dict(), rtol=1e-5, atol=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    assert not any(isinstance(part, SyncBatchNorm) for part in two.net.modules())


def give_up(team: Team) -> None:
    raise ValueError("the second process fell over")


@pytest.mark.slow
def test_the_error_of_another_process_is_named():
    with (
        pytest.raises(ModelError, match=r"Another of the 2 processes ended .*the second process fell over.*run again"),
        gathered(2, give_up, (), CPU) as team,
    ):
        team.told(lambda: 1.0, CPU)
        team.sum_gradients(nn.Linear(1, 1), torch.zeros(()))
    assert not dist.is_initialized()


KILLED = """
import os, signal, sys, time
from multiprocessing import get_context
from edgewright.train.team import _end_with

if __name__ == "__main__":
    other = get_context("spawn").Process(target=_end_with, args=(os.getpid(),))
    other.start()
    print("started", flush=True)
    time.sleep(2)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_no_process_is_left_of_a_team_whose_first_is_killed(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    # ends with the last process that holds the pipe, and fails after a minute
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL and done.stdout == "started\n"


def test_shares_cover_a_batch_once_and_differ_by_one_image():
    shares = [Team(rank=rank, size=3).share(torch.arange(8)) for rank in range(3)]
    assert [len(each) for each in shares] == [3, 3, 2] and torch.equal(torch.cat(shares), torch.arange(8))
    assert ALONE.share(INPUTS) is INPUTS


def test_what_cannot_be_sent_is_one_sentence(net, digits):
    with pytest.raises(ConfigError, match=r"cannot be sent to other processes .*define its loss, task and hooks"):
        train_weights(
            net, task=TASK, data=digits, settings=Train(epochs=1, processes=2), seed=0,
            loss=lambda model, x, y: TASK.loss(model(x), y),
        )  # fmt: skip


def test_a_captured_graph_arrives_with_the_names_of_its_nodes(net):
    _, (arrived,) = torch.load(io.BytesIO(_sent(2, (_named, (net,)), CPU)), weights_only=False)
    assert [node.name for node in arrived.graph.nodes] == [node.name for node in net.graph.nodes]
    assert arrived.meta == net.meta and arrived.state_dict().keys() == net.state_dict().keys()
    images = torch.rand(2, 1, 8, 8)
    assert torch.equal(arrived.eval()(images), net.eval()(images))


def test_a_distillation_that_looks_at_feature_maps_arrives_whole(net, digits):
    loss = DistillLoss(Distill(features=0.5), student=net, teacher=net, task=TASK, data=digits)
    _, (sent_loss, sent_net) = torch.load(io.BytesIO(_sent(2, (_named, (loss, net)), CPU)), weights_only=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        other = copy.deepcopy(net)
        for parameter in other.parameters():
            parameter.data.add_(torch.randn(parameter.shape) * 0.1)
    sent_net.load_state_dict(other.state_dict())
    images, targets = next(digits.batches("train", batch_size=8))
    want, got = loss(other.eval(), images, targets), sent_loss(sent_net.eval(), images, targets)
    assert got.item() == want.item()
    assert sent_loss.layout == loss.layout


def test_a_batch_norm_of_its_own_kind_is_refused():
    class Normed(nn.BatchNorm2d):
        pass

    with pytest.raises(UnsupportedError, match="batch norm '0' is a Normed, and only plain ones are synchronized"):
        synchronized(nn.Sequential(Normed(2)), CPU)


def test_too_few_images_for_the_processes_are_one_sentence(net, digits):
    with pytest.raises(ConfigError, match="processes=3 learn from 1 image or more each, got a batch_size of 2"):
        Train(batch_size=2, processes=3)
    settings = Train(batch_size=100, epoch_images=202, processes=3)
    with pytest.raises(ConfigError, match="last batch of an epoch has 2 images for 3 processes: choose another"):
        train_weights(net, task=TASK, data=digits, settings=settings, seed=0)
