"""Cutting: the narrow model computes what the whole one computes when dropped channels are hidden from all readers."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from edgewright.analyze import profile
from edgewright.errors import ConfigError, LookupFailed
from edgewright.model import capture, cut, find_channels, fingerprint, load_model, save_model, tensor_specs
from edgewright.model.masking import masked
from edgewright.types import plain

IMAGES = torch.randn((3, 3, 8, 8), generator=torch.Generator().manual_seed(1))


def some(channels, share: float, seed: int = 0) -> dict[str, list[int]]:
    """A random share of every group that can be cut; at least one class, if one may go."""
    draw = np.random.default_rng(seed)
    return {
        group.name: sorted(draw.permutation(group.num_classes)[: max(1, int(share * group.num_classes))].tolist())
        for group in channels.free
    }


def assert_equal_outputs(got: torch.Tensor, want: torch.Tensor) -> None:
    """Within 1e-5 of the largest output: both sum the same products in another order."""
    assert (got - want).abs().max() <= 1e-5 * want.abs().max().clamp(min=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_narrow_net_equals_the_masked_one(small, channels, share):
    drop = some(channels, share, seed=int(10 * share))
    narrow = cut(small, drop, channels=channels)
    with torch.no_grad():
        got, want, whole = narrow(IMAGES), masked(small, drop, channels=channels)(IMAGES), small(IMAGES)
    assert_equal_outputs(got, want)
    assert not torch.allclose(want, whole, atol=1e-4)  # the cut matters, so the comparison says something
    assert sum(value.numel() for value in narrow.parameters()) < sum(value.numel() for value in small.parameters())


def test_a_net_whose_dropped_channels_are_zero_loses_nothing(small_net):
    """No labels involved: every layer that makes a dropped channel is set to zero by hand."""
    net = copy.deepcopy(small_net("residual"))
    gone = [0, 2]
    with torch.no_grad():
        for path in ("a", "b"):
            net.get_submodule(path).weight[gone] = 0
            net.get_submodule(path).bias[gone] = 0
        net.bn.weight[gone], net.bn.bias[gone] = 0, 0
        narrow = cut(net, {"a": gone})
        assert_equal_outputs(narrow(IMAGES), net(IMAGES))
    assert narrow.get_submodule("a").weight.shape == (2, 3, 3, 3) and narrow.fc.weight.shape == (2, 2)


class NoPrefix(nn.Module):
    """Positions are told to all tokens but the first none, as in a transformer without a class token."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 4, 3, padding=1)

    def forward(self, x):
        x = self.a(x)
        return self.b(torch.cat([x[:, :, :0], x[:, :, 0:].sin()], 2))


def test_an_empty_part_of_a_tensor_is_cut_with_the_rest():
    net = capture(NoPrefix().eval(), (3, 8, 8))
    drop = {"a": [1, 4]}
    with torch.no_grad():
        assert_equal_outputs(cut(net, drop)(IMAGES), masked(net, drop)(IMAGES))


def test_halves_of_a_split_may_become_unequal(small_net):
    net = small_net("halves")
    channels = find_channels(net)
    narrow = cut(net, {"a": [0, 1, 2]})  # all from the half that goes through `b`
    assert channels.group("a").num_classes == 4
    shapes = {name: spec.shape for name, spec in tensor_specs(narrow).items()}
    assert shapes["getitem"][1] == 1 and shapes["getitem_1"][1] == 4


def test_a_grouped_layer_keeps_equal_groups(small_net):
    few = cut(small_net("few_groups"), {"a": [1], "g": [0, 5]}).g
    assert (few.groups, few.in_channels, few.out_channels) == (2, 6, 8)
    many = cut(small_net("many_groups"), {"a": [1, 3]}).g
    assert (many.groups, many.in_channels, many.out_channels, many.weight.shape[1]) == (2, 4, 6, 2)


def test_a_depthwise_layer_stays_depthwise(small_net):
    narrow = cut(small_net("depthwise"), {"a": [0]})
    assert (narrow.dw.groups, narrow.dw.in_channels, narrow.dw.out_channels) == (3, 3, 6)


def test_the_scale_of_attention_does_not_change_with_the_features(small_net):
    narrow = cut(small_net("one_head"), {"q": [0, 2]})
    call = next(node for node in narrow.graph.nodes if "attention" in str(node.target))
    assert call.kwargs["scale"] == 0.5  # one over the root of the 4 features that there were


def test_a_batch_that_is_folded_into_heads_is_folded_with_fewer(small_net):
    narrow = cut(small_net("written_out_attention"), {"qkv": [1]})
    for batch in (1, 2, 5):
        assert narrow(torch.rand(batch, 3, 8, 8)).shape == (batch, 2)


