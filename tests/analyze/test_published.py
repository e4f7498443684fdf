"""Published models: parameters and multiply-accumulates exactly, wherever torchvision, timm or our zoo has them.

Parameters hold no data here: building then costs nothing, and counting does not look at values.
"""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision import models

from edgewright import zoo
from edgewright.analyze import profile


@contextmanager
def building_without_data():
    """Modules that are built inside have parameters without content (what else they compute on the way has some)."""
    register = nn.Module.register_parameter

    def registering(module, name, given):
        if given is not None:
            given = nn.Parameter(torch.empty_like(given, device="meta"), given.requires_grad)
        register(module, name, given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Module, "register_parameter", registering)
        yield


def measured(spec, *, image_size=None):
    with building_without_data():
        built = zoo.resolve(spec, num_classes=None, image_size=image_size)
    return profile(built.model, input_shape=built.input_shape)


QUICK = {
    "mobilenet_v1:0.25": (470_072, 41_030_272),
    "mobilenet_v2": (3_504_872, 300_774_272),
    "torchvision:alexnet": (61_100_840, 714_188_480),
    "torchvision:resnet18": (11_689_512, 1_814_073_344),
    "torchvision:resnet50": (25_557_032, 4_089_184_256),
    "torchvision:squeezenet1_1": (1_235_496, 349_151_936),
    "torchvision:mobilenet_v3_small": (2_542_856, 56_510_400),
    "torchvision:efficientnet_b0": (5_288_548, 385_814_752),
    "torchvision:convnext_tiny": (28_589_128, 4_455_531_264),
}
OTHERS = {
    "mobilenet_v1:0.5": (1_331_592, 149_497_088),
    "mobilenet_v1:0.75": (2_585_560, 325_400_448),
    "mobilenet_v1": (4_231_976, 568_740_352),
    "torchvision:vgg16": (138_357_544, 15_470_264_320),
    "torchvision:googlenet": (6_624_904, 1_498_376_192),
    "torchvision:resnet34": (21_797_672, 3_663_761_408),
    "torchvision:resnet152": (60_192_808, 11_513_626_624),
    "torchvision:resnext50_32x4d": (25_028_904, 4_230_479_872),
    "torchvision:densenet121": (7_978_856, 2_834_161_664),
    "torchvision:squeezenet1_0": (1_248_424, 818_924_576),
    "torchvision:mobilenet_v2": (3_504_872, 300_774_272),
    "torchvision:mobilenet_v3_large": (5_483_032, 216_589_760),
    "torchvision:shufflenet_v2_x0_5": (1_366_792, 40_476_448),
    "torchvision:shufflenet_v2_x1_0": (2_278_604, 144_907_992),
    "torchvision:shufflenet_v2_x2_0": (7_393_996, 583_253_464),
    "torchvision:vit_b_16": (86_567_656, 17_563_828_224),
    "timm:mobilenetv1_100": (4_231_976, 568_740_352),
    "timm:seresnet50": (28_088_024, 4_091_699_200),  # stride in the 3x3; `legacy_seresnet50` has it in the 1x1
    "timm:ghostnet_100": (5_182_508, 141_150_512),
    "timm:legacy_xception": (22_855_952, 4_552_879_072),  # 8,357,403,496 at its own 299
}
COMPOUND = {"b0": (224, 5_288_548, 385_814_752), "b4": (380, 19_341_616, 4_393_771_024),
            "b7": (600, 66_347_960, 37_745_884_192)}  # fmt: skip


@pytest.mark.parametrize("spec", [*QUICK, *(pytest.param(spec, marks=pytest.mark.slow) for spec in OTHERS)])
def test_parameters_and_macs_exactly(spec):
    found = measured(spec, image_size=None if ":" in spec and spec.startswith("mobilenet") else 224)
    assert (found.params, found.macs) == {**QUICK, **OTHERS}[spec]
    assert found.unknown == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPOUND)
def test_efficientnets_at_the_size_they_are_scaled_to(name):
    size, params, macs = COMPOUND[name]
    found = measured(f"torchvision:efficientnet_{name}", image_size=size)
    assert (found.params, found.macs) == (params, macs)


class LeNet5(nn.Module):
    """LeCun 1998 with every map of C3 connected to every map of S2."""

    def __init__(self):
        super().__init__()
        self.c1, self.c3 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.c5, self.f6, self.out = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = functional.avg_pool2d(torch.tanh(self.c1(x)), 2)
        x = functional.avg_pool2d(torch.tanh(self.c3(x)), 2)
        return self.out(torch.tanh(self.f6(torch.tanh(self.c5(x.flatten(1))))))


