"""Layers that find the range of their input on every call, and compute in integers with it.

    scale = (max - min) / 255,  zero_point = clamp(round(-min / scale), 0, 255)        over the whole tensor, 0 included

as ONNX DynamicQuantizeLinear defines it (uint8, half to even). No calibration is needed; each call pays for the search,
and the images of one batch share a range. Weights are int8, symmetric per output channel; the bias stays float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .packed import packed_bytes
from .quantized import IntegerWeights

LOW, HIGH = 0, 255


def dynamic_grid(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and zero point of the tensor at hand, both float32 scalars; a tensor of zeros gets scale 1."""
    low, high = x.detach().amin().clamp(max=0), x.detach().amax().clamp(min=0)
    scale = (high - low) / (HIGH - LOW)
    scale = torch.where(scale == 0, 1.0, scale)
    return scale, (LOW - low / scale).round().clamp(LOW, HIGH)


class DynamicQuantizeActivation(nn.Module):
    """Rounds a tensor to the uint8 grid of its own range."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale, zero_point = dynamic_grid(x)
        return torch.ops.edgewright.fake_quantize(x, scale, zero_point, LOW, HIGH)

    def codes(self, x: torch.Tensor) -> torch.Tensor:
        """The integers that stand for `x`, uint8."""
        scale, zero_point = dynamic_grid(x)
        return x.div(scale).round_().add_(zero_point).clamp_(LOW, HIGH).to(torch.uint8)


class DynamicWeights(IntegerWeights):
    """Integer weights, and a quantizer that looks at each input."""

    scheme = "dynamic"

    def _add_dynamic(self, bits: int) -> None:
        self._add_grid(bits)
        self.quantize = DynamicQuantizeActivation()

    @property
    def stored_bytes(self) -> int:
        """Bytes of the weights in a file: codes, and a float32 scale for each channel."""
        return packed_bytes(self.weight.numel(), self.bits) + 4 * self.weight_scale.numel()

    def rounded_bias(self) -> torch.Tensor | None:
        """The bias as it is: its grid would depend on the input at hand."""
        return self.bias


class DynamicLinear(DynamicWeights, nn.Linear):  # type: ignore[misc]
    """A linear layer with integer weights that quantizes its input on every call."""

    def __init__(self, *args: Any, bits: int = 8, **kwargs: Any) -> None:
        nn.Linear.__init__(self, *args, **kwargs)
        self._add_dynamic(bits)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(self.quantize(x), self.rounded_weight(), self.bias)


class DynamicConv2d(DynamicWeights, nn.Conv2d):
    """A 2-D convolution with integer weights that quantizes its input on every call."""

    def __init__(self, *args: Any, bits: int = 8, **kwargs: Any) -> None:
        nn.Conv2d.__init__(self, *args, **kwargs)
        self._add_dynamic(bits)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(self.quantize(x_BCHW), self.rounded_weight(), self.bias)


DYNAMIC: dict[type[nn.Module], type[nn.Module]] = {nn.Conv2d: DynamicConv2d, nn.Linear: DynamicLinear}
