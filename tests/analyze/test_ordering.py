"""Orders of operators: hand-derived branchy nets, and all orders tried one by one as the oracle."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torchvision
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import fx, nn
from torch.nn import functional

from edgewright.analyze import Schedule, peak, schedule, trace
from edgewright.analyze.operators import Operator
from edgewright.analyze.ordering import best_order, reordered
from edgewright.errors import ConfigError
from edgewright.model import capture
from edgewright.program.order_search import Over, Problem, Step, search

IMAGE = (2, 8, 8)
MAP = 8 * 8
IN_PLACE = [
    {},
    {"add_in_place": True},
    {"depthwise_in_place": True},
    {"add_in_place": True, "depthwise_in_place": True},
]


class Net(nn.Module):
    """Named layers and one function."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.function(self, x)


def conv(inputs, outputs, **settings):
    return nn.Conv2d(inputs, outputs, 3, padding=1, **settings)


def plan(function, *, fused=True, **layers):
    return schedule(trace(capture(Net(function, **layers), IMAGE)), fused=fused)


def running(drawn: Schedule) -> list[Operator]:
    return [each for each in drawn.operators if each.fused_into is None]


def test_the_branch_that_shrinks_most_goes_first():
    """x (2 maps) feeds a -> b and c -> d; a and c have 8 maps, b leaves 6 and d leaves 1."""
    layers = {"a": conv(2, 8), "b": conv(8, 6), "c": conv(2, 8), "d": conv(8, 1)}
    found = best_order(plan(lambda n, x: torch.cat([n.b(n.a(x)), n.d(n.c(x))], 1), **layers), "int8")
    # given: at b x 2 + a 8 + b 6 = 16, at c 2 + 6 + 8 = 16; best: at d x 2 + c 8 + d 1 = 11, at b d 1 + a 8 + b 6 = 15
    assert (found.given.num_bytes, found.given.operator) == (16 * MAP, "b")
    assert (found.peak.num_bytes, found.peak.operator) == (15 * MAP, "b")
    assert found.order == ("c", "d", "a", "b", "cat")
    assert (found.is_optimal, found.is_better) == (True, True)


def test_an_inception_block_does_its_widest_bottleneck_while_least_is_alive():
    """Four branches from a map of 4: a pooled one of 4, two with a wide middle, and one layer of 6."""

    def function(n, x):
        y = n.stem(x)
        branches = [n.one(y), n.b2(n.b1(y)), n.c2(n.c1(y)), n.pool(functional.max_pool2d(y, 3, 1, 1))]
        return n.end(torch.cat(branches, 1))

    layers = {
        "stem": conv(2, 4), "one": conv(4, 6), "b1": conv(4, 16), "b2": conv(16, 2), "c1": conv(4, 12),
        "c2": conv(12, 2), "pool": conv(4, 2), "end": conv(12, 1),
    }  # fmt: skip
    drawn = plan(function, **layers)
    found = best_order(drawn, "int8")
    # given: y 4 + one 6 + b1 16 + b2 2 = 28 at b2; with b first y 4 + 16 + 2 = 22, later ones need less: 4 + 2 + 12 + 2
    assert (found.given.num_bytes, found.peak.num_bytes) == (28 * MAP, 24 * MAP)
    assert found.peak.operator == "cat"  # 12 maps read, 12 written: no order changes that
    assert found.is_optimal


def test_a_chain_keeps_its_order():
    found = best_order(plan(lambda n, x: n.b(functional.silu(n.a(x))), a=conv(2, 8), b=conv(8, 2)), "int8")
    assert (found.order, found.is_better, found.is_optimal) == (("a", "silu", "b"), False, True)
    assert found.peak == found.given


def test_a_model_of_views_has_nothing_to_order():
    found = best_order(plan(lambda n, x: x.flatten(1)), "int8")
    assert (found.order, found.peak.num_bytes, found.is_optimal) == ((), 2 * MAP, True)


def test_operators_done_on_the_side_follow_their_host():
    def function(n, x):
        return torch.cat([n.b(functional.relu(n.norm(n.a(x)))), n.d(functional.relu(n.c(x)))], 1)

    layers = {"a": conv(2, 8), "norm": nn.BatchNorm2d(8), "b": conv(8, 6), "c": conv(2, 8), "d": conv(8, 1)}
    drawn = plan(function, **layers)
    found = best_order(drawn, "int8")
    assert found.given.num_bytes - found.peak.num_bytes == MAP
    names = [each.name for each in reordered(drawn, found.order).operators]
    assert names == ["c", "relu_1", "d", "a", "norm", "relu", "b", "cat"]


