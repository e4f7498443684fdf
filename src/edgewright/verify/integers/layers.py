"""The layers of a simulation in the integer reference: 32-bit sums, and the scale of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ...model.quantized import IntegerWeights, QuantConv2d, QuantConvTranspose2d, QuantLinear
from ...program.lowering.meaning import layer_window
from ...program.sums import sum_scale, sum_values
from ...reference import integer
from ...reference.integer import Grid
from .codes import Codes

aten = torch.ops.aten


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What a layer adds up: acc * scale, `scale` one number or one per channel along `axis`."""

    acc: np.ndarray
    scale: np.ndarray
    axis: int

    def codes(self, out: Grid) -> np.ndarray:
        return integer.requantize(self.acc, self.scale / out.scale, out, axis=self.axis)

    def values(self) -> torch.Tensor:
        """The sums as float32, where no integers go on."""
        return torch.from_numpy(sum_values(self.acc, self.scale, axis=self.axis))


def layer_sums(layer: nn.Module, codes: Codes) -> Sums:
    """The sums of a quantized layer.

    Raises:
        OverflowError: one does not fit into 32 bits.
    """
    return LAYERS[type(layer)](layer, codes)


def product_sums(a: Codes, b: Codes) -> Sums:
    """The sums of a matrix product of two tensors of activations."""
    acc = integer.matmul(a.array, b.array, zero_points=(a.grid.zero_point, b.grid.zero_point))
    return Sums(acc=acc, scale=np.array([a.grid.scale * b.grid.scale]), axis=0)


def _linear(layer: QuantLinear, x: Codes) -> Sums:
    acc = integer.linear(x.array, _weight(layer), _bias(layer, layer.out_features), zero_point=x.grid.zero_point)
    return Sums(acc=acc, scale=_scale(layer, x), axis=acc.ndim - 1)


def _conv(layer: QuantConv2d, x: Codes) -> Sums:
    acc = integer.conv2d(
        x.array, _weight(layer), _bias(layer, layer.out_channels), zero_point=x.grid.zero_point,
        window=layer_window(layer), groups=layer.groups,
    )  # fmt: skip
    return Sums(acc=acc, scale=_scale(layer, x), axis=1)


def _conv_transpose(layer: QuantConvTranspose2d, x: Codes) -> Sums:
    rows, columns = layer.output_padding
    acc = integer.conv_transpose2d(
        x.array, _weight(layer), _bias(layer, layer.out_channels), zero_point=x.grid.zero_point,
        window=layer_window(layer), output_padding=(rows, columns), groups=layer.groups,
    )  # fmt: skip
    return Sums(acc=acc, scale=np.tile(_scale(layer, x), layer.groups), axis=1)  # groups share a channel's scale


def _weight(layer: IntegerWeights) -> np.ndarray:
    return layer.weight_codes().numpy()


def _bias(layer: IntegerWeights, num: int) -> np.ndarray:
    codes = layer.bias_codes()
    return np.zeros(num, dtype=np.int64) if codes is None else codes.numpy().astype(np.int64)


def _scale(layer: IntegerWeights, x: Codes) -> np.ndarray:
    return sum_scale(x.grid, layer.weight_scale.double().numpy())


LAYERS: dict[type[nn.Module], Callable[..., Sums]] = {
    QuantLinear: _linear,
    QuantConv2d: _conv,
    QuantConvTranspose2d: _conv_transpose,
}
PRODUCTS = {aten.matmul.default, aten.bmm.default}
