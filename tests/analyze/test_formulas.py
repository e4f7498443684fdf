"""Every operator's formula against a hand count, and whole nets against PyTorch's own counter."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from edgewright.analyze import profile
from edgewright.analyze.contraction import einsum_macs
from edgewright.model import capture


class Calls(nn.Module):
    """Functions of one input side by side, and the layers that they use."""

    def __init__(self, *functions, **layers):
        super().__init__()
        self.functions = functions
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return tuple(function(self, x) for function in self.functions)


def counted(*functions, shape=(4, 6, 6), **layers):
    """Profile of functions of one input, with nothing fused: every call counts for itself."""
    return profile(capture(Calls(*functions, **layers), shape), fused=False)


def flops_by_torch(net, shape):
    with FlopCounterMode(display=False) as counter:  # with gradients: without, fused attention counts as nothing
        net(torch.zeros(1, *shape))
    return counter.get_total_flops()


LAYERS = {
    "standard": (nn.Conv2d(4, 8, 3, padding=1), 6 * 6 * 8 * 9 * 4),
    "strided": (nn.Conv2d(4, 8, 3, stride=2, padding=1), 3 * 3 * 8 * 9 * 4),
    "grouped": (nn.Conv2d(4, 8, 3, padding=1, groups=2), 6 * 6 * 8 * 9 * 2),
    "depthwise": (nn.Conv2d(4, 4, 3, padding=1, groups=4), 6 * 6 * 4 * 9),
    "dilated": (nn.Conv2d(4, 8, 3, dilation=2), 2 * 2 * 8 * 9 * 4),
    "flat": (nn.Conv2d(4, 8, (1, 3)), 6 * 4 * 8 * 3 * 4),
    "transposed": (nn.ConvTranspose2d(4, 8, 2, stride=2), 6 * 6 * 4 * 8 * 4),
    "transposed depthwise": (nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1, groups=4), 6 * 6 * 4 * 16),
    "linear": (nn.Linear(6, 5), 4 * 6 * 6 * 5),
}


def test_layer_macs_by_hand_and_by_torch():
    net = Calls(*(lambda net, x, number=number: net.layers[number](x) for number in range(len(LAYERS))),
                layers=nn.ModuleList(layer for layer, _ in LAYERS.values()))  # fmt: skip
    rows = profile(capture(net, (4, 6, 6))).rows
    assert dict(zip(LAYERS, (row.macs for row in rows), strict=True)) == {
        name: macs for name, (_, macs) in LAYERS.items()
    }
    assert 2 * sum(row.macs for row in rows) == flops_by_torch(net, (4, 6, 6))


PRODUCTS = {
    "conv2d": (lambda net, x: functional.conv2d(x, x[0, :2, :3, :3].expand(8, 2, 3, 3), groups=2), 4 * 4 * 8 * 18),
    "conv_transpose2d": (lambda net, x: functional.conv_transpose2d(x, x[:, :, :3, :3].transpose(0, 1)), 6 * 6 * 4 * 9),
    "matmul": (lambda net, x: x @ x.transpose(-1, -2), 4 * 6 * 6 * 6),
    "bmm": (lambda net, x: torch.bmm(x.flatten(0, 1), x.flatten(0, 1)), 4 * 6 * 6 * 6),
    "addmm": (lambda net, x: torch.addmm(x[0, 2], x[0, 0], x[0, 1]), 6 * 6 * 6),
    "einsum": (lambda net, x: torch.einsum("bchw,bcvw->bchv", x, x), 4 * 6 * 6 * 6),
    "attention": (lambda net, x: functional.scaled_dot_product_attention(x, x, x), 2 * 4 * 6 * 6 * 6),
    "linear": (lambda net, x: functional.linear(x, x[0, 0]), 4 * 6 * 6 * 6),
}  # fmt: skip


def test_function_macs_by_hand():
    measured = counted(*(function for function, _ in PRODUCTS.values()))
    rows = [row.macs for row in measured.rows if row.macs]
    assert dict(zip(PRODUCTS, rows, strict=True)) == {name: macs for name, (_, macs) in PRODUCTS.items()}
    assert measured.unknown == ()


PER_VALUE = {
    "relu": (torch.relu, 1),
    "relu6": (functional.relu6, 2),
    "add": (lambda x: x + x, 1),
    "scaled add": (lambda x: torch.add(x, x, alpha=2), 2),
    "mul": (lambda x: x * 3.0, 1),
    "sigmoid": (torch.sigmoid, 4),
    "hardsigmoid": (functional.hardsigmoid, 4),
    "hardswish": (functional.hardswish, 5),
    "silu": (functional.silu, 5),
    "gelu": (functional.gelu, 5),
    "tanh": (torch.tanh, 5),
    "softmax": (lambda x: x.softmax(-1), 5),
    "layer_norm": (lambda x: functional.layer_norm(x, (6,)), 5),
    "mean": (lambda x: x.mean((2, 3)), 1),
    "cat": (lambda x: torch.cat([x, x]), 0),
    "pad": (lambda x: functional.pad(x, (1, 1)), 0),
    "copy": (lambda x: x.transpose(1, 2).contiguous(), 0),
    "nearest": (lambda x: functional.interpolate(x, scale_factor=2), 0),
    "bilinear": (lambda x: functional.interpolate(x, scale_factor=2, mode="bilinear"), 4 * 7),
}


def test_elementwise_operations_per_input_value():
    measured = counted(*(lambda net, x, function=function: function(x) for function, _ in PER_VALUE.values()))
    rows = {name: row.elementwise / (4 * 6 * 6) for name, row in zip(PER_VALUE, measured.rows, strict=True)}
    assert rows == {name: operations for name, (_, operations) in PER_VALUE.items()}
    assert (measured.macs, measured.unknown) == (0, ())


POOLS = {
    "max pool 2": (nn.MaxPool2d(2), 4 * 9 * 3),
    "max pool 3 by 1": (nn.MaxPool2d(3, stride=1), 4 * 16 * 8),
    "average pool 2": (nn.AvgPool2d(2), 4 * 9 * 4),
    "global average": (nn.AdaptiveAvgPool2d(1), 4 * 36),
    "overlapping average": (nn.AdaptiveAvgPool2d(4), 4 * 8 * 8),  # 6 to 4: windows of 2 that overlap, 8 rows are read
    "global maximum": (nn.AdaptiveMaxPool2d(1), 4 * 35),
    "batch norm": (nn.BatchNorm2d(4), 2 * 4 * 36),
    "group norm": (nn.GroupNorm(2, 4), 7 * 4 * 36),
    "layer norm": (nn.LayerNorm(6), 7 * 4 * 36),
}


def test_pooling_and_normalization_operations():
    functions = [lambda net, x, number=number: net.layers[number](x) for number in range(len(POOLS))]
    measured = counted(*functions, layers=nn.ModuleList(layer for layer, _ in POOLS.values()))
    rows = {name: row.elementwise for name, row in zip(POOLS, measured.rows, strict=True)}
    assert rows == {name: operations for name, (_, operations) in POOLS.items()}
    assert (measured.macs, measured.unknown) == (0, ())


def test_views_are_no_operators():
    measured = counted(
        lambda net, x: x.flatten(1),
        lambda net, x: x.view(-1, 24, 6),
        lambda net, x: x.permute(0, 2, 3, 1),
        lambda net, x: x[:, 1:3],
        lambda net, x: x.unsqueeze(1).expand(-1, 3, -1, -1, -1),
        lambda net, x: x.chunk(2, dim=1)[0],
        lambda net, x: functional.dropout(x, training=False),
    )
    assert (measured.rows, measured.macs, measured.elementwise, measured.unknown) == ((), 0, 0, ())


def test_an_operator_without_a_formula_is_named_and_not_hidden():
    measured = counted(lambda net, x: torch.relu(torch.special.bessel_j0(x)))
    assert measured.unknown == ("aten.special_bessel_j0 (special_bessel_j0)",)
    assert measured.elementwise == 4 * 36


def test_what_is_computed_from_weights_alone_is_a_constant():
    measured = counted(lambda net, x: x @ (net.layer.weight @ net.layer.weight.T), layer=nn.Linear(5, 6))
    assert measured.macs == 4 * 6 * 6 * 6  # the product of the weights is made once, when the model is built
    (row,) = measured.rows
    assert row.params == measured.params == 30
    assert row.weight_bytes == measured.weight_bytes == 4 * 36


@pytest.mark.parametrize(
    ("equation", "shapes", "macs"),
    [
        ("ij,jk->ik", [(2, 3), (3, 5)], 30),
        ("ij,jk", [(2, 3), (3, 5)], 30),
        ("bij,bjk->bik", [(7, 2, 3), (7, 3, 5)], 210),
        ("...ij,...jk->...ik", [(7, 2, 3), (7, 3, 5)], 210),
        ("...ij,jk", [(7, 2, 3), (3, 5)], 210),
        ("ij,kl->i", [(2, 3), (4, 5)], 2),  # j, k and l occur once: they are summed up before
        ("i,j->ij", [(2,), (3,)], 6),
        ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)], 2 * 3 * 4 + 2 * 4 * 5),
        ("ij->ji", [(2, 3)], 0),
        ("b...,c...->bc", [(2, 1, 4), (3, 5, 4)], 2 * 3 * 5 * 4),
    ],
)
def test_einsum_macs(equation, shapes, macs):
    assert einsum_macs(equation, shapes) == macs


@st.composite
def convolutional_nets(draw):
    """A small net of random convolutions, activations, poolings and skips, and its input shape."""
    channels, layers = draw(st.sampled_from([4, 6, 8])), []
    shape, now = (channels, 16, 16), channels
    for _ in range(draw(st.integers(1, 4))):
        after = draw(st.sampled_from([4, 6, 8, 12]))
        groups = draw(st.sampled_from([g for g in (1, 2, now) if now % g == 0 and after % g == 0]))
        kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 2))
        layers.append(nn.Conv2d(now, after, kernel, stride, kernel // 2, groups=groups, bias=draw(st.booleans())))
        layers.append(draw(st.sampled_from([nn.ReLU(), nn.BatchNorm2d(after), nn.SiLU(), nn.ReLU6()])))
        now = after
    if draw(st.booleans()):
        layers.append(nn.ConvTranspose2d(now, 5, 3, stride=2))
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(7)]
    net = nn.Sequential(*layers).eval()
    net(torch.zeros(1, *shape))  # gives the last layer its size
    return net, shape


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(convolutional_nets())
def test_random_convolutional_nets_count_as_torch_counts(drawn):
    net, shape = drawn
    measured = profile(capture(net, shape))
    assert measured.unknown == ()
    assert 2 * measured.macs == flops_by_torch(net, shape)
    assert measured.params == sum(each.numel() for each in net.parameters())


class Block(nn.Module):
    """Attention over windows, as in Swin: partition, attend with a learned bias, merge, then a small MLP."""

    def __init__(self, width=16, window=4, heads=2):
        super().__init__()
        self.window, self.heads = window, heads
        self.norm, self.qkv, self.project = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.bias = nn.Parameter(torch.zeros(heads, window**2, window**2))
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x_BHWC):
        batch, high, wide, width = x_BHWC.shape
        side, heads = self.window, self.heads
        windows = self.norm(x_BHWC).view(batch, high // side, side, wide // side, side, width)
        windows = windows.permute(0, 1, 3, 2, 4, 5).reshape(-1, side * side, width)
        query, key, value = self.qkv(windows).view(-1, side * side, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        scores = (query @ key.transpose(-1, -2) + self.bias).softmax(-1)
        merged = self.project((scores @ value).transpose(1, 2).flatten(2))
        merged = merged.view(batch, high // side, wide // side, side, side, width).permute(0, 1, 3, 2, 4, 5)
        x_BHWC = x_BHWC + merged.reshape(batch, high, wide, width)
        return x_BHWC + self.mlp(x_BHWC)


class WindowNet(nn.Module):
    """Patches, one block, a mean and a linear layer."""

    def __init__(self):
        super().__init__()
        self.patch, self.block, self.head = nn.Conv2d(3, 16, 4, 4), Block(), nn.Linear(16, 5)

    def forward(self, x):
        return self.head(self.block(self.patch(x).permute(0, 2, 3, 1)).mean((1, 2)))


def test_a_window_attention_net_counts_as_torch_counts():
    net, shape = WindowNet().eval(), (3, 32, 32)
    measured = profile(capture(net, shape))
    assert measured.unknown == ()
    assert 2 * measured.macs == flops_by_torch(net, shape)
    assert measured.params == sum(each.numel() for each in net.parameters())
    assert sum(row.params for row in measured.rows) == measured.params


def test_a_transformer_layer_counts_as_torch_counts_with_gradients():
    net = Calls(
        lambda self, x: self.layer(x.flatten(2).transpose(1, 2)),
        layer=nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, dropout=0.0),
    ).eval()
    measured = profile(capture(net, (16, 4, 4)))
    assert measured.unknown == ()
    assert 2 * measured.macs == flops_by_torch(net.train(), (16, 4, 4))


class Recurrent(nn.Module):
    """A recurrent layer over the rows of an image."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x.flatten(0, 1))[0]


