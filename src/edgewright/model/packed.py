"""Integers of fewer than 8 bits in as few bytes: fields of 4, 2 and 1 bits that share bytes.

A code of b bits is stored as code + 2^(b-1), cut into fields whose widths are the powers of two that make up b, the
widest first and lowest: 5 bits are a field of 4 and one of 1. Eight codes take b bytes, whatever b is. For n codes,
padded to whole groups of eight, G = ceil(n / 8):

    bytes (b, G): a field of k bits has k rows
    the rows of a field, flat, hold 8 / k stripes: its bits [s k, (s + 1) k) are the codes [s k G, (s + 1) k G)

So one shift and one mask unpack a field for all codes at once, and no code lies across two bytes.
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
    padded = torch.nn.functional.pad(flat, (0, -flat.numel() % GROUP)) + half
    rows, place = [], 0
    for width in FIELDS[bits]:
        stripes_SN = (padded >> place & 2**width - 1).reshape(GROUP // width, -1)
        rows.append((stripes_SN << shifts_of(width)[:, None]).sum(0).reshape(width, -1))
        place += width
    return torch.cat(rows).to(torch.uint8)


def unpack(bytes_BG: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """The codes that `pack` was given, int8, in `shape`."""
    bits, found, place = bytes_BG.shape[0], torch.zeros((), dtype=torch.int32), 0
    for width, rows_KG in zip(FIELDS[bits], bytes_BG.to(torch.int32).split(list(FIELDS[bits])), strict=True):
        field = rows_KG.reshape(-1) >> shifts_of(width)[:, None] & 2**width - 1
        found = found + (field.reshape(-1) << place)
        place += width
    return (found - 2 ** (bits - 1))[: math.prod(shape)].reshape(tuple(shape)).to(torch.int8)


def shifts_of(width: int) -> torch.Tensor:
    """Where the stripes of a field begin in its bytes."""
    return torch.arange(0, GROUP, width)