def test_lenet_5_by_hand():
    found = profile(LeNet5(), input_shape=(1, 32, 32))
    assert found.params == 6 * 26 + 16 * 151 + 120 * 401 + 84 * 121 + 10 * 85 == 61_706
    assert found.macs == 28 * 28 * 6 * 25 + 10 * 10 * 16 * 6 * 25 + 400 * 120 + 120 * 84 + 84 * 10 == 416_520


def shuffle(x, groups):
    return x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)


class ShuffleUnit(nn.Module):
    """Zhang 2018, figure 2: grouped 1x1, shuffle, depthwise 3x3, grouped 1x1; stride 2 joins the pooled input."""

    def __init__(self, inputs, outputs, *, groups, stride, first_groups):
        super().__init__()
        made, middle = outputs - (inputs if stride == 2 else 0), outputs // 4
        self.groups, self.stride = groups, stride
        self.reduce = nn.Conv2d(inputs, middle, 1, groups=first_groups, bias=False)
        self.depthwise = nn.Conv2d(middle, middle, 3, stride, 1, groups=middle, bias=False)
        self.expand = nn.Conv2d(middle, made, 1, groups=groups, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in (middle, middle, made))

    def forward(self, x):
        y = shuffle(functional.relu(self.norms[0](self.reduce(x))), self.groups)
        y = self.norms[2](self.expand(self.norms[1](self.depthwise(y))))
        if self.stride == 1:
            return functional.relu(x + y)
        return functional.relu(torch.cat((functional.avg_pool2d(x, 3, 2, 1), y), dim=1))


WIDTHS = {1: (144, 288, 576), 2: (200, 400, 800), 3: (240, 480, 960), 4: (272, 544, 1088), 8: (384, 768, 1536)}


def shufflenet_v1(groups):
    """Zhang 2018, table 1; neither torchvision nor timm has it."""
    layers = [nn.Conv2d(3, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    inputs = 24
    for outputs, repeats in zip(WIDTHS[groups], (4, 8, 4), strict=True):
        for index in range(repeats):
            first_groups = 1 if inputs == 24 else groups
            stride = 2 if index == 0 else 1
            layers.append(ShuffleUnit(inputs, outputs, groups=groups, stride=stride, first_groups=first_groups))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 1000))


@pytest.mark.parametrize(("groups", "millions"), [(1, 143.08), (2, 140.84), (3, 137.46), (4, 134.34), (8, 138.37)])
def test_shufflenet_v1_by_its_number_of_groups(groups, millions):
    found = profile(shufflenet_v1(groups), input_shape=(3, 224, 224))
    assert round(found.macs / 1e6, 2) == millions
    if groups == 3:
        assert (found.params, found.macs) == (1_865_728, 137_460_672)


def published():
    """Model, image size -> the facts that torchvision publishes with its weights. Every classifier has them."""
    return {
        (name, int(weights.transforms().crop_size[0])): weights.meta
        for name in models.list_models(module=models)
        for weights in models.get_model_weights(name)
    }


AUXILIARY = {"inception_v3": 3_326_696}  # parameters of the head that serves training only: published, and not run


HEADS = {"swin_v2_t": (2 * 3, 2 * 6, 6 * 12, 2 * 24), "swin_v2_s": (2 * 3, 2 * 6, 18 * 12, 2 * 24),
         "swin_v2_b": (2 * 4, 2 * 8, 18 * 16, 2 * 32)}  # fmt: skip


def position_tables(name):
    """MACs that are published for making tables of 15 x 15 positions from weights alone: 2 -> 512 -> heads."""
    blocks = {"swin_v2_t": 12, "swin_v2_s": 24, "swin_v2_b": 24}
    return 15 * 15 * (blocks[name] * 2 * 512 + 512 * sum(HEADS[name])) if name in HEADS else 0


@pytest.mark.slow
@pytest.mark.parametrize("name", models.list_models(module=models))
def test_what_torchvision_publishes_with_its_weights(name):
    facts = {size: meta for (each, size), meta in published().items() if each == name}
    assert facts
    for size, meta in facts.items():
        found = measured(f"torchvision:{name}", image_size=size)
        assert found.params == meta["num_params"] - AUXILIARY.get(name, 0)
        assert round((found.macs + position_tables(name)) / 1e9, 3) == meta["_ops"]
        assert found.unknown == ()
