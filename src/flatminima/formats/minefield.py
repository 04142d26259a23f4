"""The files of the minefield: iterates of a descent, bad minima beside them, where these lie."""

import numpy as np
from jaxtyping import Float32, Float64, Int64

from flatminima.formats.minima import Minima
from flatminima.records import Record, finite


class Iterates(Record):
    """Parameters along the way of one network, in order, and what each of them reaches.

    ``epoch`` counts passes over the training points; 0 are the initial parameters. Accuracies are
    fractions, losses mean negative log-likelihoods in nats. ``layers`` holds the half-open span of
    each layer's weights in a parameter vector, for those who have no network at hand.
    """

    epoch: Int64[np.ndarray, " iterates"]
    parameters: Float32[np.ndarray, "iterates parameters"] = finite()
    train_accuracy: Float64[np.ndarray, " iterates"]
    test_accuracy: Float64[np.ndarray, " iterates"]
    train_loss: Float64[np.ndarray, " iterates"]
    test_loss: Float64[np.ndarray, " iterates"]
    layers: Int64[np.ndarray, "layers 2"]


class BadMinima(Minima):
    """The bad minimum found from each iterate; ``searched_`` is before the last stage."""

    searched_train_accuracy: Float64[np.ndarray, " networks"]
    searched_test_accuracy: Float64[np.ndarray, " networks"]


class Embedding(Record):
    """Distances in weight space, and pictures of them by t-SNE.

    Attributes:
        to_minimum, to_final: Euclidean distances of each iterate from its bad minimum and from the
            last iterate.
        relative_to_minimum, relative_to_final: the same relative to the layers, see
            ``geometry.embedding.relative_distances``.
        weight_norm, minimum_norm: lengths of each iterate and of its bad minimum.
        nearest_minimum: the Euclidean distance from the nearest of all bad minima.
        step: from each iterate to the next.
        explained_variance: of each component its share of the variance.
        embedded: places in the plane, iterates first, then bad minima.
        trustworthiness, rank_correlation: of embedded with true distances between all pairs.
    """

    to_minimum: Float64[np.ndarray, " iterates"]
    to_final: Float64[np.ndarray, " iterates"]
    relative_to_minimum: Float64[np.ndarray, " iterates"]
    relative_to_final: Float64[np.ndarray, " iterates"]
    weight_norm: Float64[np.ndarray, " iterates"]
    minimum_norm: Float64[np.ndarray, " iterates"]
    nearest_minimum: Float64[np.ndarray, " iterates"]
    step: Float64[np.ndarray, " steps"]
    explained_variance: Float64[np.ndarray, " components"]
    perplexity: Float64[np.ndarray, " perplexities"]
    embedded: Float64[np.ndarray, "perplexities runs points 2"]
    trustworthiness: Float64[np.ndarray, "perplexities runs"]
    rank_correlation: Float64[np.ndarray, "perplexities runs"]
