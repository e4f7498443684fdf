"""Coupled channels: which channels leave together, derived by hand for each way of coupling them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torchvision import models

from edgewright.errors import LookupFailed
from edgewright.model import capture, find_channels
from edgewright.model.channels.space import NOBODY, Labels, Space, compact


def touches(channels, name: str) -> dict[tuple[str, str], list[tuple[int, ...]]]:
    """(layer, side) -> channels of each class."""
    return {(member.path, member.side): list(member.positions) for member in channels.group(name).members}


def singles(count: int, start: int = 0) -> list[tuple[int, ...]]:
    return [(index,) for index in range(start, start + count)]


def free(channels) -> dict[str, int]:
    return {group.name: group.num_classes for group in channels.free}


def test_a_chain_has_one_group_between_each_pair_of_layers(small_net):
    channels = find_channels(small_net("chain"))
    assert free(channels) == {"a": 4, "b": 6}
    assert touches(channels, "a") == {("a", "out"): singles(4), ("b", "in"): singles(4)}
    assert touches(channels, "b") == {("b", "out"): singles(6), ("fc", "in"): singles(6)}


def test_input_and_output_are_locked_with_the_reason(small_net):
    channels = find_channels(small_net("chain"))
    assert channels.group("a.in").locked == "they are the model's input"
    assert channels.group("fc").locked == "they are the model's output"


def test_a_residual_add_couples_its_branches_and_their_norm(small_net):
    channels = find_channels(small_net("residual"))
    sides = [("a", "out"), ("bn", "scale"), ("b", "in"), ("b", "out"), ("fc", "in")]
    assert free(channels) == {"a": 4}
    assert sorted(touches(channels, "a")) == sorted(sides)
    assert all(positions == singles(4) for positions in touches(channels, "a").values())


def test_a_depthwise_layer_ties_each_input_to_its_outputs(small_net):
    channels = find_channels(small_net("depthwise"))
    pairs = [(0, 1), (2, 3), (4, 5), (6, 7)]
    assert touches(channels, "a") == {
        ("a", "out"): singles(4),
        ("dw", "in"): singles(4),
        ("dw", "out"): pairs,
        ("bn", "scale"): pairs,
        ("p", "in"): pairs,
    }
    assert channels.group("a").width == 2


def test_a_concat_keeps_its_parts_apart(small_net):
    channels = find_channels(small_net("concat"))
    assert free(channels) == {"a": 4, "b": 5, "c": 3}
    assert touches(channels, "a")["c", "in"] == singles(4)
    assert touches(channels, "b")["c", "in"] == singles(5, start=4)


def test_flatten_gives_each_channel_a_block_of_features(small_net):
    channels = find_channels(small_net("flat"))
    blocks = [tuple(range(4 * index, 4 * index + 4)) for index in range(4)]
    assert touches(channels, "a") == {("a", "out"): singles(4), ("fc", "in"): blocks}


def test_channels_of_padding_are_groups_of_their_own(small_net):
    channels = find_channels(small_net("padded"))
    assert free(channels) == {"a": 4, "b": 4}
    assert touches(channels, "a")["b", "out"] == singles(4, start=2)  # behind two channels of zeros
    assert touches(channels, "b") == {("b", "out"): [(0,), (1,), (6,), (7,)], ("fc", "in"): [(0,), (1,), (6,), (7,)]}


def test_squeeze_and_excite_follows_the_channels_that_it_scales(small_net):
    channels = find_channels(small_net("squeeze_excite"))
    assert free(channels) == {"a": 4, "e1": 3}
    assert set(touches(channels, "a")) == {("a", "out"), ("e1", "in"), ("e2", "out"), ("fc", "in")}


@pytest.mark.parametrize("name", ["shuffled", "shuffle_op"])
def test_a_channel_shuffle_couples_the_same_place_of_each_group(small_net, name):
    channels = find_channels(small_net(name))
    assert touches(channels, "a") == {("a", "out"): [(0, 3), (1, 4), (2, 5)], ("b", "in"): [(0, 1), (2, 3), (4, 5)]}


def test_few_large_groups_lose_the_same_places(small_net):
    channels = find_channels(small_net("few_groups"))
    assert touches(channels, "a")["g", "in"] == [(0, 4), (1, 5), (2, 6), (3, 7)]
    assert touches(channels, "g")["g", "out"] == [(0, 6), (1, 7), (2, 8), (3, 9), (4, 10), (5, 11)]


def test_many_small_groups_leave_whole(small_net):
    channels = find_channels(small_net("many_groups"))
    assert free(channels) == {"a": 4}
    assert touches(channels, "a")["g", "in"] == [(0, 1), (2, 3), (4, 5), (6, 7)]
    assert touches(channels, "a")["g", "out"] == [(0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11)]


def test_group_norm_leaves_in_groups_and_one_group_is_free(small_net):
    channels = find_channels(small_net("group_norms"))
    assert touches(channels, "a")["n1", "scale"] == [(0, 1), (2, 3), (4, 5), (6, 7)]
    assert touches(channels, "b")["n2", "scale"] == singles(6)


def test_a_layer_used_twice_has_one_set_of_channels(small_net):
    channels = find_channels(small_net("shared"))
    assert free(channels) == {"a": 4}
    assert touches(channels, "a")["s", "in"] == touches(channels, "a")["s", "out"] == singles(4)


def test_a_product_of_halves_couples_them_and_leaves_the_rest(small_net):
    channels = find_channels(small_net("parts"))
    assert free(channels) == {"a": 2, "a#2": 3, "b": 5}
    assert touches(channels, "a#2") == {("a", "out"): [(2, 5), (3, 6), (4, 7)], ("fc", "in"): singles(3, start=5)}


def test_one_channel_is_no_depthwise_layer(small_net):
    channels = find_channels(small_net("one_channel"))
    assert free(channels) == {"a": 4, "b": 5}
    assert channels.group("one").num_classes == 1  # its only channel always stays


def test_a_modern_block_cuts_layer_norm_and_layer_scale_with_its_channels(small_net):
    channels = find_channels(small_net("modern_block"))
    assert free(channels) == {"a": 4, "one": 7}
    assert {("norm", "scale"), ("scale", "loose"), ("dw", "out"), ("two", "out")} < set(touches(channels, "a"))
    assert touches(channels, "a")["scale", "loose"] == singles(4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, layer, places",
    [("transformer", "qkv", 9), ("written_out_attention", "qkv", 12), ("einsum_attention", "qkv", 12)],
)
def test_attention_loses_whole_heads_in_queries_keys_and_values(small_net, name, layer, places):
    channels = find_channels(small_net(name))
    heads = channels.group(layer)
    assert heads.num_classes == 2 and heads.width == places
    size = places // 3
    first = tuple(place for part in range(3) for place in range(part * 2 * size, part * 2 * size + size))
    assert touches(channels, layer)[layer, "out"][0] == first


def test_a_transformer_stream_is_one_group_with_its_token_and_positions(small_net):
    stream = touches(find_channels(small_net("transformer")), "patches")
    assert stream["token", "loose"] == singles(5)
    assert stream["positions", "loose"] == singles(5)
    assert {("qkv", "in"), ("proj", "out"), ("one", "in"), ("two", "out"), ("fc", "in")} < set(stream)


def test_one_head_loses_features_of_queries_and_keys_together(small_net):
    channels = find_channels(small_net("one_head"))
    assert free(channels) == {"patches": 6, "q": 4, "v": 5}
    assert touches(channels, "q") == {("q", "out"): singles(4), ("k", "out"): singles(4)}


def test_a_detector_of_halves_and_joins_is_cut_everywhere_but_at_its_outputs(small_net):
    channels = find_channels(small_net("detector"))
    assert free(channels) == {"stem": 6, "f1": 4, "f1#2": 4, "f3": 7, "c1": 5, "c2": 6, "n1": 5, "n1#2": 5, "n3": 6}
    assert touches(channels, "f1#2") == {
        ("f1", "out"): singles(4, start=4),
        ("f2", "in"): singles(4),
        ("f2", "out"): singles(4),
        ("f3", "in"): [(4 + index, 8 + index) for index in range(4)],
    }
    assert touches(channels, "c1")["c2", "in"] == [(index, 5 + index) for index in range(5)]


def test_the_largest_of_a_plane_is_its_channels_and_the_largest_of_two_couples_them(small_net):
    channels = find_channels(small_net("extremes"))
    assert free(channels) == {"a": 4, "b": 5}
    assert ("c", "out") in touches(channels, "b")


def test_statistics_over_channels_leave_them_free(small_net):
    channels = find_channels(small_net("statistics"))
    assert free(channels) == {"a": 4, "b": 5, "c": 6}
    assert channels.group("d").locked == "mul at 'mul_4' spreads it over others"  # one gate for all channels


def test_neighbourhoods_keep_the_channels_that_they_are_cut_from(small_net):
    channels = find_channels(small_net("patchwork"))
    assert free(channels) == {"a": 4, "b": 5}
    assert touches(channels, "b") == {("b", "out"): singles(5), ("fc", "in"): singles(5)}


def test_norms_that_are_functions_follow_the_stream_and_leave_heads_whole(small_net):
    channels = find_channels(small_net("norm_functions"))
    assert touches(channels, "patches")["factor", "loose"] == singles(6)
    assert free(channels) == {"patches": 6, "qkv": 2}


def test_a_layer_along_the_tokens_lets_channels_pass_and_stays_whole(small_net):
    channels = find_channels(small_net("token_mixer"))
    assert free(channels) == {"patches": 6}
    assert "works along another axis" in str(channels.group("mix").locked)


def test_a_shape_taken_from_another_tensor_follows_it(small_net):
    channels = find_channels(small_net("token_norm"))
    assert set(touches(channels, "one")) == {("one", "out"), ("bn", "scale"), ("fc", "in")}
    assert free(find_channels(small_net("unit_rows"))) == {"a": 4, "b": 5}


def test_tables_that_no_layer_makes_are_no_group(small_net):
    """The bias of the attention is per head, its table of positions belongs to nobody's channels."""
    channels = find_channels(small_net("written_out_attention"))
    assert all(any(member.side != "loose" for member in group.members) for group in channels.groups)


