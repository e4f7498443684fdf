"""A network's own zeros on the sparse engine: products counted by masks, batches, sampling, and a clustered layer."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn
from torch.nn import functional

from edgewright.analyze import profile
from edgewright.analyze.hardware import ColumnEngine, sparse_columns
from edgewright.analyze.hardware.products import watch_layers
from edgewright.errors import ConfigError, ShapeError
from edgewright.model import capture

WIDE = ColumnEngine(num_elements=4, index_bits=8)  # no padding entries in these small layers


@pytest.fixture(scope="module")
def pruned():
    net = capture(
        nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=2), nn.ReLU()), (3, 12, 12)
    )
    with torch.no_grad():
        for path in ("0", "2"):
            weight = net.get_submodule(path).weight
            weight[weight.abs() < weight.abs().median()] = 0
    return net


def test_multiplied_entries_are_the_pairs_of_non_zero_weight_and_activation(pruned, images_BCHW):
    pairs = {}

    def count(path, layer, x):
        masks = (x != 0).float(), (layer.weight != 0).float()
        pairs[path] = functional.conv2d(*masks, padding=layer.padding, groups=layer.groups).sum().item()

    watch_layers(pruned, images_BCHW, count)
    result = sparse_columns(pruned, profile(pruned), images_BCHW=images_BCHW, engine=WIDE)
    assert {row.layer: 2 * row.run.entries for row in result.rows} == pairs  # the profile is of one sample, not two


def test_zero_activations_save_cycles_and_a_dense_model_saves_none(pruned, images_BCHW, net, measured):
    weights_only = sparse_columns(pruned, profile(pruned), engine=WIDE)
    with_images = sparse_columns(pruned, profile(pruned), images_BCHW=images_BCHW, engine=WIDE)
    first, second = (result.rows[1] for result in (weights_only, with_images))
    assert first.share_of_nonzero_activations == 1 > second.share_of_nonzero_activations
    assert second.run.cycles < first.run.cycles < first.run.dense_cycles
    assert second.run.dense_cycles == first.run.dense_cycles
    dense = sparse_columns(net, measured, engine=WIDE).total()
    assert dense["cycles"] == dense["dense_cycles"] and dense["speed_up"] == 1


def test_bytes_by_hand(pruned):
    row = sparse_columns(pruned, profile(pruned, dtype="int8"), engine=ColumnEngine(num_elements=2)).rows[1]
    kept = int((pruned.get_submodule("2").weight != 0).sum())
    assert (row.nonzero_weights, row.padding_entries, row.weights) == (kept, 0, 8 * 36)
    bits = kept * 8 + 2 * 2 * 37 * 16 + 256  # two groups, two elements each, 36 columns and one more pointer, one table
    assert row.sparse_bytes == -(-bits // 8)
    assert row.dense_bytes == 8 * 36
    assert not row.weights_are_shared


def test_shared_weights_are_seen_as_such(pruned):
    clustered = capture(pruned, (3, 12, 12))
    with torch.no_grad():
        weight = clustered.get_submodule("0").weight
        weight.copy_(weight.sign())
    rows = sparse_columns(clustered, profile(clustered)).rows
    assert [row.weights_are_shared for row in rows] == [True, False]


def test_a_few_windows_stand_for_all(pruned, images_BCHW):
    measured = profile(pruned)
    exact = sparse_columns(pruned, measured, images_BCHW=images_BCHW, engine=WIDE).total()
    sampled = sparse_columns(pruned, measured, images_BCHW=images_BCHW, engine=WIDE, max_windows=50).total()
    assert sampled["dense_cycles"] == exact["dense_cycles"]
    assert sampled["cycles"] == pytest.approx(exact["cycles"], rel=0.15)  # 50 of 200 and more
    everything = sparse_columns(pruned, measured, images_BCHW=images_BCHW, engine=WIDE, max_windows=10_000)
    assert everything.total() == exact


def test_a_shared_layer_is_stored_once_and_run_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.shared = nn.Linear(4, 4)

        def forward(self, x):
            return self.shared(self.shared(x).relu())

    net = capture(Twice(), (4,))
    result = sparse_columns(net, profile(net), images_BCHW=torch.ones(3, 4))
    assert [row.layer for row in result.rows] == ["shared", "shared"]
    assert result.rows[0].run.cycles >= result.rows[1].run.cycles  # the second reads what a ReLU made
    assert result.total()["weights"] == 16


def test_rows_are_plain_data_that_add_up(pruned, images_BCHW):
    result = sparse_columns(pruned, profile(pruned), images_BCHW=images_BCHW)
    rows, total = result.by_layer(), result.total()
    assert json.dumps([rows, total], allow_nan=False)
    for name in ("cycles", "dense_cycles", "weights", "sparse_bytes"):
        assert sum(row[name] for row in rows) == pytest.approx(total[name])
    assert total["with_images"] is True


def test_wrong_images_and_windows_are_refused(pruned):
    measured = profile(pruned)
    with pytest.raises(ShapeError, match=r"Images are of shape \(B, 3, 12, 12\), got \(0, 3, 12, 12\)"):
        sparse_columns(pruned, measured, images_BCHW=torch.ones(0, 3, 12, 12))
    with pytest.raises(ConfigError, match="max_windows is at least 1, got 0"):
        sparse_columns(pruned, measured, max_windows=0)
