"""Every model of the zoo builds, computes, and costs what the table and the literature say."""

import dataclasses
import subprocess
import sys

import pytest
import torch
from torch import nn

from edgewright import zoo
from edgewright.errors import ConfigError, LookupFailed
from edgewright.model import capture
from edgewright.zoo.resnet_cifar import shortcut_a

EVERY = pytest.mark.parametrize("entry", zoo.entries(), ids=lambda entry: entry.name)


def count_params(model: nn.Module) -> int:
    return sum(value.numel() for value in model.parameters())


def count_macs(model: nn.Module, shape: tuple[int, int, int]) -> dict[str, int]:
    """MACs by layer from the shapes that flow through: the oracle, which knows nothing of edgewright's counting."""
    macs = {}

    def see(name: str):
        def hook(layer: nn.Module, _: object, output: torch.Tensor) -> None:
            positions = output[0].numel() if isinstance(layer, nn.Conv2d) else layer.out_features
            macs[name] = positions * layer.weight[0].numel()

        return hook

    handles = [
        layer.register_forward_hook(see(name))
        for name, layer in model.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    ]
    device = next(model.parameters()).device
    with torch.no_grad():
        model.eval()(torch.zeros(1, *shape, device=device))
    for handle in handles:
        handle.remove()
    return macs


def build(spec: str, num_classes: int = 1000, **settings) -> zoo.ZooModel:
    """On the meta device: shapes without memory."""
    with torch.device("meta"):
        return zoo.resolve(spec, num_classes=num_classes, **settings)


@EVERY
def test_params_and_macs_are_those_of_the_table(entry):
    built = build(entry.name, entry.num_classes)
    assert built.input_shape == entry.input_shape
    assert count_params(built.model) == entry.params
    assert sum(count_macs(built.model, built.input_shape).values()) == entry.macs


@EVERY
def test_every_model_adapts_to_classes_channels_and_size(entry):
    built = zoo.resolve(entry.name, num_classes=7, channels=2, image_size=20)
    assert built.input_shape == (2, 20, 20)
    assert built.model(torch.rand(2, 2, 20, 20)).shape == (2, 7)
    assert not built.trained and not built.model.training


@pytest.mark.slow
@EVERY
def test_capture_gives_the_same_outputs(entry):
    built = zoo.resolve(entry.name, num_classes=5, channels=3, image_size=32)
    net = capture(built.model, built.input_shape)
    images = torch.rand(3, *built.input_shape)
    with torch.no_grad():
        torch.testing.assert_close(net(images), built.model(images), rtol=1e-5, atol=1e-5)


@EVERY
def test_every_entry_is_described(entry):
    assert entry.description.endswith(".") and entry.paper
    assert set(entry.takes) <= {"width", "image_size"}


@pytest.mark.parametrize(
    ("spec", "params", "macs"),
    [  # facts.md section 2
        ("mobilenet_v1:1.0", 4_231_976, 568_740_352),
        ("mobilenet_v1:0.75", 2_585_560, 325_400_448),
        ("mobilenet_v1:0.5", 1_331_592, 149_497_088),
        ("mobilenet_v1:0.25", 470_072, 41_030_272),
        ("mobilenet_v2", 3_504_872, 300_774_272),
        ("torchvision:mobilenet_v2", 3_504_872, 300_774_272),
        ("torchvision:resnet18", 11_689_512, 1_814_073_344),
        ("torchvision:resnet50", 25_557_032, 4_089_184_256),
        ("torchvision:efficientnet_b4", 19_341_616, 4_393_771_024),  # at 380 pixels
        ("torchvision:googlenet", 6_624_904, 1_498_376_192),  # without auxiliary classifiers
    ],
)
def test_published_counts_are_exact(spec, params, macs):
    built = build(spec)
    assert count_params(built.model) == params
    assert sum(count_macs(built.model, built.input_shape).values()) == macs


def test_the_visual_wake_words_net_of_mlperf_tiny_is_mobilenet_v1_at_a_quarter_and_96_pixels():
    built = build("mobilenet_v1:0.25@96", 2)
    assert built.input_shape == (3, 96, 96)
    assert sum(count_macs(built.model, built.input_shape).values()) == 7_489_664  # 7.49 M in the benchmark's reports


def test_simple_cnn_layer_by_layer():
    macs = count_macs(build("simple_cnn", 10).model, (1, 28, 28))
    assert macs == {"conv1": 56_448, "conv2": 225_792, "fc1": 50_176, "fc2": 640}


def test_resnet8_is_the_reference_layer_by_layer():
    model = build("resnet8", 10).model
    # Kernel, input and output channels, output size of each convolution of pretrainedResnet.tflite (MLPerf Tiny).
    reference = {
        "conv": 3 * 3 * 3 * 16 * 32 * 32,
        "stage1.conv1": 3 * 3 * 16 * 16 * 32 * 32,
        "stage1.conv2": 3 * 3 * 16 * 16 * 32 * 32,
        "stage2.conv1": 3 * 3 * 16 * 32 * 16 * 16,
        "stage2.conv2": 3 * 3 * 32 * 32 * 16 * 16,
        "stage2.shortcut": 1 * 1 * 16 * 32 * 16 * 16,
        "stage3.conv1": 3 * 3 * 32 * 64 * 8 * 8,
        "stage3.conv2": 3 * 3 * 64 * 64 * 8 * 8,
        "stage3.shortcut": 1 * 1 * 32 * 64 * 8 * 8,
        "fc": 64 * 10,
    }
    assert count_macs(model, (3, 32, 32)) == reference
    statistics = sum(layer.running_mean.numel() * 2 for layer in model.modules() if isinstance(layer, nn.BatchNorm2d))
    assert count_params(model) + statistics == 78_666  # Keras counts running mean and variance too


