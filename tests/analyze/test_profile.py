"""Rows and totals: weights in bytes, fusion, shared layers, time, energy, cost, and quantized twins."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from edgewright.analyze import by_layer, by_module, by_type, cost_of, profile, profile_of, roofline, total, trace
from edgewright.errors import ConfigError, ModelError
from edgewright.model import capture, rewrite
from edgewright.model.fold import fold_batch_norms
from edgewright.model.quantized import QUANTIZED, QuantizeActivation
from edgewright.types import Device, LatencyTable, plain

MACHINE = Device(
    name="machine", title="A machine with round numbers", kind="mcu", clock_hz=1e6, ram_bytes=1, flash_bytes=1,
    macs_per_cycle={"float32": 1, "int8": 4}, bandwidth_bytes_s=1e6, overhead_s=1e-6,
    pj_per_mac={"float32": 100.0, "int8": 10.0}, pj_per_byte=3.0, round_to=1, runtimes=(),
)  # fmt: skip


class Residual(nn.Module):
    """A stem, a residual block, a depthwise layer with its own activation, a head."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8))
        self.depth = nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1, groups=8, bias=False), nn.BatchNorm2d(8), nn.Hardswish())
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.stem(x)
        x = functional.relu(self.block(x) + x)
        return self.head(self.depth(x).mean((2, 3)))


@pytest.fixture(scope="module")
def net():
    return capture(Residual(), (3, 8, 8))


def rows_by_op(measured):
    return {row.name: row for row in measured.rows}


def test_batch_norms_fold_and_clamps_fuse_but_stay_visible(net):
    rows = profile(net).rows
    assert [(row.op, row.fused_into) for row in rows] == [
        ("Conv2d", None),
        ("BatchNorm2d", "stem_0"),
        ("aten.relu", "stem_0"),
        ("Conv2d", None),
        ("BatchNorm2d", "block_0"),
        ("aten.add", None),
        ("aten.relu", rows[5].name),
        ("Conv2d", None),
        ("BatchNorm2d", "depth_0"),
        ("aten.hardswish", None),
        ("aten.mean", None),
        ("Linear", None),
    ]
    folded = rows[1]
    assert (folded.params, folded.elementwise, folded.weight_bytes, folded.activation_bytes) == (16, 0, 0, 0)
    assert (rows[2].elementwise, rows[2].activation_bytes) == (8 * 64, 0)


def test_what_folds_is_what_model_fold_folds(net):
    measured = profile(net)
    folded = {row.name for row in measured.rows if row.op == "BatchNorm2d" and row.fused_into}
    assert folded == set(fold_batch_norms(net)[1].folded)


class Awkward(nn.Module):
    """Batch normalizations that cannot be folded: before a ReLU, after a branch, after a shared layer."""

    def __init__(self):
        super().__init__()
        self.first, self.after_branch, self.after_shared = nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.conv, self.shared = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)

    def forward(self, x):
        y = self.conv(self.first(x).relu())
        z = self.after_branch(y) + y
        return self.after_shared(self.shared(self.shared(z)))


def test_what_model_fold_refuses_does_not_fold():
    net = capture(Awkward(), (4, 6, 6))
    measured = profile(net)
    norms = [row for row in measured.rows if row.op == "BatchNorm2d"]
    assert {row.name for row in norms if row.fused_into} == set(fold_batch_norms(net)[1].folded) == set()
    assert all(row.elementwise == 2 * 4 * 36 and row.weight_bytes == 4 * 2 * 4 for row in norms)


def test_a_shared_layer_has_its_parameters_once_and_its_work_twice():
    measured = profile(capture(Awkward(), (4, 6, 6)))
    shared = [row for row in measured.rows if row.layer == "shared"]
    assert [row.params for row in shared] == [20, 0]
    assert [row.macs for row in shared] == [16 * 36, 16 * 36]
    assert measured.params == 2 * 20 + 3 * 8
    assert measured.weight_bytes == 4 * measured.params  # stored once, although `shared` is read twice


@pytest.mark.parametrize(
    ("dtype", "weights", "vectors", "scales"),
    [("float32", 4, 4, 0), ("float16", 2, 2, 0), ("int8", 1, 4, 4), ("int4", 0.5, 4, 4)],
)
def test_weight_bytes_at_every_dtype(net, dtype, weights, vectors, scales):
    matrices, outputs = 8 * 27 + 8 * 72 + 72 + 40, 8 + 8 + 8 + 5  # folding gives every convolution a bias
    assert profile(net, dtype=dtype).weight_bytes == matrices * weights + outputs * (vectors + scales)


def test_activation_bytes_are_read_once_and_written_once(net):
    rows = rows_by_op(profile(net, dtype="int8"))
    assert rows["stem_0"].activation_bytes == (3 + 8) * 64
    assert rows["block_0"].activation_bytes == 16 * 64
    assert rows["head"].activation_bytes == 8 + 5


