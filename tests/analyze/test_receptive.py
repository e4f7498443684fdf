"""Receptive fields: published ones, and those that gradients show."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from edgewright import zoo
from edgewright.analyze import by_shape, record
from edgewright.calc import receptive_field


def fields(model, input_shape):
    return {row["layer"] or row["name"]: row for row in by_shape(record(model, input_shape))}


@pytest.mark.parametrize(
    ("spec", "layer", "size", "step"),
    [
        pytest.param("torchvision:alexnet", "max_pool2d_2", 195, 32, marks=pytest.mark.slow),
        pytest.param("torchvision:vgg16", "max_pool2d_4", 212, 32, marks=pytest.mark.slow),
        # 7/2, pool 3/2, then 3x3 per block: 7 + 4 + 3*8 + 8 + 3*16 + 16 + 5*32 + 32 + 2*64, strides in the 3x3
        ("torchvision:resnet50", "layer4.2.conv3", 427, 32),
        ("mobilenet_v1", None, 315, 32),
    ],
)
def test_published_receptive_fields(spec, layer, size, step):
    built = zoo.resolve(spec, num_classes=None)
    rows = by_shape(record(built.model, built.input_shape))
    if layer is None:
        row = [row for row in rows if row["op"] == "Conv2d"][-1]
    else:
        row = next(row for row in rows if layer in (row["layer"], row["name"]))
    assert (row["receptive_field"], row["jump"]) == ([size, size], [step, step])


def test_the_stack_of_the_formula():
    net = nn.Sequential(nn.Conv2d(1, 1, 3), nn.MaxPool2d(2), nn.Conv2d(1, 1, (5, 3), dilation=(1, 2)))
    row = fields(net, (1, 32, 32))["2"]
    assert row["receptive_field"][0] == receptive_field(layers=[[3, 1], [2, 2], [5, 1]]).result["receptive_field"]
    assert row["receptive_field"] == [1 + 2 + 1 + 4 * 2, 1 + 2 + 1 + 2 * 2 * 2]
    assert (row["kernel"], row["dilation"], row["jump"]) == ([5, 3], [1, 2], [2, 2])


def test_branches_give_the_larger_field():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.wide, self.narrow = nn.Conv2d(2, 2, 7, padding=3), nn.Conv2d(2, 2, 3, padding=1)

        def forward(self, x):
            return torch.cat([self.wide(x), self.narrow(x)], 1) + functional.pad(self.narrow(x), [0, 0, 0, 0, 1, 1])

    rows = by_shape(record(Branches(), (2, 16, 16)))
    assert rows[-1]["receptive_field"] == [7, 7]


@pytest.mark.parametrize(
    "whole",
    [
        lambda x: x.mean((2, 3)),
        lambda x: x.flatten(1) * 2,
        lambda x: functional.adaptive_avg_pool2d(x, 1),
        lambda x: functional.adaptive_avg_pool2d(x, 5),  # unequal windows: what each sees is not told
        lambda x: functional.avg_pool2d(x, 11),
        lambda x: functional.group_norm(x, 1),
        lambda x: functional.scaled_dot_product_attention(*[x.flatten(2).transpose(1, 2)] * 3),
    ],
)
def test_what_mixes_all_places_sees_the_whole_input(whole):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 4, 3)

        def forward(self, x):
            return whole(self.conv(x))

    last = by_shape(record(Net(), (2, 13, 13)))[-1]
    assert last["receptive_field"] is None


LAYERS = st.lists(
    st.one_of(
        st.tuples(st.just("conv"), st.integers(1, 4), st.integers(1, 3), st.integers(1, 2)),
        st.tuples(st.just("up"), st.integers(2, 4), st.integers(1, 3), st.integers(1, 2)),
        st.tuples(st.just("pool"), st.integers(2, 3), st.integers(1, 2), st.just(1)),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=30)
@given(LAYERS)
def test_no_output_value_depends_on_more_than_its_field_and_some_on_all_of_it(drawn):
    torch.manual_seed(0)
    build = {
        "conv": lambda k, s, d: nn.Conv1d(1, 1, k, stride=s, dilation=d),
        "up": lambda k, s, d: nn.ConvTranspose1d(1, 1, max(k, s), stride=s, dilation=d),
        "pool": lambda k, s, d: nn.AvgPool1d(k, s),
    }
    net = nn.Sequential(*(build[kind](*numbers) for kind, *numbers in drawn)).double()
    for parameter in net.parameters():
        nn.init.uniform_(parameter, 0.5, 1.5)  # all positive: nothing cancels
    size = by_shape(record(net.float(), (1, 160)))[-1]["receptive_field"][0]
    image = torch.zeros(1, 1, 160, requires_grad=True)
    outputs = net(image).flatten()
    extents = []
    for value in outputs[len(outputs) // 3 : 2 * len(outputs) // 3 + 1]:
        (gradient,) = torch.autograd.grad(value, image, retain_graph=True)
        touched = gradient.flatten().nonzero().flatten()
        extents.append(int(touched[-1] - touched[0]) + 1 if len(touched) else 0)
    assert max(extents) <= size
    if not any(kind == "up" for kind, *_ in drawn):
        assert max(extents) == size
