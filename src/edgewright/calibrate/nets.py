"""Small networks whose operators are timed one by one.

A network is a row of layers, each a name of `BUILDERS` with its numbers, so that it is plain data. *Tests* (`tNN`) are
what is timed. *Guards* (`gNN`) are convolutions or linear layers between them: they give each test the surroundings
that it has in a real model (the runtime's blocked channels before and behind it), and their own time is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer: `build` names an entry of `BUILDERS`, `numbers` are its arguments."""

    build: str
    numbers: tuple[int, ...] = ()
    is_guard: bool = False


@dataclass(frozen=True, kw_only=True)
class MicroNet:
    """A network to time. `baseline` names the one with the same guards, for tests that vanish into their guard."""

    name: str
    input_shape: tuple[int, int, int]
    layers: tuple[Layer, ...]
    baseline: str | None = None

    def module(self) -> nn.Sequential:
        """The network with random weights, in eval mode."""
        net = nn.Sequential()
        for index, layer in enumerate(self.layers):
            letter = "g" if layer.is_guard else "t"
            net.add_module(f"{letter}{index:02d}", BUILDERS[layer.build](*layer.numbers))
        return net.eval()


def weighted(net: nn.Module) -> list[str]:
    """The paths of the layers that multiply by stored weights, in order."""
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    return [path for path, module in net.named_modules() if isinstance(module, kinds)]


def _conv(
    channels_in: int, channels_out: int, height: int, width: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Convolution and ReLU, padded so that only the stride shrinks the image."""
    padding = (height // 2, width // 2)
    conv = nn.Conv2d(channels_in, channels_out, (height, width), stride, padding, groups=groups)
    return nn.Sequential(conv, nn.ReLU())


def _patches(channels_in: int, channels_out: int, size: int) -> nn.Conv2d:
    """Convolution over patches that do not overlap."""
    return nn.Conv2d(channels_in, channels_out, size, size)


def _transposed(channels_in: int, channels_out: int, size: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(channels_in, channels_out, size, 2, (size - 2) // 2), nn.ReLU())


class Tokens(nn.Module):
    """(B, C, H, W) -> (B, H * W, C), as before a transformer."""

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        return images_BCHW.flatten(2).transpose(1, 2)


class Around(nn.Module):
    """A guard, then a function of what the guard makes and of what it reads."""

    def __init__(self, guard: nn.Module, function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.g = guard
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self.g(x), x)


class NormThenRelu(nn.Module):
    """A batch normalization that no convolution can take in, as after a concatenation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.g = nn.Conv2d(channels, channels, 1)
        self.norm = nn.BatchNorm2d(2 * channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norm(torch.cat([self.g(x), x], 1)))


class TokenNorm(nn.Module):
    """A layer normalization of tokens."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.g = nn.Linear(channels, channels, bias=False)
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.g(x))


def _shuffle(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Channels of two groups in turns, as ShuffleNet does."""
    channels, height, width = y.shape[1:]
    return y.view(-1, 2, channels // 2, height, width).transpose(1, 2).reshape(-1, channels, height, width)


def _attention(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Heads of 64 channels that attend to each other."""
    tokens, channels = y.shape[1:]
    heads_BHNC = y.reshape(-1, tokens, channels // 64, 64).transpose(1, 2)
    return F.scaled_dot_product_attention(heads_BHNC, heads_BHNC, heads_BHNC).transpose(1, 2).flatten(2)


IMAGE_FUNCTIONS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "none": lambda y, x: y,
    "silu": lambda y, x: F.silu(y),
    "hardswish": lambda y, x: F.hardswish(y),
    "sigmoid": lambda y, x: torch.sigmoid(y),
    "hardsigmoid": lambda y, x: F.hardsigmoid(y),
    "leaky_relu": lambda y, x: F.leaky_relu(y, 0.1),
    "add": lambda y, x: y + x,
    "squeeze": lambda y, x: y * F.adaptive_avg_pool2d(y, 1),
    "mean": lambda y, x: y * y.mean((2, 3), keepdim=True),
    "cat": lambda y, x: torch.cat([y, x], 1),
    "shuffle": _shuffle,
    "max_pool_3": lambda y, x: F.max_pool2d(y, 3, 1, 1),
    "max_pool_3_2": lambda y, x: F.max_pool2d(y, 3, 2, 1),
    "max_pool_2": lambda y, x: F.max_pool2d(y, 2),
    "avg_pool_2": lambda y, x: F.avg_pool2d(y, 2),
    "avg_pool_3": lambda y, x: F.avg_pool2d(y, 3, 1, 1),
    "nearest": lambda y, x: F.interpolate(y, scale_factor=2.0, mode="nearest"),
    "bilinear": lambda y, x: F.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False),
}
TOKEN_FUNCTIONS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "tokens_none": lambda y, x: y,
    "gelu": lambda y, x: F.gelu(y),
    "tokens_add": lambda y, x: y + x,
    "softmax": lambda y, x: torch.softmax(y, -1),
    "attention": _attention,
}


def _around_conv(name: str) -> Callable[..., nn.Module]:
    return lambda channels: Around(nn.Conv2d(channels, channels, 1), IMAGE_FUNCTIONS[name])


def _around_linear(name: str) -> Callable[..., nn.Module]:
    return lambda channels: Around(nn.Linear(channels, channels, bias=False), TOKEN_FUNCTIONS[name])


BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "conv": _conv,
    "guard": lambda channels_in, channels_out, stride: nn.Conv2d(channels_in, channels_out, 1, stride),
    "relu": nn.ReLU,
    "patches": _patches,
    "transposed": _transposed,
    "tokens": Tokens,
    "flatten": nn.Flatten,
    "linear": nn.Linear,
    "linear_guard": lambda channels_in, channels_out: nn.Linear(channels_in, channels_out, bias=False),
    "norm": NormThenRelu,
    "token_norm": TokenNorm,
    **{name: _around_conv(name) for name in IMAGE_FUNCTIONS},
    **{name: _around_linear(name) for name in TOKEN_FUNCTIONS},
}
