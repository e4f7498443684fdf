"""K-means of numbers. On one axis a cluster is an interval, so sorted values and their running sums give the means of
all clusters at once: millions of weights take one sort, and a step takes microseconds. (A library for points of any
dimension compares each value with each centroid in each step.)

Axes: N values, K clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

MOST_STEPS = 300

Start = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]  # sorted values, K, draws -> K values


def _linear(sorted_N: np.ndarray, num_clusters: int, generator: np.random.Generator) -> np.ndarray:
    """Evenly from the least to the largest value: large weights are rare and matter, and so get centroids."""
    return np.linspace(sorted_N[0], sorted_N[-1], num_clusters)


def _density(sorted_N: np.ndarray, num_clusters: int, generator: np.random.Generator) -> np.ndarray:
    """Evenly by rank: as many values between any two."""
    return np.quantile(sorted_N, (np.arange(num_clusters) + 0.5) / num_clusters)


def _random(sorted_N: np.ndarray, num_clusters: int, generator: np.random.Generator) -> np.ndarray:
    """Values drawn at random, none twice."""
    return generator.choice(np.unique(sorted_N), num_clusters, replace=False)


INITS: Mapping[str, Start] = {"linear": _linear, "density": _density, "random": _random}
"""Where the centroids begin (Han 2016, section 3.2)."""


def k_means(
    values_N: np.ndarray, num_clusters: int, *, init: str = "linear", generator: np.random.Generator
) -> np.ndarray:
    """Centroids, rising, float64: at most `num_clusters`, each the mean of the values that are nearest to it.

    Lloyd's steps until nothing moves. A cluster that loses its last value takes half of the one with the largest error,
    split at one standard deviation to each side of its mean. Where there are no more distinct values than clusters, the
    centroids are the values.

    Args:
        init: where centroids begin, one of `INITS`.
        generator: draws for "random".
    """
    sorted_N = np.sort(np.asarray(values_N, dtype=np.float64).reshape(-1))
    distinct = np.unique(sorted_N)
    if len(distinct) <= num_clusters:
        return distinct
    sums = np.concatenate([[0.0], np.cumsum(sorted_N)])
    squares = np.concatenate([[0.0], np.cumsum(sorted_N**2)])
    centroids_K = np.sort(INITS[init](sorted_N, num_clusters, generator))
    before = None
    for _ in range(MOST_STEPS):
        inner = np.searchsorted(sorted_N, _borders(centroids_K), side="right")
        cuts = np.concatenate([[0], inner, [len(sorted_N)]])
        if before is not None and np.array_equal(cuts, before):
            break
        counts_K, sums_K, squares_K = np.diff(cuts), np.diff(sums[cuts]), np.diff(squares[cuts])
        centroids_K = _moved(centroids_K, counts_K, sums_K, squares_K)
        before = cuts
    return centroids_K


def nearest(values: np.ndarray, centroids_K: np.ndarray) -> np.ndarray:
    """The number of the centroid that is nearest to each value, the lower of two that are equally near."""
    return np.searchsorted(_borders(centroids_K), values, side="left")


def _borders(centroids_K: np.ndarray) -> np.ndarray:
    """Half-way between neighbours; a value on the border belongs below."""
    return (centroids_K[1:] + centroids_K[:-1]) / 2


def _moved(centroids_K: np.ndarray, counts_K: np.ndarray, sums_K: np.ndarray, squares_K: np.ndarray) -> np.ndarray:
    """Each centroid at the mean of its values; empty clusters halve those of the largest error."""
    held = counts_K > 0
    means_K = np.where(held, sums_K / np.maximum(counts_K, 1), centroids_K)
    errors_K = np.where(held, np.maximum(squares_K - counts_K * means_K**2, 0), 0)
    empty = np.flatnonzero(~held)
    worst = np.argsort(-errors_K, kind="stable")[: len(empty)]
    for place, split in zip(empty, worst, strict=True):
        spread = np.sqrt(errors_K[split] / max(1, counts_K[split]))
        means_K[place], means_K[split] = means_K[split] - spread, means_K[split] + spread
    return np.sort(means_K)
