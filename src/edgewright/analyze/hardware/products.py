"""Layers as matrix products: what bit-serial and sparse hardware sees of a convolution or a linear layer.

    layer                  groups  rows            columns          positions
    convolution            g       C_out/g         C_in/g x kernel  outputs of one channel
    transposed             g       C_out/g kernel  C_in/g           inputs of one channel
    linear                 1       outputs         inputs           all but the last axis

`groups x rows x columns x positions` are the layer's MACs. A column is one input value of a window, in the order of
`torch.nn.functional.unfold`: channel first, then place in the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import fx, nn
from torch.nn import functional
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from ...errors import ModelError, ShapeError, UnsupportedError
from ...model import capture, input_shape, is_captured, layer_of, watch
from ...model.quantized import StoredWeights
from ...types import ModelProfile, OpProfile

SeeLayer = Callable[[str, nn.Module, torch.Tensor], None]


@dataclass(frozen=True, kw_only=True)
class Product:
    """One call of a layer: `groups` matrices of `rows` x `columns`, each used at `positions`."""

    row: OpProfile
    layer: nn.Module
    groups: int
    rows: int
    columns: int
    positions: int  # of the profile's whole batch

    @property
    def is_convolution(self) -> bool:
        return isinstance(self.layer, _ConvNd)

    @property
    def places(self) -> int:
        """How many places of the kernel the columns hold, each with `channels` inputs."""
        return kernel_places(self.layer)

    @property
    def channels(self) -> int:
        """Input channels of one group."""
        return self.columns // self.places

    @property
    def num_weights(self) -> int:
        return self.groups * self.rows * self.columns


def products(net: nn.Module, profile: ModelProfile) -> Iterator[Product]:
    """The convolutions and linear layers of a profile in the order of execution; a shared layer once per call.

    Args:
        net: the model that was profiled, captured or not.
        profile: its rows name the layers.

    Raises:
        ModelError: the profile is of another model.
    """
    for row in profile.rows:
        layer = layer_at(net, row.layer) if row.layer and row.macs else None
        if layer is None:
            continue
        groups, rows, columns = matrix_shape(layer)
        positions, rest = divmod(row.macs, groups * rows * columns)
        if rest and isinstance(net.get_submodule(row.layer), nn.MultiheadAttention):
            continue  # queries and keys of different tensors: the projection is done in parts
        if rest:
            raise ModelError(f"Layer '{row.layer}' does not fit its profile: profile this model and pass that profile.")
        yield Product(row=row, layer=layer, groups=groups, rows=rows, columns=columns, positions=positions)


def unseen(profile: ModelProfile, found: Iterable[Product]) -> tuple[str, ...]:
    """Operators that multiply with weights which no convolution or linear layer of the model holds.

    Captured, most of them are layers.
    """
    names = {each.row.name for each in found}
    return tuple(row.name for row in profile.rows if row.macs and row.weight_bytes and row.name not in names)


def layer_at(net: nn.Module, path: str) -> nn.Module | None:
    """The convolution or linear layer at `path`; None for a module of any other kind and for a loose parameter.

    Of an attention layer it is the projection to queries, keys and values, which it runs as a function.

    Raises:
        ModelError: the model has nothing of that name.
    """
    try:
        layer = net.get_submodule(path)
    except AttributeError as error:
        if path in dict(net.named_parameters(remove_duplicate=False)):
            return None  # a function multiplies with it
        raise ModelError(
            f"The model has no layer '{path}' of the profile: profile this model and pass that profile."
        ) from error
    if isinstance(layer, nn.MultiheadAttention) and layer.in_proj_weight is not None:
        return _projection(layer.in_proj_weight)
    return layer if isinstance(layer, (_ConvNd, nn.Linear)) else None


def _projection(weight: nn.Parameter) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")  # draws no random numbers
    layer.weight = weight
    return layer


def matrix_shape(layer: nn.Module) -> tuple[int, int, int]:
    """Groups, rows and columns of a layer's weights."""
    if isinstance(layer, nn.Linear):
        return 1, layer.out_features, layer.in_features
    assert isinstance(layer, _ConvNd)
    outputs, inputs = layer.out_channels // layer.groups, layer.in_channels // layer.groups
    kernel = math.prod(layer.kernel_size)
    if isinstance(layer, _ConvTransposeNd):
        return layer.groups, outputs * kernel, inputs
    return layer.groups, outputs, inputs * kernel


