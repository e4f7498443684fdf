"""Peers that teach each other, and weights that are drawn once more."""

import dataclasses

import pytest
import torch
from torch import fx, nn

from edgewright.compress.distill import Mutual, redrawn
from edgewright.compress.distill.mutual import MutualLoss, Peers
from edgewright.data import load_data
from edgewright.errors import ConfigError
from edgewright.losses import cross_entropy
from edgewright.model import capture, fingerprint
from edgewright.tasks import Classify, evaluate
from edgewright.train import Train
from edgewright.train.state import FILE
from edgewright.types import Device, Job

TASK = Classify(num_classes=10)
DATA = load_data("digits")
QUICK = Train(epochs=3, batch_size=128, lr=0.01, augment="none")
DEVICE = Device(
    name="d", title="d", kind="cpu", clock_hz=1, ram_bytes=1, flash_bytes=None, macs_per_cycle={"float32": 1},
    bandwidth_bytes_s=1, overhead_s=0, pj_per_mac={"float32": 1}, pj_per_byte=1, round_to=8, runtimes=(),
)  # fmt: skip


class Says(nn.Module):
    """The same logits for every image, as a parameter."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor([logits], dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits.double().expand(len(x), -1)


def student() -> fx.GraphModule:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Conv2d(1, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(96, 10)]
        return capture(nn.Sequential(*layers), (1, 8, 8))


def test_each_of_two_peers_learns_labels_and_the_other():
    """L_1 = CE_1 + KL(p_2 || p_1), worked from softmax(5, 2, 1) and softmax(3, 1, .5), target 0."""
    peers, x, target = Peers([Says(5, 2, 1), Says(3, 1, 0.5)]), torch.zeros(1, 1), torch.tensor([0])
    p, q = (net.logits.softmax(1)[0] for net in peers.nets)
    wanted = -p[0].log() - q[0].log() + (q * (q / p).log()).sum() + (p * (p / q).log()).sum()
    got = MutualLoss(TASK, weight=1.0, temperature=1.0)(peers, x, target)
    torch.testing.assert_close(got.double(), wanted, rtol=1e-5, atol=1e-6)


def test_no_peer_moves_to_please_another():
    """The gradient of a peer is that of its own loss, the others' answers held fixed: q_1 - onehot + q_1 - q_2."""
    peers, x, target = Peers([Says(5, 2, 1), Says(3, 1, 0.5)]), torch.zeros(1, 1), torch.tensor([0])
    MutualLoss(TASK, weight=1.0, temperature=1.0)(peers, x, target).backward()
    first, second = (net.logits.softmax(1).detach() for net in peers.nets)
    onehot = torch.tensor([[1.0, 0.0, 0.0]])
    torch.testing.assert_close(peers.nets[0].logits.grad, 2 * first - onehot - second, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(peers.nets[1].logits.grad, 2 * second - onehot - first, rtol=1e-5, atol=1e-6)


def test_three_peers_take_the_mean_of_the_other_two():
    peers = Peers([Says(2, 0, 0), Says(0, 1, 0), Says(0, 0, 3)])
    x, target = torch.zeros(4, 1), torch.tensor([0, 0, 1, 2])
    p = [net.logits.softmax(1)[0] for net in peers.nets]

    def divergence(of, to):
        return (of * (of / to).log()).sum()

    wanted = sum(cross_entropy(net(x).float(), target) for net in peers.nets)
    wanted = wanted + sum(0.5 * divergence(p[a], p[b]) for a in range(3) for b in range(3) if a != b) / 2
    got = MutualLoss(TASK, weight=0.5, temperature=1.0)(peers, x, target)
    torch.testing.assert_close(got.double(), wanted.double(), rtol=1e-5, atol=1e-6)


def test_peers_together_answer_the_mean_of_their_probabilities():
    peers = Peers([Says(5, 2, 1), Says(3, 1, 0.5)])
    wanted = sum(net.logits.softmax(1) for net in peers.nets) / 2
    torch.testing.assert_close(peers(torch.zeros(1, 1)).exp().double(), wanted, rtol=1e-5, atol=1e-6)


def test_redrawn_weights_are_the_same_values_in_another_order():
    net = student()
    drawn, again, other = (redrawn(net, seed, "peer", number) for seed, number in ((0, 2), (0, 2), (0, 3)))
    assert fingerprint(drawn) == fingerprint(again) != fingerprint(other)
    for name, value in net.state_dict().items():
        assert torch.equal(value.flatten().sort().values, drawn.state_dict()[name].flatten().sort().values)
    assert not torch.equal(net.get_parameter("0.weight"), drawn.get_parameter("0.weight"))
    assert torch.equal(net.get_parameter("1.weight"), drawn.get_parameter("1.weight"))  # ones, whatever their order


@pytest.mark.parametrize(("wrong", "message"), [
    ({"peers": 1}, "Mutual.peers is a whole number from 2, got 1"),
    ({"weight": 0}, "Mutual.weight must be greater than 0, got 0"),
    ({"temperature": 0}, "Mutual.temperature must be greater than 0, got 0"),
])  # fmt: skip
def test_settings_are_checked(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Mutual(**wrong)


@pytest.mark.slow
def test_peers_learn_and_a_killed_training_continues_to_the_same_bits(tmp_path, monkeypatch):
    job = Job(model=student(), task=TASK, data=DATA, device=DEVICE, trained=False)
    stage = Mutual(peers=3, train=QUICK)
    whole = stage.run(job)
    peers = whole.details["peers"]
    assert whole.score.value == max(each["value"] for each in peers) > 80
    assert whole.score == evaluate(whole.model, TASK, DATA, "val")
    assert len({each["value"] for each in peers}) > 1
    assert f"number {whole.details['kept_peer']} is kept" in whole.notes[-1]
    call, left = MutualLoss.__call__, [14]  # 9 steps an epoch

    def until(self, *args):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return call(self, *args)

    monkeypatch.setattr(MutualLoss, "__call__", until)
    with pytest.raises(KeyboardInterrupt):
        stage.run(dataclasses.replace(job, workdir=tmp_path))
    assert (tmp_path / FILE).exists()
    left[0] = 18
    resumed = stage.run(dataclasses.replace(job, workdir=tmp_path))
    assert fingerprint(resumed.model) == fingerprint(whole.model)
    assert resumed.details == whole.details
