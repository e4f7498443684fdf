import json

import pytest
import torch

from edgewright.data import Data, Images, Preprocess, load_data
from edgewright.data.dataset import fingerprint_of
from edgewright.errors import ConfigError, ShapeError
from edgewright.seeding import torch_generator
from edgewright.types import plain


def tiny(num: int = 10, repeats: torch.Tensor | None = None) -> Data:
    """Images whose every pixel is their number, of the classes 0 and 1 in turn."""
    numbers = torch.arange(num, dtype=torch.uint8)
    part = Images(
        images_BCHW=numbers.view(-1, 1, 1, 1).expand(-1, 1, 2, 2).contiguous(),
        labels_B=torch.arange(num) % 2,
        repeats_B=repeats,
    )
    splits = {"train": part, "val": part, "test": part}
    preprocess = Preprocess(shape=(1, 2, 2), mean=(0.0,), std=(1 / 255,))  # the model sees the number itself
    return Data(
        name="tiny",
        class_names=("even", "odd"),
        splits=splits,
        preprocess=preprocess,
        provenance={},
        fingerprint=fingerprint_of(splits, ("even", "odd")),
    )


def flat(batches: list[list[int]]) -> list[int]:
    return [number for batch in batches for number in batch]


def numbers(batches) -> list[list[int]]:
    return [inputs[:, 0, 0, 0].round().int().tolist() for inputs, _ in batches]


