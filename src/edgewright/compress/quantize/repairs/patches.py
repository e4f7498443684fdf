"""A layer as a product of matrices: what it reads for one position of its output, and what it gives there.

    y_PGO = x_PGD W_GOD + b_GO        P positions, G groups, O outputs of a group, D = inputs of a group x kernel

A few positions of every image say as much about a layer as all positions of a few images, and far fewer are needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

Pair = tuple[torch.Tensor, torch.Tensor]


def sample_positions(
    layer: nn.Module, inputs: Sequence[torch.Tensor], outputs: Sequence[torch.Tensor], *, count: int,
    generator: torch.Generator,
) -> Pair:  # fmt: skip
    """What `layer` reads (P, G, D) and what `outputs` hold (P, G, O) at random positions of all batches.

    Args:
        inputs, outputs: batch by batch, (B, C, H, W) for convolutions, (..., C) for linear layers.
        count: positions in all, drawn evenly from the batches, each position of a batch once at most.
    """
    take = _from_rows if isinstance(layer, nn.Linear) else _from_maps
    total = sum(len(batch) for batch in inputs)
    parts = [
        take(layer, x, y, max(count * len(x) // total, 1), generator) for x, y in zip(inputs, outputs, strict=True)
    ]
    return torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts])


def as_matrices(weight_GOIK: torch.Tensor) -> torch.Tensor:
    """(G, O, D) of a weight in the form of `sided`."""
    return weight_GOIK.flatten(2)


def multiply(x_PGD: torch.Tensor, weight_GOD: torch.Tensor) -> torch.Tensor:
    """(P, G, O)."""
    return torch.matmul(x_PGD.transpose(0, 1), weight_GOD.transpose(1, 2)).transpose(0, 1)


def _from_rows(layer: nn.Module, x: torch.Tensor, y: torch.Tensor, count: int, generator: torch.Generator) -> Pair:
    rows, results = x.flatten(0, -2), y.flatten(0, -2)
    chosen = torch.randperm(len(rows), generator=generator)[:count].to(x.device)
    return rows[chosen][:, None], results[chosen][:, None]


def _from_maps(layer: nn.Module, x: torch.Tensor, y: torch.Tensor, count: int, generator: torch.Generator) -> Pair:
    images, _, height, width = y.shape
    chosen = torch.randperm(images * height * width, generator=generator)[:count].to(x.device)
    image, row, column = chosen // (height * width), chosen // width % height, chosen % width
    padded, stride, flip = _padded(layer, x)
    rows_PK, columns_PK = _reads(layer, row * stride[0], column * stride[1])
    values_PKC = padded[image[:, None], :, rows_PK, columns_PK]
    if flip:
        values_PKC = values_PKC.flip(1)
    groups = int(layer.groups)  # type: ignore[arg-type]
    x_PGD = values_PKC.transpose(1, 2).reshape(len(chosen), groups, -1)
    return x_PGD, y[image, :, row, column].reshape(len(chosen), groups, -1)


def _padded(layer: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, Sequence[int], bool]:
    """The map that windows slide over, their stride, and whether the kernel lies in it point-mirrored."""
    if not isinstance(layer, nn.ConvTranspose2d):
        return F.pad(x, layer._reversed_padding_repeated_twice), layer.stride, False  # type: ignore[arg-type, return-value, union-attr]
    batch, channels, height, width = x.shape
    (down, right), added = layer.stride, layer.output_padding
    stuffed = x.new_zeros(batch, channels, (height - 1) * down + 1, (width - 1) * right + 1)
    stuffed[:, :, ::down, ::right] = x
    ends = [
        layer.dilation[axis] * (layer.kernel_size[axis] - 1) - int(layer.padding[axis])  # negative: crop
        for axis in (0, 1)
    ]
    return F.pad(stuffed, (ends[1], ends[1] + added[1], ends[0], ends[0] + added[0])), (1, 1), True


def _reads(layer: nn.Module, row_P: torch.Tensor, column_P: torch.Tensor) -> Pair:
    """Rows and columns of the padded map that a window reads, (P, K) each."""
    (height, width), (down, right) = layer.kernel_size, layer.dilation  # type: ignore[misc, union-attr]
    rows = torch.arange(height, device=row_P.device) * down  # type: ignore[arg-type]
    columns = torch.arange(width, device=row_P.device) * right  # type: ignore[arg-type]
    offset = [each.flatten() for each in torch.meshgrid(rows, columns, indexing="ij")]
    return row_P[:, None] + offset[0], column_P[:, None] + offset[1]