def test_what_is_overwritten_is_read_before():
    """relu writes over a's map only where a has no other reader; its order against b is free then, but not before a."""
    drawn = plan(lambda n, x: n.b(torch.sigmoid(n.a(x))) + n.c(x), a=conv(2, 4), b=conv(4, 2), c=conv(2, 2))
    with pytest.raises(ConfigError, match="'sigmoid' needs 'a': put it later in the order"):
        reordered(drawn, ("c", "sigmoid", "a", "b", "add"))
    with pytest.raises(ConfigError, match="each of the 5 operators that run once, got 2 names"):
        reordered(drawn, ("a", "b"))


def test_the_limit_of_the_search_is_a_setting_and_never_makes_it_worse():
    layers = {"a": conv(2, 8), "b": conv(8, 6), "c": conv(2, 8), "d": conv(8, 1)}
    drawn = plan(lambda n, x: torch.cat([n.b(n.a(x)), n.d(n.c(x))], 1), **layers)
    found = best_order(drawn, "int8", max_states=0)
    assert found.peak.num_bytes == 15 * MAP  # by beam search
    assert found.lower_bound_bytes <= found.peak.num_bytes
    with pytest.raises(ConfigError, match="counts sets of operators from 0 upwards, got -1"):
        best_order(drawn, "int8", max_states=-1)


@pytest.mark.slow
def test_shufflenet_runs_its_small_branch_up_to_the_narrowest_point_first():
    """Both branches of the first unit read a map of 24 x 56 x 56; each of them leaves 122 x 28 x 28."""
    found = best_order(schedule(trace(capture(torchvision.models.shufflenet_v2_x2_0(), (3, 224, 224)))), "int8")
    wide, narrow = 122 * 56 * 56, 122 * 28 * 28
    assert found.given.num_bytes == narrow + wide + narrow  # the small branch is finished, the depthwise layer runs
    assert found.peak.num_bytes == 24 * 28 * 28 + wide + narrow  # it waits behind its own depthwise layer
    assert found.is_optimal


class Branches(nn.Module):
    """Random steps over the maps made so far; widths differ, so that the order matters."""

    def __init__(self, steps):
        super().__init__()
        self.steps, widths = steps, [2]
        self.layers = nn.ModuleList()
        for kind, first, _, width in steps:
            read = widths[first % len(widths)]
            grows = kind in ("conv", "halve")
            self.layers.append(conv(read, width if grows else read, groups=read if kind == "depthwise" else 1))
            widths.append(width if grows else read)

    def forward(self, x):
        maps = [x]
        for layer, (kind, first, second, _) in zip(self.layers, self.steps, strict=True):
            one, two = maps[first % len(maps)], maps[second % len(maps)]
            maps.append({
                "conv": lambda layer=layer, one=one: layer(one),
                "halve": lambda layer=layer, one=one: layer(one)[:, :1],
                "depthwise": lambda layer=layer, one=one: layer(one),
                "sigmoid": lambda one=one: torch.sigmoid(one),
                "add": lambda one=one, two=two: one + two[:, :1],
            }[kind]())  # fmt: skip
            # "halve" is a view of one channel: what reads it must take one channel, too
            maps[-1] = maps[-1].expand(-1, layer.out_channels, -1, -1)
        return torch.cat([each for each in maps[1:]], 1)


KINDS = st.sampled_from(["conv", "halve", "depthwise", "sigmoid", "add"])
STEPS = st.tuples(KINDS, st.integers(0, 6), st.integers(0, 6), st.sampled_from([1, 2, 5]))


def ancestors(net: fx.GraphModule, names: set[str]) -> dict[str, set[str]]:
    """For each named node the named nodes that it depends on, by the edges of the graph alone."""
    above: dict[str, set[str]] = {}
    for node in net.graph.nodes:
        parents = [each.name for each in node.all_input_nodes]
        above[node.name] = set().union(*(above[name] | {name} for name in parents))
    return {name: above[name] & names for name in names}


