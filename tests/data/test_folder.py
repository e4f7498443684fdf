from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgewright.data import load_data
from edgewright.errors import DataError

RNG = np.random.default_rng(0)


def write_images(
    folder: Path, num: int = 5, *, size: tuple[int, int] = (8, 6), mode: str = "RGB", suffix: str = "png"
) -> None:
    """`num` random images of (width, height)."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(num):
        image = Image.fromarray(RNG.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
        image.convert(mode).save(folder / f"{number}.{suffix}")


@pytest.fixture
def pets(tmp_path) -> Path:
    write_images(tmp_path / "pets" / "dog")
    write_images(tmp_path / "pets" / "cat", num=10)
    return tmp_path / "pets"


def test_classes_are_the_sorted_folder_names_and_pixels_are_exact(pets):
    data = load_data(f"folder:{pets}")
    assert data.class_names == ("cat", "dog")
    assert data.image_shape == (3, 6, 8)
    assert [len(part) for part in data.splits.values()] == [9, 3, 3]
    found = {bytes(image) for part in data.splits.values() for image in part.images_BCHW.numpy()}
    want = {bytes(np.asarray(Image.open(path)).transpose(2, 0, 1).tobytes()) for path in pets.rglob("*.png")}
    assert found == want
    assert data.name == "folder:pets"


def test_a_relative_path_starts_at_the_root(pets):
    assert load_data("folder:pets", root=pets.parent).fingerprint == load_data(f"folder:{pets}").fingerprint


@pytest.mark.parametrize("held_out", ["val", "test"])
def test_one_held_out_folder_is_the_test_split(held_out, tmp_path):
    for part, num in (("train", 10), (held_out, 4)):
        for name in ("a", "b"):
            write_images(tmp_path / part / name, num)
    data = load_data(f"folder:{tmp_path}")
    assert [len(part) for part in data.splits.values()] == [16, 4, 8]
    assert data.provenance["layout"] == f"train/ is train, {held_out}/ is test"


def test_three_split_folders_are_taken_as_given(tmp_path):
    for part, num in (("train", 5), ("val", 3), ("test", 2)):
        for name in ("a", "b"):
            write_images(tmp_path / part / name, num)
    assert [len(part) for part in load_data(f"folder:{tmp_path}").splits.values()] == [10, 6, 4]


@pytest.mark.parametrize("suffix", ["png", "jpg", "JPEG", "bmp", "ppm", "webp", "tif", "tiff"])
def test_every_stated_format_is_read(suffix, tmp_path):
    for name in ("a", "b"):
        write_images(tmp_path / name, 3, suffix=suffix)
    assert load_data(f"folder:{tmp_path}").image_shape == (3, 6, 8)


def test_grey_images_have_one_channel(tmp_path):
    for name in ("a", "b"):
        write_images(tmp_path / name, 3, mode="L")
    assert load_data(f"folder:{tmp_path}").image_shape == (1, 6, 8)


def test_other_files_and_hidden_ones_are_passed_over_and_counted(pets):
    (pets / "cat" / "notes.txt").write_text("x")
    (pets / "cat" / ".DS_Store").write_text("x")
    (pets / ".cache").mkdir()
    (pets / "README.md").write_text("x")
    data = load_data(f"folder:{pets}")
    assert data.class_names == ("cat", "dog")
    assert data.provenance["files_passed_over"] == 1


def test_a_photograph_taken_sideways_is_turned_upright(tmp_path):
    for name in ("a", "b"):
        write_images(tmp_path / name, 3, size=(8, 6))
    sideways = Image.new("RGB", (6, 8))
    exif = sideways.getexif()
    exif[0x0112] = 6  # turn by 90 degrees to show
    sideways.save(tmp_path / "a" / "9.jpg", exif=exif)
    assert load_data(f"folder:{tmp_path}").image_shape == (3, 6, 8)


def test_mixed_sizes_name_two_images_and_the_remedy(pets):
    write_images(pets / "dog" / "more", 1, size=(9, 6))
    with pytest.raises(
        DataError,
        match=r"The images differ in size: .*cat/0.png is 8x6 and .*dog/more/0.png is 9x6 .*with --image-size",
    ):
        load_data(f"folder:{pets}")


def test_mixed_sizes_are_brought_to_one_by_image_size(pets):
    write_images(pets / "dog" / "more", 1, size=(9, 6))
    assert load_data(f"folder:{pets}", image_size=4).image_shape == (3, 4, 4)


def test_the_short_side_is_scaled_and_the_centre_kept(tmp_path):
    for name in ("a", "b"):
        write_images(tmp_path / name, 3)
        stripes = np.zeros((10, 30), dtype=np.uint8)
        stripes[:, 10:20] = 255  # the middle square is white
        Image.fromarray(stripes).convert("RGB").save(tmp_path / name / "9.png")
    data = load_data(f"folder:{tmp_path}", image_size=5)
    images = np.concatenate([part.images_BCHW.numpy() for part in data.splits.values()])
    white = [image for image in images if image[:, :, 1:4].min() == 255]
    assert len(white) == 2  # bilinear scaling mixes in black at the two border columns only


def test_mixed_channels_name_two_images_and_the_remedy(pets):
    write_images(pets / "dog" / "more", 1, mode="L")
    with pytest.raises(
        DataError,
        match=r"differ in channels: .*cat/0.png has 3 and .*more/0.png has 1; .*--channels 1 or --channels 3",
    ):
        load_data(f"folder:{pets}")
    assert load_data(f"folder:{pets}", channels=3).image_shape == (3, 6, 8)
    assert load_data(f"folder:{pets}", channels=1).image_shape == (1, 6, 8)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_dropped_only_when_asked(mode, tmp_path):
    for name in ("a", "b"):
        write_images(tmp_path / name, 3, mode=mode)
    with pytest.raises(
        DataError, match=rf"has {len(mode)} channels \({mode}\): drop the transparency with --channels 3"
    ):
        load_data(f"folder:{tmp_path}")
    assert load_data(f"folder:{tmp_path}", channels=3).image_shape == (3, 6, 8)


def test_palette_images_count_as_colour(tmp_path):
    for name in ("a", "b"):
        write_images(tmp_path / name, 3, mode="P")
    Image.new("P", (8, 6)).save(tmp_path / "a" / "clear.png", transparency=b"\x00\x80")
    assert load_data(f"folder:{tmp_path}").image_shape == (3, 6, 8)


def test_sixteen_bit_images_are_refused_rather_than_clipped(pets):
    Image.fromarray(np.full((6, 8), 40_000, dtype=np.uint16)).save(pets / "cat" / "deep.png")
    with pytest.raises(DataError, match=r"deep.png has pixels of type I;16: convert it to 8 bits per channel"):
        load_data(f"folder:{pets}")


def test_an_empty_class_folder_is_named(pets):
    (pets / "bird").mkdir()
    (pets / "bird" / "list.txt").write_text("x")
    with pytest.raises(DataError, match=r"The class folder .*bird holds no images \(.png, .*\): fill it or remove it"):
        load_data(f"folder:{pets}")


@pytest.mark.parametrize(("classes", "found"), [([], "none"), (["only"], "only 'only'")])
def test_fewer_than_two_classes_are_refused(classes, found, tmp_path):
    for name in classes:
        write_images(tmp_path / name)
    with pytest.raises(DataError, match=rf"needs one sub-folder of images per class, at least two, and holds {found}"):
        load_data(f"folder:{tmp_path}")


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(DataError, match=r"The image folder .*nowhere does not exist: check the path after `folder:`"):
        load_data(f"folder:{tmp_path}/nowhere")


def damage(content: bytes, how: str) -> bytes:
    return {"empty": b"", "text": b"hello", "cut": content[: len(content) // 2]}[how]


@pytest.mark.parametrize("how", ["empty", "text", "cut"])
@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp", "tif"])
def test_a_damaged_file_is_named(how, suffix, pets):
    write_images(pets / "dog" / "z", 1, suffix=suffix, size=(64, 64))
    path = pets / "dog" / "z" / f"0.{suffix}"
    path.write_bytes(damage(path.read_bytes(), how))
    with pytest.raises(DataError, match=rf"z/0.{suffix} cannot be read as an image \(.+\): repair or remove it"):
        load_data(f"folder:{pets}", image_size=6)


def test_splits_with_different_classes_are_refused(tmp_path):
    for folder in ("train/a", "train/b", "test/a", "test/c"):
        write_images(tmp_path / folder)
    with pytest.raises(DataError, match="The class 'b' is not in every split of"):
        load_data(f"folder:{tmp_path}")


def test_images_larger_than_the_memory_are_refused_before_they_are_read(pets, monkeypatch):
    monkeypatch.setattr("os.sysconf", lambda name: {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 4000}[name])
    with pytest.raises(DataError, match=r"15 images of 8x6 need 0.0 GB, more than half of this machine's 0.0 GB"):
        load_data(f"folder:{pets}")
    assert load_data(f"folder:{pets}", image_size=5, channels=1).image_shape == (1, 5, 5)


@pytest.mark.slow
def test_real_photographs_of_the_sign_digits_load(test_data, tmp_path):
    import zipfile

    with zipfile.ZipFile(test_data / "sign-digits" / "sign_digits_100x100.zip") as archive:
        archive.extractall(tmp_path)
    folder = next(path.parent for path in tmp_path.rglob("train") if path.is_dir())
    data = load_data(f"folder:{folder}")
    assert data.class_names == tuple("0123456789")
    assert data.image_shape == (3, 100, 100)
    assert len(data.splits["test"]) == 409
    assert len(data.splits["train"]) + len(data.splits["val"]) == 1653
