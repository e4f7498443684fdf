"""Peak RAM: hand-derived small nets, and a naive simulation that runs the graph and adds up what is alive."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import fx, nn
from torch.nn import functional

from edgewright import zoo
from edgewright.analyze import peak, profile, schedule, timeline, trace
from edgewright.analyze.memory_variants import CONVENTIONS, memory_variants
from edgewright.model import capture

IMAGE = (2, 8, 8)  # 128 values
MAP = 8 * 8  # values of one channel


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


def test_a_chain_needs_the_largest_input_plus_output():
    moment = peak(plan(lambda n, x: n.b(n.a(x)), a=conv(2, 6), b=conv(6, 3)), "int8")
    assert moment.num_bytes == (6 + 3) * MAP
    assert (moment.operator, set(moment.live)) == ("b", {"a", "b"})


def test_the_input_is_alive_until_its_last_reader():
    layers = {"a": conv(2, 2), "b": conv(2, 2)}
    moments = timeline(plan(lambda n, x: n.b(n.a(x)) + x, **layers), "int8")
    assert [set(moment.live) for moment in moments] == [{"x", "a"}, {"x", "a", "b"}, {"x", "b", "add"}]
    assert [moment.num_bytes for moment in moments] == [4 * MAP, 6 * MAP, 6 * MAP]


def test_outputs_are_alive_to_the_end():
    moments = timeline(plan(lambda n, x: (n.a(x), n.b(x), n.c(x)), a=conv(2, 1), b=conv(2, 1), c=conv(2, 1)), "int8")
    assert [moment.num_bytes for moment in moments] == [3 * MAP, 4 * MAP, 5 * MAP]


def test_folded_fused_and_overwriting_calls_need_no_memory_of_their_own():
    def function(n, x):
        return functional.silu(n.b(functional.relu(n.norm(n.a(x)))))

    layers = {"a": conv(2, 4), "norm": nn.BatchNorm2d(4), "b": conv(4, 4)}
    assert peak(plan(function, **layers), "int8").num_bytes == 8 * MAP
    unfused = timeline(plan(function, fused=False, **layers), "int8")
    assert [moment.num_bytes for moment in unfused] == [count * MAP for count in (6, 8, 8, 8, 8)]
    assert [moment.operator for moment in timeline(plan(function, **layers), "int8")] == ["a", "b", "silu"]


def test_nothing_is_overwritten_that_is_read_again():
    def function(n, x):
        y = n.a(x)
        return y * torch.sigmoid(y)

    assert peak(plan(function, a=conv(2, 2)), "int8").num_bytes == 3 * 2 * MAP  # y, its sigmoid, the product


def test_a_view_keeps_all_of_its_memory_alive():
    def function(n, x):
        half = n.a(x)[:, :1]
        return n.c(n.b(x)) + half

    layers = {"a": conv(2, 8), "b": conv(2, 1), "c": conv(1, 1)}
    moments = timeline(plan(function, **layers), "int8")
    assert [moment.num_bytes for moment in moments] == [count * MAP for count in (10, 11, 10, 10)]


def test_an_expanded_tensor_takes_the_memory_of_what_it_repeats():
    def function(n, x):
        return x + functional.adaptive_avg_pool2d(n.a(x), 1).expand(-1, -1, 8, 8)

    moments = timeline(plan(function, a=conv(2, 2)), "int8")
    assert moments[-1].live == {"x": 2 * MAP, "adaptive_avg_pool2d": 2, "add": 2 * MAP}


def test_a_concatenation_reads_and_writes_everything():
    moment = peak(plan(lambda n, x: torch.cat([n.a(x), n.b(x)], 1), a=conv(2, 3), b=conv(2, 5)), "int8")
    assert (moment.operator, moment.num_bytes) == ("cat", 16 * MAP)


def test_a_sum_in_place_saves_one_map():
    layers = {"a": conv(2, 4), "b": conv(4, 4), "c": conv(4, 4)}
    drawn = plan(lambda n, x: n.c(n.b(y := n.a(x)) + y), **layers)
    assert [moment.num_bytes // MAP for moment in timeline(drawn, "int8")] == [6, 8, 12, 8]
    assert [moment.num_bytes // MAP for moment in timeline(drawn, "int8", add_in_place=True)] == [6, 8, 8, 8]


def test_a_depthwise_convolution_in_place_needs_one_plane():
    layers = {"a": conv(2, 4), "depth": conv(4, 4, groups=4), "b": conv(4, 1)}
    drawn = plan(lambda n, x: n.b(n.depth(n.a(x))), **layers)
    assert [moment.num_bytes // MAP for moment in timeline(drawn, "int8")] == [6, 8, 5]
    shared = timeline(drawn, "int8", depthwise_in_place=True)
    assert [moment.num_bytes // MAP for moment in shared] == [6, 5, 5]
    assert "one plane of depth" in shared[1].live


@pytest.mark.parametrize(("dtype", "size"), [("float32", 4), ("float16", 2), ("int8", 1), ("int4", 0.5)])
def test_bytes_follow_the_dtype_but_integers_keep_their_own(dtype, size):
    drawn = plan(lambda n, x: (x.argmax(1), n.a(x)), a=conv(2, 2))
    assert peak(drawn, dtype).num_bytes == 4 * MAP * size + 8 * MAP  # indices are 8 bytes each


def test_a_model_of_views_needs_its_input():
    measured = profile(capture(Net(lambda n, x: x.flatten(1)), IMAGE), dtype="int8")
    assert (measured.peak_ram_bytes, measured.peak_at, measured.peak_tensors) == (128, "", ("x",))


class Naive(fx.Interpreter):
    """Runs a graph for real and adds up, after every node, the memory of all tensors that are still referred to."""

    def __init__(self, net):
        super().__init__(net)
        self.most = 0
        self.stored = {each.untyped_storage().data_ptr() for each in (*net.parameters(), *net.buffers())}

    def run_node(self, n):
        value = super().run_node(n)
        alive = {}
        for made in [*self.env.values(), value]:
            for tensor in made if isinstance(made, (tuple, list)) else [made]:
                if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().data_ptr() not in self.stored:
                    alive[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        self.most = max(self.most, sum(alive.values()))
        return value


class NaiveFused(Naive):
    """The same, but normalizations and activation functions write over their input where they alone read it."""

    ON_THE_SPOT = ("aten.relu.", "aten.relu6.", "aten.hardtanh.", "aten.clamp.")

    def run_node(self, n):
        self.here = self._writes_over(n)
        return super().run_node(n)

    def _writes_over(self, node):
        kind = str(node.target)
        if node.op == "call_module":
            spot = isinstance(self.module.get_submodule(kind), nn.BatchNorm2d)
        else:
            spot = node.op == "call_function" and f"{kind}.".startswith(self.ON_THE_SPOT)
        return spot and len(node.all_input_nodes) == 1 and len(node.all_input_nodes[0].users) == 1

    def _over(self, value, args):
        return args[0].copy_(value) if self.here else value

    def call_module(self, target, args, kwargs):
        return self._over(super().call_module(target, args, kwargs), args)

    def call_function(self, target, args, kwargs):
        return self._over(super().call_function(target, args, kwargs), args)


def simulated(simulation, net, shape):
    """Most bytes alive while the net runs in float32, and that it still computes what it did."""
    image = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made = simulation.run(image.clone())
        torch.testing.assert_close(made, net(image))
    return simulation.most


HEAVY = ("mobilenet_v1", "mobilenet_v2", "resnet20", "resnet32")  # a few seconds each
ZOO = [
    pytest.param(entry.name, marks=pytest.mark.slow) if entry.name in HEAVY else entry.name for entry in zoo.entries()
]


@cache
def zoo_net(name):
    entry = next(each for each in zoo.entries() if each.name == name)
    built = zoo.resolve(name, num_classes=entry.num_classes)
    return capture(built.model, built.input_shape, name=name), built.input_shape


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("fused", [False, True], ids=["unfused", "fused"])
def test_the_bound_of_every_zoo_model_equals_a_naive_simulation(name, fused):
    net, shape = zoo_net(name)
    most = simulated(NaiveFused(net) if fused else Naive(net), net, shape)
    moment = peak(schedule(trace(net), fused=fused), "float32")
    assert moment.num_bytes == most
    assert peak(schedule(trace(net), fused=fused), "int8").num_bytes * 4 == most
    assert sum(moment.live.values()) == most


@pytest.mark.parametrize("name", ZOO)
def test_the_variants_of_every_zoo_model_are_consistent(name):
    net, _ = zoo_net(name)
    rows = memory_variants(trace(net), "int8")
    by_name = {row["variant"]: row for row in rows if row["order"] == "given"}
    assert set(by_name) == {each.name for each in CONVENTIONS}
    least, default = by_name["add and depthwise in place"]["peak_bytes"], by_name["fused"]["peak_bytes"]
    for variant in ("add in place", "depthwise in place"):
        assert least <= by_name[variant]["peak_bytes"] <= default <= by_name["unfused"]["peak_bytes"]
    assert all(row["peak_bytes"] == sum(row["alive"].values()) for row in rows)
    assert [row["share_of_default"] for row in rows] == [row["peak_bytes"] / default for row in rows]
    # chains with shortcuts: no order is better than the given one, and that is proven
    assert all(row["order"] == "given" for row in rows)
    assert {row["is_optimal"] for row in rows if row["variant"] != "input not counted"} == {True}


@pytest.mark.slow
def test_the_variants_of_mobilenet_v2_hold_the_published_figure():
    net, _ = zoo_net("mobilenet_v2")
    rows = {row["variant"]: row for row in memory_variants(trace(net), "int8")}
    assert {name: row["peak_bytes"] for name, row in rows.items()} == {
        "fused": 1_505_280,
        "unfused": 2_408_448,
        "add in place": 1_505_280,
        "depthwise in place": 1_404_928,
        "add and depthwise in place": 1_404_928,
        "input not counted": 1_505_280,
    }
    assert list(rows["depthwise in place"]["alive"].values()) == [112 * 112 * 96, 112 * 112 * 16]


def test_a_better_order_is_a_row_of_its_own():
    layers = {"a": conv(2, 8), "b": conv(8, 6), "c": conv(2, 8), "d": conv(8, 1)}
    net = capture(Net(lambda n, x: torch.cat([n.b(n.a(x)), n.d(n.c(x))], 1), **layers), IMAGE)
    rows = [row for row in memory_variants(trace(net), "int8") if row["variant"] == "fused"]
    assert [(row["order"], row["peak_bytes"] // MAP, row["is_optimal"]) for row in rows] == [
        ("given", 16, False), ("best", 15, True),
    ]  # fmt: skip
    assert rows[1]["alive"] == {"a": 8 * MAP, "b": 6 * MAP, "d": MAP}
    assert rows[1]["share_of_default"] == 15 / 16
    hasty = [row for row in memory_variants(trace(net), "int8", max_states=0) if row["variant"] == "fused"]
    assert [row["is_optimal"] for row in hasty] == [False, None]


def test_an_input_that_is_not_counted_leaves_the_rest():
    net = capture(Net(lambda n, x: n.b(n.a(x)) + x, a=conv(2, 2), b=conv(2, 2)), IMAGE)
    row = memory_variants(trace(net), "int8")[-1]
    assert (row["variant"], row["peak_bytes"], row["alive"]) == (
        "input not counted",
        4 * MAP,
        {"a": 2 * MAP, "b": 2 * MAP},
    )


class Branches(nn.Module):
    """Random steps: each takes one or two of the maps made so far."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps
        self.layers = nn.ModuleList(conv(2, 2) for _ in steps)

    def forward(self, x):
        maps = [x]
        for layer, (kind, first, second) in zip(self.layers, self.steps, strict=True):
            one, two = maps[first % len(maps)], maps[second % len(maps)]
            maps.append({
                "conv": lambda layer=layer, one=one: layer(one),
                "relu": lambda one=one: functional.relu(one),
                "add": lambda one=one, two=two: one + two,
                "cat": lambda one=one, two=two: torch.cat([one[:, :1], two[:, 1:]], 1),
                "view": lambda one=one: one.transpose(2, 3),
            }[kind]())  # fmt: skip
        return maps[-1]


STEPS = st.tuples(st.sampled_from(["conv", "relu", "add", "cat", "view"]), st.integers(0, 9), st.integers(0, 9))


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=1, max_size=8))
def test_the_bound_equals_a_naive_simulation(steps):
    net = capture(Branches(steps), IMAGE)
    simulation = Naive(net)
    with torch.no_grad():
        simulation.run(torch.zeros(1, *IMAGE))
    unfused = peak(schedule(trace(net), fused=False), "float32").num_bytes
    assert unfused == simulation.most
    assert peak(schedule(trace(net)), "float32").num_bytes <= unfused
