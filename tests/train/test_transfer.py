"""What a network that was trained elsewhere is worth, and the advice that follows."""

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from edgewright.data import load_data
from edgewright.errors import ModelError
from edgewright.model import capture, input_shape
from edgewright.tasks import Classify
from edgewright.train import Train, train_weights
from edgewright.train.transfer import (
    Worth,
    advise_transfer,
    features_of,
    head_layer,
    with_new_head,
    worth_of_features,
)
from edgewright.zoo import resolve

DIGITS = load_data("digits")


def small_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 16), nn.ReLU(), nn.Linear(16, 10))


def test_a_new_head_has_new_classes_and_leaves_the_old_network_alone():
    net = capture(small_net(), (1, 8, 8))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    changed, again, other = (with_new_head(net, 3, seed=seed) for seed in (0, 0, 1))
    inputs = torch.randn(4, 1, 8, 8)
    assert changed(inputs).shape == (4, 3) and input_shape(changed) == (1, 8, 8)
    assert torch.equal(changed(inputs), again(inputs)) and not torch.equal(changed(inputs), other(inputs))
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    kept = [name for name, value in changed.state_dict().items() if torch.equal(value, before.get(name))
            if value.shape == before[name].shape]  # fmt: skip
    assert len(kept) == 4
    assert input_shape(capture(changed, (1, 8, 8))) == (1, 8, 8)


def test_the_global_generator_is_left_alone():
    net = small_net()
    before = torch.get_rng_state()
    with_new_head(net, 3, seed=0)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "features"),
    [("resnet8", 64), ("mobilenet_v2", 1280), ("torchvision:squeezenet1_1", 512), ("timm:convnext_atto", 320)],
)
def test_library_models_have_a_head_with_features_before_it(name, features):
    built = resolve(name, num_classes=10, image_size=64)
    net = capture(built.model, built.input_shape)
    inputs = torch.randn(2, *built.input_shape, generator=torch.Generator().manual_seed(0))
    assert features_of(net, inputs).shape == (2, features)
    assert with_new_head(net, 7, seed=0)(inputs).shape == (2, 7)


def test_features_are_what_the_head_is_given():
    net = small_net().train()
    inputs = torch.randn(5, 1, 8, 8)
    want = net[:-1](inputs)
    torch.testing.assert_close(features_of(net, inputs, batch_size=2), want.detach())
    assert net.training and head_layer(net)[0] == "5"


def test_a_network_without_a_head_is_told():
    with pytest.raises(ModelError, match="ends in no layer with weights, and a head is a linear layer"):
        with_new_head(nn.Flatten(), 3, seed=0)
    with pytest.raises(ModelError, match="ends in Embedding"):
        with_new_head(nn.Sequential(nn.Linear(2, 2), nn.Embedding(2, 2)), 3, seed=0)


@pytest.fixture(scope="module")
def five_of_ten():
    """A net that has learnt to tell the digits 0 to 4 apart, and the data of 5 to 9 that it has never seen."""
    old, new = (only(DIGITS, classes) for classes in (range(5), range(5, 10)))
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, 5),
    )  # fmt: skip
    settings = Train(epochs=6, lr=0.005, augment="none")
    return train_weights(net, task=Classify(num_classes=5), data=old, settings=settings, seed=0).net, new


def only(data, classes):
    first = min(classes)
    splits = {}
    for name, part in data.splits.items():
        kept = part.take(((part.labels_B >= first) & (part.labels_B <= max(classes))).nonzero().flatten())
        splits[name] = dataclasses.replace(kept, labels_B=kept.labels_B - first)
    return dataclasses.replace(data, splits=splits, class_names=tuple(data.class_names[first : max(classes) + 1]))


@pytest.mark.slow
def test_the_worth_of_features_is_that_of_their_neighbours(five_of_ten):
    net, new = five_of_ten
    worth = worth_of_features(net, new, seed=0)
    assert worth == worth_of_features(net, new, seed=0)
    assert worth.num_images == len(new.split("val"))
    train, val = (new.split(split) for split in ("train", "val"))
    inputs = [new.preprocess(part.images_BCHW) for part in (train, val)]
    for told, (known_BD, new_BD) in {
        worth.pixels: [each.flatten(1) for each in inputs],
        worth.features: [features_of(net, each) for each in inputs],
    }.items():
        assert told == pytest.approx(
            voted(known_BD, train.labels_B, new_BD, val.labels_B), abs=1.0
        )  # ties are broken anew
    blind = nn.Sequential(nn.Flatten(), nn.Linear(64, 2), nn.Linear(2, 5))
    nn.init.zeros_(blind[1].weight)
    assert worth_of_features(blind, new, seed=0).features < 40


def voted(known_BD, known_B, new_BD, new_B):
    """Top-1 of the most frequent class among the five of largest cosine, by hand."""
    cosine_NB = F.normalize(new_BD) @ F.normalize(known_BD).T
    return 100 * float((known_B[cosine_NB.topk(5).indices].mode(1).values == new_B).float().mean())


@pytest.mark.parametrize(("features", "pixels", "is_similar"), [(90, 60, True), (62, 60, False), (60, 90, False)])
def test_features_are_similar_when_they_beat_the_pixels_beyond_chance(features, pixels, is_similar):
    worth = Worth(features=features, pixels=pixels, num_images=100)
    assert worth.is_similar == is_similar
    variance = (features * (100 - features) + pixels * (100 - pixels)) / 100
    assert worth.std_error == pytest.approx(variance**0.5)


CELLS = {
    (20, True): ({"freeze"}, "only the head has to be learnt"),
    (20, False): ({"freeze", "layer_decay"}, "Late stages are about other classes"),
    (500, True): ({"layer_decay", "lr"}, "A small rate"),
    (500, False): ({"lr"}, "a better start than random ones"),
}


@pytest.mark.parametrize(("images", "is_similar"), CELLS)
def test_the_matrix_advises_settings_that_work_with_its_reasons(images, is_similar):
    net = resolve("resnet8", num_classes=10).model
    advice = advise_transfer(net, images_per_class=images, is_similar=is_similar)
    names, words = CELLS[images, is_similar]
    assert set(advice.changes) == names
    assert words in " ".join(advice.reasons) and f"{images} images a class" in advice.reasons[0]
    Train(**advice.changes)
    assert all(f"--{name.replace('_', '-')} {value}" in advice.flags for name, value in advice.changes.items())


def test_few_and_different_images_keep_the_lower_half_of_the_stages():
    net = resolve("resnet8", num_classes=10).model
    advice = advise_transfer(net, images_per_class=20, is_similar=False)
    assert advice.changes["freeze"] == "conv,bn,stage1"