def test_totals_are_the_sums_of_the_rows(net):
    measured = profile(net)
    assert measured.macs == 64 * 8 * 27 + 64 * 8 * 72 + 16 * 8 * 9 + 40
    assert measured.params == sum(each.numel() for each in net.parameters())
    assert measured.buffers == 3 * 17
    assert measured.elementwise == sum(row.elementwise for row in measured.rows)
    assert measured.unknown == ()


def test_time_is_the_roofline_and_says_what_bounds_it(net):
    rows = rows_by_op(profile(net, device=MACHINE, dtype="int8"))
    compute = 64 * 8 * 27 / 4e6
    assert rows["stem_0"].latency_s == pytest.approx(compute + 1e-6)
    assert rows["stem_0"].bound == "compute"
    moved = 2 * 8 * 64 + 8 * 64
    assert rows["add"].latency_s == pytest.approx(moved / 1e6 + 1e-6)
    assert rows["add"].bound == "memory"
    fused = rows["relu"]
    assert (fused.latency_s, fused.bound) == (0.0, None)


def test_overhead_bounds_what_is_tiny(net):
    device = replace(MACHINE, overhead_s=1.0)
    assert {row.bound for row in profile(net, device=device).rows if row.fused_into is None} == {"overhead"}


def test_energy_is_operations_and_bytes(net):
    row = rows_by_op(profile(net, device=MACHINE, dtype="int8"))["stem_0"]
    moved = row.activation_bytes + row.weight_bytes
    assert row.energy_j == pytest.approx(1e-12 * (row.macs * 10 + moved * 3))
    add = rows_by_op(profile(net, device=MACHINE, dtype="int8"))["add"]
    assert add.energy_j == pytest.approx(1e-12 * (add.elementwise * 5 + add.activation_bytes * 3))


def test_the_cost_says_that_everything_in_it_is_estimated(net):
    cost = cost_of(net, MACHINE, "int8")
    measured = profile(net, device=MACHINE, dtype="int8")
    assert cost == measured.cost
    assert cost.ram_bytes == measured.peak_ram_bytes
    assert cost.flash_bytes == measured.weight_bytes
    assert cost.latency_s == pytest.approx(sum(row.latency_s for row in measured.rows))
    assert cost.energy_j == pytest.approx(sum(row.energy_j for row in measured.rows))
    given = {name for name, value in vars(cost).items() if name != "how" and value is not None}
    assert dict(cost.how) == dict.fromkeys(given, "estimated")


def test_where_weights_are_loaded_they_count_as_ram(net):
    computer = replace(MACHINE, kind="cpu")
    measured = profile(net, device=computer, dtype="int8")
    assert measured.cost.ram_bytes == measured.peak_ram_bytes + measured.weight_bytes


def test_without_a_device_there_is_no_time_and_no_energy(net):
    cost = cost_of(net, None, "float32")
    assert (cost.latency_s, cost.energy_j) == (None, None)
    assert cost.macs == profile(net).macs


def test_one_trace_serves_every_dtype_and_device(net):
    traced = trace(net)
    assert profile_of(traced, dtype="int8") == profile(net, dtype="int8")
    assert profile_of(traced, device=MACHINE) == profile(net, device=MACHINE)


def test_profiling_leaves_a_model_in_training_as_it_is():
    net = capture(Residual(), (3, 8, 8)).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert profile(net) == profile(copy.deepcopy(net).eval())
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def quantized(net):
    """A copy of a folded model as the quantizer leaves it: integer layers, and a quantizer on every tensor."""

    def edit(changed):
        for node in list(changed.graph.nodes):
            layer = changed.get_submodule(node.target) if node.op == "call_module" else None
            if type(layer) in QUANTIZED:
                if isinstance(layer, nn.Linear):
                    twin = QUANTIZED[nn.Linear](layer.in_features, layer.out_features)
                else:
                    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
                    twin = QUANTIZED[nn.Conv2d](*(getattr(layer, name) for name in names))
                changed.set_submodule(node.target, twin)
            if node.op in ("call_module", "call_function", "placeholder"):
                path = f"round_{node.name}"
                changed.add_submodule(path, QuantizeActivation())
                with changed.graph.inserting_after(node):
                    rounded = changed.graph.call_module(path, (node,))
                node.replace_all_uses_with(rounded, delete_user_cb=lambda user, rounded=rounded: user is not rounded)

    return rewrite(net, edit)


