"""Which weights stay, from a score for each: so many that the number of zeros is exact, and always the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ....errors import BudgetError, ModelError
from ....formats import Pattern
from ..scores.layers import as_grouped
from .weights import Values

SCOPES = ("global", "layer")


def choose(scores: Values, sparsity: float, *, scope: str = "global") -> dict[str, torch.Tensor]:
    """Where weights stay: those of the largest scores, the earlier one of equals; True stays.

    `round(sparsity * n)` of the n weights leave, over all layers together (global) or in each (layer). The best weight
    of a layer always stays, so that no layer is cut in two. A score of -inf marks a weight that is 0 already: it
    leaves, even when that makes more zeros than asked for.

    Raises:
        BudgetError: more zeros than a weight for each layer allows.
        ModelError: a score is NaN.
    """
    if scope == "layer":
        return {name: _largest({name: each}, sparsity)[name] for name, each in scores.items()}
    return _largest(scores, sparsity)


def _largest(scores: Values, sparsity: float) -> dict[str, torch.Tensor]:
    flat = torch.cat([_with_best_kept(name, each) for name, each in scores.items()])
    zeros = max(round(sparsity * len(flat)), int(torch.isneginf(flat).sum()))
    most = len(flat) - int(torch.isposinf(flat).sum())
    if zeros > most:
        raise BudgetError(
            f"{zeros} of {len(flat)} weights cannot be 0 when each of {len(scores)} layers keeps one: "
            f"the largest sparsity is {most / len(flat):.6g}."
        )
    keep = _but_smallest(flat, zeros)
    parts = keep.split([each.numel() for each in scores.values()])
    return {name: part.view(each.shape) for (name, each), part in zip(scores.items(), parts, strict=True)}


def _with_best_kept(name: str, scores: torch.Tensor) -> torch.Tensor:
    flat = scores.reshape(-1).clone()
    if bool(flat.isnan().any()):
        raise ModelError(f"The score of a weight of layer '{name}' is not a number: check the model's weights.")
    best = flat.argmax()
    if not torch.isneginf(flat[best]):
        flat[best] = torch.inf
    return flat


def _but_smallest(scores_N: torch.Tensor, count: int) -> torch.Tensor:
    """True but for the `count` smallest scores, the last ones of equals."""
    if not count:
        return torch.ones_like(scores_N, dtype=torch.bool)
    edge = scores_N.kthvalue(count).values
    keep, ties = scores_N >= edge, scores_N == edge
    over = count - int((~keep).sum())
    keep[ties.nonzero().reshape(-1)[-over:]] = False  # at least the edge itself leaves
    return keep


def choose_pattern(layer: Any, scores: torch.Tensor, pattern: Pattern) -> torch.Tensor | None:
    """Where weights of a layer stay so that each group along its input channels follows a pattern; True stays.

    Groups are `pattern.group` neighbouring input channels at one place of the kernel, in one group of the convolution:
    for a kernel stored channels last (KRSC), and for a linear layer, neighbours in memory. Of equal scores the earlier
    one stays; a unit of several values counts the norm of its scores.

    Returns:
        None where the input channels of a group are no multiple of the pattern's.
    """
    scores_GOKI = input_rows(layer, scores)
    inputs = scores_GOKI.shape[-1]
    if inputs % pattern.group:
        return None
    units = scores_GOKI.reshape(-1, pattern.places, pattern.unit)
    worth = units[..., 0] if pattern.unit == 1 else units.double().clamp(min=0).square().sum(-1)
    order = worth.argsort(dim=-1, descending=True, stable=True)[:, : pattern.chosen]
    keep = torch.zeros_like(worth, dtype=torch.bool).scatter_(-1, order, True)
    keep_GOKI = keep[..., None].expand_as(units).reshape(scores_GOKI.shape)
    return from_input_rows(layer, keep_GOKI, scores.shape)


def input_rows(layer: Any, values: torch.Tensor) -> torch.Tensor:
    """Values of the shape of a layer's weights as (groups, outputs, kernel, inputs)."""
    return as_grouped(layer, values).transpose(-1, -2)


def from_input_rows(layer: Any, rows_GOKI: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """What `input_rows` was given."""
    places = input_rows(layer, torch.arange(rows_GOKI.numel(), device=rows_GOKI.device).view(shape))
    flat = torch.empty_like(rows_GOKI.reshape(-1))
    flat[places.reshape(-1)] = rows_GOKI.reshape(-1)
    return flat.view(shape)


def why_not(layer: Any, pattern: Pattern) -> str:
    """Why a layer cannot follow a pattern; "" where it can."""
    inputs = as_grouped(layer, layer.weight).shape[2]
    return f"{inputs} input channels per group are no multiple of {pattern.group}" if inputs % pattern.group else ""


def energy_kept(weight: torch.Tensor, keep: torch.Tensor) -> float:
    """The share of the sum of squares that stays."""
    squares = weight.detach().double().square()
    total = float(squares.sum())
    return float(squares[keep].sum()) / total if total else 1.0


def count_zeros(layers: Mapping[str, Any]) -> tuple[int, int]:
    """Weights that are 0, and all weights."""
    weights = [layer.weight.detach() for layer in layers.values()]
    return sum(int((each == 0).sum()) for each in weights), sum(each.numel() for each in weights)
