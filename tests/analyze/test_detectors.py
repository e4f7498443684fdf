"""torchvision's detectors and segmentation models: exactly the figures published with their weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models, ops

from edgewright import zoo
from edgewright.analyze import profile


def published(name):
    return next(iter(models.get_model_weights(name))).meta["_ops"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("ssdlite320_mobilenet_v3_large", 320),
        ("ssd300_vgg16", 300),
        ("retinanet_resnet50_fpn", 800),
        ("fcos_resnet50_fpn", 800),
        ("fasterrcnn_resnet50_fpn", 800),
    ],
)
def test_detectors_cost_what_torchvision_publishes(name, side):
    model = zoo.resolve(f"torchvision:{name}", num_classes=None).model
    measured = profile(model, input_shape=(3, side, side))
    assert round(measured.macs / 1e9, 3) == published(name)
    assert measured.params == sum(each.numel() for each in model.parameters())
    assert measured.unknown == ()


@pytest.mark.parametrize("name", ["lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large", "fcn_resnet50"])
def test_segmentation_models_cost_what_torchvision_publishes(name):
    auxiliary = {} if name.startswith("lraspp") else {"aux_loss": True}  # part of what is published
    model = models.get_model(name, weights=None, weights_backbone=None, **auxiliary)
    measured = profile(model, input_shape=(3, 520, 520))
    assert round(measured.macs / 1e9, 3) == published(name)
    assert measured.unknown == ()


class Suppress(nn.Module):
    def forward(self, x):
        return ops.nms(x[0, :, :4], x[0, :, 4], 0.5)


def test_suppression_is_a_sort_and_all_pairs_at_worst():
    row = profile(Suppress(), input_shape=(8, 5)).rows[-1]
    assert (row.op, row.elementwise) == ("torchvision.nms", 8 * 3 + 13 * 28)


class Pool(nn.Module):
    def __init__(self, per_side):
        super().__init__()
        self.per_side = per_side

    def forward(self, x):
        return ops.roi_align(x, torch.tensor([[0.0, 0, 0, 4, 4]]), output_size=2, sampling_ratio=self.per_side)


def test_regions_are_counted_where_the_number_of_samples_is_known_and_named_where_not():
    assert profile(Pool(2), input_shape=(3, 8, 8)).rows[-1].elementwise == 3 * 4 * 4 * 8
    measured = profile(Pool(-1), input_shape=(3, 8, 8))
    assert measured.unknown == ("torchvision.roi_align (roi_align)",)


def test_a_deformable_convolution_multiplies_as_a_plain_one():
    layer = ops.DeformConv2d(4, 6, 3, padding=1)

    class Deformed(nn.Module):
        def __init__(self):
            super().__init__()
            self.offset, self.layer = nn.Conv2d(4, 18, 3, padding=1), layer

        def forward(self, x):
            return self.layer(x, self.offset(x))

    measured = profile(Deformed(), input_shape=(4, 5, 5))
    assert measured.macs == 25 * 9 * 4 * (18 + 6)
    assert measured.rows[-1].elementwise == 25 * 9 * 4 * 7
