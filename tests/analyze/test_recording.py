"""Recording: the same numbers as from a captured graph, and models that no graph can hold."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional

from edgewright import zoo
from edgewright.analyze import by_module, profile, record, trace
from edgewright.errors import ModelError
from edgewright.model import capture

IMAGE = (2, 8, 8)
TOTALS = ("macs", "elementwise", "params", "buffers", "weight_bytes", "peak_ram_bytes", "unknown")


class Net(nn.Module):
    """Named layers and one function."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.function(self, x)


def recorded(function, **layers):
    return profile(Net(function, **layers), input_shape=IMAGE)


def totals(measured):
    return {name: getattr(measured, name) for name in TOTALS}


def without_names(row):
    """What a row says about cost; graphs name functions by their own rules and know less about modules."""
    return (row.layer, row.op.removesuffix("_"), row.shape_in, row.shape_out, row.window, row.macs, row.elementwise,
            row.params, row.weight_bytes, row.activation_bytes, row.fused_into is not None)  # fmt: skip


LARGE = ("mobilenet_v1", "mobilenet_v2", "resnet32")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in zoo.names()]
)
@pytest.mark.parametrize("fused", [True, False])
def test_every_zoo_model_costs_the_same_recorded_and_captured(name, fused):
    built = zoo.resolve(name, num_classes=None)
    ours = profile(built.model, input_shape=built.input_shape, fused=fused, dtype="int8")
    graph = profile(capture(built.model, built.input_shape), fused=fused, dtype="int8")
    assert [without_names(row) for row in ours.rows] == [without_names(row) for row in graph.rows]
    assert totals(ours) == totals(graph)


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec",
    ["torchvision:swin_t", "torchvision:shufflenet_v2_x0_5", "torchvision:densenet121", "torchvision:efficientnet_b0",
     "timm:mobilevit_xxs", "timm:resnetv2_50"],
)  # fmt: skip
def test_library_models_cost_the_same_recorded_and_captured(spec):
    built = zoo.resolve(spec, num_classes=None)
    ours = profile(built.model, input_shape=built.input_shape)
    assert totals(ours) == totals(profile(capture(built.model, built.input_shape)))


def test_the_model_stays_as_it_was():
    model = Net(lambda n, x: n.norm(n.conv(x)), conv=nn.Conv2d(2, 3, 3), norm=nn.BatchNorm2d(3)).train()
    before = {name: each.clone() for name, each in model.state_dict().items()}
    profile(model, input_shape=IMAGE)
    assert model.training and model.norm.training
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())


def test_a_batch_costs_its_number_of_samples_in_work_and_not_in_weights():
    model = Net(lambda n, x: n.head(n.conv(x).flatten(1)), conv=nn.Conv2d(2, 4, 3), head=nn.Linear(4 * 36, 5))
    one, eight = profile(model, input_shape=IMAGE), profile(model, input_shape=IMAGE, batch=8)
    assert one.macs == 36 * 4 * 2 * 9 + 4 * 36 * 5
    assert (eight.macs, eight.peak_ram_bytes) == (8 * one.macs, 8 * one.peak_ram_bytes)
    assert (eight.params, eight.weight_bytes) == (one.params, one.weight_bytes)


def test_in_place_functions_cost_what_their_pure_twins_cost():
    def in_place(n, x):
        y = n.conv(x)
        y.relu_().add_(1)
        y += n.other(x)
        return y * 2

    def pure(n, x):
        return (functional.relu(n.conv(x)) + 1 + n.other(x)) * 2

    layers = {"conv": nn.Conv2d(2, 4, 3), "other": nn.Conv2d(2, 4, 3)}
    assert totals(recorded(in_place, **layers)) == totals(recorded(pure, **layers))