def test_ds_cnn_counts_are_those_of_the_reference():
    model = build("ds_cnn", 12).model
    statistics = sum(layer.running_mean.numel() * 2 for layer in model.modules() if isinstance(layer, nn.BatchNorm2d))
    assert count_params(model) + statistics == 24_908  # Keras counts running mean and variance too
    macs = list(count_macs(model, (1, 49, 10)).values())
    assert macs[0] == 10 * 4 * 64 * 25 * 5
    assert macs[1:3] * 4 == macs[1:9] == [9 * 64 * 125, 64 * 64 * 125] * 4


def test_option_a_shortcut_takes_every_second_pixel_and_pads_channels_on_both_sides():
    images = torch.arange(2 * 4 * 4, dtype=torch.float32).reshape(1, 2, 4, 4)
    got = shortcut_a(images, 4)
    by_hand = torch.zeros(1, 4, 2, 2)
    by_hand[0, 1] = torch.tensor([[0.0, 2.0], [8.0, 10.0]])
    by_hand[0, 2] = torch.tensor([[16.0, 18.0], [24.0, 26.0]])
    assert torch.equal(got, by_hand)


def test_option_a_shortcut_fits_an_odd_image():
    model = zoo.resolve("resnet20", num_classes=3, image_size=29).model
    assert model(torch.rand(1, 3, 29, 29)).shape == (1, 3)


def test_mobilenet_v2_has_the_layer_names_and_shapes_of_torchvision():
    for width in (0.5, 1.4):
        theirs = _torchvision_mobilenet_v2(width)
        ours = build(f"mobilenet_v2:{width}").model.state_dict()
        assert {key: value.shape for key, value in ours.items()} == theirs


def _torchvision_mobilenet_v2(width: float) -> dict[str, torch.Size]:
    from torchvision.models import mobilenet_v2

    with torch.device("meta"):
        return {key: value.shape for key, value in mobilenet_v2(width_mult=width).state_dict().items()}


def test_the_seed_alone_decides_the_weights_and_the_global_generator_stays():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first = zoo.resolve("resnet8", num_classes=10, seed=1).model.state_dict()
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(4)
    again = zoo.resolve("resnet8", num_classes=10, seed=1).model.state_dict()
    other = zoo.resolve("resnet8", num_classes=10, seed=2).model.state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["conv.weight"], other["conv.weight"])


def test_normalization_belongs_to_models_whose_published_weights_need_it():
    assert build("resnet20", 10).mean == (0.485, 0.456, 0.406)
    assert build("resnet32", 10).std == (0.229, 0.224, 0.225)
    assert build("resnet20", 10, channels=1).mean is None
    assert build("resnet8", 10).mean is None


def test_listing_the_zoo_imports_no_torch():
    code = (
        "import sys; from edgewright import zoo; zoo.entries(); assert zoo.names(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_entries_are_frozen_and_names_unique():
    assert len(set(zoo.names())) == len(zoo.entries())
    with pytest.raises(dataclasses.FrozenInstanceError):
        zoo.entries()[0].params = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("spec", "settings", "error", "words"),
    [
        ("resnet9", {}, LookupFailed, "Unknown model 'resnet9': did you mean resnet8 or .*`edgewright models`"),
        ("resnet18", {}, LookupFailed, "Unknown model 'resnet18'.*write timm:resnet18 or torchvision:resnet18"),
        ("mobilenet_v1:wide", {}, ConfigError, "width multiplier in 'mobilenet_v1:wide'.*got 'wide'"),
        ("mobilenet_v1:0", {}, ConfigError, "width multiplier in 'mobilenet_v1:0' is not a number above 0"),
        ("mobilenet_v1:nan", {}, ConfigError, "width multiplier"),
        ("mobilenet_v1:25", {}, ConfigError, r"at most 10, got 25\.0"),
        ("mobilenet_v1@1.5", {}, ConfigError, "image size in 'mobilenet_v1@1.5'"),
        ("mobilenet_v1@96", {"image_size": 128}, ConfigError, "asks for 96 pixels, and the image size for 128"),
        ("resnet8:0.5", {}, ConfigError, "resnet8 takes no width multiplier"),
        ("resnet8", {"num_classes": 0}, ConfigError, "num_classes must be at least 1, got 0"),
        ("resnet8", {"channels": -3}, ConfigError, "channels must be at least 1, got -3"),
        ("simple_cnn@3", {}, ConfigError, "at least 4x4 pixels, got 3x3"),
    ],
)
def test_a_wrong_name_or_number_is_one_clear_sentence(spec, settings, error, words):
    with pytest.raises(error, match=words):
        zoo.resolve(spec, **{"num_classes": 10, **settings})


def test_without_a_number_of_classes_every_model_has_its_own():
    with torch.device("meta"):
        for spec, classes in [("ds_cnn", 12), ("timm:resnet10t", 1000), ("torchvision:squeezenet1_1", 1000)]:
            built = zoo.resolve(spec, num_classes=None)
            assert built.model(torch.zeros(2, *built.input_shape)).shape == (2, classes)


def test_images_need_not_be_square():
    built = zoo.resolve("simple_cnn", num_classes=3, channels=2, image_size=(12, 20))
    assert built.input_shape == (2, 12, 20)
    assert built.model(torch.rand(1, 2, 12, 20)).shape == (1, 3)
    with pytest.raises(ConfigError, match="image_size must be at least 1, got 0"):
        zoo.resolve("simple_cnn", num_classes=3, image_size=(12, 0))