def model_of(run, **parts):
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.fc = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 2)
            for name, part in parts.items():
                setattr(self, name, part)

        def forward(self, x):
            return run(self, x)

    return capture(Model(), (3, 8, 8))


LOCKS = {
    "an operator that is not known": (
        lambda m, x: m.fc(m.a(x).sort(dim=1).values.mean((2, 3))),
        "sort at 'sort' is not known",
    ),
    "a softmax over channels": (
        lambda m, x: m.fc(torch.softmax(m.a(x), 1).mean((2, 3))),
        "softmax at 'softmax' takes them",
    ),
    "the largest of all channels": (
        lambda m, x: m.fc(m.a(x).amax(1).flatten(1)[:, :4]),
        "amax at 'amax' takes them together",
    ),
    "a mean over channels": (lambda m, x: m.fc(m.a(x).mean(1).flatten(1)[:, :4]), None),  # of those that stay
    "a channel by its number": (lambda m, x: m.fc(m.a(x)[:, 2].flatten(1)[:, :4]), "select at 'select' picks them"),
    "every second channel": (
        lambda m, x: m.fc(m.a(x)[:, ::2].mean((2, 3)).repeat(1, 2)),
        "picks them by position",
    ),
    "a constant of full size": (
        lambda m, x: m.fc((m.a(x) + torch.arange(4.0).view(4, 1, 1)).mean((2, 3))),
        None,  # stored as a buffer, which is cut
    ),
    "a product with the other channels": (
        lambda m, x: m.fc(torch.matmul(m.a(x).flatten(2), m.a(x).flatten(2).transpose(1, 2)).mean(1)),
        "matmul at 'matmul' mixes them",
    ),
    "the output itself": (lambda m, x: (m.fc(m.a(x).mean((2, 3))), m.a(x))[1], "they are the model's output"),
}


