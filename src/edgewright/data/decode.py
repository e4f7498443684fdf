"""Image files to one array. Used for folders and for archives of JPEG files.

Formats: PNG, JPEG, BMP, PPM/PGM, WebP, TIFF (first page), 8 bits per channel. EXIF orientation is applied.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ..errors import DataError
from .preprocess import covering_size

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".webp", ".tif", ".tiff")
CHANNELS_OF_MODE = {"1": 1, "L": 1, "RGB": 3, "P": 3, "CMYK": 3, "YCbCr": 3, "LA": 2, "PA": 4, "RGBA": 4}
MODE_OF_CHANNELS = {1: "L", 3: "RGB"}
ORIENTATION = 0x0112  # EXIF tag
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, IndexError, Image.DecompressionBombError, UserWarning)

Source = tuple[str, Path | bytes]  # what to call it in an error, and the file


def decode(sources: Sequence[Source], *, image_size: int | None, channels: int | None) -> np.ndarray:
    """All images as one uint8 array (B, C, H, W).

    Args:
        sources: at least one image file, named.
        image_size: scale (bilinear) the short side to this many pixels and crop the centre square; None: all images
            must have one size already.
        channels: 1 or 3; None: all images must have one number of channels already.

    Raises:
        DataError: an unreadable file, or sizes or channel counts that differ.
    """
    first_name = sources[0][0]
    first = _pixels(*sources[0], image_size=image_size, channels=channels)
    _refuse_huge(len(sources), first)
    images_BCHW = np.empty((len(sources), *first.shape), dtype=np.uint8)
    images_BCHW[0] = first
    for position, (name, file) in enumerate(sources[1:], start=1):
        image_CHW = _pixels(name, file, image_size=image_size, channels=channels)
        _refuse_mixed(first_name, first.shape, name, image_CHW.shape)
        images_BCHW[position] = image_CHW
    return images_BCHW


def _pixels(name: str, file: Path | bytes, *, image_size: int | None, channels: int | None) -> np.ndarray:
    """One file as uint8 (C, H, W)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Pillow warns where a file is damaged but half readable
            image: Image.Image = Image.open(io.BytesIO(file if isinstance(file, bytes) else file.read_bytes()))
            image.load()
            if image.getexif().get(ORIENTATION, 1) != 1:
                image = ImageOps.exif_transpose(image)
    except UNREADABLE as error:
        raise DataError(f"{name} cannot be read as an image ({_reason(error)}): repair or remove it.") from error
    image = _with_channels(name, image, channels)
    if image_size is not None:
        image = _square(image, image_size)
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _with_channels(name: str, image: Image.Image, channels: int | None) -> Image.Image:
    count = CHANNELS_OF_MODE.get(image.mode)
    if count is None:
        raise DataError(f"{name} has pixels of type {image.mode}: convert it to 8 bits per channel.")
    if channels is None and count not in MODE_OF_CHANNELS:
        raise DataError(f"{name} has {count} channels ({image.mode}): drop the transparency with --channels 3.")
    if "transparency" in image.info:
        image = image.convert("RGBA")
    mode = MODE_OF_CHANNELS[channels or count]
    return image if image.mode == mode else image.convert(mode)


def _square(image: Image.Image, side: int) -> Image.Image:
    rows, columns = covering_size((image.height, image.width), (side, side))
    if (columns, rows) != image.size:
        image = image.resize((columns, rows), Image.Resampling.BILINEAR)
    top, left = (rows - side) // 2, (columns - side) // 2
    return image.crop((left, top, left + side, top + side))


def _refuse_mixed(first_name: str, first: tuple[int, ...], name: str, shape: tuple[int, ...]) -> None:
    if shape[1:] != first[1:]:
        sizes = [f"{columns}x{rows}" for rows, columns in (first[1:], shape[1:])]
        raise DataError(
            f"The images differ in size: {first_name} is {sizes[0]} and {name} is {sizes[1]} (width x height); "
            "bring them to one size with --image-size."
        )
    if shape[0] != first[0]:
        raise DataError(
            f"The images differ in channels: {first_name} has {first[0]} and {name} has {shape[0]}; "
            "bring them to one count with --channels 1 or --channels 3."
        )


def _refuse_huge(count: int, image_CHW: np.ndarray) -> None:
    """All images are kept in memory: say so before the machine starts to swap."""
    needed = count * image_CHW.nbytes
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > available / 2:
        raise DataError(
            f"{count} images of {image_CHW.shape[2]}x{image_CHW.shape[1]} need {needed / 1e9:.1f} GB, more than half "
            f"of this machine's {available / 1e9:.1f} GB: make them smaller with --image-size."
        )


def _reason(error: BaseException) -> str:
    text = str(error).split("<_io.BytesIO")[0].split(" '")[0].strip()
    return text or type(error).__name__
