"""Integers of fewer than 8 bits in as few bytes: bit planes of eight codes.

    eight codes of b bits  ->  b bytes; bit i of byte j is bit j (two's complement) of code i

Any width has the same layout, nothing is wasted but the end of the last eight, and unpacking is a shift, a mask and a
product with the places' values (1, 2, ..., -2^(b-1)), which every runtime has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ..errors import ConfigError

GROUP = 8  # codes that share their bytes
PACKED_BITS = range(2, 8)


def packed_bytes(num_codes: int, bits: int) -> int:
    """Bytes of `num_codes` stored codes: whole groups of eight in `bits` bytes each; 8 bits are stored as they are."""
    return num_codes if bits == 8 else math.ceil(num_codes / GROUP) * bits


def place_values(bits: int) -> torch.Tensor:
    """What each bit of a two's complement code is worth, int8 (bits,): 1, 2, ..., -2^(bits - 1)."""
    values = [2**place for place in range(bits - 1)]
    return torch.tensor([*values, -(2 ** (bits - 1))], dtype=torch.int8)


def pack(codes: torch.Tensor, *, bits: int) -> torch.Tensor:
    """The planes of signed codes of any shape: uint8 (groups, bits), padded with codes of 0 to whole groups.

    Raises:
        ConfigError: `bits` is not from 2 to 7, or a code needs more.
    """
    if bits not in PACKED_BITS:
        raise ConfigError(f"Codes of 2 to 7 bits are packed, got {bits} bits: 8 bits fill a byte by themselves.")
    flat = codes.reshape(-1).to(torch.int32)
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if flat.numel() and not (low <= int(flat.min()) and int(flat.max()) <= high):
        raise ConfigError(
            f"Codes of {bits} bits lie in [{low}, {high}], got {int(flat.min())} to {int(flat.max())}: round first."
        )
    groups_GE = torch.nn.functional.pad(flat, (0, -flat.numel() % GROUP)).reshape(-1, GROUP)  # E: eight codes
    bits_GBE = (groups_GE[:, None, :] >> torch.arange(bits)[None, :, None]) & 1
    return (bits_GBE << torch.arange(GROUP)).sum(-1).to(torch.uint8)


def unpack(planes_GB: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """The codes that `pack` was given, int8, in `shape`."""
    bits = planes_GB.shape[1]
    bits_GEB = (planes_GB.to(torch.int32)[:, None, :] >> torch.arange(GROUP)[None, :, None]) & 1
    flat = (bits_GEB * place_values(bits).to(torch.int32)).sum(-1).reshape(-1)
    return flat[: math.prod(shape)].reshape(tuple(shape)).to(torch.int8)
