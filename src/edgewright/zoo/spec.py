"""What is asked of the zoo, and what it gives back. No torch at import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ConfigError, first_line

if TYPE_CHECKING:
    from torch import nn

UNBUILDABLE = (TypeError, ValueError, RuntimeError, AssertionError)  # what other libraries raise for a wrong setting


def reason(error: BaseException) -> str:
    """Type and first line of an error of somebody else's code, to be quoted in one of ours."""
    return first_line(error, typed=True)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The model that is asked for; None leaves the choice to the model."""

    num_classes: int | None = None
    channels: int | None = None
    image_size: int | tuple[int, int] | None = None  # pixels: both sides, or (H, W)
    seed: int = 0

    def __post_init__(self) -> None:
        sides = self.sides or (1, 1)
        for name, value in (("num_classes", self.num_classes), ("channels", self.channels), ("image_size", min(sides))):
            if value is not None and value < 1:
                raise ConfigError(f"The model's {name} must be at least 1, got {value}.")

    @property
    def sides(self) -> tuple[int, int] | None:
        """(H, W), or None where no size is asked for."""
        return (self.image_size, self.image_size) if isinstance(self.image_size, int) else self.image_size

    def shape(self, default: tuple[int, int, int]) -> tuple[int, int, int]:
        """(C, H, W), from `default` where nothing is asked."""
        return (self.channels or default[0], *(self.sides or default[1:]))


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
