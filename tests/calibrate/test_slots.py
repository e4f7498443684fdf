"""From node times to operator times, by hand-made graphs and times."""

import onnx
import pytest
from onnx import TensorProto, helper

from edgewright.calibrate.nets import Layer, MicroNet
from edgewright.calibrate.slots import NodeTime, Sample, by_slot, corrected, label_nodes, points_of
from edgewright.types import OpProfile, Window


def node(name, micros, kind="Conv"):
    return NodeTime(name=name, type=kind, seconds=1e-6 * micros)


def row(name, layer="", *, op="aten.silu", macs=0, fused_into=None):
    window = Window(kernel=(1, 1), stride=(1, 1), padding=(0, 0), dilation=(1, 1)) if macs else None
    return OpProfile(
        name=name, layer=layer, op=op, shape_in=(1, 8, 2, 2), shape_out=(1, 8, 2, 2), window=window, macs=macs,
        elementwise=0, params=0, weight_bytes=0.0, activation_bytes=256.0, fused_into=fused_into,
    )  # fmt: skip


GUARD = Layer(build="guard", numbers=(8, 8, 1), is_guard=True)
NET = MicroNet(name="a net", input_shape=(8, 2, 2), layers=(GUARD, Layer(build="silu", numbers=(8,)), GUARD))
ROWS = (
    row("g00", "g00", op="Conv2d", macs=256), row("t01_g", "t01.g", op="Conv2d", macs=256), row("silu"),
    row("g02", "g02", op="Conv2d", macs=256),
)  # fmt: skip


def test_node_times_add_up_to_the_total_less_the_call():
    """Three nodes of 10, 20 and 30 us in a net that takes 55 us, 1 us of it for the call: each is 2 us too long."""
    sample = Sample(total_s=55e-6, nodes=(node("a", 10), node("b", 20), node("c", 30)))
    assert [each.seconds for each in corrected(sample, 1e-6)] == pytest.approx([8e-6, 18e-6, 28e-6])


def test_what_is_more_than_a_profiler_takes_is_a_factor():
    """3 us a node at most; 100 - 6 = 94 us left against 94 / 1.05 are a factor of 1 / 1.05."""
    sample = Sample(total_s=94e-6 / 1.05, nodes=(node("a", 40), node("b", 60)))
    assert [each.seconds for each in corrected(sample, 0.0)] == pytest.approx([37e-6 / 1.05, 57e-6 / 1.05])


def test_one_interrupted_node_changes_the_others_by_a_tenth_at_most():
    sample = Sample(total_s=100e-6, nodes=(node("a", 53), node("b", 5053)))
    assert corrected(sample, 0.0)[0].seconds == pytest.approx(50e-6 / 1.1)


def test_a_layout_change_belongs_to_the_test_between_the_guards():
    nodes = [
        node("g00_nchwc", 5), node("t01.g_nchwc", 7), node("ReorderOutput", 2), node("t01/silu/Fused", 3),
        node("ReorderInput", 4), node("g02_nchwc", 6), node("ReorderOutput_1", 9),
    ]  # fmt: skip
    tests, guards = by_slot(nodes)
    assert [each.name for each in tests[1]] == ["ReorderOutput", "t01/silu/Fused", "ReorderInput"]
    assert guards == pytest.approx({0: 5e-6, 1: 7e-6, 2: 6e-6})
    assert points_of(NET, ROWS, nodes) == {"aten.silu": [(256.0, 256.0, 1 / 256, pytest.approx(9e-6))]}


def test_a_function_that_vanished_into_its_guard_costs_the_difference():
    plain = [node("g00", 5), node("t01.g", 7), node("g02", 6)]
    merged = [node("g00", 5), node("t01/silu_nchwc", 9), node("g02", 6)]  # named after the function
    kept = [node("g00", 5), node("t01.g_nchwc", 9), node("g02", 6)]  # named after the guard
    for nodes in (merged, kept):
        assert points_of(NET, ROWS, nodes, plain)["aten.silu"][0][-1] == pytest.approx(2e-6)


def test_a_difference_below_nothing_is_what_the_bytes_take_at_least():
    """256 bytes at 100 GB/s are 2.56 ns, less than any node takes: 20 ns."""
    plain = [node("g00", 5), node("t01.g", 7), node("g02", 6)]
    faster = [node("g00", 5), node("t01.g", 6), node("g02", 6)]
    assert points_of(NET, ROWS, faster, plain)["aten.silu"][0][-1] == pytest.approx(20e-9)


def test_two_operators_of_a_test_share_its_nodes():
    rows = (ROWS[0], ROWS[1], row("pool", op="aten.adaptive_avg_pool2d"), row("mul", op="aten.mul"))
    nodes = [
        node("g00", 5), node("t01.g", 7), node("t01/global_average_nchwc", 2, "GlobalAveragePool"),
        node("ReorderOutput", 1, "ReorderOutput"), node("t01/mul", 3, "Mul"),
    ]  # fmt: skip
    found = {kind: points[0][-1] for kind, points in points_of(NET, rows, nodes).items()}
    assert found == {"aten.adaptive_avg_pool2d": pytest.approx(2e-6), "aten.mul": pytest.approx(4e-6)}


def test_fused_rows_make_no_point():
    rows = (*ROWS[:2], row("silu", fused_into="t01_g"))
    assert points_of(NET, rows, [node("g00", 5), node("t01.g", 7), node("t01/silu", 1)]) == {}


def test_nodes_are_named_after_the_layers_with_weights():
    weights = [helper.make_tensor(name, TensorProto.FLOAT, (1, 1), [1.0]) for name in ("a", "b")]
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]), helper.make_node("MatMul", ["r", "a"], ["y"]),
        helper.make_node("MatMul", ["y", "y"], ["s"]), helper.make_node("MatMul", ["s", "b"], ["z"]),
    ]  # fmt: skip
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1))
    graph = helper.make_graph(nodes, "g", [value], [onnx.ValueInfoProto(name="z")], weights)
    label_nodes(graph, ["g00", "t03.g"])
    assert [each.name for each in graph.node] == ["t00/r", "g00", "t01/s", "t03.g"]
    assert [list(each.input) for each in graph.node] == [["x"], ["t00/r", "a"], ["g00", "g00"], ["t01/s", "b"]]
    assert graph.output[0].name == "t03.g"
