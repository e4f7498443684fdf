"""Weights of 4 bits, two codes a byte in flash: which layers have them, and the order of each kernel's half bytes.

The kernels take them apart where they multiply, so no layer needs memory for its whole weights; docs/firmware.md tells
what that costs. A layer is packed where all its codes fit and fewer bytes of tables are left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from .helium import LANES, pixel_pairs, strip_columns, strips
from .multipliers import Constant
from .scene import Call

LOWEST, HIGHEST = -8, 7
STRIP_PIXELS = 8  # at least, of a strip of kernels/helium for which four rows of weights are taken apart
PIXELS_BYTES = 1024  # that a pointwise layer of kernels/helium copies at once
MOST_PRODUCTS = 2**16  # of a sum that kernels/dsp hold 16 times as large: 16 * 8 * 128 * 2**16 < 2**31


def packed(call: Call) -> Call:
    """The call with its weights packed, or as it is."""
    packer = PACKERS.get(call.kernel)
    weight = next((each.values for each in call.constants if each.role == "weight"), None)
    if packer is None or weight is None:
        return call
    made = packer(call)
    return made if made is not None and _table_bytes(made) < _table_bytes(call) else call


def _table_bytes(call: Call) -> int:
    return sum(each.values.nbytes for each in call.constants)


def fits(codes: np.ndarray) -> bool:
    """Whether all codes have 4 signed bits."""
    return bool(codes.min(initial=0) >= LOWEST and codes.max(initial=0) <= HIGHEST)


def in_bytes(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Bytes of two codes each, int8."""
    return ((lower.astype(np.uint8) & 15) | (upper.astype(np.uint8) << 4)).view(np.int8)


def neighbours(rows: np.ndarray) -> np.ndarray:
    """Rows of codes in which neighbours share a byte: (N, K) -> (N, K / 2 rounded up)."""
    whole = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))
    return in_bytes(whole[:, 0::2], whole[:, 1::2])


def words(rows: np.ndarray) -> np.ndarray:
    """Rows of words of eight codes: byte i has the codes i and i + 4. (N, K) -> (N, 4 * (K / 8 rounded up)).

    Where K is no multiple of four the last four codes are those at the end of the row, as the kernels read them.
    """
    count = rows.shape[1]
    whole = count - count % 4
    if count % 4:
        rows = np.concatenate([rows[:, :whole], rows[:, count - 4 :]], axis=1)
    rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 8))).reshape(len(rows), -1, 2, 4)
    return in_bytes(rows[:, :, 0], rows[:, :, 1]).reshape(len(rows), -1)


def halves(blocks: np.ndarray) -> np.ndarray:
    """Blocks of an even number of codes: the first half in the lower halves of the bytes. (N, K) -> (N, K / 2)."""
    middle = blocks.shape[1] // 2
    return in_bytes(blocks[:, :middle], blocks[:, middle:])


def _rows(call: Call, order: Callable[[np.ndarray], np.ndarray], **changes: Any) -> Call | None:
    """A layer whose weights are a row for each output; `changes` are other fields of the call."""
    weight = call.constants[0].values
    rows = weight.reshape(len(weight), -1)
    if not fits(rows) or rows.shape[1] > MOST_PRODUCTS:
        return None
    changes = {"sizes": {**_ahead_of_out(call.sizes)}} | changes
    constants = (Constant(role="weight4", values=order(rows)), *call.constants[1:])
    return replace(call, constants=constants, **changes)


def _ahead_of_out(sizes: Any) -> dict[str, Any]:
    """The sizes with `packed` in its place: the last ahead of the end of the layer."""
    found = dict(sizes)
    end = {name: found.pop(name) for name in ("out", "end") if name in found}
    return {**found, "packed": 1, **end}


def _depthwise(call: Call) -> Call | None:
    """All taps of all channels as one row."""
    codes = call.constants[0].values
    if not fits(codes):
        return None
    constants = (Constant(role="weight4", values=neighbours(codes.reshape(1, -1))), *call.constants[1:])
    return replace(call, sizes=_ahead_of_out(call.sizes), constants=constants)


def _helium_rows(call: Call) -> Call | None:
    """Four rows as one block, which becomes bytes at the beginning of the scratch."""
    inputs = call.constants[0].values.shape[1]
    return _rows(
        call, lambda rows: halves(rows.reshape(-1, LANES * rows.shape[1])), sizes=call.sizes,
        kernel=f"{call.kernel}_packed", scratch_bytes=call.scratch_bytes + LANES * inputs,
    )  # fmt: skip


def _helium_conv(call: Call) -> Call | None:
    """Strips long enough."""
    window = call.sizes["window"]
    pitch = window["kernel_rows"] * call.sizes["channels"]
    block = max(call.sizes["block"], min(STRIP_PIXELS, -(-window["out_columns"] // 2) * 2))
    return _helium_rows(
        replace(
            call, sizes={**call.sizes, "block": block}, scratch_bytes=strip_columns(window, block) * pitch,
            distances=partial(strips, block=block, reads_first=True),
        )
    )  # fmt: skip


def _helium_pointwise(call: Call) -> Call | None:
    """More pixels at once, all of which are copied first."""
    inputs, rows = call.sizes["each"]["inputs"], call.sizes["rows"]
    block = min(max(2, PIXELS_BYTES // inputs // 2 * 2), rows)
    made = _helium_rows(replace(call, kernel="helium/pointwise", scratch_bytes=block * inputs))
    if made is None:
        return None
    sizes = {"rows": rows, "block": block, "each": call.sizes["each"]}
    return replace(made, sizes=sizes, distances=partial(pixel_pairs, reads_first=True, at_once=block))


PACKERS: dict[str, Callable[[Call], Call | None]] = {
    **dict.fromkeys(("conv", "pointwise", "linear", "linear_float"), partial(_rows, order=neighbours)),
    **dict.fromkeys(("dsp/conv", "dsp/pointwise", "dsp/linear", "dsp/linear_float"), partial(_rows, order=words)),
    **dict.fromkeys(("depthwise", "dsp/depthwise"), _depthwise),
    **dict.fromkeys(("helium/linear", "helium/linear_float"), _helium_rows),
    **dict.fromkeys(("helium/pointwise", "helium/pointwise_in_place"), _helium_pointwise),
    "helium/conv": _helium_conv,
}
"""Kernel of a call -> its call with packed weights, None where they have more than 4 bits."""
