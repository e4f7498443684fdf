"""What a quantization tells: each tensor's grid, and a few sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import fx

from ...model.quantized import quantizers
from ...types import Score
from .build import Built

if TYPE_CHECKING:
    from .stage import Quantize


def tensor_rows(net: fx.GraphModule) -> list[dict[str, Any]]:
    """Each quantized tensor with its grid and the range that the grid covers."""
    rows = []
    for name, layer in quantizers(net).items():
        spec = layer.spec
        scale, zero_point = spec.scale[0], spec.zero_point[0]
        low, high = ((code - zero_point) * scale for code in (spec.low, spec.high))
        rows.append(
            {"name": name, "bits": spec.bits, "scale": scale, "zero_point": zero_point, "low": low, "high": high}
        )
    return rows


def sentences(
    settings: Quantize, built: Built, tried: Sequence[dict[str, Any]], before: Score, final: Score
) -> tuple[str, ...]:
    """The notes of a finished quantization.

    Args:
        tried: the repairs that were tried and the score that each gave, in order.
        before: of the float model; `final` of what is returned, both on val.
    """
    notes = [settings.because] if settings.because else []
    notes += [f"{_what(settings, built)}; {final.metric} on val {before.value:.2f} -> {final.value:.2f}."]
    if len(tried) > 1:
        steps = ", ".join(f"{' + '.join(each['repairs']) or 'none'} {each['score']:.2f}" for each in tried)
        notes.append(f"Repairs tried: {steps}.")
    if "mixed" in built.found:
        notes.append(f"Bits layer by layer: {built.found['mixed']['mean_weight_bits']:.2f} per weight on average.")
    if built.folding.refused:
        refused = built.folding.refused
        notes.append(f"{len(refused)} batch normalizations stay: {next(iter(refused.values()))}.")
    if built.plan.stays_float and settings.scheme.mode == "static":
        stays = built.plan.stays_float
        notes.append(f"{len(stays)} operators compute in float: {', '.join(list(stays)[:5])}.")
    return tuple(notes)


def _what(settings: Quantize, built: Built) -> str:
    scheme, layers, points = settings.scheme, len(built.plan.layers), len(built.plan.points)
    if scheme.format != "int":
        return f"{layers} layers in {scheme.format}" + (", weights only" if scheme.mode == "weight-only" else "")
    weights = f"{layers} layers with int{settings.bits} weights"
    if scheme.mode == "weight-only":
        return f"{weights}, activations in float"
    if scheme.mode == "dynamic":
        return f"{weights}, ranges of activations found on every call"
    method = built.found["method"]
    return f"{weights}, {points} tensors of int{settings.activation_bits} activations ({method})"