def all_orders(needs: dict[str, set[str]], done: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every order in which each name comes after those that it needs."""
    left = [name for name in needs if name not in done]
    if not left:
        yield done
    for name in left:
        if needs[name] <= set(done):
            yield from all_orders(needs, (*done, name))


@pytest.mark.slow
@pytest.mark.parametrize("sharing", IN_PLACE, ids=str)
@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEPS, min_size=2, max_size=5), fused=st.booleans())
def test_the_best_order_is_the_best_of_all_orders(sharing, steps, fused):
    net = capture(Branches(steps), IMAGE)
    drawn = schedule(trace(net), fused=fused)
    needs = ancestors(net, {each.name for each in running(drawn)})
    least = min(peak(reordered(drawn, names), "int8", **sharing).num_bytes for names in all_orders(needs))
    found = best_order(drawn, "int8", **sharing)
    assert found.is_optimal
    assert found.peak.num_bytes == found.lower_bound_bytes == least
    assert all(needs[name] <= set(found.order[:place]) for place, name in enumerate(found.order))
    hasty = best_order(drawn, "int8", max_states=0, **sharing)
    assert least <= hasty.peak.num_bytes <= hasty.given.num_bytes
    assert hasty.lower_bound_bytes <= least


@st.composite
def problems(draw, *, most: int) -> Problem:
    """Random steps: each makes one buffer from one or two earlier ones, and may write over some of what it reads."""
    num = draw(st.integers(2, most))
    sizes = {index: draw(st.sampled_from([1, 2, 3, 5, 8])) for index in range(num + 1)}  # buffer 0 is the input
    steps, users = [], dict.fromkeys(sizes, 0)
    for index in range(num):
        read = sorted({draw(st.integers(0, index)), draw(st.integers(0, index))})
        for buffer in (*read, index + 1):
            users[buffer] |= 1 << index
        large = [buffer for buffer in read if buffer and sizes[buffer] >= sizes[index + 1]]
        over = tuple(Over(buffer=buffer, beside=draw(st.integers(0, 1))) for buffer in large if draw(st.booleans()))
        needs = sum(1 << buffer - 1 for buffer in read if buffer)
        steps.append(Step(needs=needs, born=(index + 1,), touched=(index + 1, *read), over=over))
    return Problem(steps=tuple(steps), sizes=sizes, users=users, inputs=(0,), kept=frozenset({num}))


def naive_peak(problem: Problem, order: tuple[int, ...]) -> int:
    """Walk an order with a dict of rooms: what lies where, and how large that is."""
    rooms, lies_in, left, most = {0: problem.sizes[0]}, {0: 0}, list(order), problem.sizes[0]
    for index in order:
        step, made = problem.steps[index], index + 1
        left.remove(index)
        needed = {buffer for each in left for buffer in problem.steps[each].touched} | problem.kept
        free = next((over for over in step.over if over.buffer not in needed), None)
        if free is None:
            rooms[made], lies_in[made] = problem.sizes[made], made
        else:
            lies_in[made] = lies_in[free.buffer]
        most = max(most, sum(rooms.values()) + (free.beside if free else 0))
        rooms = {room: size for room, size in rooms.items() if room in {lies_in[b] for b in needed if b in lies_in}}
    return most


@settings(max_examples=200)
@given(problem=problems(most=6))
def test_the_search_meets_the_least_of_all_orders(problem):
    needs = {
        index: {each for each in range(index) if step.needs >> each & 1} for index, step in enumerate(problem.steps)
    }
    least = min(naive_peak(problem, order) for order in all_orders(needs))
    found = search(problem, below=10**9, max_states=10**6, beam_width=1)
    assert (found.peak, found.lower_bound) == (least, least)
    assert naive_peak(problem, found.order) == least
    assert search(problem, below=least, max_states=10**6, beam_width=1)[:3] == (None, least, least)


@settings(max_examples=25)
@given(problem=problems(most=14))
def test_larger_searches_keep_their_promises(problem):
    given_peak = naive_peak(problem, tuple(range(len(problem.steps))))
    exact = search(problem, below=given_peak + 1, max_states=10**6, beam_width=1)
    hasty = search(problem, below=given_peak + 1, max_states=3, beam_width=2)
    assert exact.peak == exact.lower_bound <= given_peak
    assert naive_peak(problem, exact.order) == exact.peak
    assert hasty.lower_bound <= exact.peak <= hasty.peak