@pytest.mark.parametrize(
    ("kind", "gates", "settings"),
    [
        (nn.LSTM, 4, {}),
        (nn.LSTM, 4, {"bidirectional": True, "num_layers": 2}),
        (nn.GRU, 3, {}),
        (nn.RNN, 1, {"batch_first": True}),
    ],
)
def test_every_weight_of_a_recurrent_layer_works_at_every_step(kind, gates, settings):
    inputs, hidden, places = 5, 7, 3 * 4
    measured = profile(Recurrent(kind(inputs, hidden, **settings)), input_shape=(3, 4, inputs))
    first = gates * hidden * (inputs + hidden)
    second = gates * hidden * (2 * hidden + hidden)
    per_place = 2 * (first + second) if "num_layers" in settings else first
    assert (measured.macs, measured.unknown) == (places * per_place, ())
    assert measured.rows[0].elementwise % (places * hidden) == 0


def test_a_fourier_transform_takes_five_n_log_n_operations():
    class Transformed(nn.Module):
        def forward(self, x):
            return torch.fft.rfft2(x).abs(), torch.fft.fft(x).abs()

    rows = profile(Transformed(), input_shape=(2, 8, 16)).rows
    counts = {row.op: row.elementwise for row in rows}
    assert counts["aten.fft_rfft2"] == 2 * 8 * 16 * 7 * 2.5
    assert counts["aten.fft_fft"] == 2 * 8 * 16 * 4 * 5
