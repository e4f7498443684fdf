"""Another order of channels: it changes no output, and N:M keeps more; the search against trying everything."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgewright.compress.prune.sparse import Sparsify
from edgewright.compress.prune.sparse.permute import best_order, kept_energy, permute
from edgewright.errors import ConfigError
from edgewright.formats import parse_pattern
from edgewright.model import capture, find_channels, fingerprint
from edgewright.model.reorder import computes_the_same, reorder, why_fixed
from edgewright.progress import SILENT
from joined_nets import Net

TWO_FOUR = parse_pattern("2:4")


def conv(inputs: int, outputs: int, kernel: int = 3, **more) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, **more)


def residual() -> nn.Module:
    layers = {
        "stem": conv(3, 8),
        "bn": nn.BatchNorm2d(8),
        "a": conv(8, 16),
        "b": conv(16, 8),
        "head": nn.Linear(8 * 16, 5),
    }
    return Net(
        lambda n, x: n.head((lambda y: y + n.b(torch.relu(n.a(y))))(torch.relu(n.bn(n.stem(x)))).flatten(1)), **layers
    )


def depthwise() -> nn.Module:
    layers = {"stem": conv(3, 8), "dw": conv(8, 8, groups=8), "bn": nn.BatchNorm2d(8), "pw": conv(8, 12, 1),
              "up": nn.ConvTranspose2d(12, 4, 2, 2)}  # fmt: skip
    return Net(lambda n, x: n.up(torch.relu(n.pw(n.bn(n.dw(n.stem(x)))))), **layers)


def joined() -> nn.Module:
    layers = {"a": conv(3, 8), "b": conv(3, 4), "c": conv(12, 8), "norm": nn.GroupNorm(1, 8), "head": nn.Linear(8, 3)}
    return Net(lambda n, x: n.head(n.norm(n.c(torch.cat([n.a(x), n.b(x)], 1))).mean((2, 3))), **layers)


def tokens() -> nn.Module:
    layers = {"stem": conv(3, 8), "norm": nn.LayerNorm(8), "fc1": nn.Linear(8, 16), "fc2": nn.Linear(16, 8)}
    return Net(
        lambda n, x: n.fc2(torch.nn.functional.gelu(n.fc1(n.norm(n.stem(x).flatten(2).transpose(1, 2))))), **layers
    )


def split() -> nn.Module:
    layers = {"a": conv(3, 8), "b": conv(4, 4), "c": conv(4, 4)}

    def run(n, x):
        first, second = n.a(x).chunk(2, 1)
        return n.b(first) + n.c(second)

    return Net(run, **layers)


NETS = {each.__name__: each for each in (residual, depthwise, joined, tokens, split)}


def make(name: str):
    torch.manual_seed(3)
    net = NETS[name]()
    for layer in net.modules():
        if isinstance(layer, (nn.BatchNorm2d, nn.LayerNorm)):
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_()
    return capture(net, (3, 4, 4))


@pytest.mark.parametrize("name", NETS)
def test_channels_that_change_places_everywhere_change_no_output(name):
    net = make(name)
    before, moved = fingerprint(net), 0
    for group in find_channels(net).groups:
        if why_fixed(net, group) is None:
            order = torch.randperm(group.num_classes, generator=torch.Generator().manual_seed(1)).tolist()
            other = reorder(net, {group.name: order})
            assert computes_the_same(net, other, tolerance=1e-5)
            assert fingerprint(other) != before
            moved += 1
    assert moved and fingerprint(net) == before


def test_the_result_differs_when_a_reader_is_forgotten():
    net = make("residual")
    other = reorder(net, {"a": [1, 0, *range(2, 16)]})
    other.b.weight.data = net.b.weight.detach().clone()
    assert not computes_the_same(net, other)


def test_groups_that_must_keep_their_order_say_why():
    shared = conv(8, 8)
    layers = {"stem": conv(3, 8), "a": shared, "b": shared, "c": conv(8, 8, groups=2), "d": conv(8, 4)}
    net = capture(Net(lambda n, x: n.d(n.c(n.b(n.a(n.stem(x))))), **layers), (3, 4, 4))
    reasons = [why_fixed(net, group) for group in find_channels(net).groups]
    assert any("'c' is no layer whose channels may change places" in str(each) for each in reasons)
    group = next(each for each in find_channels(net).groups if why_fixed(net, each))
    with pytest.raises(ConfigError, match=f"Group '{group.name}' keeps its order because"):
        reorder(net, {group.name: list(range(group.num_classes))})
    with pytest.raises(ConfigError, match="names each of its 16 classes once"):
        reorder(make("residual"), {"a": [0] * 16})


@pytest.mark.parametrize("name", ["2:4", "1:4", "1:2", "3:4"])
@settings(max_examples=8)
@given(seed=st.integers(0, 2**32))
def test_the_search_gains_and_no_single_swap_is_left(name, seed):
    kind = parse_pattern(name)
    squares = torch.randn((6, 8), generator=torch.Generator().manual_seed(seed)).square()
    order, swaps = best_order(squares, kind)
    ended = kept_energy(squares[:, order], kind)
    assert (
        sorted(order) == list(range(8))
        and ended >= kept_energy(squares, kind)
        and (swaps > 0) == (order != list(range(8)))
    )
    for first, second in itertools.combinations(range(8), 2):
        other = list(order)
        other[first], other[second] = other[second], other[first]
        assert kept_energy(squares[:, other], kind) <= ended + 1e-6


def test_the_best_of_all_orders_is_found_where_one_swap_leads_to_it():
    squares = torch.tensor([[9.0, 8, 7, 6, 1, 1, 1, 1]])  # two large ones belong into each group of four
    order, swaps = best_order(squares, TWO_FOUR)
    assert swaps == 2 and kept_energy(squares, TWO_FOUR) == pytest.approx(19 / 34)
    assert kept_energy(squares[:, order], TWO_FOUR) == pytest.approx(30 / 34)


def test_a_whole_net_keeps_more_and_computes_the_same():
    net = make("residual")
    layers = ("a", "b", "head")
    moved, found = permute(net, layers, TWO_FOUR, progress=SILENT)
    assert computes_the_same(net, moved, tolerance=1e-5)
    assert {each.group: each.swaps > 0 for each in found if each.reason is None} == {"stem": True, "a": True}
    assert all(each.energy_after > each.energy_before for each in found if each.swaps)


def test_the_stage_orders_channels_before_it_chooses(trained_job):
    plain, ordered = (Sparsify(pattern="2:4", permute=each, norm_batches=0).run(trained_job) for each in (False, True))
    assert sum(ordered.details["energy_kept"].values()) > sum(plain.details["energy_kept"].values())
    assert any("changed places" in note for note in ordered.notes)
    assert ordered.details["zeros"] == plain.details["zeros"]
    with pytest.raises(ConfigError, match="orders channels for a pattern of single ones, got no pattern"):
        Sparsify(permute=True)
    with pytest.raises(ConfigError, match="got 4:8, which keeps pairs"):
        Sparsify(permute=True, pattern="4:8")
