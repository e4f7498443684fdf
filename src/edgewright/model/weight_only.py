"""Weights stored in few bits, arithmetic in float: layers that compute with dequantized weights.

The weights of one output channel, in the order of memory, are cut into groups; each group has its own grid:

    value = scale * (code - zero_point)        symmetric: zero_point = 0; affine: the range from least to largest weight

Without a group size a whole channel is one group; `per_tensor` grids are equal for all. Activations and biases stay
float32. Source: Krishnamoorthi 2018, arXiv:1806.08342 (affine and symmetric weights); groups as in Dettmers 2022,
arXiv:2110.02861, section 2 (block-wise quantization).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from ..errors import ConfigError
from ..types import QuantSpec
from .packed import packed_bytes
from .quantized import StoredWeights

SCALE_BYTES = 4
KEPT = [1 - index / 50 for index in range(41)]  # shares of a range to try: below a fifth nothing is gained


def even_size(row: int, group_size: int | None) -> int:
    """Weights of one group: rows are cut into as few groups as `group_size` allows, and those are made equal, so that
    three groups of at most 64 in 144 weights hold 48 each and nothing is filled up."""
    num_groups = math.ceil(row / min(group_size or row, row))
    return math.ceil(row / num_groups)


def grouped(rows_OR: torch.Tensor, group_size: int | None) -> torch.Tensor:
    """Rows cut into groups, (O, G, S); the last group is filled up with zeros, which are on every grid."""
    size = even_size(rows_OR.shape[1], group_size)
    missing = -rows_OR.shape[1] % size
    return nn.functional.pad(rows_OR, (0, missing)).unflatten(1, (-1, size))


def group_grid(groups_OGS: torch.Tensor, grid: QuantSpec, *, per_tensor: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and zero point of each group, (O, G), int32 the latter; a group of zeros gets scale 1.

    Args:
        grid: bits, signed and symmetric of the codes; its scale is not read.
        per_tensor: the same for all groups, from the least and the largest weight of all.
    """
    low_OG, high_OG = groups_OGS.amin(2).clamp(max=0), groups_OGS.amax(2).clamp(min=0)
    if per_tensor:
        low_OG, high_OG = low_OG.amin().expand_as(low_OG), high_OG.amax().expand_as(high_OG)
    if grid.symmetric:
        scale_OG = torch.maximum(-low_OG, high_OG) / grid.high
        return torch.where(scale_OG > 0, scale_OG, 1.0), torch.zeros_like(scale_OG, dtype=torch.int32)
    scale_OG = (high_OG - low_OG) / (grid.high - grid.low)
    scale_OG = torch.where(scale_OG > 0, scale_OG, 1.0)
    zero_OG = (grid.low - low_OG / scale_OG).round().clamp(grid.low, grid.high)
    return scale_OG, zero_OG.to(torch.int32)


