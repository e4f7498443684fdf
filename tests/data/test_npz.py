import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from edgewright.data import load_data
from edgewright.errors import DataError

RNG = np.random.default_rng(0)


def write(path: Path, num: int = 20, shape: tuple[int, ...] = (6, 6, 3), **replaced: Any) -> Path:
    """An archive of random images of the classes 0 to 4 in turn; a key replaced by None is left out."""
    content: dict[str, Any] = {
        "image": RNG.integers(0, 256, (num, *shape), dtype=np.uint8),
        "label": (np.arange(num) % 5).astype(np.uint8),
        **replaced,
    }
    np.savez(path, **{key: value for key, value in content.items() if value is not None})
    return path


def jpegs(num: int = 20, *, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> list[bytes]:
    files = []
    for _ in range(num):
        buffer = io.BytesIO()
        pixels = RNG.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(buffer, "JPEG")
        files.append(buffer.getvalue())
    return files


def packed(files: list[bytes]) -> dict[str, Any]:
    return {
        "image": None,
        "jpeg": np.frombuffer(b"".join(files), dtype=np.uint8),
        "offset": np.cumsum([0, *(len(file) for file in files)]),
    }


def test_a_single_archive_is_split_60_20_20(tmp_path):
    data = load_data(f"npz:{write(tmp_path / 'a.npz', 50)}")
    assert data.image_shape == (3, 6, 6)
    assert data.class_names == ("0", "1", "2", "3", "4")
    assert [len(part) for part in data.splits.values()] == [30, 10, 10]


def test_pixels_and_labels_are_those_of_the_archive(tmp_path):
    first, second = write(tmp_path / "a.npz", 50), write(tmp_path / "b.npz", 20)
    data = load_data(f"npz:{first},{second}")
    with np.load(second) as archive:
        assert np.array_equal(data.splits["test"].images_BCHW.permute(0, 2, 3, 1).numpy(), archive["image"])
        assert np.array_equal(data.splits["test"].labels_B.numpy(), archive["label"])


def test_two_archives_are_train_and_test(tmp_path):
    write(tmp_path / "a.npz", 100)
    write(tmp_path / "b.npz", 20)
    train = load_data("npz:a.npz,b.npz", root=tmp_path)
    assert [len(part) for part in train.splits.values()] == [80, 20, 20]
    assert train.name == "npz:a.npz,b.npz"
    test = load_data("npz:a.npz,b.npz", root=tmp_path, val_from="test")
    assert [len(part) for part in test.splits.values()] == [100, 10, 10]
    assert test.provenance["val_from"] == "test"


def test_three_archives_are_train_val_and_test(tmp_path):
    for name, num in (("a", 50), ("b", 20), ("c", 10)):
        write(tmp_path / f"{name}.npz", num)
    data = load_data("npz:a.npz,b.npz,c.npz", root=tmp_path)
    assert [len(part) for part in data.splits.values()] == [50, 20, 10]
    assert data.provenance["split_rule"] == "train, val and test as given by the source"


def test_training_archives_are_joined_and_repeated_in_training_only(tmp_path):
    write(tmp_path / "a.npz", 20)
    write(tmp_path / "b.npz", 80)
    write(tmp_path / "c.npz", 20)
    data = load_data("npz:a.npz*3+b.npz,c.npz", root=tmp_path, val_from="test")
    train = data.splits["train"]
    assert len(train) == 100
    assert len(train.visits()) == 3 * 20 + 80
    assert torch.equal(torch.bincount(train.visits())[:20], torch.full((20,), 3))
    assert data.splits["val"].repeats_B is None
    assert data.provenance["archives"][0] == {"file": "a.npz", "images": 20, "times": 3}


def test_grey_images_need_no_channel_axis(tmp_path):
    for shape in ((6, 6), (6, 6, 1)):
        assert load_data(f"npz:{write(tmp_path / 'a.npz', shape=shape)}").image_shape == (1, 6, 6)


def test_class_names_come_from_the_archive(tmp_path):
    names = np.array(["ant", "bee", "cow", "dog", "elk", "fox"])
    data = load_data(f"npz:{write(tmp_path / 'a.npz', 60, label=np.arange(60) % 6, class_names=names)}")
    assert data.class_names == ("ant", "bee", "cow", "dog", "elk", "fox")


def test_jpeg_archives_are_decoded_as_pillow_decodes_them(tmp_path):
    files = jpegs()
    write(tmp_path / "a.npz", **packed(files))
    data = load_data("npz:a.npz,a.npz", root=tmp_path, val_from="test")
    want = np.stack([np.asarray(Image.open(io.BytesIO(file))) for file in files])
    assert np.array_equal(data.splits["train"].images_BCHW.permute(0, 2, 3, 1).numpy(), want)


def test_mixed_sizes_in_a_jpeg_archive_name_two_images_and_the_remedy(tmp_path):
    write(tmp_path / "a.npz", **packed(jpegs(19) + jpegs(1, size=(9, 8))))
    with pytest.raises(DataError, match=r"image 0 of .*a.npz is 8x8 and image 19 of .*a.npz is 9x8 .* --image-size"):
        load_data(f"npz:{tmp_path}/a.npz")
    assert load_data(f"npz:{tmp_path}/a.npz", image_size=5).image_shape == (3, 5, 5)


def test_mixed_channels_in_a_jpeg_archive_name_the_remedy(tmp_path):
    write(tmp_path / "a.npz", **packed(jpegs(19) + jpegs(1, mode="L")))
    with pytest.raises(DataError, match=r"image 0 of .* has 3 and image 19 of .* has 1; .*--channels"):
        load_data(f"npz:{tmp_path}/a.npz")


def test_a_damaged_jpeg_in_an_archive_is_named(tmp_path):
    files = jpegs()
    files[7] = files[7][:40]
    write(tmp_path / "a.npz", **packed(files))
    with pytest.raises(DataError, match=r"image 7 of .*a.npz cannot be read as an image"):
        load_data(f"npz:{tmp_path}/a.npz")


@pytest.mark.parametrize("offset", [[0], [0, 5, 3], [0, 10**9], [-1, 5], [0.0, 5.0]])
def test_offsets_that_cut_no_files_are_refused(offset, tmp_path):
    write(tmp_path / "a.npz", **{**packed(jpegs()), "offset": np.array(offset)})
    with pytest.raises(DataError, match=r"`offset` values that do not cut `jpeg` into files: expected N \+ 1 rising"):
        load_data(f"npz:{tmp_path}/a.npz")


BAD = {
    "negative label": ({"label": np.arange(20) - 1}, r"has label -1 at image 0, expected 0 to"),
    "label beyond the classes": (
        {"class_names": np.array(["a", "b", "c"])},
        r"has label 3 at image 3, expected 0 to 2: 8 of 20 labels",
    ),
    "labels that are no integers": ({"label": np.arange(20) / 2}, r"has float64 labels, expected integers"),
    "labels of two axes": (
        {"label": np.zeros((20, 5), dtype=int)},
        r"has labels of shape \(20, 5\), expected one class",
    ),
    "too few labels": ({"label": np.arange(19) % 5}, r"has 20 images and 19 labels: give one label per image"),
    "float pixels": (
        {"image": np.zeros((20, 6, 6, 3))},
        r"holds float64 pixels, expected uint8 from 0 to 255: rescale",
    ),
    "NaN pixels": ({"image": np.full((20, 6, 6, 3), np.nan)}, r"holds NaN pixels \(2160 of 2160\): remove them"),
    "channels first": (
        {"image": np.zeros((20, 3, 6, 6), dtype=np.uint8)},
        r"images of shape \(20, 3, 6, 6\), expected .*; move the channels to the end",
    ),
    "four channels": ({"image": np.zeros((20, 6, 6, 4), dtype=np.uint8)}, r"images of shape \(20, 6, 6, 4\), expected"),
    "no images": ({"image": np.zeros((0, 6, 6, 3), dtype=np.uint8), "label": np.zeros(0, int)}, r"holds no images"),
    "one class": ({"label": np.zeros(20, dtype=int)}, r"has the one class 0: at least two are needed"),
    "no labels": ({"label": None}, r"holds the keys image; expected `label` and either `image` or `jpeg`"),
    "jpeg without offset": (
        {"image": None, "jpeg": np.zeros(3, dtype=np.uint8)},
        r"holds the keys jpeg, label; expected `label` and either",
    ),
    "pickled objects": ({"label": np.array([{}] * 20)}, r"holds pickled objects, which are never loaded"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_archive_is_one_sentence(case, tmp_path):
    replaced, message = BAD[case]
    write(tmp_path / "a.npz", **replaced)
    with pytest.raises(DataError, match=message):
        load_data(f"npz:{tmp_path}/a.npz")


@pytest.mark.parametrize("how", ["empty", "text", "cut", "flipped"])
def test_a_damaged_archive_is_one_sentence(how, tmp_path):
    content = bytearray(write(tmp_path / "a.npz", 100).read_bytes())
    content[len(content) // 2] ^= 255
    bad = {"empty": b"", "text": b"hello world", "cut": content[: len(content) // 2], "flipped": bytes(content)}[how]
    (tmp_path / "a.npz").write_bytes(bad)
    with pytest.raises(
        DataError,
        match=r"a.npz (cannot be read as an .npz archive \(.*\): save it|is not an .npz archive, or is cut short)",
    ):
        load_data(f"npz:{tmp_path}/a.npz")


def test_a_single_array_is_no_archive(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(DataError, match=r"a.npy holds a single array: save an .npz archive"):
        load_data(f"npz:{tmp_path}/a.npy")


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(DataError, match=r"The archive .*a.npz does not exist: check the path after `npz:`"):
        load_data(f"npz:{tmp_path}/a.npz")


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ("npz:a.npz+b.npz", r"archives joined with '\+' must agree"),
        ("npz:a.npz,b.npz", r"train archive has images of shape \(3, 6, 6\) and the test archive of \(3, 5, 5\)"),
    ],
)
def test_archives_of_different_shapes_do_not_mix(shapes, message, tmp_path):
    write(tmp_path / "a.npz")
    write(tmp_path / "b.npz", shape=(5, 5, 3))
    with pytest.raises(DataError, match=message):
        load_data(shapes, root=tmp_path)
    assert load_data(shapes, root=tmp_path, image_size=5, val_from="test").image_shape == (3, 5, 5)


def test_archives_of_different_classes_do_not_mix(tmp_path):
    write(tmp_path / "a.npz", class_names=np.array(list("abcde")))
    write(tmp_path / "b.npz", class_names=np.array(list("vwxyz")))
    with pytest.raises(DataError, match="have different `class_names`"):
        load_data("npz:a.npz,b.npz", root=tmp_path)


@pytest.mark.parametrize(
    ("spec", "message"),
    [("npz:a.npz,a.npz,a.npz,a.npz", "got 4 parts"), ("npz:a.npz*0,a.npz", "repeats an archive 0 times")],
)
def test_a_malformed_list_of_archives_is_refused(spec, message, tmp_path):
    write(tmp_path / "a.npz")
    with pytest.raises(DataError, match=message):
        load_data(spec, root=tmp_path)


def test_a_file_name_with_a_comma_is_taken_as_it_is(tmp_path):
    write(tmp_path / "a,b+c*2.npz")
    assert len(load_data("npz:a,b+c*2.npz", root=tmp_path).splits["train"]) == 10  # 2 of each class


def test_the_lossless_cifar10_archives_load_in_their_documented_form(test_data):
    spec = "npz:cifar10/cifar10_train4000_lossless.npz,cifar10/cifar10_test1000_lossless.npz"
    data = load_data(spec, root=test_data)
    assert data.class_names[0] == "airplane"
    assert data.class_names[9] == "truck"
    assert data.image_shape == (3, 32, 32)
    assert [len(part) for part in data.splits.values()] == [3200, 800, 1000]


@pytest.mark.slow
def test_the_jpeg_cifar10_archive_loads_in_its_documented_form(test_data):
    data = load_data(f"npz:{test_data}/cifar10/cifar10_test_jpeg.npz")
    assert [len(part) for part in data.splits.values()] == [6000, 2000, 2000]
    assert data.provenance["counts"]["test"]["per_class"] == [200] * 10
