from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from edgewright.data import dataset_table, load_data
from edgewright.errors import ConfigError, DataError, LookupFailed


def test_digits_are_scikit_learns_scaled_from_16_to_255():
    data = load_data("digits")
    assert (data.num_classes, data.image_shape) == (10, (1, 8, 8))
    found = np.concatenate([part.images_BCHW.numpy() for part in data.splits.values()])[:, 0]
    want = load_digits().images
    table = [round(value * 255 / 16) for value in range(17)]  # Python rounds half to even, as we do: 8 is 128
    assert table[8] == 128
    scaled = np.array(table, dtype=np.uint8)[want.astype(int)]
    assert sorted(map(bytes, found)) == sorted(map(bytes, scaled))


def test_each_digit_keeps_its_label():
    data = load_data("digits")
    bunch = load_digits()
    by_pixels = {bytes(np.rint(image * 255 / 16).astype(np.uint8)): label for image, label in
                 zip(bunch.images, bunch.target, strict=True)}  # fmt: skip
    for part in data.splits.values():
        for image, label in zip(part.images_BCHW.numpy(), part.labels_B.tolist(), strict=True):
            assert by_pixels[bytes(image[0])] == label


def test_loading_twice_gives_the_same_fingerprint_and_another_seed_another():
    assert load_data("digits").fingerprint == load_data("digits").fingerprint
    assert load_data("digits").fingerprint != load_data("digits", seed=1).fingerprint


def test_images_are_converted_when_asked():
    data = load_data("digits", image_size=12, channels=3)
    assert data.image_shape == (3, 12, 12)
    assert data.provenance["image_size"] == 12


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("digit", "did you mean digits"),
        ("fashion_mnist", "did you mean fashion-mnist"),
        ("cifar-10", "did you mean cifar10"),
        ("quux", "`edgewright datasets` lists all 6"),
        ("digits:8", "did you mean digits"),
        ("photos.npz", "it is an archive, write `npz:photos.npz`"),
    ],
)
def test_an_unknown_data_set_is_answered_with_near_names(spec, hint):
    with pytest.raises(LookupFailed, match=f"^Unknown dataset '{spec}': .*{hint}"):
        load_data(spec)


def test_a_bare_folder_is_answered_with_how_to_write_it(tmp_path):
    with pytest.raises(LookupFailed, match="it is a folder, write `folder:"):
        load_data(str(tmp_path))


@pytest.mark.parametrize("spec", ["folder:", "npz", "npz:"])
def test_a_kind_without_its_path_says_what_is_missing(spec):
    with pytest.raises(DataError, match=r"needs a path: write `(folder:PATH|npz:FILE)`"):
        load_data(spec)


def test_channels_and_image_size_are_checked():
    with pytest.raises(ConfigError, match=r"channels is 1 \(grey\) or 3 \(RGB\), got 4"):
        load_data("digits", channels=4)
    with pytest.raises(ConfigError, match="image_size is a number of pixels from 1, got 0"):
        load_data("digits", image_size=0)


def test_the_table_says_for_each_data_set_how_to_get_it():
    rows = {info.name: info for info in dataset_table()}
    assert set(rows) == {"digits", "mnist", "fashion-mnist", "cifar10", "folder:PATH", "npz:FILE"}
    assert all(info.what and info.classes and info.get for info in rows.values())


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10"])
def test_a_named_data_set_without_a_root_says_which_option_to_give(name):
    with pytest.raises(DataError, match=f"{name} is read from a folder: give --data-root, and --download"):
        load_data(name)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10"])
def test_a_root_without_the_files_says_which_file_was_looked_for(name, tmp_path):
    with pytest.raises(DataError, match=r"is not in .*: neither .* is there; correct --data-root, or add --download"):
        load_data(name, root=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "kind"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST"), ("cifar10", "CIFAR10")]
)
def test_nothing_is_downloaded_unless_asked_and_a_failure_is_one_sentence(name, kind, tmp_path, monkeypatch):
    import torchvision.datasets

    asked = []

    def fail(root: str, download: bool) -> None:
        asked.append((Path(root), download))
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.datasets, kind, fail)
    with pytest.raises(DataError, match="is not in"):
        load_data(name, root=tmp_path)
    assert asked == []
    with pytest.raises(
        DataError, match=rf"{kind} could not be downloaded to .* \(no route to host\): check the network"
    ):
        load_data(name, root=tmp_path, download=True)
    assert asked == [(tmp_path, True)]
