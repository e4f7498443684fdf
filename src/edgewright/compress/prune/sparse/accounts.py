"""What the zeros of a model come to: weights and zeros per layer, and bytes in each form of storage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import fx

from ....formats import FORMS, Pattern, follows, pack_n_of_m
from ....formats.sparse import Stored
from .choose import count_zeros, input_rows, why_not
from .weights import counted_layers, weighted_layers

if TYPE_CHECKING:
    from .stage import Sparsify

WIDTHS = {"float32": 32, "int8": 8}  # type -> bits of a value


def accounts(net: fx.GraphModule, settings: Sparsify) -> dict[str, Any]:
    """Totals over the layers that were asked for, rows of all layers, and bytes, as plain data."""
    layers, kind = weighted_layers(net), settings.kind
    names = counted_layers(net, whole=settings.whole, keep_ends=settings.keep_ends)
    dense = {name: "asked to stay dense" for name in layers if name not in names}
    if kind is not None:
        dense |= {name: reason for name in names if (reason := why_not(layers[name], kind))}
    zeros, weights = count_zeros({name: layer for name, layer in layers.items() if name not in dense})
    return {
        "asked": settings.sparsity if kind is None else kind.sparsity,
        "pattern": settings.pattern,
        "weights": weights,
        "zeros": zeros,
        "share": zeros / weights,
        "params": sum(value.numel() for value in net.parameters()),
        "layers": layer_rows(layers, dense),
        "bytes": storage(layers, kind),
    }


def notes(details: Mapping[str, Any]) -> list[str]:
    """What a reader must know, in sentences."""
    rows, sizes = details["layers"], {name: each["float32"] for name, each in details["bytes"].items()}
    dense = [row for row in rows if row["dense"]]
    of = f" ({details['pattern']})" if details["pattern"] else ""
    best = min((name for name in sizes if name != "dense"), key=lambda name: sizes[name])
    return [
        f"{details['zeros']:,} of {details['weights']:,} weights in {len(rows) - len(dense)} layers are 0: "
        f"{details['share']:.4%}, asked for {details['asked']:.4%}{of}.",
        "Zeros alone make neither the dense file smaller nor the model faster: a runtime without kernels for them "
        f"stores and multiplies each 0 like any value. Stored as {best} all weights of layers take {sizes[best]:,} "
        f"bytes instead of {sizes['dense']:,} (float32).",
        *_of_order(details.get("order")),
        *(f"Layer {row['layer']} stays dense: {row['dense']}." for row in dense),
    ]


def _of_order(groups: Sequence[Mapping[str, Any]] | None) -> list[str]:
    moved = [each for each in groups or () if each["swaps"]]
    if not moved:
        return [] if groups is None else ["No other order of channels keeps more."]
    before, after = (sum(each[f"energy_{when}"] for each in moved) / len(moved) for when in ("before", "after"))
    return [
        f"Channels of {len(moved)} of {len(groups or ())} groups changed places: their readers keep {after:.2%} of "
        f"their energy instead of {before:.2%} (means), and the model computed the same before the zeros."
    ]


def layer_rows(layers: Mapping[str, Any], dense: Mapping[str, str]) -> list[dict[str, Any]]:
    """Plain data, a row per layer; `dense`: layers that were left out, with the reason."""
    rows = []
    for name, layer in layers.items():
        zeros, weights = count_zeros({name: layer})
        rows.append({"layer": name, "shape": list(layer.weight.shape), "weights": weights, "zeros": zeros,
                     "share": zeros / weights, "dense": dense.get(name)})  # fmt: skip
    return rows


def storage(layers: Mapping[str, Any], pattern: Pattern | None = None) -> dict[str, dict[str, int]]:
    """Form -> bytes of all weights of these layers at float32 and at int8, with indices and pointers.

    Layers are encoded one by one as matrices of outputs x inputs, the inputs of a convolution in the order of its
    kernel's places (KRSC). At int8 the same places are 0. `packed` is there where a pattern is: layers that do not
    follow it are dense in it.
    """
    total = {name: dict.fromkeys(WIDTHS, 0) for name in ("dense", *FORMS, *(["packed"] if pattern else []))}
    for layer in layers.values():
        matrix_RC = _matrix(layer)
        _add(total["dense"], {name: matrix_RC.size * bits // 8 for name, bits in WIDTHS.items()})
        for name, encode in FORMS.items():
            _add(total[name], _bytes(encode(matrix_RC)))
        if pattern is not None:
            packed = pack_n_of_m(matrix_RC, pattern) if follows(matrix_RC, pattern) else None
            dense = {name: matrix_RC.size * bits // 8 for name, bits in WIDTHS.items()}
            _add(total["packed"], dense if packed is None else _bytes(packed))
    return total


def _matrix(layer: Any) -> np.ndarray:
    rows_GOKI = input_rows(layer, layer.weight.detach()).cpu().contiguous()
    return rows_GOKI.reshape(rows_GOKI.shape[0] * rows_GOKI.shape[1], -1).numpy()


def _bytes(stored: Stored) -> dict[str, int]:
    """With the values at each width instead of their own."""
    count, besides = stored.values.size, stored.num_bytes - stored.values.nbytes
    return {name: besides + math.ceil(count * bits / 8) for name, bits in WIDTHS.items()}


def _add(total: dict[str, int], more: Mapping[str, int]) -> None:
    for name, value in more.items():
        total[name] += value
