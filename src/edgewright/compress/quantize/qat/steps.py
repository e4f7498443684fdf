"""Step sizes that training changes or leaves, and the quantizer of activations that uses them."""

from __future__ import annotations

import torch
from torch import nn

from ....model.quantized import QuantizeActivation
from .rounding import Bound, Gradient, bounded, gain_of, rounded
from .settings import Qat

AVERAGE = 0.01  # share of a new batch in the moving ranges, as PyTorch's MovingAverageMinMaxObserver has it


class Steps(nn.Module):
    """The step sizes of one tensor, a parameter when they are learned and a buffer otherwise."""

    value: torch.Tensor

    def __init__(self, first: torch.Tensor, *, learned: bool, largest: float = float("inf")) -> None:
        super().__init__()
        self.learned, self.largest = learned, largest
        if learned:
            self.value = nn.Parameter(first.detach().clone())
        else:
            self.register_buffer("value", first.detach().clone())

    def forward(self) -> torch.Tensor:
        return bounded(self.value, largest=self.largest) if self.learned else self.value

    def gradient(self, settings: Qat, *, num_values: int, largest_code: float) -> Gradient:
        """What flows back through a rounding to these steps."""
        gain = gain_of(num_values, largest_code) if self.learned else None
        return Gradient(clipped=settings.gradient == "clipped", gain=gain)


class TrainedPoint(nn.Module):
    """Rounds a tensor of activations in training; in eval mode it is the quantizer that it came from, to the bit.

    The zero point stays what calibration found, unless the range is observed: then it follows, always an integer.

    Args:
        quantizer: whose grid to begin with.
        settings: how steps change and what flows back.
        is_fixed: leave the grid alone whatever `settings` say.
        largest: bound on a learned step, so that the grid stays within the clamp before it.
    """

    zero_point: torch.Tensor
    range_low: torch.Tensor
    range_high: torch.Tensor

    def __init__(
        self, quantizer: QuantizeActivation, settings: Qat, *, is_fixed: bool = False, largest: float = float("inf")
    ) -> None:
        super().__init__()
        self.settings, self.low, self.high = settings, quantizer.low, quantizer.high
        self.observes = settings.steps == "observed" and not is_fixed
        self.steps = Steps(quantizer.scale, learned=settings.steps == "learned" and not is_fixed, largest=largest)
        self.register_buffer("zero_point", quantizer.zero_point.detach().clone())
        zero = int(quantizer.zero_point)
        self._ends = (float(self.low - zero), float(self.high - zero))
        if self.observes:
            for name, code in (("range_low", self.low), ("range_high", self.high)):
                self.register_buffer(name, (code - zero) * quantizer.scale)
        self.is_watching = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return torch.ops.edgewright.fake_quantize(x, self.steps(), self.zero_point, self.low, self.high)
        if self.is_watching and self.observes:
            self._observe(x.detach())
        low, high = self._bounds()
        longest = max(-self._ends[0], self._ends[1])
        how = self.steps.gradient(self.settings, num_values=x[0].numel(), largest_code=longest)
        return rounded(x, self.steps(), low, high, how=how)

    def _bounds(self) -> tuple[Bound, Bound]:
        """Numbers where they are known, so that an accelerator is not asked for them."""
        if self.observes:
            return self.low - self.zero_point, self.high - self.zero_point
        return self._ends

    def _observe(self, x: torch.Tensor) -> None:
        """Move the range towards that of this batch, and the grid with it (Jacob 2018, section 3.1)."""
        low, high = x.aminmax()
        self.range_low.lerp_(low.clamp(max=0), AVERAGE)
        self.range_high.lerp_(high.clamp(min=0), AVERAGE)
        scale = (self.range_high - self.range_low) / (self.high - self.low)
        scale = torch.where(scale > 0, scale, 1.0)
        self.steps.value.copy_(scale)
        self.zero_point.copy_((self.low - self.range_low / scale).round().clamp(self.low, self.high))

    def write_to(self, quantizer: QuantizeActivation) -> None:
        """Give a quantizer of the simulation this grid."""
        with torch.no_grad():
            quantizer.scale.copy_(self.steps())
            quantizer.zero_point.copy_(self.zero_point)