@pytest.mark.parametrize("share_in, share_out, kept", [(0.5, 0.5, 0.25), (0.3, 0.3, 0.49)])
def test_macs_fall_with_the_product_of_both_widths(share_in, share_out, kept):
    """facts.md 5: MACs x (1 - p_in)(1 - p_out)."""
    layers = [nn.Conv2d(1, 20, 3), nn.Conv2d(20, 40, 3), nn.Conv2d(40, 2, 1)]
    net = capture(nn.Sequential(*layers), (1, 9, 9))
    drop = {"0": range(int(20 * share_in)), "1": range(int(40 * share_out))}
    before, after = ({row.layer: row.macs for row in profile(each).rows} for each in (net, cut(net, drop)))
    assert after["1"] == pytest.approx(kept * before["1"], abs=0)
    assert after["0"] == pytest.approx((1 - share_in) * before["0"], abs=0)


@pytest.mark.slow
def test_the_input_model_is_untouched_and_cuts_repeat_bit_for_bit(small, channels):
    before = fingerprint(small)
    drop = some(channels, 0.5)
    state = torch.random.get_rng_state()
    first, second = cut(small, drop), cut(small, drop, channels=channels)
    assert fingerprint(first) == fingerprint(second) != before == fingerprint(small)
    assert torch.equal(torch.random.get_rng_state(), state)  # nothing is drawn from the global generator
    assert not {value.data_ptr() for value in small.state_dict().values()} & {
        value.data_ptr() for value in first.state_dict().values()
    }


def test_a_narrow_net_saves_and_loads(small, channels, tmp_path):
    narrow = cut(small, some(channels, 0.5), channels=channels)
    save_model(narrow, tmp_path)
    loaded = load_model(tmp_path)
    assert fingerprint(loaded) == fingerprint(narrow)
    with torch.no_grad():
        assert torch.equal(loaded(IMAGES), narrow(IMAGES))


@pytest.mark.slow
def test_a_narrow_net_can_be_cut_again(small, channels):
    once = cut(small, some(channels, 0.3), channels=channels)
    left = find_channels(once)
    drop = some(left, 0.3, seed=1)
    with torch.no_grad():
        assert_equal_outputs(cut(once, drop, channels=left)(IMAGES), masked(once, drop, channels=left)(IMAGES))


def test_modes_and_frozen_weights_stay_as_they_were(small_net):
    net = copy.deepcopy(small_net("residual"))
    net.a.weight.requires_grad_(False)
    net.train()
    narrow = cut(net, {"a": [1]})
    assert narrow.training and narrow.bn.training and narrow.bn.momentum == net.bn.momentum
    assert not narrow.a.weight.requires_grad and narrow.b.weight.requires_grad
    narrow(IMAGES).sum().backward()
    assert narrow.b.weight.grad is not None


def test_dropping_nothing_gives_an_equal_copy(small, channels):
    same = cut(small, {}, channels=channels)
    with torch.no_grad():
        assert torch.equal(same(IMAGES), small(IMAGES))


ERRORS = {
    "locked": ({"fc": [0]}, ConfigError, "Group 'fc' cannot be cut because they are the model's output"),
    "out of range": ({"a": [4]}, ConfigError, "Group 'a' has classes 0 to 3, got 4"),
    "negative": ({"a": [-1]}, ConfigError, "Group 'a' has classes 0 to 3, got -1"),
    "everything": ({"a": [0, 1, 2, 3]}, ConfigError, "Dropping all 4 classes of group 'a' leaves nothing"),
    "unknown": ({"aa": [0]}, LookupFailed, "Unknown channel group 'aa'"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_impossible_cuts_say_what_is_wrong(small_net, name):
    drop, kind, message = ERRORS[name]
    with pytest.raises(kind, match=message):
        cut(small_net("chain"), drop)


def test_groups_are_plain_data(small_net):
    group = plain(find_channels(small_net("chain")).group("a"))
    assert group["name"] == "a" and group["members"][0] == {
        "path": "a",
        "side": "out",
        "positions": [[0], [1], [2], [3]],
    }


TORCHVISION = {
    "alexnet": 64, "convnext_tiny": 64, "densenet121": 64, "efficientnet_b0": 64, "efficientnet_v2_s": 64,
    "googlenet": 64, "inception_v3": 96, "maxvit_t": 224, "mnasnet0_5": 64, "mobilenet_v2": 64,
    "mobilenet_v3_small": 64, "regnet_y_400mf": 64, "resnet18": 64, "resnet50": 64, "resnext50_32x4d": 64,
    "shufflenet_v2_x0_5": 64, "squeezenet1_1": 64, "swin_t": 64, "swin_v2_t": 64, "vgg11_bn": 64,
    "vit_b_32": 224,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_models_equal_their_masked_twin(name, stirred):
    torchvision = pytest.importorskip("torchvision")
    extra = {"init_weights": False, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torchvision.models.get_model(name, weights=None, **extra)
        stirred(model)
    shape = (3, TORCHVISION[name], TORCHVISION[name])
    net = capture(model, shape, name=name)
    channels = find_channels(net)
    drop = some(channels, 0.4)
    narrow = cut(net, drop, channels=channels)
    images = torch.randn((2, *shape), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert_equal_outputs(narrow(images), masked(net, drop, channels=channels)(images))
    assert sum(value.numel() for value in narrow.parameters()) < 0.6 * sum(value.numel() for value in net.parameters())
