"""Layers with integer weights as operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

from ...model.quantized import IntegerWeights, QuantConv2d, QuantLinear
from ..building import Builder
from ..types import Tensor
from .meaning import layer_window


def add_layer(builder: Builder, layer: Any, source: Tensor, output: Tensor) -> Tensor:
    """The operation of a layer of `LAYERS`."""
    kind, weight_name, settings_of = LAYERS[type(layer)]
    weight = layer.weight_codes().numpy()
    arrays = {
        weight_name: weight,
        "bias_O": _bias(layer, len(weight)),
        "weight_scale_O": layer.weight_scale.double().numpy(),
    }
    return builder.add(kind, [source], output, settings=settings_of(layer), arrays=arrays)


def _bias(layer: IntegerWeights, num: int) -> np.ndarray:
    codes = layer.bias_codes()
    return np.zeros(num, dtype=np.int32) if codes is None else codes.numpy()


LAYERS: dict[type[nn.Module], tuple[str, str, Callable[[Any], dict[str, Any]]]] = {
    QuantConv2d: ("conv", "weight_OIKK", lambda layer: {"window": layer_window(layer), "groups": layer.groups}),
    QuantLinear: ("linear", "weight_OI", lambda layer: {}),
}
