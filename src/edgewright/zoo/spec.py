"""What is asked of the zoo, and what it gives back. No torch at import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

UNBUILDABLE = (TypeError, ValueError, RuntimeError, AssertionError)  # what other libraries raise for a wrong setting


def reason(error: BaseException) -> str:
    """Type and first line of an error of somebody else's code, to be quoted in one of ours."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The model that is asked for; None leaves the choice to the model."""

    num_classes: int
    channels: int | None = None
    image_size: int | None = None  # pixels, height and width
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_classes", "channels", "image_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"The model's {name} must be at least 1, got {value}.")

    def shape(self, default: tuple[int, int, int]) -> tuple[int, int, int]:
        """(C, H, W), from `default` where nothing is asked."""
        height, width = (self.image_size, self.image_size) if self.image_size else default[1:]
        return (self.channels or default[0], height, width)


@dataclass(frozen=True, kw_only=True)
class ZooModel:
    """A built model in eval mode and the input it expects.

    `mean` and `std` are per channel on inputs scaled to [0, 1]; None leaves the data set's own statistics.
    `trained` says that the weights are not random ones.
    """

    model: nn.Module
    name: str
    input_shape: tuple[int, int, int]  # (C, H, W)
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    trained: bool = False
