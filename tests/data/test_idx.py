import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from edgewright.data import load_data
from edgewright.data.idx import read_idx
from edgewright.errors import DataError

RNG = np.random.default_rng(0)


def idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_set(folder: Path, *, packed: bool = True, num_train: int = 60, num_test: int = 20) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, num in (("train", num_train), ("t10k", num_test)):
        images = RNG.integers(0, 256, (num, 28, 28), dtype=np.uint8)
        labels = (np.arange(num) % 10).astype(np.uint8)
        for what, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = idx(array)
            path = folder / f"{prefix}-{what}-ubyte"
            if packed:
                path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content))
            else:
                path.write_bytes(content)


def test_an_array_written_by_hand_is_read_back(tmp_path):
    content = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6])
    (tmp_path / "a").write_bytes(content)
    assert read_idx(tmp_path / "a", axes=2).tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(("name", "kind"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")])
def test_torchvisions_layout_is_found_packed_or_not(name, kind, packed, tmp_path):
    write_set(tmp_path / kind / "raw", packed=packed)
    data = load_data(name, root=tmp_path)
    assert data.image_shape == (1, 28, 28)
    assert [len(part) for part in data.splits.values()] == [50, 10, 20]


def test_files_directly_in_the_root_are_found_and_nothing_is_written(tmp_path):
    write_set(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    load_data("mnist", root=tmp_path, download=True)  # already there: nothing to fetch
    assert sorted(tmp_path.rglob("*")) == before


def test_our_reader_and_torchvisions_agree(tmp_path):
    from torchvision.datasets.mnist import read_image_file, read_label_file

    write_set(tmp_path, packed=False)
    images, labels = tmp_path / "train-images-idx3-ubyte", tmp_path / "train-labels-idx1-ubyte"
    assert np.array_equal(read_idx(images, axes=3), read_image_file(str(images)).numpy())
    assert np.array_equal(read_idx(labels, axes=1), read_label_file(str(labels)).numpy())


def test_a_cut_off_file_is_damaged(tmp_path):
    write_set(tmp_path, packed=False)
    path = tmp_path / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        DataError, match=r"t10k-images-idx3-ubyte is damaged: its header promises 15680 bytes.*holds 15679"
    ):
        load_data("mnist", root=tmp_path)


def test_a_cut_off_gzip_file_is_damaged(tmp_path):
    write_set(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(
        DataError, match=r"train-images-idx3-ubyte.gz cannot be read \(.*\): get the official file again"
    ):
        load_data("mnist", root=tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00\x00\x0d\x03" + bytes(12)])
def test_what_is_no_idx_file_is_refused(content, tmp_path):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DataError, match="a is not an IDX file of unsigned bytes with 3 axes"):
        read_idx(tmp_path / "a", axes=3)


def test_a_missing_companion_is_named(tmp_path):
    write_set(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\[.gz\] is missing: copy it beside the others"):
        load_data("mnist", root=tmp_path)


def test_labels_and_images_must_be_as_many(tmp_path):
    write_set(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.zeros(7, dtype=np.uint8))))
    with pytest.raises(DataError, match=r"has 60 images and 7 labels: give one label per image"):
        load_data("mnist", root=tmp_path)


def test_a_label_out_of_range_is_named_with_its_image(tmp_path):
    write_set(tmp_path)
    labels = np.zeros(60, dtype=np.uint8)
    labels[[5, 9]] = 10
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    with pytest.raises(DataError, match=r"has label 10 at image 5, expected 0 to 9: 2 of 60 labels are out of range"):
        load_data("mnist", root=tmp_path)


def test_the_official_fashion_mnist_test_files_are_read_in_place(test_data):
    raw = test_data / "fashion-mnist" / "FashionMNIST" / "raw"
    images = read_idx(raw / "t10k-images-idx3-ubyte.gz", axes=3)
    labels = read_idx(raw / "t10k-labels-idx1-ubyte.gz", axes=1)
    assert images.shape == (10_000, 28, 28)
    assert np.bincount(labels).tolist() == [1000] * 10
    assert labels[:5].tolist() == [9, 2, 1, 1, 6]  # ankle boot, pullover, trouser, trouser, shirt


@pytest.mark.slow
def test_the_whole_of_fashion_mnist_loads_with_its_official_statistics(test_data):
    data = load_data("fashion-mnist", root=test_data / "fashion-mnist")
    assert [len(part) for part in data.splits.values()] == [55_000, 5000, 10_000]
    assert data.class_names[9] == "Ankle boot"
    # 0.2860 and 0.3530 are those of all 60,000; 55,000 of them differ in the fourth digit
    assert (data.preprocess.mean[0], data.preprocess.std[0]) == pytest.approx((0.2860, 0.3530), abs=5e-4)