@pytest.mark.parametrize("name", LOCKS)
def test_channels_that_cannot_be_cut_say_why(name):
    run, reason = LOCKS[name]
    locked = find_channels(model_of(run)).group("a").locked
    assert locked is None if reason is None else reason in str(locked)


def test_the_table_shows_every_group_and_every_reason(small_net):
    lines = find_channels(small_net("chain")).table().splitlines()
    assert [line.split()[0] for line in lines] == ["group", "a.in", "a", "b", "fc"]
    assert lines[1].endswith("cannot be cut because they are the model's input")
    assert lines[2].split() == ["a", "4", "a", "b"]


def test_an_unknown_group_offers_near_names(small_net):
    with pytest.raises(LookupFailed, match=r"Unknown channel group 'fcc': did you mean fc\?"):
        find_channels(small_net("chain")).group("fcc")


@pytest.mark.slow
@pytest.mark.parametrize("name, num_blocks", [("mobilenet_v2", 17), ("mobilenet_v3_small", 11)])
def test_every_layer_of_a_mobile_net_can_be_cut(name, num_blocks):
    """Each block loses expanded channels, gate and all; only what enters and leaves the model stays whole."""
    with torch.random.fork_rng():
        net = capture(models.get_model(name, weights=None), (3, 32, 32))
    channels = find_channels(net)
    assert {group.locked for group in channels.groups} == {
        None,
        "they are the model's input",
        "they are the model's output",
    }
    cut = {member.path for group in channels.free for member in group.members if member.side == "out"}
    whole = {path for path, layer in net.named_modules() if isinstance(layer, (nn.Conv2d, nn.Linear))} - cut
    assert whole == {"classifier.1" if name == "mobilenet_v2" else "classifier.3"}
    depthwise = {path for path, layer in net.named_modules() if isinstance(layer, nn.Conv2d) and layer.groups > 1}
    assert len(depthwise) == num_blocks and depthwise <= cut