def test_without_a_generator_the_order_is_the_splits_own():
    data = tiny()
    assert numbers(data.batches("val", batch_size=4)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    inputs, targets = next(data.batches("val", batch_size=4))
    assert (inputs.dtype, inputs.shape, targets.dtype) == (torch.float32, (4, 1, 2, 2), torch.int64)
    assert targets.tolist() == [0, 1, 0, 1]


def test_a_generator_shuffles_and_the_same_one_shuffles_the_same():
    data = tiny()
    first, again = (numbers(data.batches("train", batch_size=4, generator=torch_generator(0, "x"))) for _ in range(2))
    assert first == again
    assert sorted(flat(first)) == list(range(10))
    assert flat(first) != list(range(10))


def test_labels_follow_their_images_through_the_shuffle():
    for inputs, targets in tiny().batches("train", batch_size=3, generator=torch_generator(0, "x")):
        assert torch.equal(inputs[:, 0, 0, 0].round().long() % 2, targets)


def test_a_lone_last_image_joins_the_batch_before_it_in_training_only():
    data = tiny(9)
    shuffled = numbers(data.batches("train", batch_size=4, generator=torch_generator(0, "x")))
    assert [len(batch) for batch in shuffled] == [4, 5]
    assert data.num_batches("train", batch_size=4) == 2
    assert [len(batch) for batch in numbers(data.batches("train", batch_size=4))] == [4, 4, 1]


def test_a_repeated_image_is_visited_so_often_in_training_and_once_in_scoring():
    data = tiny(4, repeats=torch.tensor([1, 3, 1, 2]))
    visited = flat(numbers(data.batches("train", batch_size=3, generator=torch_generator(0, "x"))))
    assert sorted(visited) == [0, 1, 1, 1, 2, 3, 3]
    assert data.num_batches("train", batch_size=3) == 2  # 3 + 4: the lone last one has joined
    assert numbers(data.batches("val", batch_size=9)) == [[0, 1, 2, 3]]


def test_an_epoch_can_end_early():
    data = tiny()
    batches = numbers(data.batches("train", batch_size=4, generator=torch_generator(0, "x"), num_images=6))
    assert [len(batch) for batch in batches] == [4, 2]
    assert data.num_batches("train", batch_size=4, num_images=6) == 2


def test_augmentation_sees_the_raw_pixels():
    seen = []

    def augment(images_BCHW: torch.Tensor) -> torch.Tensor:
        seen.append(images_BCHW.dtype)
        return 255 - images_BCHW

    assert numbers(tiny().batches("val", batch_size=10, augment=augment)) == [list(range(255, 245, -1))]
    assert seen == [torch.uint8]


def test_a_split_that_does_not_exist_is_named_with_those_that_do():
    with pytest.raises(ConfigError, match="no split 'valid': choose one of train, val, test"):
        next(tiny().batches("valid", batch_size=1))


def test_a_batch_size_of_0_is_refused():
    with pytest.raises(ConfigError, match="batch_size must be at least 1, got 0"):
        next(tiny().batches("val", batch_size=0))


def test_fitting_changes_what_the_model_sees_and_not_the_images():
    digits = load_data("digits")
    fitted = digits.fitted_to((3, 28, 28))
    inputs, _ = next(fitted.batches("val", batch_size=2))
    assert inputs.shape == (2, 3, 28, 28)
    assert fitted.image_shape == digits.image_shape == (1, 8, 8)
    assert fitted.fingerprint == digits.fingerprint
    assert fitted.preprocess.mean == digits.preprocess.mean * 3


def test_a_models_own_normalization_wins():
    fitted = load_data("digits").fitted_to((3, 8, 8), mean=(0.4, 0.5, 0.6), std=(0.1, 0.2, 0.3))
    assert fitted.preprocess == Preprocess(shape=(3, 8, 8), mean=(0.4, 0.5, 0.6), std=(0.1, 0.2, 0.3))


@pytest.mark.parametrize("shape", [(4, 8, 8), (16000,)])
def test_a_model_that_takes_no_images_is_refused(shape):
    with pytest.raises(ShapeError, match=r"images have shape \(1, H, W\) or \(3, H, W\)"):
        load_data("digits").fitted_to(shape)


def test_a_calibration_set_is_drawn_from_train_per_class_named_and_repeatable():
    data = load_data("digits")
    inputs = data.calibration(50, seed=1)
    record = data.calibration_subset(50, seed=1)
    assert inputs.shape == (50, 1, 8, 8)
    assert torch.equal(inputs, data.calibration(50, seed=1))
    assert not torch.equal(inputs, data.calibration(50, seed=2))
    assert record["name"] == "digits/train/calibration-50-seed1"
    assert record["num"] == 50
    assert record["positions_sha256"] != data.calibration_subset(50, seed=2)["positions_sha256"]
    labels = data.split("train").labels_B[data._calibration_positions(50, 1)]
    assert torch.bincount(labels).tolist() == [5] * 10


def test_a_calibration_set_larger_than_train_is_all_of_train():
    assert sorted(tiny(6).calibration(100, seed=0)[:, 0, 0, 0].round().tolist()) == [0, 1, 2, 3, 4, 5]


def test_a_repeated_image_is_more_likely_in_a_calibration_set():
    data = tiny(20, repeats=torch.tensor([20] * 10 + [1] * 10))
    drawn = [data.calibration(4, seed=seed)[:, 0, 0, 0].round() for seed in range(20)]
    share = (torch.cat(drawn) < 10).float().mean()
    assert share > 0.8  # 200 of 210 visits are of the first ten; 80 draws leave room for chance


def test_the_fingerprint_names_pixels_labels_repeats_and_split():
    part = tiny().splits["train"]
    changed = part.images_BCHW.clone()
    changed[3, 0, 1, 1] ^= 1
    variants = [
        {"train": part, "val": part},
        {"val": part, "train": part},
        {"train": part, "val": Images(images_BCHW=changed, labels_B=part.labels_B)},
        {"train": part, "val": Images(images_BCHW=part.images_BCHW, labels_B=1 - part.labels_B)},
        {"train": tiny(10, repeats=torch.full((10,), 2)).splits["train"], "val": part},
    ]
    prints = [fingerprint_of(splits, ("a", "b")) for splits in variants]
    prints.append(fingerprint_of(variants[0], ("a", "c")))
    assert len(set(prints)) == len(prints)
    assert fingerprint_of(variants[0], ("a", "b")) == prints[0]


def test_the_provenance_is_json_and_says_where_every_number_comes_from():
    provenance = load_data("digits", seed=5).provenance
    assert json.loads(json.dumps(plain(provenance))) == provenance
    assert provenance["source"] == "digits"
    assert provenance["seed"] == 5
    assert provenance["split_rule"] == "60 % train, 20 % val, 20 % test, drawn per class"
    assert sum(part["num"] for part in provenance["counts"].values()) == 1797
    assert all(sum(part["per_class"]) == part["num"] for part in provenance["counts"].values())
