"""Latency of an operator from a table of times that its own machine took.

A table holds, per kind of operator, points (work, features..., seconds). Between them, the logarithm of the time per
unit of work is a smooth function of the logarithms of the features: a Gaussian process with a linear trend. What it
cannot know (a kind that was not measured, a shape far outside the measured ones) is None, and the roofline answers.

Work is MACs where an operator multiplies and bytes otherwise. Runtimes that store channels in blocks compute whole
blocks: the block that explains the points best is found by leaving one out. Source: Rasmussen and Williams 2006,
sections 2.2 (prediction), 2.7 (trend) and 5.4.2 (leave one out in closed form).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np

from ..types import LatencyTable, ModelProfile, OpProfile

Points = tuple[tuple[float, ...], ...]

# ONNX Runtime blocks channels whose count is a multiple of 4 (its nchwc_transformer.cc), others it does not.
ALIGNED = 4
FIRST_LAYER = 4  # channels of an image at most
BEYOND = 1.5  # how far a feature, or a time per work, may lie outside the measured ones, as a factor
BLOCKS = (1, 4, 8, 16)  # lanes of float32: none, NEON or SSE, AVX2, AVX-512
SMOOTHNESS = tuple(product((0.15, 0.4, 0.8), (1.5, 3.0, 6.0), (0.03, 0.1)))  # deviation, length in doublings, noise
TREND = 0.3  # expected change of ln(time per work) for each doubling of a feature
MOSTLY = 0.5  # of a model's time: from here on its error is taken for that of the table
FEW = 3  # points that a kind needs


def table_latency(row: OpProfile, table: LatencyTable, dtype: str = "float32") -> float | None:
    """Seconds that `row` takes by the table, or None where the table has no answer. What is fused costs nothing."""
    if row.fused_into is not None:
        return 0.0
    kind, point = kind_of(row)
    points = table.points.get(dtype, {}).get(kind, ())
    if len(points) < FEW or point is None or len(point) + 1 != len(points[0]):
        return None
    return _fitted(points, kind).seconds(point)


def table_source(profile: ModelProfile, table: LatencyTable, *, batch: int) -> str:
    """What a model's estimate from a table rests on, and how far off it may be.

    The error stands only where the table answers for most of the time: the rest is the roofline's, whose error nobody
    measured.
    """
    running = [row for row in profile.rows if row.fused_into is None]
    answered = [row for row in running if table_latency(row, table, profile.dtype) is not None]
    whole = sum(row.latency_s or 0.0 for row in running)
    share = sum(row.latency_s or 0.0 for row in answered) / whole if whole else 0.0
    parts = [f"{100 * share:.0f} % of the time"]
    if len(answered) < len(running):
        parts.append("the rest by roofline, error unknown")
    if share >= MOSTLY:
        parts.append(table.accuracy(profile.dtype) + (", measured at batch 1" if batch != 1 else ""))
    found = f"estimated from measured operators, {len(answered)} of {len(running)} in the table"
    return f"{found}, {'; '.join(parts)}"


def kind_of(row: OpProfile) -> tuple[str, tuple[float, ...] | None]:
    """The kind of an operator, and its (work, features...); None where a shape is missing or of another rank."""
    if row.macs and row.window is not None:
        return _convolution(row)
    if row.op in ("Linear", "aten.linear", "aten.addmm"):
        return _linear(row)
    moved = row.weight_bytes + row.activation_bytes
    if moved <= 0:
        return row.op, None
    if row.macs:
        return row.op, (float(row.macs), float(row.macs), moved)
    name = SAME_KIND.get(row.op, row.op)
    rank = "_images" if row.op in CONTEXT_COUNTS and len(row.shape_out) == 4 else ""
    return name + rank, (moved, moved, max(row.elementwise, 1) / moved)


SAME_KIND = dict.fromkeys(("aten.contiguous", "aten.clone", "aten.reshape", "aten.permute", "aten.view"), "copy")
CONTEXT_COUNTS = ("aten.add",)  # done by a convolution before it, but not by a matrix product


def _convolution(row: OpProfile) -> tuple[str, tuple[float, ...] | None]:
    window = row.window
    assert window is not None
    if len(row.shape_in) != 4 or len(row.shape_out) != 4:
        return "conv_other_rank", None
    channels_in, channels_out = row.shape_in[1], row.shape_out[1]
    kernel, stride = math.prod(window.kernel), math.prod(window.stride)
    shape: tuple[int, ...] = (channels_in, channels_out, math.prod(row.shape_out[2:]), kernel, stride)
    if window.transposed:
        return "conv_transposed", (float(row.macs), *map(float, shape))
    if window.groups == channels_in and channels_in > 1:  # no layer to ask `is_depthwise`, which wants C_out = C_in too
        kind, shape = "conv_depthwise", shape[1:]
    elif window.groups > 1:
        kind, shape = "conv_grouped", (*shape, channels_in // window.groups)
    elif channels_in <= FIRST_LAYER:
        kind = "conv_first"
    else:
        kind = "conv_1x1" if kernel == 1 else "conv"
    is_odd = channels_out % ALIGNED or (channels_in > FIRST_LAYER and channels_in % ALIGNED)
    return kind + ("_odd" if is_odd else ""), (float(row.macs), *map(float, shape))


def _linear(row: OpProfile) -> tuple[str, tuple[float, ...] | None]:
    if not row.shape_in or not row.shape_out or not row.macs:
        return "linear", None
    features_in, features_out = row.shape_in[-1], row.shape_out[-1]
    num_rows = math.prod(row.shape_out[:-1])
    if num_rows == 1:
        return "linear_vector", (float(row.macs), float(features_in), float(features_out))
    return "linear_rows", (float(row.macs), float(features_in), float(features_out), float(num_rows))


BLOCKED_FEATURES = {"conv_1x1": (0, 1), "conv": (0, 1), "conv_first": (1,), "conv_depthwise": (0,)}
"""Kind -> which of its features are channels that a runtime fills up to whole blocks."""


@dataclass(frozen=True, kw_only=True)
class Interpolation:
    """A fitted kind: ln(seconds per padded work) over log2 of the features."""

    features_NF: np.ndarray
    weights_N: np.ndarray
    mean: float
    range_of_target: tuple[float, float]
    smoothness: tuple[float, float, float]
    block: int
    blocked: tuple[int, ...]

    def seconds(self, point: tuple[float, ...]) -> float | None:
        """Seconds at (work, features...); None far outside the measured points."""
        place_F = np.log2(np.asarray(point[1:], dtype=float))
        slack = math.log2(BEYOND)
        low_F, high_F = self.features_NF.min(0) - slack, self.features_NF.max(0) + slack
        if np.any(place_F < low_F) or np.any(place_F > high_F):
            return None
        center_F = self.features_NF.mean(0)
        near_N = _covariance(place_F[None] - center_F, self.features_NF - center_F, self.smoothness)[0]
        work = point[0] * _padding(np.asarray(point[1:], dtype=float)[None], self.blocked, self.block)[0]
        low, high = self.range_of_target  # between few points the process may swing; a rate that nothing had is wrong
        target = min(max(self.mean + near_N @ self.weights_N, low - math.log(BEYOND)), high + math.log(BEYOND))
        return float(work * math.exp(target))


@lru_cache(maxsize=256)
def _fitted(points: Points, kind: str) -> Interpolation:
    return fit_points(points, kind)


def fit_points(points: Points, kind: str) -> Interpolation:
    """The interpolation between points (work, features..., seconds), smoothness and block by leaving one out."""
    values_NV = np.asarray(points, dtype=float)
    blocked = BLOCKED_FEATURES.get(kind, ())
    trials = (
        _fit(values_NV, smoothness, block=block, blocked=blocked)
        for block in (BLOCKS if blocked else (1,))
        for smoothness in SMOOTHNESS
    )
    return min(trials, key=lambda trial: trial[0])[1]


def _fit(
    values_NV: np.ndarray, smoothness: tuple[float, float, float], *, block: int, blocked: tuple[int, ...]
) -> tuple[float, Interpolation]:
    """The negative log probability of each point given the others, and the fit."""
    work_N, shapes_NF, seconds_N = values_NV[:, 0], values_NV[:, 1:-1], values_NV[:, -1]
    features_NF = np.log2(shapes_NF)
    target_N = np.log(seconds_N / (work_N * _padding(shapes_NF, blocked, block)))
    mean = float(target_N.mean())
    centered_NF = features_NF - features_NF.mean(0)
    covariance_NN = _covariance(centered_NF, centered_NF, smoothness) + smoothness[2] ** 2 * np.eye(len(target_N))
    inverse_NN = np.linalg.inv(covariance_NN)
    weights_N = inverse_NN @ (target_N - mean)
    variance_N = 1 / np.diag(inverse_NN)
    missed_N = weights_N * variance_N  # what each point is off when it is predicted from the others
    surprise = float(np.sum(np.log(variance_N) + missed_N**2 / variance_N))
    fitted = Interpolation(
        features_NF=features_NF, weights_N=weights_N, mean=mean, smoothness=smoothness, block=block, blocked=blocked,
        range_of_target=(float(target_N.min()), float(target_N.max())),
    )  # fmt: skip
    return surprise, fitted


def _covariance(first_AF: np.ndarray, second_BF: np.ndarray, smoothness: tuple[float, float, float]) -> np.ndarray:
    """Constant + linear trend + smooth deviation, between centered places."""
    deviation, length, _ = smoothness
    squares_AB = ((first_AF[:, None] - second_BF[None]) ** 2).sum(-1)
    return 1.0 + TREND**2 * first_AF @ second_BF.T + deviation**2 * np.exp(-squares_AB / (2 * length**2))


def _padding(shapes_NF: np.ndarray, blocked: tuple[int, ...], block: int) -> np.ndarray:
    """By what factor whole blocks are more work than the channels alone."""
    factors_N = np.ones(len(shapes_NF))
    for feature in blocked:
        channels_N = shapes_NF[:, feature]
        factors_N = factors_N * np.ceil(channels_N / block) * block / channels_N
    return factors_N
