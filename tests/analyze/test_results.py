"""What functions make without asking torch is what torch says; a fast copy is what `copy.deepcopy` makes."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from edgewright.analyze.copying import copied
from edgewright.analyze.recognition import Given
from edgewright.analyze.results import RESULTS, result_of
from edgewright.analyze.tracing import META

aten = torch.ops.aten


def empty(*shape, dtype=torch.float32):
    return torch.empty(shape, dtype=dtype, device=META)


IMAGE, GATE, TOKENS = empty(2, 6, 8, 9), empty(2, 6, 1, 1), empty(2, 4, 5, 8)
LAST = IMAGE.to(memory_format=torch.channels_last)
CASES = {
    "relu": (aten.relu.default, IMAGE),
    "gelu of channels last": (aten.gelu.default, LAST),
    "sigmoid of a transposed one": (aten.sigmoid.default, TOKENS.transpose(1, 2)),
    "add": (aten.add.Tensor, IMAGE, IMAGE),
    "add a number": (aten.add.Tensor, IMAGE, 1),
    "mul broadcast": (aten.mul.Tensor, IMAGE, GATE),
    "mul broadcast both ways": (aten.mul.Tensor, empty(2, 1, 8), empty(1, 3, 1)),
    "mul of channels last": (aten.mul.Tensor, LAST, GATE),
    "sub of other ranks": (aten.sub.Tensor, IMAGE, empty(9)),
    "div of integers": (aten.div.Tensor, empty(3, dtype=torch.int64), empty(3, dtype=torch.int64)),
    "mul of two types": (aten.mul.Tensor, IMAGE, empty(2, 6, 8, 9, dtype=torch.float64)),
    "softmax": (aten.softmax.int, TOKENS, -1),
    "softmax to a type": (aten.softmax.int, TOKENS, -1, torch.float64),
    "cat": (aten.cat.default, [IMAGE, GATE.expand(2, 6, 8, 1).contiguous()], -1),
    "cat of channels": (aten.cat.default, [IMAGE, empty(2, 1, 8, 9)], 1),
    "cat of channels last": (aten.cat.default, [LAST, LAST], 1),
    "cat with nothing": (aten.cat.default, [IMAGE, empty(0)], 1),
    "pool to one": (aten.adaptive_avg_pool2d.default, IMAGE, [1, 1]),
    "pool of one sample": (aten.adaptive_avg_pool2d.default, empty(6, 8, 9), [2, 3]),
    "pool of a line": (aten.adaptive_avg_pool1d.default, empty(2, 6, 8), [3]),
    "pool of a volume": (aten.adaptive_avg_pool3d.default, empty(2, 6, 8, 9, 4), [2, 3, 4]),
    "conv2d": (aten.conv2d.default, IMAGE, empty(4, 6, 3, 3), None, [2, 1], [1, 0], [1, 2], 1),
    "conv2d by groups": (aten.conv2d.default, IMAGE, empty(12, 2, 3, 3), empty(12), [1, 1], [1, 1], [1, 1], 3),
    "conv1d": (aten.conv1d.default, empty(2, 3, 10), empty(5, 3, 4), None, [3], [2], [1], 1),
    "conv3d": (aten.conv3d.default, empty(1, 2, 5, 6, 7), empty(3, 2, 3, 3, 3), None, [1] * 3, [1] * 3, [1] * 3, 1),
    "conv2d without a batch": (aten.conv2d.default, empty(6, 8, 9), empty(4, 6, 3, 3), None, [1, 1], [0, 0], [1, 1], 1),
    "linear": (aten.linear.default, TOKENS, empty(3, 8), empty(3)),
    "linear of one sample": (aten.linear.default, empty(8), empty(3, 8)),
    "linear of a transposed one": (aten.linear.default, TOKENS.transpose(2, 3), empty(3, 5)),
    "attention": (aten.scaled_dot_product_attention.default, TOKENS, TOKENS, empty(2, 4, 5, 3)),
    "attention to other tokens": (
        aten.scaled_dot_product_attention.default, TOKENS, empty(2, 4, 7, 8), empty(2, 4, 7, 8)),
    "attention of unequal factors": (
        aten.scaled_dot_product_attention.default, TOKENS.transpose(1, 2), empty(2, 5, 6, 8), empty(2, 5, 6, 3)),
    "attention of a transposed one": (aten.scaled_dot_product_attention.default, *[TOKENS.transpose(1, 2)] * 3),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_shape_type_and_layout_are_those_of_torch(case):
    function, *args = CASES[case]
    want = function(*args)
    found = result_of(Given(function=function, args=tuple(args), kwargs={}))
    if found is not None:
        assert (found.shape, found.dtype, found.stride()) == (want.shape, want.dtype, want.stride())
        assert found.device == META


def test_the_common_cases_are_known_and_torch_is_asked_where_it_decides():
    known = {case for case, (function, *args) in CASES.items()
             if result_of(Given(function=function, args=tuple(args), kwargs={})) is not None}  # fmt: skip
    assert {"relu", "add", "add a number", "mul broadcast", "softmax", "cat", "pool to one", "conv2d",
            "pool of a line", "pool of a volume",
            "conv2d by groups",
            "attention", "attention of a transposed one", "linear"} <= known  # fmt: skip
    assert not known & {
        "mul of two types",
        "linear of two types",
        "div of integers",
        "softmax to a type",
        "cat with nothing",
    }


def test_what_torch_refuses_is_left_to_torch():
    args = (empty(2, 8), empty(3, 8, dtype=torch.float64))
    assert result_of(Given(function=aten.linear.default, args=args, kwargs={})) is None
    for image, weight in ((empty(1, 5, 8, 8), empty(4, 6, 3, 3)), (empty(1, 6, 2, 2), empty(4, 6, 3, 3))):
        args = (image, weight, None, [1, 1], [0, 0], [1, 1], 1)
        assert result_of(Given(function=aten.conv2d.default, args=args, kwargs={})) is None
    assert set(RESULTS) >= {"conv2d", "add", "cat"}


class Holder(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2))
        self.again = self.first
        self.hidden, self.cache, self.sizes = [self.first[0]], {}, [1, 2]
        self.tied = self.first[0].weight
        self.recurrent = nn.LSTM(2, 3)

    def forward(self, x):
        self.cache["seen"] = x
        return self.first(x)


def test_a_copy_shares_inside_what_its_original_shares_and_nothing_with_it():
    model = Holder()
    twin = copied(model, {})
    assert twin.again is twin.first is not model.first
    assert twin.hidden[0] is twin.first[0] is not model.first[0]
    assert twin.tied is twin.first[0].weight is not model.tied
    assert twin.cache is not model.cache and twin.sizes == [1, 2] and twin.sizes is not model.sizes
    assert repr(twin) == repr(copy.deepcopy(model))
    twin(torch.zeros(1, 2, 4, 4))
    assert model.cache == {} and list(twin.cache) == ["seen"]
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), copied(model, {}).state_dict().values(),
                                                 strict=True))  # fmt: skip


class Careful(nn.Module):
    def __deepcopy__(self, memo):
        return "mine"


def test_a_class_with_its_own_rule_for_copies_keeps_it():
    assert copied(Careful(), {}) == "mine"