def searched_grid(groups_OGS: torch.Tensor, grid: QuantSpec, *, per_tensor: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """As `group_grid`, of the part of each range that leaves the least squared error: with few bits, clipping the
    largest weights lets all others be finer."""
    scale_OG, zero_OG = group_grid(groups_OGS, grid, per_tensor=per_tensor)
    least_OG = torch.full_like(scale_OG, torch.inf)
    for keep in KEPT:
        scale, zero = group_grid(groups_OGS * keep, grid, per_tensor=per_tensor)
        steps = (scale[:, :, None], zero[:, :, None], grid.low, grid.high)
        error_OG = (torch.ops.edgewright.fake_quantize(groups_OGS, *steps) - groups_OGS).pow(2).sum(2)
        error_OG = error_OG.sum().expand_as(error_OG) if per_tensor else error_OG
        better = error_OG < least_OG
        scale_OG, zero_OG = torch.where(better, scale, scale_OG), torch.where(better, zero, zero_OG)
        least_OG = torch.minimum(error_OG, least_OG)
    return scale_OG, zero_OG


class GroupedWeights(StoredWeights):
    """Float weights and the grid of each group. Buffers: `weight_scale` and `weight_zero_point`, both (O, G)."""

    scheme = "weight-only"
    group_size: int | None
    symmetric: bool
    signed: bool
    weight_scale: torch.Tensor
    weight_zero_point: torch.Tensor

    def _add_groups(self, bits: int, group_size: int | None, symmetric: bool, signed: bool) -> None:
        if not 2 <= bits <= 8:
            raise ConfigError(f"Weights are quantized to 2 to 8 bits, got {bits}.")
        if group_size is not None and group_size < 2:
            raise ConfigError(f"A group holds 2 weights or more, got {group_size}.")
        if symmetric and not signed:
            raise ConfigError("Symmetric weights are signed: set symmetric=False for unsigned codes.")
        self.bits, self.group_size, self.symmetric, self.signed = bits, group_size, symmetric, signed
        shape = self._groups(self.weight.detach()).shape[:2]
        self.register_buffer("weight_scale", torch.ones(shape))  # type: ignore[attr-defined]
        self.register_buffer("weight_zero_point", torch.zeros(shape, dtype=torch.int32))  # type: ignore[attr-defined]

    @property
    def grid(self) -> QuantSpec:
        """Bits and ends of the codes; the scales are the buffers."""
        return QuantSpec(scale=(1.0,), zero_point=(0,), bits=self.bits, signed=self.signed, symmetric=self.symmetric)

    def fit_grid(self, *, per_tensor: bool = False, search: bool = False) -> None:
        """Set scales and zero points by the least and the largest weight of each group.

        Args:
            per_tensor: one grid for all groups.
            search: instead of the whole range, the part of it that leaves the least squared error.
        """
        find = searched_grid if search else group_grid
        scale, zero_point = find(self._groups(self.weight.detach()), self.grid, per_tensor=per_tensor)
        with torch.no_grad():
            self.weight_scale.copy_(scale)
            self.weight_zero_point.copy_(zero_point)

    def _groups(self, weight: torch.Tensor) -> torch.Tensor:
        return grouped(weight.transpose(0, self.weight_axis).flatten(1), self.group_size)

    def _weight_of(self, groups_OGS: torch.Tensor) -> torch.Tensor:
        """A weight again, of values or codes in groups."""
        swapped = self.weight.transpose(0, self.weight_axis).shape
        rows_OR = groups_OGS.flatten(1)[:, : math.prod(swapped[1:])]
        return rows_OR.reshape(swapped).transpose(0, self.weight_axis)

    def rounded_weight(self) -> torch.Tensor:
        scale, zero_point = self.weight_scale[:, :, None], self.weight_zero_point[:, :, None]
        groups_OGS = self._groups(self.weight)
        rounded = torch.ops.edgewright.fake_quantize(groups_OGS, scale, zero_point, self.grid.low, self.grid.high)
        return self._weight_of(rounded)

    def group_codes(self) -> torch.Tensor:
        """The integers to store, int32, (O, G, S); codes that fill up a last group are its zero point."""
        scale, zero_point = self.weight_scale[:, :, None], self.weight_zero_point[:, :, None]
        codes = self._groups(self.weight.detach()).div(scale).round_().add_(zero_point)
        return codes.clamp_(self.grid.low, self.grid.high).to(torch.int32)

    def weight_codes(self) -> torch.Tensor:
        """The integers that stand for the weights, int32, in the layout of `weight`."""
        return self._weight_of(self.group_codes())

    @property
    def num_grids(self) -> int:
        """Grids to store: one per group, one in all where they are equal (unknown while there are only shapes)."""
        if self.weight_scale.is_meta:
            return self.weight_scale.numel()
        pairs = torch.stack([self.weight_scale.flatten(), self.weight_zero_point.flatten().float()])
        return 1 if bool((pairs == pairs[:, :1]).all()) else pairs.shape[1]

    @property
    def stored_bytes(self) -> int:
        """Bytes of the weights in a file: packed codes, 4 for a scale and 1 for a zero point where there is one."""
        codes = self.weight_scale.numel() * even_size(self._row, self.group_size)
        grid_bytes = SCALE_BYTES + (0 if self.symmetric else 1)
        return packed_bytes(codes, self.bits) + self.num_grids * grid_bytes

    @property
    def _row(self) -> int:
        """Weights of one output channel."""
        return self.weight.numel() // self.weight.shape[self.weight_axis]


class WeightOnlyConv2d(GroupedWeights, nn.Conv2d):
    """A 2-D convolution in float with stored integer weights."""

    def __init__(
        self, *args: Any, bits: int = 8, group_size: int | None = None, symmetric: bool = True, signed: bool = True,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        nn.Conv2d.__init__(self, *args, **kwargs)
        self._add_groups(bits, group_size, symmetric, signed)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(x_BCHW, self.rounded_weight(), self.bias)


class WeightOnlyConvTranspose2d(GroupedWeights, nn.ConvTranspose2d):
    """A transposed 2-D convolution in float with stored integer weights."""

    weight_axis = 1

    def __init__(
        self, *args: Any, bits: int = 8, group_size: int | None = None, symmetric: bool = True, signed: bool = True,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        nn.ConvTranspose2d.__init__(self, *args, **kwargs)
        self._add_groups(bits, group_size, symmetric, signed)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return nn.functional.conv_transpose2d(
            x_BCHW, self.rounded_weight(), self.bias, self.stride, self.padding, self.output_padding,  # type: ignore[arg-type]
            self.groups, self.dilation,
        )  # fmt: skip


class WeightOnlyLinear(GroupedWeights, nn.Linear):  # type: ignore[misc]
    """A linear layer in float with stored integer weights."""

    def __init__(
        self, *args: Any, bits: int = 8, group_size: int | None = None, symmetric: bool = True, signed: bool = True,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        nn.Linear.__init__(self, *args, **kwargs)
        self._add_groups(bits, group_size, symmetric, signed)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, self.rounded_weight(), self.bias)


WEIGHT_ONLY: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv2d: WeightOnlyConv2d,
    nn.ConvTranspose2d: WeightOnlyConvTranspose2d,
    nn.Linear: WeightOnlyLinear,
}
