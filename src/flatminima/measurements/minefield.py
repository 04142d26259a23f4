"""Measurements of the minefield: ordinary training, and the bad minima beside its way."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from flatminima.formats.minefield import BadMinima, Embedding, Iterates
from flatminima.measurements.measurement import RANGE, Measurements
from flatminima.measurements.statistics import Gauge

DATASET = "minefield"

BAR = 0.53
"""Test accuracy below which the paper puts every bad minimum."""

LENGTH = "length in weight space"


_GAUGE = Gauge(DATASET)


def measure(
    dataset: Mapping[str, np.ndarray],
    iterates: Iterates,
    minima: BadMinima,
    embedding: Embedding,
    settings: Mapping[str, Mapping[str, Any]],
) -> Measurements:
    """Measure everything the article and the claims say of the minefield.

    Args:
        dataset: the stored points.
        iterates: parameters kept along the way and what they reach.
        minima: the bad minimum found from each iterate, in the same order.
        embedding: distances between them, and the embeddings in the plane.
        settings: of ``descent``, ``search``, ``settle`` and ``embedding``.
    """
    measurements = (
        _settings(dataset, iterates, settings)
        | _way(iterates)
        | _bad_minima(minima)
        | _distances(embedding)
        | _embeddings(embedding)
    )
    return {f"{DATASET}.{name}": measurement for name, measurement in measurements.items()}


def _settings(
    dataset: Mapping[str, np.ndarray], iterates: Iterates, settings: Mapping[str, Mapping[str, Any]]
) -> Measurements:
    measurements = {
        f"{part}_points": _GAUGE.count(dataset[f"{part}_labels"].size)
        for part in ("train", "test", "poison")
    }
    for stage in ("descent", "search", "settle"):
        for key, value in settings[stage].items():
            unit = "count" if key in ("epochs", "every", "batch", "steps") else ""
            measurements[f"{stage}.{key}"] = _GAUGE.number(value, unit)
    measurements |= {
        "perplexity": _GAUGE.count(settings["embedding"]["perplexity"]),
        "components": _GAUGE.count(settings["embedding"]["components"]),
        "parameters": _GAUGE.count(iterates.parameters.shape[1]),
        "weights": _GAUGE.count(np.diff(iterates.layers, axis=1).sum()),
        "bar": _GAUGE.number(BAR, "fraction"),
        "steps": _GAUGE.count(settings["search"]["steps"] + settings["settle"]["steps"]),
    }
    note = "standard deviation of the accuracy of coin tosses on the test points"
    scatter = 0.5 / math.sqrt(dataset["test_labels"].size)
    return {
        **{f"setting.{name}": entry for name, entry in measurements.items()},
        "scatter": _GAUGE.number(scatter, "fraction", note=note),
        "chance": _GAUGE.number(1 / len(np.unique(dataset["train_labels"])), "fraction"),
    }


def _way(iterates: Iterates) -> Measurements:
    """The last iterate, and how many iterates fit every training point."""
    fitting = iterates.train_accuracy == 1
    return {
        "final.train_accuracy": _GAUGE.number(iterates.train_accuracy[-1], "fraction", runs=1),
        "final.test_accuracy": _GAUGE.number(iterates.test_accuracy[-1], "fraction", runs=1),
        "final.train_loss": _GAUGE.number(iterates.train_loss[-1], "nats", runs=1),
        "iterates": _GAUGE.count(fitting.size),
        "share_fitting": _GAUGE.share(fitting, "iterates"),
        "fitting.test_accuracy": _GAUGE.span(iterates.test_accuracy[fitting], "fraction"),
    }


def _bad_minima(minima: BadMinima) -> Measurements:
    fitting, train, test = minima.converged, minima.train_accuracy, minima.test_accuracy
    below = test < BAR
    return {
        "bad.train_accuracy": _GAUGE.span(train, "fraction"),
        "bad.test_accuracy": _GAUGE.span(test, "fraction"),
        "bad.train_loss": _GAUGE.span(minima.train_loss, "nats"),
        "bad.gradient_norm": _GAUGE.span(minima.gradient_norm, "nats per unit of parameter"),
        "searched.train_accuracy": _GAUGE.span(minima.searched_train_accuracy, "fraction"),
        "searched.test_accuracy": _GAUGE.span(minima.searched_test_accuracy, "fraction"),
        # The ends of the ranges have names of their own, for claims about every single one.
        "bad.lowest_train_accuracy": _GAUGE.number(train.min(), "fraction", runs=fitting.size),
        "bad.highest_test_accuracy": _GAUGE.number(test.max(), "fraction", runs=fitting.size),
        "bad.count": _GAUGE.count(fitting.size),
        "bad.share_fitting": _GAUGE.share(fitting, "bad minima"),
        "bad.share_below": _GAUGE.share(below, "bad minima"),
        "bad.share_of_both": _GAUGE.share(fitting & below, "bad minima"),
    }


def _distances(embedding: Embedding) -> Measurements:
    lengths = ("to_minimum", "to_final", "nearest_minimum", "step", "weight_norm", "minimum_norm")
    units = dict.fromkeys(lengths, LENGTH)
    units |= dict.fromkeys(("relative_to_minimum", "relative_to_final"), "ratio")
    nearer_final = embedding.to_final < embedding.to_minimum
    # Of vectors of these lengths that have nothing to do with each other, the distance is this.
    unrelated = np.hypot(embedding.weight_norm, embedding.minimum_norm)
    measurements = {
        **{
            name: _GAUGE.span(getattr(embedding, name), unit, "median")
            for name, unit in units.items()
        },
        "whole_way": _GAUGE.number(embedding.to_final[0], LENGTH, runs=1),
        "final_to_minimum": _GAUGE.number(embedding.to_minimum[-1], LENGTH, runs=1),
        "final_norm": _GAUGE.number(embedding.weight_norm[-1], LENGTH, runs=1),
        "share_nearer_final": _GAUGE.share(nearer_final, "iterates"),
        "share_nearer_minimum": _GAUGE.share(~nearer_final, "iterates"),
        "of_unrelated": _GAUGE.span(embedding.to_minimum / unrelated, "ratio", "median"),
    }
    return {f"distance.{name}": entry for name, entry in measurements.items()}


def _embeddings(embedding: Embedding) -> Measurements:
    """How faithful the embeddings are: the one shown, at its perplexity, and all of them."""
    perplexities, runs = embedding.trustworthiness.shape
    measurements = {
        "explained_variance": _GAUGE.number(embedding.explained_variance.sum(), "fraction"),
        "perplexities": _GAUGE.count(perplexities),
        "runs": _GAUGE.count(runs),
        "points": _GAUGE.count(embedding.embedded.shape[2]),
    }
    for name, unit in (("trustworthiness", ""), ("rank_correlation", "correlation")):
        values = getattr(embedding, name)
        measurements[name] = _GAUGE.number(
            values[0, 0],
            unit,
            low=values.min(),
            high=values.max(),
            interval=f"{RANGE} over perplexities and runs",
        )
    return {f"embedding.{name}": entry for name, entry in measurements.items()}
