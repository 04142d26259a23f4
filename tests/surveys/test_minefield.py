import itertools
import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from flatminima.geometry.embedding import embed, relative_distances
from flatminima.surveys.minefield import embedding

LAYERS = np.array([[0, 4], [6, 9]])  # two layers of weights, with biases after each
PARAMETERS = 10


def vectors(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, PARAMETERS)).astype(np.float32)


def weights(vector):
    return [float(vector[i]) for i in (0, 1, 2, 3, 6, 7, 8)]


@pytest.fixture(scope="module")
def surveyed():
    iterates, minima, told = vectors(12), 3 * vectors(12, seed=1), []
    arrays = embedding(
        iterates, minima, LAYERS, components=7, perplexities=[4, 2], runs=2, seed=5,
        report=lambda done, total, text: told.append((done, total, text)),
    ).arrays()  # fmt: skip
    return iterates, minima, arrays, told


def test_distances_are_euclidean_between_the_weights_alone(surveyed):
    iterates, minima, arrays, _ = surveyed
    good, bad = ([weights(v) for v in part] for part in (iterates, minima))
    for i in range(12):
        assert arrays["to_minimum"][i] == pytest.approx(math.dist(good[i], bad[i]))
        assert arrays["to_final"][i] == pytest.approx(math.dist(good[i], good[-1]))
        assert arrays["weight_norm"][i] == pytest.approx(math.hypot(*good[i]))
        assert arrays["minimum_norm"][i] == pytest.approx(math.hypot(*bad[i]))
        nearest = min(math.dist(good[i], other) for other in bad)
        assert arrays["nearest_minimum"][i] == pytest.approx(nearest)
    steps = [math.dist(a, b) for a, b in itertools.pairwise(good)]
    np.testing.assert_allclose(arrays["step"], steps)


def test_relative_distances_are_those_of_layers_in_units_of_their_length():
    origins, ends = vectors(5), vectors(5, seed=1)
    found = relative_distances(origins, ends, LAYERS)
    for origin, end, distance in zip(origins.astype(float), ends, found, strict=True):
        squares = []
        for layer in ([0, 1, 2, 3], [6, 7, 8]):
            moved = sum((end[i] - origin[i]) ** 2 for i in layer)
            squares.append(moved / sum(origin[i] ** 2 for i in layer))
        assert distance == pytest.approx(math.sqrt(sum(squares) / 2))
    np.testing.assert_allclose(relative_distances(origins, 2 * origins, LAYERS), 1, rtol=1e-6)
    one = relative_distances(origins, ends[:1], LAYERS)
    np.testing.assert_allclose(one, relative_distances(origins, np.repeat(ends[:1], 5, 0), LAYERS))


def test_a_relative_distance_stays_when_origin_and_end_are_rescaled_layer_by_layer():
    origins, ends, scale = vectors(5), vectors(5, seed=1), np.ones(PARAMETERS, np.float32)
    scale[0:4], scale[6:9] = 8.0, 0.125
    np.testing.assert_allclose(
        relative_distances(scale * origins, scale * ends, LAYERS),
        relative_distances(origins, ends, LAYERS),
        rtol=1e-6,
    )


def test_embeddings_are_judged_against_true_distances(surveyed):
    iterates, minima, arrays, told = surveyed
    points = [weights(v) for v in np.concatenate([iterates, minima])]
    pairs = [(i, j) for i in range(24) for j in range(i)]
    true = [math.dist(points[i], points[j]) for i, j in pairs]
    assert arrays["embedded"].shape == (2, 2, 24, 2)
    assert arrays["perplexity"].tolist() == [4, 2]
    for index in range(2):
        for run in range(2):
            places = arrays["embedded"][index, run]
            drawn = [math.dist(places[i], places[j]) for i, j in pairs]
            assert arrays["rank_correlation"][index, run] == pytest.approx(
                spearmanr(true, drawn).statistic
            )
            assert arrays["trustworthiness"][index, run] == pytest.approx(
                trust(points, places.tolist(), 10)
            )
    assert [done for done, *_ in told] == [1, 2, 3, 4]
    assert told[-1] == (4, 4, "perplexity 2")


def trust(points, places, neighbours):
    """Trustworthiness by its definition (Venna and Kaski 2001)."""
    count, penalty = len(points), 0
    for i in range(count):

        def nearest(where, i=i):
            others = [j for j in range(count) if j != i]
            return sorted(others, key=lambda j: math.dist(where[i], where[j]))

        ranks = {j: rank + 1 for rank, j in enumerate(nearest(points))}
        penalty += sum(max(0, ranks[j] - neighbours) for j in nearest(places)[:neighbours])
    return 1 - 2 * penalty / (count * neighbours * (2 * count - 3 * neighbours - 1))


def test_all_components_explain_all_and_fewer_explain_what_they_hold(surveyed):
    assert surveyed[2]["explained_variance"].sum() == pytest.approx(1)
    line = np.zeros((6, PARAMETERS), np.float32)
    line[:, 0], line[:, 1] = np.arange(6), np.random.default_rng(0).permutation(6) / 100
    shares = embedding(
        1 + line, 1 - line, LAYERS, components=2, perplexities=[2], runs=1, seed=0
    ).explained_variance
    assert shares[0] > 0.999
    assert shares.sum() == pytest.approx(1, abs=1e-6)


def test_an_embedding_is_its_run_s_own_and_keeps_clusters_together():
    random = np.random.default_rng(3)
    points = np.concatenate([random.standard_normal((15, 6)) + 50 * i for i in range(2)])
    first = embed(points, 5, seed=1, run=0)
    np.testing.assert_array_equal(first, embed(points, 5, seed=1, run=0))
    assert not np.allclose(first, embed(points, 5, seed=1, run=1))
    assert not np.allclose(first, embed(points, 5, seed=2, run=0))
    gaps = np.linalg.norm(first[:, None] - first[None], axis=-1)
    np.fill_diagonal(gaps, np.inf)
    assert ((gaps.argmin(axis=1) < 15) == (np.arange(30) < 15)).all()
