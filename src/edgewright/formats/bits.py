"""Unsigned codes of any width side by side in bytes: code i takes the bits from i x width on, the lowest bit first."""

from __future__ import annotations

import numpy as np

from ..errors import ConfigError, ShapeError


def pack_bits(codes_N: np.ndarray, *, width: int) -> np.ndarray:
    """The bytes, uint8, of N unsigned codes of `width` bits each; the bits behind the last code are 0.

    Raises:
        ConfigError: the width is not from 1 to 64, or a code needs more bits.
    """
    _check_width(width)
    flat = np.ascontiguousarray(codes_N).reshape(-1).astype("<u8", casting="same_kind")
    if flat.size and int(flat.max()).bit_length() > width:
        raise ConfigError(f"Codes of {width} bits lie in [0, {2**width - 1}], got {int(flat.max())}: choose more bits.")
    num_bytes = -(-width // 8)
    bytes_NB = flat.view(np.uint8).reshape(-1, 8)[:, :num_bytes]
    if width % 8 == 0:
        return bytes_NB.reshape(-1).copy()
    return np.packbits(np.unpackbits(bytes_NB, axis=1, count=width, bitorder="little").reshape(-1), bitorder="little")


def unpack_bits(bytes_B: np.ndarray, *, width: int, count: int) -> np.ndarray:
    """The first `count` codes that `pack_bits` wrote, in the smallest unsigned type that holds them.

    Raises:
        ShapeError: there are too few bytes.
    """
    _check_width(width)
    if len(bytes_B) * 8 < width * count:
        raise ShapeError(f"{count} codes of {width} bits need {-(-width * count // 8)} bytes, got {len(bytes_B)}.")
    num_bytes = next(size for size in (1, 2, 4, 8) if size * 8 >= width)
    bits_NW = np.unpackbits(bytes_B, count=width * count, bitorder="little").reshape(count, width)
    padded = np.zeros((count, num_bytes * 8), np.uint8)
    padded[:, :width] = bits_NW
    return np.packbits(padded, axis=1, bitorder="little").reshape(-1).view(f"<u{num_bytes}")


def _check_width(width: int) -> None:
    if not 1 <= width <= 64:
        raise ConfigError(f"Codes have 1 to 64 bits, got {width}.")