def test_data_written_into_a_constant_makes_it_data():
    def function(n, x):
        canvas = torch.zeros(x.shape[0], 2, 16, 16, device=x.device)
        canvas[:, :, 4:12, 4:12] = x
        return n.conv(canvas)

    measured = recorded(function, conv=nn.Conv2d(2, 4, 3, bias=False))
    assert measured.macs == 14 * 14 * 4 * 2 * 9
    assert measured.unknown == ()


def test_weights_put_together_from_parts_are_a_layer_and_their_parts_its_parameters():
    class Standardized(nn.Conv2d):
        def forward(self, x):
            weight = (self.weight - self.weight.mean((1, 2, 3), keepdim=True)) * 2
            return functional.conv2d(x, weight, self.bias)

    measured = recorded(lambda n, x: n.norm(n.conv(x)), conv=Standardized(2, 4, 3), norm=nn.BatchNorm2d(4))
    assert [(row.op, row.layer, row.fused_into) for row in measured.rows] == [
        ("Conv2d", "conv", None),
        ("BatchNorm2d", "norm", "conv"),
    ]
    assert (measured.macs, measured.params) == (36 * 4 * 18, 4 * 18 + 4 + 8)


def test_a_parameter_that_two_layers_share_counts_once():
    first, second = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
    second.weight = first.weight
    measured = recorded(lambda n, x: n.b(n.a(x)), a=first, b=second)
    assert (measured.params, measured.weight_bytes, measured.macs) == (64, 256, 2 * 16 * 64)


def test_a_model_that_looks_at_values_is_called_on_real_numbers():
    def function(n, x):
        scores = n.conv(x).flatten()
        kept = torch.nonzero(scores > scores.median()).squeeze(1)
        return n.head(scores[kept].unsqueeze(1)) if kept.numel() > 3 else scores

    measured = recorded(function, conv=nn.Conv2d(2, 1, 3), head=nn.Linear(1, 4, bias=False))
    assert measured.macs == 36 * 18 + 4 * 18  # of 36 values, 18 lie above the median
    assert measured.unknown == ()


def test_functions_stand_with_the_module_that_calls_them():
    block = Net(lambda n, x: functional.relu(n.conv(x) + x), conv=nn.Conv2d(2, 2, 3, padding=1))
    measured = recorded(lambda n, x: n.block(x) * 2, block=block)
    assert [(row.op, row.module) for row in measured.rows] == [
        ("Conv2d", "block.conv"),
        ("aten.add", "block"),
        ("aten.relu", "block"),
        ("aten.mul", ""),
    ]
    tree = {row["module"]: row["elementwise"] for row in by_module(measured)}
    assert tree == {"": 3 * 128, "block": 2 * 128, "block.conv": 0}


def test_attention_is_counted_with_the_fast_path_off_and_left_on():
    model = nn.TransformerEncoderLayer(d_model=8, nhead=2, dim_feedforward=16, batch_first=True)
    before = torch.backends.mha.get_fastpath_enabled()
    measured = profile(model, input_shape=(5, 8))
    assert measured.macs == 5 * (3 * 64 + 64 + 2 * 8 * 16) + 2 * 25 * 8
    assert torch.backends.mha.get_fastpath_enabled() == before


def test_nested_outputs_of_any_form_are_alive_to_the_end():
    measured = recorded(lambda n, x: {"out": n.a(x), "aux": [n.b(x)]}, a=nn.Conv2d(2, 1, 1), b=nn.Conv2d(2, 1, 1))
    assert measured.peak_ram_bytes == 4 * (128 + 64 + 64)


def test_a_model_that_does_not_run_says_so():
    with pytest.raises(ModelError, match=r"model does not run on an input of shape \(1, 3, 8, 8\) \(RuntimeError"):
        record(nn.Conv2d(2, 4, 3), (3, 8, 8))
    with pytest.raises(ModelError, match="captured model does not run on inputs of shape"):
        trace(capture(nn.Conv2d(2, 4, 3), IMAGE), input_shape=(3, 8, 8))


