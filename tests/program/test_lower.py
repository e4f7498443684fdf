"""A program gives the very codes that the simulation gives when it is run in integers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgewright.errors import ModelError, UnsupportedError
from edgewright.model import capture
from edgewright.model.quantized import QuantizeActivation
from edgewright.program import run
from edgewright.program.lowering import lower
from edgewright.zoo import resolve
from lowered_nets import Everything, assert_same_outputs, images, simulation


class Between(nn.Module):
    """A function of a map between two convolutions."""

    def __init__(self, function, channels=4):
        super().__init__()
        self.first, self.function, self.last = nn.Conv2d(3, 4, 3), function, nn.Conv2d(channels, 2, 1)

    def forward(self, x):
        return self.last(self.function(self.first(x)))


def kinds(program):
    return [operation.kind for operation in program.operations]


def test_clamps_and_dropout_are_no_operations():
    x = images(5, 2, 6, 5)
    net = simulation(nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU6(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(48, 3)), x)
    program = lower(net, name="small")
    assert program.name == "small" and kinds(program) == ["conv", "reshape", "linear"]
    grid = program.tensors[program.operations[0].output].grid
    assert grid.low == grid.zero_point and grid.values(grid.high) <= 6.0
    assert_same_outputs(net, x, program)


@pytest.mark.parametrize("bias", [True, False])
def test_the_last_linear_layer_may_give_float_sums(bias):
    x = images(5, 2, 4, 4)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(12, 4, bias=bias), nn.Dropout(0.2))
    net = simulation(model, x, float_output=True)
    program = lower(net)
    assert program.tensors[program.outputs[0]].grid is None
    assert_same_outputs(net, x, program)


@pytest.mark.parametrize("bits", [8, pytest.param(4, marks=pytest.mark.slow)])
def test_every_kind_of_operation_gives_the_codes_of_the_simulation_in_integers(bits):
    x = images(3, 3, 20, 16)
    net = simulation(Everything(), x, bits=bits)
    program = lower(net)
    assert set(kinds(program)) >= {
        "conv", "linear", "add", "mul", "concat", "slice", "max_pool", "average_pool", "global_average", "look_up",
        "leaky_relu", "nearest", "bilinear", "softmax", "reshape", "transpose",
    }  # fmt: skip
    assert len(program.outputs) == 2
    assert_same_outputs(net, x, program)


ZOO = {
    "resnet8": (3, 16, 16), "ds_cnn": (1, 49, 10), "simple_cnn": (1, 28, 28), "resnet20": (3, 16, 16),
    "mobilenet_v1:0.25": (3, 48, 48), "mobilenet_v2:0.35": (3, 48, 48),
}  # fmt: skip
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ZOO if name != "resnet8"]


@pytest.mark.parametrize("name", ["resnet8", *SLOW])
def test_zoo_models_give_the_outputs_of_the_simulation_in_integers(name):
    shape = ZOO[name]
    model = resolve(name, num_classes=4, image_size=shape[1:]).model
    x = images(3, *shape)
    for float_output in (True, False):
        net = simulation(model, x, draw=False, float_output=float_output)
        assert_same_outputs(net, x, lower(net))


FUNCTIONS = [
    F.gelu, lambda x: F.gelu(x, approximate="tanh"), F.mish, torch.tanh, F.hardswish, F.silu, torch.sigmoid,
    F.hardsigmoid, lambda x: x * 0.5 + 1.5, lambda x: (x - 0.25) / 3.0,
]  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS, ids=range(len(FUNCTIONS)))
def test_functions_of_one_number_are_tables(function):
    x = images(3, 3, 5, 6)
    net = simulation(Between(function), x)
    program = lower(net)
    assert set(kinds(program)) <= {"conv", "look_up", "mul"} and "look_up" in kinds(program)
    assert_same_outputs(net, x, program)


MOVES = {
    "permute": (lambda x: x.permute(0, 1, 3, 2), ["transpose"]),
    "half": (lambda x: torch.cat(x.chunk(2, dim=1)[::-1], dim=1), ["slice", "slice", "concat"]),
    "rows": (lambda x: x[:, :, 1:3], ["slice"]),
    "thinned": (lambda x: x[:, :, ::2, ::2], ["max_pool", "max_pool"]),
    "shuffle": (lambda x: F.channel_shuffle(x, 2), ["reshape", "transpose", "reshape"]),
    "by hand": (
        lambda x: x.view(x.shape[0], 2, 2, *x.shape[2:]).transpose(1, 2).contiguous().view(x.shape),
        ["reshape", "transpose", "reshape"],
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_moves_are_slices_reshapes_and_transpositions(name):
    move, expected = MOVES[name]
    x = images(3, 3, 6, 6)
    net = simulation(Between(move), x)
    program = lower(net)
    assert kinds(program)[1:-1] == expected
    assert_same_outputs(net, x, program)


@pytest.mark.parametrize(
    ("reader", "activation"),
    [(nn.Conv2d(4, 2, 3, stride=2, padding=1), nn.Identity()), (nn.AvgPool2d(3, 2), nn.Identity()),
     (nn.MaxPool2d(3, 2), nn.ReLU())],
    ids=["conv", "average", "max behind a ReLU"],
)  # fmt: skip
def test_zero_padding_in_front_of_a_window_is_the_windows_own(reader, activation):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), activation, nn.ZeroPad2d((0, 1, 1, 2)), reader, nn.Flatten())
    x = images(3, 3, 8, 7)
    net = simulation(model, x)
    program = lower(net)
    assert "pad" not in kinds(program)
    own = 1 if isinstance(reader, nn.Conv2d) else 0
    assert program.operations[1].settings["window"].padding == ((1 + own, 2 + own), (own, 1 + own))
    assert_same_outputs(net, x, program)


@pytest.mark.parametrize("reader", [nn.MaxPool2d(3, 2), nn.AvgPool2d(3, 2, padding=1, count_include_pad=False)])
def test_zero_padding_stays_where_the_windows_own_means_something_else(reader):
    x = images(3, 3, 8, 7)
    net = simulation(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ZeroPad2d((0, 1, 1, 2)), reader, nn.Flatten()), x)
    program = lower(net)
    assert kinds(program)[1] == "pad"
    assert_same_outputs(net, x, program)


def test_a_clamp_that_others_overtake_is_a_step_to_its_own_grid():
    class Net(Between):
        def forward(self, x):
            x = self.first(x)
            return self.last(F.relu(x) + x)

    x = images(3, 3, 6, 6)
    net = simulation(Net(None), x)
    program = lower(net)
    assert "rescale" in kinds(program)
    assert_same_outputs(net, x, program)


def test_unsigned_grids_are_shifted_and_no_value_changes():
    x = images(3, 3, 6, 6)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Sigmoid(), nn.Conv2d(4, 2, 1))
    net = simulation(model, x)
    signed = lower(net)
    for name, layer in net.named_modules():
        if isinstance(layer, QuantizeActivation):
            spec = layer.spec
            spec = replace(spec, zero_point=(spec.zero_point[0] + 128,), signed=False)
            net.set_submodule(name, QuantizeActivation.of(spec))
    program = lower(net)
    assert {name: tensor.grid for name, tensor in program.tensors.items()} == {
        name: tensor.grid for name, tensor in signed.tensors.items()
    }
    assert_same_outputs(net, x, program)


def test_a_size_that_the_graph_asks_for_keeps_its_layer_in_integers():
    x = images(3, 3, 6, 6)
    net = simulation(Between(lambda y: y.view(y.shape[0], 4, -1).reshape(y.shape)), x)
    assert kinds(lower(net)) == ["conv", "reshape", "reshape", "conv"]
    assert_same_outputs(net, x, lower(net))


REFUSED = {
    "GroupNorm at function": (Between(nn.GroupNorm(2, 4)), "computed in float|has no integer operation"),
    "softmax behind the end": (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(64, 2), nn.Softmax(1)),
        r"softmax at softmax .*float.*move it out of the network",
    ),
    "transposed": (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(4, 2, 2)),
        r"ConvTranspose2d at _1 has no integer operation: replace it",
    ),
    "normalized inside": (
        Between(lambda x: x * torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1, 1)), "mul at mul is computed in float"
    ),
    "every other channel": (Between(lambda x: x[:, ::2], channels=2), "slice at .* moves values as no slice"),
    "whole mean": (Between(lambda x: x + x.mean((1, 2, 3), keepdim=True)), r"mean at mean"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_operation_is_refused_with_its_place(name):
    model, message = REFUSED[name]
    x = images(3, 3, 6, 6)
    net = simulation(model, x, float_output=True)
    with pytest.raises(UnsupportedError, match=message) as caught:
        lower(net)
    assert "\n" not in str(caught.value)


def test_a_float_model_is_refused():
    with pytest.raises(ModelError, match="quantize it first"):
        lower(capture(nn.Sequential(nn.Conv2d(3, 2, 3)), (3, 4, 4)))


def test_a_model_that_is_lowered_stays_as_it_was():
    x = images(2, 3, 6, 6)
    net = simulation(Between(F.relu), x)
    before = net(x)
    first, second = lower(net), lower(net)
    assert torch.equal(net(x), before)
    codes = {"x": np.zeros((3, 6, 6), dtype=np.int64)}
    ends = [run(program, codes)[program.outputs[0]] for program in (first, second)]
    np.testing.assert_array_equal(*ends)
