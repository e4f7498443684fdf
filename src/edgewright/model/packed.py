"""Integers of fewer than 8 bits in as few bytes: fields of 4, 2 and 1 bits that share bytes.

A code of b bits (two's complement) is cut into fields whose widths are the powers of two that make up b, the widest
first and lowest: 5 bits are a field of 4 and one of 1. Eight codes take b bytes, whatever b is. For n codes, padded to
whole groups of eight, G = ceil(n / 8):

    bytes (b, G): a field of k bits has k rows; flat, each of their bytes holds it for the next 8 / k codes, the first
    in the lowest bits

So a table of 256 rows unpacks a field, and no code lies across two bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ..errors import ConfigError

GROUP = 8  # codes that fill whole bytes together
FIELDS: dict[int, tuple[int, ...]] = {2: (2,), 3: (2, 1), 4: (4,), 5: (4, 1), 6: (4, 2), 7: (4, 2, 1)}


def packed_bytes(num_codes: int, bits: int) -> int:
    """Bytes of `num_codes` stored codes: whole groups of eight in `bits` bytes each; 8 bits are stored as they are."""
    return num_codes if bits == 8 else math.ceil(num_codes / GROUP) * bits


def pack(codes: torch.Tensor, *, bits: int) -> torch.Tensor:
    """The bytes of signed codes of any shape: uint8 (bits, groups of eight), padded with codes of 0.

    Raises:
        ConfigError: `bits` is not from 2 to 7, or a code needs more.
    """
    if bits not in FIELDS:
        raise ConfigError(f"Codes of 2 to 7 bits are packed, got {bits} bits: 8 bits fill a byte by themselves.")
    flat, half = codes.reshape(-1).to(torch.int32), 2 ** (bits - 1)
    low, high = (int(bound) for bound in flat.aminmax()) if flat.numel() else (0, 0)
    if not -half <= low <= high < half:
        raise ConfigError(f"Codes of {bits} bits lie in [{-half}, {half - 1}], got {low} to {high}: round first.")
    padded = torch.nn.functional.pad(flat, (0, -flat.numel() % GROUP))
    rows, place = [], 0
    for width in FIELDS[bits]:
        fields_NS = (padded >> place & 2**width - 1).reshape(-1, GROUP // width)
        rows.append((fields_NS << torch.arange(0, GROUP, width)).sum(1).reshape(width, -1))
        place += width
    return torch.cat(rows).to(torch.uint8)


def unpack(bytes_BG: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """The codes that `pack` was given, int8, in `shape`."""
    bits, place, found = bytes_BG.shape[0], 0, torch.zeros((), dtype=torch.int8)
    for width, rows_KG in zip(FIELDS[bits], bytes_BG.split(list(FIELDS[bits])), strict=True):
        found = found | field_table(width, place, bits=bits)[rows_KG.reshape(-1).long()].reshape(-1)
        place += width
    return found[: math.prod(shape)].reshape(tuple(shape))


def field_table(width: int, place: int, *, bits: int) -> torch.Tensor:
    """What each byte holds of the codes that share it: int8 (256, 8 / width), the field of each code in its place.

    The highest field carries the sign: its bits are extended to the eighth.
    """
    fields = torch.arange(256)[:, None] >> torch.arange(0, GROUP, width) & 2**width - 1
    if place + width == bits:
        fields = fields - (fields >> width - 1 << width)
    return (fields << place).to(torch.int8)