@pytest.mark.parametrize(
    ("function", "macs"),
    [
        (lambda x: torch.outer(x[0, 0, 0], x[0, 0, 1]), 0),  # each entry is one product and no sum
        (lambda x: torch.tensordot(x, x, dims=([2, 3], [2, 3])), 2 * 2 * 64),
        (lambda x: torch.inner(x[0, 0], x[0, 1]), 8 * 8 * 8),
        (lambda x: torch.linalg.multi_dot([x[0, 0], x[0, 1], x[0, 0]]), 2 * 8 * 8 * 8),
        (lambda x: torch.addbmm(x[0, 0], x[0], x[0]), 2 * 8 * 8 * 8),
    ],
)
def test_functions_that_are_put_together_from_others_are_counted_by_these(function, macs):
    measured = recorded(lambda n, x: function(x))
    assert (measured.macs, measured.unknown) == (macs, ())


def test_cells_and_bilinear_layers_carry_their_macs():
    measured = recorded(lambda n, x: n.cell(x[0, 0], x[0, 1, :, :5]), cell=nn.GRUCell(8, 5))
    assert (measured.macs, measured.params, measured.unknown) == (8 * 3 * 5 * (8 + 5), 3 * 5 * (8 + 5 + 2), ())
    at_rest = recorded(lambda n, x: n.cell(x[0, 0]), cell=nn.GRUCell(8, 5))  # no state: half of it is a constant
    assert (at_rest.macs, at_rest.params) == (8 * 3 * 5 * 8, measured.params)
    measured = recorded(lambda n, x: n.mix(x[:, 0, 0], x[:, 0, 1]), mix=nn.Bilinear(8, 8, 3, bias=False))
    assert (measured.macs, measured.unknown) == (3 * 8 * 8 + 3 * 8, ())


def test_what_is_written_over_is_not_read():
    def function(n, x):
        y = n.conv(x)
        y[:, :1] = x[:, :1]
        return y * 2

    measured = recorded(function, conv=nn.Conv2d(2, 2, 1))
    copied = next(row for row in measured.rows if row.op.startswith("aten.copy"))
    assert copied.activation_bytes == 4 * (64 + 64)


def test_an_operator_that_is_not_counted_says_so_in_its_row():
    measured = recorded(lambda n, x: torch.linalg.svdvals(x))
    (row,) = measured.rows
    assert (row.counted, measured.unknown) == (False, ("aten._linalg_svd (_linalg_svd)",))


def test_scripts_lazy_layers_and_models_of_two_tensors_are_refused_with_the_reason():
    with pytest.raises(ModelError, match="is a TorchScript module"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scripts are deprecated
        record(torch.jit.script(nn.Conv2d(2, 2, 1)), IMAGE)
    with pytest.raises(ModelError, match="has lazy layers without weights: call it once"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lazy layers are a feature under development
        record(nn.LazyConv2d(4, 1), IMAGE)
    with pytest.raises(ModelError, match=r"forward\(\) missing 1 required .*it gets one tensor"):
        record(nn.Bilinear(8, 8, 2), IMAGE)


def test_attention_layers_are_made_of_plain_linear_layers():
    measured = profile(Attended(), input_shape=(5, 8))
    assert {row.op for row in measured.rows if row.layer} == {"Linear"}


class Attended(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x)[0]


class TwoComputed(nn.Module):
    """Two convolutions in one module whose weights are put together from parts, and a normalization behind them."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.ones(4, 2, 3, 3)), nn.Parameter(torch.ones(4, 4, 3, 3))
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        return self.norm(functional.conv2d(functional.conv2d(x, self.a * 2), self.b * 2))


def test_computed_weights_of_one_module_are_stored_each_and_fold_as_captured():
    ours = profile(TwoComputed(), input_shape=IMAGE)
    assert ours.weight_bytes == 4 * (4 * 18 + 4 * 36 + 4)  # the normalization leaves a bias
    assert ours.rows[-1].fused_into == ours.rows[-2].name
    assert totals(ours) == totals(profile(capture(TwoComputed(), IMAGE)))