def kernel_places(layer: nn.Module) -> int:
    """Places of the kernel among a layer's columns: 1 where there is no kernel, or where it is among the rows."""
    if isinstance(layer, _ConvNd) and not isinstance(layer, _ConvTransposeNd):
        return math.prod(layer.kernel_size)
    return 1


def stored_weight(layer: nn.Module) -> torch.Tensor:
    """The weights as they ship: on their grid of integers where the layer has one."""
    weight = layer.rounded_weight() if isinstance(layer, StoredWeights) else layer.weight
    return weight.detach()  # type: ignore[union-attr, operator]


def weight_matrices(layer: nn.Module) -> torch.Tensor:
    """The weights as (groups, rows, columns)."""
    groups, rows, columns = matrix_shape(layer)
    weight = stored_weight(layer)
    if isinstance(layer, _ConvTransposeNd):  # stored as (C_in, C_out/g, kernel)
        return weight.reshape(groups, columns, rows).transpose(1, 2)
    return weight.reshape(groups, rows, columns)


def input_columns(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """What a layer's matrices are multiplied with when it reads `x`: (groups, columns, positions).

    Raises:
        UnsupportedError: a convolution over one or three axes.
    """
    groups, _, columns = matrix_shape(layer)
    if isinstance(layer, nn.Linear):
        return x.reshape(1, -1, columns).transpose(1, 2)
    if x.dim() != 4:
        raise UnsupportedError(f"Columns are cut from 2-D convolutions only, got an input with {x.dim() - 2} axes.")
    if isinstance(layer, _ConvTransposeNd):
        return x.movedim(0, 1).reshape(groups, columns, -1)
    assert isinstance(layer, nn.Conv2d)
    kernel, stride, dilation = layer.kernel_size, layer.stride, layer.dilation
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    padded = functional.pad(x, layer._reversed_padding_repeated_twice, mode=mode)
    cut = functional.unfold(padded, kernel, dilation=dilation, stride=stride)  # (B, C_in K, L)
    return cut.movedim(0, 1).reshape(groups, columns, -1)


def watch_layers(net: nn.Module, images_BCHW: torch.Tensor, see: SeeLayer) -> None:
    """Run a model once without gradients; `see(path, layer, input)` at each call of a convolution or linear layer.

    A model that is not captured is captured first, for images of this shape.

    Raises:
        ShapeError: the images do not have the shape that the model was captured for.
    """
    captured = net if is_captured(net) else capture(net, tuple(images_BCHW.shape[1:]))
    assert isinstance(captured, fx.GraphModule)
    wanted, got = input_shape(captured), tuple(images_BCHW.shape[1:])
    if images_BCHW.dim() != len(wanted) + 1 or got != wanted or not len(images_BCHW):
        raise ShapeError(f"Images are of shape (B, {str(wanted)[1:-1]}), got {tuple(images_BCHW.shape)}.")
    held: dict[fx.Node, torch.Tensor] = {}
    readers = {node: _layers_that_read(captured, node) for node in captured.graph.nodes}

    def look(node: fx.Node, value: torch.Tensor) -> None:
        if readers[node]:
            held[node] = value
        layer = layer_of(captured, node)
        if isinstance(layer, (_ConvNd, nn.Linear)):
            source = node.all_input_nodes[0]
            see(str(node.target), layer, held[source])
            readers[source].discard(node)
            if not readers[source]:
                del held[source]

    watch(captured, images_BCHW, look)


def _layers_that_read(net: fx.GraphModule, node: fx.Node) -> set[fx.Node]:
    return {user for user in node.users if isinstance(layer_of(net, user), (_ConvNd, nn.Linear))}
