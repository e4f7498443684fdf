"""Parts that do not learn keep every bit, and thaw in the order that was promised."""

import dataclasses

import pytest
import torch
from torch import nn

from edgewright.data import load_data
from edgewright.errors import ConfigError
from edgewright.model import capture
from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.train.freezing import backbone_of, begin_frozen, frozen_at, head_of, hold_frozen
from edgewright.train.optimizers import optimizer_of
from edgewright.zoo import resolve

TASK, DIGITS = Classify(num_classes=10), load_data("digits")
QUICK = Train(epochs=1, batch_size=128, lr=0.01, augment="none", weight_decay=0.1)


class Net(nn.Module):
    """Three stages with batch norm, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU())
        self.body = nn.Sequential(*(nn.Sequential(nn.Conv2d(4, 4, 3, 1, 1), nn.BatchNorm2d(4)) for _ in range(2)))
        self.fc = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.body(self.stem(x)).flatten(1))


def new_net() -> nn.Module:
    torch.manual_seed(0)
    return capture(Net(), (1, 8, 8))


def trained(settings, net=None, **others):
    return train_weights(net or new_net(), task=TASK, data=DIGITS, settings=settings, seed=0, **others)


def changed(outcome, net) -> set[str]:
    """Stages of which any weight or statistic has other bits than in `net`."""
    before = net.state_dict()
    return {name.rsplit(".", 1)[0] for name, value in outcome.net.state_dict().items()
            if not torch.equal(value, before[name])}  # fmt: skip


def test_a_frozen_backbone_keeps_weights_and_running_statistics_to_the_bit():
    net = new_net()
    outcome = trained(dataclasses.replace(QUICK, freeze="backbone", keep="last"), net)
    assert changed(outcome, net) == {"fc"}
    statistics = [name for name in net.state_dict() if "running" in name or "num_batches" in name]
    assert len(statistics) == 9


def test_frozen_weights_alone_would_not_freeze_the_statistics():
    """The mistake that the setting avoids."""
    net = new_net()
    for name, each in net.named_parameters():
        each.requires_grad_(name.startswith("fc"))
    assert changed(trained(dataclasses.replace(QUICK, keep="last"), net), net) == {
        "fc",
        "stem.1",
        "body.0.1",
        "body.1.1",
    }


def test_backbone_and_head_are_every_stage_once():
    net = new_net()
    assert head_of(net) == ("fc",)
    assert backbone_of(net) == ("stem.0", "stem.1", "body.0", "body.1")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "head"),
    [("simple_cnn", "fc2"), ("resnet8", "fc"), ("mobilenet_v2", "classifier.1"),
     ("torchvision:squeezenet1_1", "classifier.1"), ("torchvision:densenet121", "classifier"),
     ("timm:convnext_atto", "head"), ("timm:vit_tiny_patch16_224", "head")],
)  # fmt: skip
def test_the_head_of_a_library_model_is_its_classifier(name, head):
    net = resolve(name, num_classes=10).model
    assert head_of(net) == (head,)
    names = {each for each, _ in net.named_parameters()}
    assert {each for each in names if not each.startswith(head)} == {
        each for each in names if any(each == part or each.startswith(part + ".") for part in backbone_of(net))
    }


STAGES = ["stem.0", "stem.1", "body.0", "body.1"]


@pytest.mark.parametrize(
    ("freeze", "epoch", "frozen"),
    [("backbone", 1, STAGES), ("backbone", 2, STAGES), ("backbone", 3, STAGES[:3]), ("backbone", 5, STAGES[:2]),
     ("backbone", 7, []), ("backbone", 99, []), ("body", 1, STAGES[2:]), ("body", 3, STAGES[2:3]), ("body", 5, []),
     ("body.1.0, stem", 1, ["stem.0", "stem.1", "body.1.0"]), ("body.1.0, stem", 3, STAGES[:2])],
)  # fmt: skip
def test_one_stage_more_thaws_after_every_two_epochs_the_last_one_first(freeze, epoch, frozen):
    settings = Train(freeze=freeze, unfreeze_every=2)
    assert list(frozen_at(new_net(), settings, epoch=epoch)) == frozen


def test_what_thaws_learns_and_what_came_frozen_stays_so():
    net, settings = new_net(), Train(freeze="backbone", unfreeze_every=1)
    net.get_parameter("body.1.0.bias").requires_grad_(False)
    begin_frozen(net, settings)
    optimizer = optimizer_of(net, settings)
    wants = []
    for epoch in (1, 2, 3, 4):
        net.train()
        hold_frozen(net, optimizer, settings, epoch=epoch)
        wants.append({name for name, each in net.named_parameters() if each.requires_grad})
    assert [len(each) for each in wants] == [2, 5, 9, 13]
    assert wants[0] == {"fc.weight", "fc.bias"} and "body.1.0.bias" not in wants[3]
    modes = {name: part.training for name, part in net.named_modules() if isinstance(part, nn.BatchNorm2d)}
    assert modes == {"stem.1": True, "body.0.1": True, "body.1.1": True}
    hold_frozen(net, optimizer, settings, epoch=2)
    modes = {name: part.training for name, part in net.named_modules() if isinstance(part, nn.BatchNorm2d)}
    assert modes == {"stem.1": False, "body.0.1": False, "body.1.1": True}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lookahead:adam", "lars", "adam-to-sgd:epoch=1"])
def test_no_optimizer_moves_a_part_before_it_thaws(optimizer):
    net = new_net()
    settings = dataclasses.replace(
        QUICK, epochs=2, freeze="backbone", unfreeze_every=1, keep="last", optimizer=optimizer, l1=1e-4
    )
    assert changed(trained(settings, net), net) == {"fc", "body.1.0", "body.1.1"}


def test_a_gradual_run_that_was_stopped_continues_to_the_same_bits(tmp_path):
    settings = dataclasses.replace(QUICK, epochs=4, freeze="backbone", unfreeze_every=1, keep="last")
    whole = trained(settings)

    def stop(net, number):
        if number == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(settings, checkpoint=tmp_path, before_epoch=stop)
    again = trained(settings, checkpoint=tmp_path)
    assert changed(again, whole.net) == set()
    assert again.history == whole.history


def test_an_average_of_a_frozen_part_is_that_part():
    net = new_net()
    outcome = trained(dataclasses.replace(QUICK, freeze="backbone", keep="last", ema_decay=0.9), net)
    assert changed(outcome, net) == {"fc"}


def test_a_part_that_is_not_there_is_told():
    with pytest.raises(ConfigError, match="The model has no part 'bodi': did you mean body"):
        trained(dataclasses.replace(QUICK, freeze="bodi"))
    with pytest.raises(ConfigError, match="The model has no part 'bodi': did you mean body"):
        trained(dataclasses.replace(QUICK, freeze="bodi", unfreeze_every=1))


def test_unfreezing_what_is_not_frozen_is_refused():
    with pytest.raises(ConfigError, match="none is frozen: set freeze, for instance to 'backbone'"):
        Train(unfreeze_every=2)
