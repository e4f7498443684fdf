"""Settings by layer speak of the networks in a wrapper, not of the wrapper's parts."""

import pytest
import torch
from torch import nn

from edgewright.compress.distill.mutual import Peers
from edgewright.train import Train
from edgewright.train.companion import Accompanied, inside, learners_of
from edgewright.train.dropout import begin_dropout
from edgewright.train.freezing import begin_frozen, frozen_at
from edgewright.train.groups import parameter_groups, rates_of


class Net(nn.Module):
    """A stem and a head that no number names."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.stem(x).relu())


def peers() -> nn.Module:
    return Peers([Net(), Net()])


def guided() -> nn.Module:
    return Accompanied(Net(), nn.ModuleList([nn.Conv2d(2, 3, 1)]))


BESIDE = {"companion.0.weight", "companion.0.bias"}
WRAPPED = [(peers, ("nets.0", "nets.1"), set()), (guided, ("net",), BESIDE)]


def named(paths, part):
    return {f"{path}.{part}.{kind}" for path in paths for kind in ("weight", "bias")}


@pytest.mark.parametrize(("wrap", "paths", "beside"), WRAPPED)
def test_a_frozen_backbone_leaves_every_head_and_the_companion(wrap, paths, beside):
    net = wrap()
    begin_frozen(net, Train(freeze="backbone"))
    assert {name for name, each in net.named_parameters() if each.requires_grad} == named(paths, "head") | beside


@pytest.mark.parametrize(("wrap", "paths", "beside"), WRAPPED)
def test_learners_thaw_side_by_side(wrap, paths, beside):
    settings = Train(freeze="stem,head", unfreeze_every=1)
    frozen = [set(frozen_at(wrap(), settings, epoch=epoch)) for epoch in (1, 2, 3)]
    stems = {f"{path}.stem" for path in paths}
    assert frozen == [stems | {f"{path}.head" for path in paths}, stems, set()]


@pytest.mark.parametrize("settings", [Train(rates="stem=0.5,=1"), Train(layer_decay=0.5)])
@pytest.mark.parametrize(("wrap", "paths", "beside"), WRAPPED)
def test_stems_learn_at_half_the_rate_and_all_else_at_the_whole(settings, wrap, paths, beside):
    net = wrap()
    groups = parameter_groups(net, weight_decay=0.0, rates=rates_of(net, settings))
    share = {id(each): group["lr_scale"] for group in groups for each in group["params"]}
    found = {name: share[id(each)] for name, each in net.named_parameters()}
    assert {name for name, value in found.items() if value == 0.5} == named(paths, "stem")
    assert {name for name, value in found.items() if value == 1.0} == named(paths, "head") | beside


@pytest.mark.parametrize(("wrap", "paths", "beside"), WRAPPED)
def test_every_head_forgets_and_no_companion_does(wrap, paths, beside):
    net = wrap()
    begin_dropout(net, 0.5)
    hooked = {name for name, part in net.named_modules() if part._forward_pre_hooks}
    assert hooked == {f"{path}.head" for path in paths}


def test_a_net_that_is_no_wrapper_is_its_own_learner():
    net = Net()
    assert learners_of(net) == {"": net}
    assert [inside("", "head"), inside("net", ""), inside("net", "head")] == ["head", "net", "net.head"]
