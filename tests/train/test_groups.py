import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import nn

from edgewright.errors import ConfigError
from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.train.groups import (
    freeze,
    hold_statistics,
    layer_decay_rates,
    levels_of,
    parameter_groups,
    parse_rates,
    stages_of,
)
from edgewright.train.optimizers import optimizer_of


class Small(nn.Module):
    """Laid out as a residual network: a stem, two stages of numbered blocks, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.layer1 = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1))
        self.layer10 = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1))
        self.fc = nn.Linear(8, 10)

    def forward(self, images):
        features = torch.relu(self.bn1(self.conv1(images)))
        return self.fc(self.layer10(self.layer1(features)).mean((2, 3)))


def shares_of(net, groups):
    """Name -> share of the rate, and the proof that each trainable parameter is in one group once."""
    names = {id(each): name for name, each in net.named_parameters()}
    members = [(names[id(each)], group["lr_scale"]) for group in groups for each in group["params"]]
    assert sorted(name for name, _ in members) == sorted(n for n, each in net.named_parameters() if each.requires_grad)
    return dict(members)


def test_the_longest_prefix_gives_the_share_and_layer1_is_not_layer10():
    net = Small()
    rates = {"": 1.0, "layer1": 0.1, "layer1.1": 0.5, "conv1": 0.01}
    shares = shares_of(net, parameter_groups(net, weight_decay=0.1, rates=rates))
    assert shares["conv1.weight"] == 0.01
    assert shares["layer1.0.weight"] == shares["layer1.0.bias"] == 0.1
    assert shares["layer1.1.weight"] == 0.5
    assert shares["layer10.0.weight"] == shares["fc.bias"] == shares["bn1.weight"] == 1


def test_each_share_has_a_decayed_and_a_plain_group():
    net = Small()
    groups = parameter_groups(net, weight_decay=0.1, rates={"": 1.0, "fc": 2.0})
    assert [(group["lr_scale"], group["weight_decay"], len(group["params"])) for group in groups] == [
        (1.0, 0.1, 4), (1.0, 0.0, 5), (2.0, 0.1, 1), (2.0, 0.0, 1),
    ]  # fmt: skip


def test_a_list_of_stages_that_forgets_the_stem_is_refused():
    """As in common notes, where the stem of a ResNet-18 (9,536 weights) is then never trained."""
    torchvision = pytest.importorskip("torchvision")
    net = torchvision.models.resnet18(weights=None)
    rates = {"layer1": 0.1, "layer2": 0.2, "layer3": 0.4, "layer4": 0.8, "fc": 1.0}
    with pytest.raises(ConfigError, match=r"no share for 3 parameters with 9,536 values \(conv1.weight, bn1.weight"):
        parameter_groups(net, weight_decay=0, rates=rates)
    shares_of(net, parameter_groups(net, weight_decay=0, rates={**rates, "conv1": 0.05, "bn1": 0.05}))


def test_a_part_that_is_not_there_offers_near_ones():
    with pytest.raises(ConfigError, match=r"no part 'layer2': did you mean layer1"):
        parameter_groups(Small(), weight_decay=0, rates={"": 1, "layer2": 1})
    with pytest.raises(ConfigError, match="no part 'xyz': it has bn1, conv1, fc, layer1, layer10"):
        freeze(Small(), ["xyz"])


def test_stages_are_blocks_and_layers_from_the_input_on():
    net = Small()
    assert stages_of(net) == ("conv1", "bn1", "layer1.0", "layer1.1", "layer10.0", "fc")
    assert levels_of(net) == {"conv1": 0, "bn1": 0, "layer1.0": 1, "layer1.1": 2, "layer10.0": 3, "fc": 4}


def test_layer_decay_halves_the_rate_stage_by_stage_towards_the_input():
    net = Small()
    assert layer_decay_rates(net, 0.5) == {
        "conv1": 1 / 16, "bn1": 1 / 16, "layer1.0": 1 / 8, "layer1.1": 1 / 4, "layer10.0": 1 / 2, "fc": 1,
    }  # fmt: skip
    shares = shares_of(net, optimizer_of(net, Train(layer_decay=0.5)).param_groups)
    assert shares["conv1.weight"] == 1 / 16 and shares["fc.bias"] == 1


@settings(max_examples=25)
@given(frozen=some.sets(some.sampled_from(["conv1", "bn1", "layer1", "layer1.0", "fc"])), decay=some.floats(0.1, 1))
def test_every_trainable_parameter_is_in_one_group_once(frozen, decay):
    net = Small()
    freeze(net, frozen)
    shares_of(net, parameter_groups(net, weight_decay=0.1, rates=layer_decay_rates(net, decay)))


def test_a_shared_parameter_counts_once():
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    net[1].weight = net[0].weight
    members = [each for group in parameter_groups(net, weight_decay=0.1) for each in group["params"]]
    assert len(members) == len({id(each) for each in members}) == 3


def test_rates_are_read_from_text():
    assert parse_rates("stem=0.1, layer1=0.3,=1") == {"stem": 0.1, "layer1": 0.3, "": 1.0}


@pytest.mark.parametrize("text", ["stem", "stem=fast", "stem=0", "stem=-1", "stem=inf", "stem=1,,fc=1"])
def test_rates_that_are_not_written_so_are_refused(text):
    with pytest.raises(ConfigError, match=r"Rates are written PREFIX=SHARE,\.\.\. with shares above 0, got '"):
        Train(rates=text)


def test_rates_and_layer_decay_together_are_refused():
    with pytest.raises(ConfigError, match=r"Train\.rates and Train\.layer_decay both say how fast"):
        Train(rates="fc=1", layer_decay=0.5)


def test_frozen_batch_norms_keep_their_statistics_and_others_do_not():
    net = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2)).train()
    hold_statistics(net, ["0"])
    net(torch.randn(8, 2, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(net[0].running_mean, torch.zeros(2))
    assert not torch.equal(net[1].running_mean, torch.zeros(2))


def test_a_training_leaves_frozen_parts_bit_for_bit_and_learns_slowly_where_asked(digits):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Small()
    recipe = Train(
        epochs=1, batch_size=256, optimizer="sgd", momentum=0, weight_decay=0, lr=0.1, keep="last",
        freeze="conv1,bn1", rates="layer1=0.000001,=1",
    )  # fmt: skip
    trained = train_weights(net, task=Classify(num_classes=10), data=digits, settings=recipe, seed=0).net
    before, after = net.state_dict(), trained.state_dict()
    moved = {name: (after[name].float() - before[name].float()).abs().max().item() for name in before}
    assert {name for name, way in moved.items() if way == 0} >= {name for name in before if name[:3] in ("con", "bn1")}
    assert 0 <= moved["layer1.0.weight"] < 1e-5 < moved["fc.weight"]
