import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from edgewright.data import load_data
from edgewright.data.cifar10 import read_pickled_arrays
from edgewright.errors import DataError

RNG = np.random.default_rng(0)
NAMES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
IMAGES = {name: RNG.integers(0, 256, (20, 3, 32, 32), dtype=np.uint8) for name in NAMES}
LABELS = [number % 10 for number in range(20)]


def write_binary(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, images in IMAGES.items():
        records = [bytes([label]) + image.tobytes() for label, image in zip(LABELS, images, strict=True)]
        (folder / f"{name}.bin").write_bytes(b"".join(records))


def write_python(folder: Path, protocol: int = 2) -> None:
    folder.mkdir(parents=True)
    for name, images in IMAGES.items():
        batch = {
            b"batch_label": b"x",
            b"labels": LABELS,
            b"data": images.reshape(20, 3072),
            b"filenames": [b"a.png"] * 20,
        }
        (folder / name).write_bytes(pickle.dumps(batch, protocol=protocol))


def test_the_binary_version_is_read(tmp_path):
    write_binary(tmp_path / "cifar-10-batches-bin")
    data = load_data("cifar10", root=tmp_path)
    assert data.image_shape == (3, 32, 32)
    assert data.provenance["reader"] == "CIFAR-10 binary version"
    assert np.array_equal(data.splits["test"].images_BCHW.numpy(), IMAGES["test_batch"])
    assert data.splits["test"].labels_B.tolist() == LABELS


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_the_python_version_gives_the_same_data(protocol, tmp_path):
    write_binary(tmp_path / "bin" / "cifar-10-batches-bin")
    write_python(tmp_path / "py" / "cifar-10-batches-py", protocol)
    binary, python = (load_data("cifar10", root=tmp_path / kind) for kind in ("bin", "py"))
    assert python.provenance["reader"] == "CIFAR-10 Python version"
    assert python.fingerprint == binary.fingerprint


def test_files_directly_in_the_root_are_found(tmp_path):
    write_python(tmp_path / "x")
    assert len(load_data("cifar10", root=tmp_path / "x").splits["test"]) == 20


class Stranger:
    def __reduce__(self):
        return os.system, ("touch STRANGER_RAN",)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_strangers_pickle_runs_nothing(protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "batch").write_bytes(pickle.dumps({b"data": Stranger()}, protocol=protocol))
    with pytest.raises(DataError, match=r"it names (posix|nt|os).system, and only NumPy arrays are admitted"):
        read_pickled_arrays(tmp_path / "batch")
    assert not (tmp_path / "STRANGER_RAN").exists()


def test_even_a_subclass_of_arrays_is_refused(tmp_path):
    (tmp_path / "batch").write_bytes(pickle.dumps(np.ma.masked_array([1, 2], mask=[0, 1])))
    with pytest.raises(DataError, match="only NumPy arrays are admitted"):
        read_pickled_arrays(tmp_path / "batch")


@pytest.mark.parametrize("content", [b"", b"not a pickle", b"\x80\x02"])
def test_a_damaged_pickle_is_one_sentence(content, tmp_path):
    write_python(tmp_path / "x")
    (tmp_path / "x" / "data_batch_3").write_bytes(content)
    with pytest.raises(DataError, match=r"data_batch_3 cannot be read as a pickled CIFAR-10 batch"):
        load_data("cifar10", root=tmp_path / "x")


def test_a_pickle_of_something_else_is_no_batch(tmp_path):
    write_python(tmp_path / "x")
    (tmp_path / "x" / "data_batch_2").write_bytes(pickle.dumps({b"data": [1, 2]}))
    with pytest.raises(DataError, match=r"data_batch_2 is no CIFAR-10 batch: 'data' \(N, 3072\) and the list 'labels'"):
        load_data("cifar10", root=tmp_path / "x")


def test_a_binary_file_of_broken_records_is_damaged(tmp_path):
    write_binary(tmp_path / "cifar-10-batches-bin")
    path = tmp_path / "cifar-10-batches-bin" / "data_batch_4.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        DataError, match=r"data_batch_4.bin is damaged: its 61459 bytes are no whole number of 3,073-byte"
    ):
        load_data("cifar10", root=tmp_path)


def test_a_missing_batch_is_named(tmp_path):
    write_binary(tmp_path / "cifar-10-batches-bin")
    (tmp_path / "cifar-10-batches-bin" / "data_batch_5.bin").unlink()
    with pytest.raises(DataError, match=r"data_batch_5.bin cannot be read \(No such file or directory\)"):
        load_data("cifar10", root=tmp_path)
