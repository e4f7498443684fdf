"""Channels of zeros for the runtime's fast kernels: the same function, a few more bytes, or no change at all."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgewright.export import export_onnx
from edgewright.export.lanes import MAX_GROWTH, fill_lanes
from edgewright.model.quantized import IntegerWeights
from edgewright.verify import OnnxRunner, parity, read_expected


class Narrow(nn.Module):
    """A depthwise layer of 24 channels in a residual block, before a wide classifier."""

    def __init__(self):
        super().__init__()
        self.stem, self.depthwise = nn.Conv2d(3, 24, 3, stride=2), nn.Conv2d(24, 24, 3, padding=1, groups=24)
        self.pointwise, self.head = nn.Conv2d(24, 24, 1, bias=False), nn.Conv2d(24, 192, 1)
        self.hidden, self.fc = nn.Linear(192, 256), nn.Linear(256, 10)

    def forward(self, x):
        x = F.relu(self.stem(x))
        x = x + self.pointwise(F.relu(self.depthwise(x)))
        x = F.adaptive_avg_pool2d(F.relu(self.head(x)), 1).flatten(1)
        return self.fc(F.relu(self.hidden(x)))


class Viewed(Narrow):
    """A size that stands in the graph: the channels cannot grow without it."""

    def forward(self, x):
        x = F.relu(self.depthwise(F.relu(self.stem(x))))
        x = x.view(x.shape[0], 24, 25).view(x.shape[0], 24, 5, 5)
        return self.fc(self.hidden(F.adaptive_avg_pool2d(self.head(x), 1).flatten(1)))


def num_weights(net):
    return sum(layer.weight.numel() for layer in net.modules() if isinstance(layer, IntegerWeights))


@pytest.fixture(scope="module")
def narrow(nets):
    return nets.quantized(nets.captured(nets.seeded(Narrow), (3, 12, 12)))


def test_a_depthwise_layer_fills_its_lanes_with_all_that_is_coupled_to_it(narrow, nets):
    wider, lanes = fill_lanes(narrow)
    assert lanes == {"stem": [24, 32]}
    shapes = {path: tuple(layer.weight.shape[:2]) for path, layer in wider.named_modules() if hasattr(layer, "weight")}
    assert shapes["stem"] == (32, 3) and shapes["pointwise"] == (32, 32) and shapes["head"] == (192, 32)
    assert wider.get_submodule("depthwise").groups == 32
    assert not wider.get_submodule("stem").weight[24:].any() and not wider.get_submodule("head").weight[:, 24:].any()
    torch.testing.assert_close(wider(nets.x), narrow(nets.x), rtol=1e-3, atol=1e-2)
    assert narrow.get_submodule("stem").out_channels == 24


def test_the_file_grows_by_a_small_share_at_most(narrow):
    wider, _ = fill_lanes(narrow)
    assert num_weights(narrow) < num_weights(wider) <= (1 + MAX_GROWTH) * num_weights(narrow)


def test_a_group_that_would_grow_the_file_too_much_stays(nets):
    small = nets.captured(nets.seeded(lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3))), (3, 12, 12))
    simulation = nets.quantized(small)
    assert fill_lanes(simulation) == (simulation, {})


def test_a_model_whose_graph_holds_sizes_stays_as_it_is(nets):
    simulation = nets.quantized(nets.captured(nets.seeded(Viewed), (3, 12, 12)))
    assert fill_lanes(simulation) == (simulation, {})


def test_the_file_agrees_with_the_simulation_that_it_was_made_from(narrow, nets, tmp_path):
    artifact = export_onnx(narrow, tmp_path / "a", name="narrow", preprocess={}, samples_BCHW=nets.x)
    assert artifact.manifest["lanes"] == {"stem": [24, 32]}
    rows = parity(artifact.model_path, read_expected(artifact))
    assert all(row.max_steps <= 1 for row in rows) and len(rows) == len(artifact.manifest["tensors"])
    want, got = narrow(nets.x), OnnxRunner(artifact.model_path)(nets.x)
    assert got.shape == want.shape and (got - want).abs().max() < 0.05 * want.abs().max()