@pytest.mark.slow
def test_finding_groups_changes_nothing_and_repeats_itself(small, channels):
    before = {name: value.clone() for name, value in small.state_dict().items()}
    assert find_channels(small).groups == channels.groups
    assert all(torch.equal(before[name], value) for name, value in small.state_dict().items())


def test_every_channel_of_every_layer_is_in_exactly_one_group(small, channels):
    seen = {}
    for group in channels.groups:
        for member in group.members:
            for place in (place for places in member.positions for place in places):
                assert (member.path, member.side, place) not in seen
                seen[member.path, member.side, place] = group.name
    for path, layer in small.named_modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            assert all((path, "out", place) in seen for place in range(layer.weight.shape[0]))


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40))
def test_coupling_gives_the_classes_of_a_naive_flood_fill(pairs):
    space = Space()
    ids = space.fresh(20)
    for one, other in pairs:
        space.couple(torch.tensor([one]), torch.tensor([other]))
    linked = np.eye(20, dtype=bool)
    for one, other in pairs:
        linked[one, other] = linked[other, one] = True
    for _ in range(5):
        linked = linked @ linked
    roots = space.find(ids)
    assert torch.equal(roots, torch.from_numpy(linked.argmax(axis=1)))  # the root is the smallest id


def test_coupling_many_at_once_equals_coupling_one_by_one():
    left, right = torch.tensor([5, 3, NOBODY, 1]), torch.tensor([3, 1, 2, NOBODY])
    space = Space()
    space.fresh(6)
    space.couple(left, right)
    assert space.find(torch.arange(6)).tolist() == [0, 1, 2, 1, 4, 1]


def test_labels_keep_only_the_axes_that_vary():
    labels = compact(torch.arange(3).view(1, 3, 1).expand(1, 3, 5))
    assert labels.axes == (1,) and labels.ids.shape == (1, 3, 1) and labels.shape == (1, 3, 5)
    assert torch.equal(labels.full(), torch.arange(3).view(1, 3, 1).expand(1, 3, 5))


def test_collapsing_locks_lines_that_hold_constants():
    space = Space()
    ids = torch.stack([space.fresh(3), torch.tensor([NOBODY, 1, 2])])
    merged = space.collapse(Labels(ids, (2, 3)), (0,), "a constant is in the way")
    assert merged.ids.tolist() == [[NOBODY, 1, 2]]
    assert space.reasons() == {0: "a constant is in the way"}


def test_a_net_without_a_view_op_is_labelled_in_a_functional_form_too():
    net = model_of(lambda m, x: m.fc(F.avg_pool2d(m.a(x), 8).squeeze(-1).squeeze(-1)))
    assert free(find_channels(net)) == {"a": 4}