def test_a_quantized_model_costs_what_its_float_twin_costs_at_int8(net):
    folded, _ = fold_batch_norms(net)
    twin, simulated = (
        profile(folded, device=MACHINE, dtype="int8"),
        profile(quantized(folded), device=MACHINE, dtype="int8"),
    )
    assert simulated.rows == twin.rows
    assert simulated.cost == twin.cost
    assert (simulated.peak_at, simulated.peak_tensors) == (twin.peak_at, twin.peak_tensors)
    unfolded = profile(net, device=MACHINE, dtype="int8")
    for name in ("macs", "elementwise", "weight_bytes", "peak_ram_bytes"):
        assert getattr(simulated, name) == getattr(unfolded, name)
    assert simulated.cost.latency_s == pytest.approx(unfolded.cost.latency_s)


def test_a_layer_with_fewer_bits_is_stored_at_them(net):
    folded, _ = fold_batch_norms(net)
    twin = quantized(folded)
    eight = profile(twin, dtype="int8").weight_bytes
    twin.get_submodule("head").bits = 4
    assert eight - profile(twin, dtype="int8").weight_bytes == 20  # half of 40 weights


def test_views_add_up_to_the_totals(net):
    measured = profile(net, device=MACHINE, dtype="int8")
    summary = total(measured)
    assert summary["flops"] == 2 * measured.macs
    assert summary["operators"] == 7
    for name in ("macs", "elementwise", "params"):
        assert sum(row[name] for row in by_layer(measured)) == summary[name]
        assert sum(row[name] for row in by_type(measured)) == summary[name]
        assert by_module(measured)[0][name] == summary[name]
    assert sum(row["share_of_macs"] for row in by_type(measured)) == pytest.approx(1)
    assert json.loads(json.dumps(plain(measured)))["macs"] == measured.macs
    for view in (by_layer(measured), by_type(measured), by_module(measured), [summary]):
        assert json.dumps(view, allow_nan=False)


def test_the_module_tree_holds_functions_with_the_layer_before_them(net):
    tree = {row["module"]: row for row in by_module(profile(net))}
    assert list(tree) == [
        "",
        "stem",
        "stem.0",
        "stem.1",
        "block",
        "block.0",
        "block.1",
        "depth",
        "depth.0",
        "depth.1",
        "head",
    ]
    assert tree["stem"]["elementwise"] == 8 * 64  # its ReLU
    assert tree["block"]["elementwise"] == 2 * 8 * 64  # the sum and the ReLU after it
    assert {row["module"] for row in by_module(profile(net), depth=1)} == {"", "stem", "block", "depth", "head"}


def test_roofline_points_lie_on_the_roof(net):
    chart = roofline(profile(net, device=MACHINE, dtype="int8"), MACHINE)
    assert (chart["peak_macs_s"], chart["ridge_macs_per_byte"]) == (4e6, 4.0)
    assert [point["layer"] for point in chart["points"]] == ["stem.0", "block.0", "depth.0", "head"]
    for point in chart["points"]:
        roof = min(chart["peak_macs_s"], point["intensity_macs_per_byte"] * chart["bandwidth_bytes_s"])
        assert point["attainable_macs_s"] == roof >= point["estimated_macs_s"]
        assert (point["bound"] == "compute") == (point["intensity_macs_per_byte"] >= chart["ridge_macs_per_byte"])


def test_an_unknown_dtype_and_an_uncaptured_model_are_refused(net):
    with pytest.raises(ConfigError, match="dtype is one of float32, float16, int8, int4, got 'int3'"):
        profile(net, dtype="int3")
    with pytest.raises(ModelError, match="A Residual does not say what it takes: give input_shape"):
        profile(Residual())


def test_a_table_of_measured_operators_replaces_the_roofline_where_it_has_an_answer():
    model = nn.Sequential(nn.Linear(8, 6), nn.Flatten(), nn.Linear(6, 5), nn.Softplus())
    sheet = profile(model, input_shape=(8,), device=MACHINE)
    points = tuple((float(i * o), float(i), float(o), 1e-3) for i in (4, 8) for o in (4, 8))  # a millisecond each
    table = LatencyTable(
        runtime="a runtime", machine="a machine", threads=1, call_overhead_s=0.5,
        points={"float32": {"linear_vector": points}},
    )  # fmt: skip
    measured = profile(model, input_shape=(8,), device=replace(MACHINE, latency_table=table))
    first, second, last = measured.rows
    # 0.05: all points took the same, so what is left is the noise of 3 % or 10 % that the interpolation allows for
    assert [first.latency_s, second.latency_s] == pytest.approx([1e-3, 1e-3], rel=0.05)
    assert sheet.rows[0].latency_s < 0.5e-3 and sheet.rows[1].latency_s < 0.5e-3  # which the roofline does not say
    assert last.latency_s == sheet.rows[2].latency_s  # no softplus in the table
    assert measured.cost.latency_s == pytest.approx(0.5 + sum(row.latency_s for row in measured.rows))
    assert measured.cost.energy_j == sheet.cost.energy_j
