"""Points of a body: how they are read from heat-maps, and how far they are from the truth.

    PCK     share of points within a · reference            torso or box; PCKh: 0.5 · 0.6 · diagonal of the head's box
    OKS     mean of exp(-d² / (2 s² k²)),  k = 2 σ          s²: area of the person, σ: of the kind of point
    MPJPE   mean distance                                   as it is, from the root, or after the best similarity

The largest cell of a map of stride s is off by 0.3826 s on average and by 0.7071 s at most. A quarter of a cell towards
the larger neighbour halves that; a parabola through the logarithm is exact for a Gaussian.

Sources: Yang and Ramanan 2013 (PCK); Andriluka 2014 (PCKh); Lin 2014 (OKS); Ionescu 2014 (MPJPE); Schönemann 1966 and
Umeyama 1991 (alignment); Newell 2016 (quarter); Zhang 2020, DARK (parabola); Sun 2018 (expectation).
Axes: K points; H rows, W columns; coordinates are x, y (, z).
"""

from __future__ import annotations

import math

import numpy as np

COCO_SIGMAS_K = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000


def pck(found_K2: np.ndarray, true_K2: np.ndarray, *, reference: float, share: float) -> float:
    """Share of points that are at most `share` · `reference` away."""
    return float((np.linalg.norm(found_K2 - true_K2, axis=1) <= share * reference).mean())


def head_size(box: tuple[float, float, float, float]) -> float:
    """The reference of PCKh: 0.6 of the diagonal of (x1, y1, x2, y2)."""
    return 0.6 * math.hypot(box[2] - box[0], box[3] - box[1])


def oks(found_K2: np.ndarray, true_K2: np.ndarray, *, area: float, sigmas_K: np.ndarray = COCO_SIGMAS_K) -> float:
    """Object keypoint similarity in (0, 1], over the points that are given."""
    squares_K = ((found_K2 - true_K2) ** 2).sum(1)
    return float(np.exp(-squares_K / (2 * area * (2 * sigmas_K) ** 2)).mean())


def mpjpe(found_K3: np.ndarray, true_K3: np.ndarray, *, root: int | None = None) -> float:
    """Mean distance; with `root` both poses are moved so that this point is at 0, which is the usual form."""
    if root is not None:
        found_K3, true_K3 = found_K3 - found_K3[root], true_K3 - true_K3[root]
    return float(np.linalg.norm(found_K3 - true_K3, axis=1).mean())


def aligned(found_K3: np.ndarray, true_K3: np.ndarray) -> np.ndarray:
    """`found` turned, scaled and moved to the least squared distance from `true`, never mirrored."""
    middle, aim = found_K3.mean(0), true_K3.mean(0)
    centred = found_K3 - middle
    u, sizes, v = np.linalg.svd(centred.T @ (true_K3 - aim))
    signs = np.ones(len(sizes))
    signs[-1] = np.sign(np.linalg.det(u @ v))
    scale = (sizes * signs).sum() / (centred**2).sum()
    return scale * centred @ (u * signs) @ v + aim


def heat_map(x: float, y: float, *, size: tuple[int, int], sigma: float) -> np.ndarray:
    """A Gaussian of height 1 around (x, y), in cells: a score to be learned, not a probability. (H, W)."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))


def largest_cell(map_HW: np.ndarray) -> tuple[int, int]:
    """(x, y) of the largest value."""
    row, column = np.unravel_index(int(np.argmax(map_HW)), map_HW.shape)
    return int(column), int(row)


def quarter_shifted(map_HW: np.ndarray) -> tuple[float, float]:
    """The largest cell, and a quarter towards its larger neighbour along each axis; at a border as it is."""
    x, y = largest_cell(map_HW)
    return x + 0.25 * _sign(_line(map_HW[y], x)), y + 0.25 * _sign(_line(map_HW[:, x], y))


def parabola(map_HW: np.ndarray) -> tuple[float, float]:
    """The top of a parabola through the logarithms of three cells, along each axis; at a border the cell."""
    x, y = largest_cell(map_HW)
    return x + _top(_line(map_HW[y], x)), y + _top(_line(map_HW[:, x], y))


def expectation(map_HW: np.ndarray, *, sharpness: float = 1.0) -> tuple[float, float]:
    """Soft-argmax: the mean place under softmax(sharpness · map). It has a slope to learn by.

    Too soft it is drawn to the middle of the map, too sharp to the largest cell.
    """
    weights_HW = np.exp(sharpness * (map_HW - map_HW.max()))
    weights_HW = weights_HW / weights_HW.sum()
    rows, columns = np.mgrid[: map_HW.shape[0], : map_HW.shape[1]]
    return float((weights_HW * columns).sum()), float((weights_HW * rows).sum())


def _line(values: np.ndarray, at: int) -> np.ndarray | None:
    """A cell and its neighbours; None at a border."""
    return values[at - 1 : at + 2] if 0 < at < len(values) - 1 else None


def _sign(line: np.ndarray | None) -> float:
    return 0.0 if line is None else float(np.sign(line[2] - line[0]))


def _top(line: np.ndarray | None) -> float:
    if line is None:
        return 0.0
    before, here, behind = np.log(np.maximum(line, 1e-300))
    bend = before - 2 * here + behind
    return float((before - behind) / (2 * bend)) if bend < 0 else 0.0
