"""K-means of numbers: by hand, against the library's, at rest, and where it begins."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from edgewright.compress.cluster import INITS, k_means, nearest

VALUES = st.lists(st.floats(-1, 1).map(lambda value: round(value, 3)), min_size=1, max_size=60)


def draws(seed=0):
    return np.random.default_rng(seed)


def squared_error(values, centroids):
    return float(np.sum((np.asarray(values) - np.asarray(centroids)[nearest(np.asarray(values), centroids)]) ** 2))


def best_error(values, num_clusters):
    """Every way to cut the sorted values into intervals."""
    ordered = sorted(values)
    errors = []
    for cuts in itertools.combinations(range(1, len(ordered)), num_clusters - 1):
        parts = [ordered[a:b] for a, b in itertools.pairwise([0, *cuts, len(ordered)])]
        errors.append(sum(np.var(part) * len(part) for part in parts))
    return min(errors)


def test_two_clusters_by_hand():
    """Begin at 0 and 10: {0, 1, 2} and {8, 10}; means 1 and 9; the border 5 moves no value."""
    assert k_means(np.array([0, 8, 1, 10, 2]), 2, generator=draws()).tolist() == [1, 9]
    assert nearest(np.array([4.9, 5.0, 5.1]), np.array([1.0, 9.0])).tolist() == [0, 0, 1]


@pytest.mark.parametrize("seed", range(3))
def test_it_ends_where_the_library_ends_from_the_same_start(seed):
    values = np.random.default_rng(seed).standard_normal(2000)
    start = INITS["density"](np.sort(values), 8, draws())
    library = KMeans(8, init=start.reshape(-1, 1), n_init=1, tol=0, max_iter=300).fit(values.reshape(-1, 1))
    ours = k_means(values, 8, init="density", generator=draws())
    assert ours == pytest.approx(np.sort(library.cluster_centers_[:, 0]), abs=1e-9)


@settings(max_examples=40)
@given(VALUES, st.integers(1, 8), st.sampled_from(sorted(INITS)))
def test_each_centroid_is_the_mean_of_the_values_nearest_to_it(values, num_clusters, init):
    centroids = k_means(np.array(values), num_clusters, init=init, generator=draws())
    places = nearest(np.array(values), centroids)
    assert len(centroids) <= num_clusters and np.all(np.diff(centroids) >= 0)
    for place in np.unique(places):
        assert centroids[place] == pytest.approx(np.mean(np.array(values)[places == place]), abs=1e-9)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=8, unique=True))
def test_few_values_are_their_own_centroids(values):
    assert k_means(np.array(values), 8, generator=draws()).tolist() == sorted(values)


def test_the_even_start_ends_nearest_to_the_best_of_all_clusterings():
    """Lloyd's steps end in a local minimum. Squared error as a multiple of the least, mean of ten small problems."""
    shares = {init: [] for init in INITS}
    for seed in range(10):
        values = np.random.default_rng(seed).standard_normal(12)
        least = best_error(values, 4)
        for init, found in shares.items():
            found.append(squared_error(values, k_means(values, 4, init=init, generator=draws(seed))) / least)
    assert min(min(found) for found in shares.values()) > 0.999999
    means = {init: np.mean(found) for init, found in shares.items()}
    assert means["linear"] < 1.15 < means["density"] < 1.5 < means["random"] < 2.5


def test_the_three_starts_by_hand():
    values = np.array([0.0, 1.0, 2.0, 3.0, 100.0])
    assert INITS["linear"](values, 3, draws()).tolist() == [0, 50, 100]
    assert INITS["density"](np.arange(101.0), 5, draws()).tolist() == [10, 30, 50, 70, 90]
    assert set(INITS["random"](values, 3, draws())) < set(values)


def test_no_cluster_stays_empty_while_values_differ():
    """Linear from 0 to 1000 leaves all between empty; they go where the error is."""
    values = np.concatenate([np.linspace(0, 1, 500), [1000.0]])
    centroids = k_means(values, 8, init="linear", generator=draws())
    assert len(np.unique(nearest(values, centroids))) == 8
    assert squared_error(values, centroids) < 1.2 * 500 / 12 / 7**2  # of seven equal parts of [0, 1]


def test_the_generator_decides_what_is_random():
    values = np.random.default_rng(1).standard_normal(500)
    first, again, other = (k_means(values, 6, init="random", generator=draws(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
