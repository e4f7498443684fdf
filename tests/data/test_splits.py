import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from edgewright.data.images import Images, Raw
from edgewright.data.splits import assign, choose, quotas
from edgewright.errors import ConfigError, DataError


def numbered(labels: list[int], start: int = 0) -> Images:
    """Images of one pixel pair that holds the image's number, so that it can be followed through a split."""
    numbers = torch.arange(start, start + len(labels))
    pixels = torch.stack([numbers // 256, numbers % 256], dim=1).to(torch.uint8)
    return Images(images_BCHW=pixels[:, None, None, :], labels_B=torch.tensor(labels))


def numbers_of(part: Images) -> set[int]:
    pixels = part.images_BCHW.flatten(1).long()
    return set((pixels[:, 0] * 256 + pixels[:, 1]).tolist())


def raw(**parts: Images) -> Raw:
    return Raw(class_names=("a", "b"), parts=parts)


def test_a_source_without_splits_is_cut_60_20_20_in_every_class():
    splits, rule = assign(raw(all=numbered([0] * 50 + [1] * 100)), seed=0, val_from="train")
    assert rule == "60 % train, 20 % val, 20 % test, drawn per class"
    assert [torch.bincount(part.labels_B).tolist() for part in splits.values()] == [[30, 60], [10, 20], [10, 20]]


def test_every_image_is_in_exactly_one_split():
    splits, _ = assign(raw(all=numbered([0, 1] * 75)), seed=3, val_from="train")
    found = [numbers_of(part) for part in splits.values()]
    assert set.union(*found) == set(range(150))
    assert sum(len(part) for part in found) == 150


def test_the_same_seed_draws_the_same_split_and_another_seed_another():
    whole = raw(all=numbered([0, 1] * 50))
    first, again, other = (numbers_of(assign(whole, seed=seed, val_from="train")[0]["val"]) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_val_is_carved_out_of_train_and_leaves_test_alone():
    parts = {"train": numbered([0, 1] * 100), "test": numbered([0, 1] * 20, start=1000)}
    splits, rule = assign(raw(**parts), seed=0, val_from="train")
    assert [len(part) for part in splits.values()] == [160, 40, 40]
    assert numbers_of(splits["test"]) == set(range(1000, 1040))
    assert rule == "test as given by the source; val is 20 % of the given train split, drawn per class"


def test_a_large_train_split_gives_a_tenth_and_5000_images_at_most():
    for num, want in ((10_000, 1000), (80_000, 5000)):
        labels = torch.arange(num) % 2
        part = Images(images_BCHW=torch.zeros(num, 1, 1, 1, dtype=torch.uint8), labels_B=labels)
        splits, _ = assign(raw(train=part, test=numbered([0, 1])), seed=0, val_from="train")
        assert len(splits["val"]) == want


def test_val_from_test_halves_test_and_leaves_train_alone():
    parts = {"train": numbered([0, 1] * 10), "test": numbered([0, 1] * 20, start=1000)}
    splits, rule = assign(raw(**parts), seed=0, val_from="test")
    assert numbers_of(splits["train"]) == set(range(20))
    assert numbers_of(splits["val"]) | numbers_of(splits["test"]) == set(range(1000, 1040))
    assert len(splits["val"]) == len(splits["test"]) == 20
    assert "halves of the given test split" in rule


def test_splits_that_the_source_gives_are_kept():
    parts = {"train": numbered([0, 1]), "val": numbered([0, 1], 10), "test": numbered([0, 1], 20)}
    splits, rule = assign(raw(**parts), seed=0, val_from="train")
    assert [numbers_of(part) for part in splits.values()] == [{0, 1}, {10, 11}, {20, 21}]
    assert rule == "train, val and test as given by the source"


def test_a_class_of_two_images_cannot_be_split_three_ways():
    with pytest.raises(DataError, match=r"Class 'b' has 2 images, and at least 3 are needed.*: add images or remove"):
        assign(raw(all=numbered([0] * 10 + [1] * 2)), seed=0, val_from="train")


def test_a_split_that_would_be_empty_is_refused():
    parts = {"train": numbered([0, 1]), "test": numbered([0, 1])}
    with pytest.raises(DataError, match=r"The val split is empty \(.*\): give more images of each class"):
        assign(raw(**parts), seed=0, val_from="train")


def test_val_from_names_train_or_test():
    with pytest.raises(ConfigError, match="val_from is 'train' or 'test', got 'both'"):
        assign(raw(all=numbered([0, 1] * 5)), seed=0, val_from="both")


@given(counts=some.lists(some.integers(2, 40), min_size=1, max_size=5), share=some.floats(0.01, 0.99))
def test_a_choice_takes_some_of_every_class_and_never_all(counts, share):
    labels = torch.from_numpy(np.repeat(np.arange(len(counts)), counts))
    chosen = choose(labels, share, 0, "test")
    assert len(set(chosen.tolist())) == len(chosen)
    taken = torch.bincount(labels[chosen], minlength=len(counts))
    for count, got in zip(counts, taken.tolist(), strict=True):
        assert 1 <= got < count
        assert abs(got - share * count) <= 1


@given(counts=some.lists(some.integers(1, 40), min_size=1, max_size=5), num=some.integers(1, 100))
def test_quotas_add_up_and_are_within_one_of_the_exact_share(counts, num):
    labels = torch.from_numpy(np.repeat(np.arange(len(counts)), counts))
    got = quotas(labels, num)
    total = min(num, len(labels))
    assert sum(got.values()) == total
    for label, count in enumerate(counts):
        assert abs(got[label] - total * count / len(labels)) < 1
        assert got[label] <= count
