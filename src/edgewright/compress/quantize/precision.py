"""How many bits each layer's weights and each tensor of activations have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...errors import ConfigError

WEIGHT_BITS = range(2, 9)
ACTIVATION_BITS = (2, 3, 4, 5, 6, 7, 8, 16)


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Bits for all, and for those named apart.

    Args:
        weights: bits of every layer's weights, 2 to 8.
        activations: bits of every tensor of activations, 2 to 8 or 16.
        layers: node of a layer -> bits of its weights.
        points: quantized tensor -> bits of its values.
    """

    weights: int = 8
    activations: int = 8
    layers: Mapping[str, int] = field(default_factory=dict)
    points: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for bits in (self.weights, *self.layers.values()):
            if bits not in WEIGHT_BITS:
                raise ConfigError(f"Weights have 2 to 8 bits, got {bits}.")
        for bits in (self.activations, *self.points.values()):
            if bits not in ACTIVATION_BITS:
                raise ConfigError(f"Activations have 2 to 8 or 16 bits, got {bits}.")

    def of_layer(self, name: str) -> int:
        """Bits of the weights of the layer that node `name` calls."""
        return self.layers.get(name, self.weights)

    def of_point(self, name: str) -> int:
        """Bits of the tensor of node `name`."""
        return self.points.get(name, self.activations)
