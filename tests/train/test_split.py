import copy

import pytest
import torch
from torch import nn

from edgewright.analyze.training_step import measured_step
from edgewright.errors import ConfigError
from edgewright.model import capture
from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.train.split import Recomputed, TwoStages

TASK = Classify(num_classes=10)
IMAGES = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Residual(nn.Module):
    """Skips over a cut, dropout, and a parameter that belongs to no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.norm, self.drop, self.out = nn.BatchNorm2d(6), nn.Dropout(0.3), nn.Linear(6, 5)
        self.scale = nn.Parameter(torch.ones(5))

    def forward(self, x):
        x = torch.relu(self.a(x))
        y = self.drop(self.norm(self.b(x)))
        return self.out(torch.relu(x + y).mean((2, 3))) * self.scale


@pytest.fixture(scope="module")
def captured():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return capture(Residual(), (3, 8, 8))


def step(model: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs and input gradients of one training step from the same random state."""
    inputs = IMAGES.clone().requires_grad_()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        outputs = model.train()(inputs)
        outputs.square().sum().backward()
    return outputs.detach(), inputs.grad  # type: ignore[return-value]


def gradients_by_size(model: nn.Module) -> list[torch.Tensor]:
    return sorted((each.grad for each in model.parameters()), key=lambda each: (each.numel(), float(each.sum())))


@pytest.mark.parametrize("after", ["a", "b", "norm", "dropouts.dropout"])
def test_two_stages_give_the_outputs_gradients_and_statistics_of_the_whole(captured, after):
    whole, split = copy.deepcopy(captured), TwoStages(captured, after=after, devices=("cpu", "cpu"))
    for ours, theirs in zip(step(split), step(whole), strict=True):
        assert torch.equal(ours, theirs)
    for ours, theirs in zip(gradients_by_size(split), gradients_by_size(whole), strict=True):
        assert torch.equal(ours, theirs)
    assert {name.rpartition(".")[2]: value for name, value in split.named_buffers()}.keys() == {
        name.rpartition(".")[2] for name, _ in whole.named_buffers()
    }
    assert torch.equal(
        torch.cat([v.flatten() for v in split.buffers()]), torch.cat([v.flatten() for v in whole.buffers()])
    )
    assert all(parameter.grad is None for parameter in captured.parameters())  # the given model is left as it is


def test_each_stage_holds_its_own_weights_and_outputs_come_back(captured):
    split = TwoStages(captured, after="b", devices=("cpu", "meta"))  # "meta" computes shapes and refuses other devices
    places = {name.rpartition("submod_")[2]: value.device.type for name, value in split.named_parameters()}
    assert places["0.a.weight"] == places["0.b.weight"] == "cpu"
    assert places["1.norm.weight"] == places["1.out.bias"] == "meta"
    with pytest.raises(NotImplementedError, match="meta"):  # nothing to bring back: it got there
        split(IMAGES)


def test_a_layer_that_is_not_there_is_one_sentence(captured):
    with pytest.raises(ConfigError, match="no layer 'conv1' to split after: it has a, b, norm"):
        TwoStages(captured, after="conv1", devices=("cpu", "cpu"))
    last = [node.name for node in captured.graph.nodes if node.op == "call_function"][-1]
    with pytest.raises(ConfigError, match="Nothing is left for one of the stages"):
        TwoStages(captured, after=last, devices=("cpu", "cpu"))


def test_recomputing_changes_no_output_gradient_or_statistic(captured):
    whole, other = copy.deepcopy(captured), copy.deepcopy(captured)
    for ours, theirs in zip(step(Recomputed(other)), step(whole), strict=True):
        assert torch.equal(ours, theirs)
    for (name, ours), theirs in zip(other.named_parameters(), whole.parameters(), strict=True):
        assert torch.equal(ours.grad, theirs.grad), name  # type: ignore[arg-type]
    assert other.state_dict().keys() == whole.state_dict().keys()
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(other.buffers(), whole.buffers(), strict=True))


def test_recomputing_needs_less_memory():
    layers = [part for _ in range(24) for part in (nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())]
    net = capture(nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * 64, 3)), (8, 8, 8))
    images = torch.zeros(16, 8, 8, 8)
    whole, saving = measured_step(copy.deepcopy(net), images), measured_step(Recomputed(copy.deepcopy(net)), images)
    assert (
        saving.most < 0.6 * whole.most
    )  # 49 maps are kept of 24 convolutions; seven at the cuts and seven of a segment


def test_a_training_that_recomputes_ends_with_the_same_bits(net, digits):
    how = {"epochs": 1, "batch_size": 64, "epoch_images": 400}
    whole, saving = (
        train_weights(net, task=TASK, data=digits, settings=Train(**how, checkpointing=flag), seed=0)
        for flag in (False, True)
    )
    assert whole.history == saving.history
    assert all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(saving.net.state_dict().values(), whole.net.state_dict().values(), strict=True)
    )


def test_what_may_look_inside_of_the_model_is_refused(net, digits):
    with pytest.raises(ConfigError, match="works on captured models and the task's own loss"):
        train_weights(
            net, task=TASK, data=digits, settings=Train(epochs=1, checkpointing=True), seed=0,
            loss=lambda model, x, y: TASK.loss(model(x), y),
        )  # fmt: skip
