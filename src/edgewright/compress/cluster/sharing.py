"""Weights that are shared: which value each weight takes, and a twin of the model whose parameters are the values.

In the twin a layer's weight is `codebook[indices]` (a parametrization), so automatic differentiation gives a value the
sum of the gradients of all weights that take it (Han 2016, equation 3), and the indices cannot change. Zero is no
entry of the codebook: it has the index 0 and never learns.

Axes: K values of a codebook.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import fx, nn
from torch.nn.utils import parametrize

from .kmeans import k_means, nearest

KINDS: Mapping[type[nn.Module], str] = {
    nn.Conv1d: "conv", nn.Conv2d: "conv", nn.Conv3d: "conv", nn.ConvTranspose1d: "conv", nn.ConvTranspose2d: "conv",
    nn.ConvTranspose3d: "conv", nn.Linear: "linear",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Sharing:
    """The values of one layer's weight, and which of them each weight takes.

    Args:
        codebook_K: float32, rising, without zero.
        indices: int32, of the weight's shape; 0 is the value zero, i the value `codebook_K[i - 1]`.
        error: squared error of the weights as they are shared, as a share of their squares.
    """

    layer: str
    kind: str
    codebook_K: torch.Tensor
    indices: torch.Tensor
    error: float

    @property
    def num_values(self) -> int:
        """Values that a weight can take; zero is one of them where there is any."""
        return len(self.codebook_K) + bool((self.indices == 0).any())

    @property
    def sparsity(self) -> float:
        """The share of the weights that are zero."""
        return float((self.indices == 0).float().mean())


def cluster_layers(
    net: fx.GraphModule, *, bits: Mapping[str, int], init: str, generator: np.random.Generator
) -> tuple[Sharing, ...]:
    """How the weights of every convolution and linear layer are shared, in the order of the layers.

    Args:
        bits: by kind, conv and linear: a layer's weights take at most 2^bits values, zero among them.
        init: where k-means begins, one of `INITS`.
        generator: draws for it.
    """
    return tuple(
        _cluster(name, layer.weight.detach(), KINDS[type(layer)], 2 ** bits[KINDS[type(layer)]], init, generator)  # type: ignore[arg-type, operator]
        for name, layer in net.named_modules()
        if type(layer) in KINDS
    )


def _cluster(
    name: str, weight: torch.Tensor, kind: str, num_values: int, init: str, generator: np.random.Generator
) -> Sharing:
    values = weight.cpu().numpy().astype(np.float64)
    held = values != 0
    num_clusters = num_values - int(not held.all())  # zero is a value too
    indices, codebook_K = np.zeros(values.shape, dtype=np.int32), np.zeros(0, dtype=np.float32)
    if held.any():
        centroids_K = k_means(values[held], num_clusters, init=init, generator=generator)
        codebook_K, places = np.unique(centroids_K.astype(np.float32), return_inverse=True)
        indices[held] = places[nearest(values[held], centroids_K)] + 1
    shared = np.append(np.float32(0), codebook_K)[indices]
    total = float(np.sum(values**2))
    error = float(np.sum((values - shared) ** 2)) / total if total else 0.0
    return Sharing(
        layer=name, kind=kind, codebook_K=torch.from_numpy(codebook_K), indices=torch.from_numpy(indices), error=error
    )


class FromCodebook(nn.Module):
    """A weight from the values it takes: the parametrization that `shared_twin` registers."""

    indices: torch.Tensor

    def __init__(self, sharing: Sharing) -> None:
        super().__init__()
        self.register_buffer("indices", sharing.indices)
        self._begin_K = sharing.codebook_K

    def forward(self, codebook_K: torch.Tensor) -> torch.Tensor:
        values = torch.cat([codebook_K.new_zeros(1), codebook_K])
        return values.index_select(0, self.indices.reshape(-1)).reshape(self.indices.shape)

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        """What the codebook begins with."""
        return self._begin_K.to(weight)


def shared_twin(net: fx.GraphModule, sharings: tuple[Sharing, ...]) -> fx.GraphModule:
    """A copy of `net` with shared weights, whose parameters are the codebooks, and all others as they were."""
    twin = copy.deepcopy(net)
    for each in sharings:
        if len(each.codebook_K):
            parametrize.register_parametrization(twin.get_submodule(each.layer), "weight", FromCodebook(each))
    return twin


def unshared(net: fx.GraphModule, twin: nn.Module) -> fx.GraphModule:
    """A copy of `net` with all weights as its twin computes them, and statistics as they are there.

    (`remove_parametrizations` would change the class that the twin's layers share with all copies of it: torch 2.15.)
    """
    plain = copy.deepcopy(net)
    with torch.no_grad():
        for name, value in plain.state_dict().items():
            layer, _, own = name.rpartition(".")
            value.copy_(getattr(twin.get_submodule(layer), own))
    return plain
