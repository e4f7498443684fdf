"""The reference ResNet-8 of MLPerf Tiny as a PyTorch model, read out of its float .tflite file.

The file holds convolutions with their batch norms folded in. "Same" padding of a stride of 2 adds its row and column
at the bottom right, as TensorFlow does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edgewright.program.tflite_file.graph import read_graph

CONV = ("conv", "stage1.conv1", "stage1.conv2", "stage2.conv1", "stage2.conv2", "stage2.shortcut",
        "stage3.conv1", "stage3.conv2", "stage3.shortcut")  # fmt: skip


class Reference(nn.Module):
    """Takes pixels 0 to 255 as float32 (B, 3, 32, 32), gives logits (B, 10).

    Args:
        weights: name of the layer -> kernel (O, I, K, K) and bias (O,); "fc" is (10, 64) and (10,).
    """

    def __init__(self, weights: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, pixels_BCHW: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self._conv(pixels_BCHW, "conv"))
        for stage, stride in (("stage1", 1), ("stage2", 2), ("stage3", 2)):
            y = functional.relu(self._conv(x, f"{stage}.conv1", stride))
            y = self._conv(y, f"{stage}.conv2")
            x = functional.relu(y + (x if stride == 1 else self._conv(x, f"{stage}.shortcut", stride)))
        weight, bias = self.weights["fc"]
        return functional.linear(x.mean((2, 3)), weight, bias)

    def _conv(self, x_BCHW: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        weight, bias = self.weights[name]
        total = max(weight.shape[2] - stride, 0)
        before = total // 2
        padded = functional.pad(x_BCHW, (before, total - before) * 2)
        return functional.conv2d(padded, weight, bias, stride=stride)


def read_reference(path: Path) -> Reference:
    """The net in `pretrainedResnet.tflite`.

    Raises:
        ValueError: the file holds other layers.
    """
    layers = _layers(path)
    convs = [(kernel.transpose(0, 3, 1, 2), bias) for kernel, bias in layers if kernel.ndim == 4]
    dense = [(kernel, bias) for kernel, bias in layers if kernel.ndim == 2]
    names = _named(convs)
    if len(dense) != 1 or set(names) != set(CONV):
        raise ValueError(f"{path} holds {len(convs)} convolutions and {len(dense)} linear layers, expected 9 and 1.")
    found = {**names, "fc": dense[0]}
    return Reference({name: tuple(torch.from_numpy(each.copy()) for each in both) for name, both in found.items()})


def _named(convs: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Names by shape, and by order where two have the same; a shortcut is the only 1x1 of its stage."""
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for kernel, bias in convs:
        out, channels, size, _ = kernel.shape
        stage = f"stage{ {16: 1, 32: 2, 64: 3}[out] }"
        if channels == 3:
            name = "conv"
        elif size == 1:
            name = f"{stage}.shortcut"
        else:
            name = f"{stage}.conv1" if f"{stage}.conv1" not in found else f"{stage}.conv2"
        found[name] = (kernel, bias)
    return found


def _layers(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weight and bias of every operator that has both, in the order in which they run."""
    graph = read_graph(path)
    read = [[graph.entries[each].values for each in operator.inputs] for operator in graph.operators]
    return [(weight, bias) for _, weight, bias in (each for each in read if len(each) == 3)]
