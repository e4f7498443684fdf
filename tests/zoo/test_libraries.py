"""Models of timm and torchvision: built with random weights, at their own size and normalization."""

import pytest
import torch

from edgewright import zoo
from edgewright.errors import ConfigError, LookupFailed, ModelError

IMAGENET_MEAN = (0.485, 0.456, 0.406)


def test_timm_models_bring_their_size_and_normalization():
    built = zoo.resolve("timm:mobilenetv3_small_050", num_classes=4)
    assert built.input_shape == (3, 224, 224)
    assert built.mean == IMAGENET_MEAN
    assert not built.trained
    assert built.model(torch.rand(2, 3, 64, 64)).shape == (2, 4)


def test_a_tag_chooses_the_normalization_of_its_weights():
    with torch.device("meta"):
        assert zoo.resolve("timm:vit_tiny_patch16_224", num_classes=4).mean == (0.5, 0.5, 0.5)
        assert zoo.resolve("timm:resnet18.a1_in1k", num_classes=4).mean == IMAGENET_MEAN


def test_a_timm_transformer_is_built_for_the_asked_size_and_channels():
    built = zoo.resolve("timm:vit_tiny_patch16_224", num_classes=4, image_size=32, channels=1)
    assert built.input_shape == (1, 32, 32)
    assert built.mean is None  # statistics of RGB say nothing about grey images
    assert built.model(torch.rand(2, 1, 32, 32)).shape == (2, 4)


def test_torchvision_models_have_the_size_of_their_first_weights():
    with torch.device("meta"):
        built = zoo.resolve("torchvision:inception_v3", num_classes=10)
    assert built.input_shape == (3, 299, 299)
    assert built.mean == IMAGENET_MEAN


def test_a_torchvision_transformer_is_built_for_the_asked_size():
    with torch.device("meta"):
        built = zoo.resolve("torchvision:vit_b_32", num_classes=10, image_size=64)
        assert built.model(torch.rand(2, 3, 64, 64)).shape == (2, 10)


@pytest.mark.parametrize(
    ("spec", "settings", "error", "words"),
    [
        ("timm:resnet19x", {}, LookupFailed, "Unknown timm model 'resnet19x': did you mean resnet18"),
        (
            "timm:resnet18.a1_in2k",
            {},
            LookupFailed,
            "Unknown timm model 'resnet18.a1_in2k': did you mean resnet18.a1_in1k",
        ),
        ("timm:hf-hub:somebody/net", {}, LookupFailed, "Unknown timm model 'hf-hub:somebody/net'"),
        ("torchvision:resnet17", {}, LookupFailed, "Unknown torchvision model 'resnet17': did you mean resnet1"),
        ("torchvision:r3d_18", {}, LookupFailed, "Unknown torchvision model"),
        ("torchvision:resnet18", {"channels": 1}, ConfigError, "takes images of 3 channels, got 1"),
        ("torchvision:vit_b_32", {"image_size": 65}, ModelError, "cannot build vit_b_32 .*'image_size': 65"),
    ],
)
def test_what_the_libraries_cannot_build_is_one_clear_sentence(spec, settings, error, words):
    with pytest.raises(error, match=words) as caught:
        zoo.resolve(spec, **{"num_classes": 10, **settings})
    assert "\n" not in str(caught.value)
