"""First and last layers, and batch normalization measured behind rounded weights."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgewright.compress.quantize import Precision, plan_quantizers
from edgewright.compress.quantize.repairs import find_ends, keep_ends, reestimate_rounded
from edgewright.compress.quantize.repairs.stepping import Stepper
from edgewright.errors import ConfigError
from edgewright.model.fold import fold_batch_norms
from edgewright.model.quantized import IntegerWeights


class Detector(nn.Module):
    """Two stems, a body, two heads on two levels; sizes of the image are read late."""

    def __init__(self):
        super().__init__()
        names = {"left": (3, 4), "right": (3, 4), "body": (4, 4), "boxes": (4, 4), "scores": (4, 2), "deep": (4, 4)}
        for name, (inner, outer) in names.items():
            setattr(self, name, nn.Conv2d(inner, outer, 3, padding=1))

    def forward(self, x):
        y = F.relu(self.left(x) + self.right(x))
        y = F.relu(self.body(y))
        deep = self.deep(F.max_pool2d(y, 2)).reshape(x.shape[0], -1)
        return self.boxes(y), torch.sigmoid(self.scores(y)), deep


def test_every_layer_that_an_output_is_reached_from_is_a_last_one(captured):
    net = captured(Detector())
    ends = find_ends(net)
    assert set(ends.first) == {"left", "right"} and set(ends.last) == {"boxes", "scores", "deep"}


def test_ends_keep_8_bits_and_so_does_what_they_read(captured):
    net = captured(Detector())
    plan = plan_quantizers(net)
    kept = keep_ends(net, plan, Precision(weights=3, activations=4))
    assert {name: kept.of_layer(name) for name in plan.layers} == {
        "left": 8, "right": 8, "body": 3, "boxes": 8, "scores": 8, "deep": 8,
    }  # fmt: skip
    assert (
        kept.of_point("x") == 8 and kept.of_point(plan.layers["boxes"]) == 8 and kept.of_point(plan.layers["body"]) == 4
    )


def test_more_bits_stay_more_and_one_layer_is_both_ends(captured):
    net = captured("chain")
    kept = keep_ends(net, plan_quantizers(net), Precision(weights=4, activations=16, layers={"a": 7}), bits=6)
    assert (kept.of_layer("a"), kept.of_layer("b"), kept.of_layer("fc")) == (7, 4, 6) and kept.of_point("x") == 16
    alone = find_ends(captured(nn.Sequential(nn.Conv2d(3, 2, 1))))
    assert alone.first == alone.last and len(alone.first) == 1


def test_bits_out_of_range_are_refused(captured):
    net = captured("chain")
    with pytest.raises(ConfigError, match="keep_ends takes 2 to 8 bits, got 9"):
        keep_ends(net, plan_quantizers(net), Precision(), bits=9)


# -- batch normalization ----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def normed(captured):
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)]
    net = captured(nn.Sequential(*layers))
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_(), norm.running_var.uniform_(0.5, 2)
            norm.weight.data.normal_(), norm.bias.data.normal_()
    return net


def test_folded_weights_lie_on_the_grid_that_the_simulation_finds_again(normed, images, simulated):
    folded, report = reestimate_rounded(normed, images, precision=Precision(weights=3))
    assert len(report.gains) == 2 and not report.folding.refused
    for layer in simulated(folded, weights=3).modules():
        if isinstance(layer, IntegerWeights):
            torch.testing.assert_close(layer.rounded_weight(), layer.weight, rtol=1e-4, atol=1e-5)


def test_mean_and_spread_of_every_channel_are_those_of_the_float_net(normed, images):
    exact, _ = fold_batch_norms(normed)
    folded, _ = reestimate_rounded(normed, images, precision=Precision(weights=2))
    names = [node.name for node in exact.graph.nodes if node.op == "call_module"]
    steps = [Stepper(net, [images]) for net in (exact, folded)]
    for name in names:
        want, got = (step.outputs(name)[0].transpose(0, 1).flatten(1) for step in steps)
        torch.testing.assert_close(got.mean(1), want.mean(1), rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(got.std(1), want.std(1), rtol=1e-2, atol=1e-3)


def test_weights_that_are_on_their_grid_change_nothing(normed, images):
    exact, _ = fold_batch_norms(normed)
    folded, report = reestimate_rounded(normed, images, precision=Precision(weights=8))
    assert all(0.99 < low <= high < 1.01 for low, high in report.gains.values())
    assert (folded(images) - exact(images)).abs().mean() < 0.01 * exact(images).abs().mean()
