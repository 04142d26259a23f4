"""Measurements of the minefield: ordinary training, and the bad minima beside its way."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from flatminima.measurements.measurement import RANGE, Measurement, Measurements
from flatminima.measurements.statistics import span
from flatminima.storage import Arrays

DATASET = "minefield"

BAR = 0.53
"""Test accuracy below which the paper puts every bad minimum."""

LENGTH = "length in weight space"


def measure(
    dataset: Arrays,
    iterates: Arrays,
    minima: Arrays,
    embedding: Arrays,
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
    found = (
        _settings(dataset, iterates, settings)
        | _way(iterates)
        | _bad_minima(minima)
        | _distances(embedding)
        | _embeddings(embedding)
    )
    return {f"{DATASET}.{name}": measurement for name, measurement in found.items()}


def _plain(value: float, unit: str = "", runs: int = 0, note: str = "") -> Measurement:
    return Measurement(float(value), unit, DATASET, runs=runs, note=note)


def _share(chosen: np.ndarray, of: str) -> Measurement:
    note = f"{int(chosen.sum())} of {chosen.size} {of}"
    return _plain(chosen.mean(), "fraction", chosen.size, note)


def _settings(
    dataset: Arrays, iterates: Arrays, settings: Mapping[str, Mapping[str, Any]]
) -> Measurements:
    found = {
        f"setting.{part}_points": _plain(dataset[f"{part}_labels"].size, "count")
        for part in ("train", "test", "poison")
    }
    for stage in ("descent", "search", "settle"):
        for key, value in settings[stage].items():
            counted = key in ("epochs", "every", "batch", "steps")
            found[f"setting.{stage}.{key}"] = _plain(value, "count" if counted else "")
    found["setting.perplexity"] = _plain(settings["embedding"]["perplexity"], "count")
    found["setting.components"] = _plain(settings["embedding"]["components"], "count")
    found["setting.parameters"] = _plain(iterates["parameters"].shape[1], "count")
    found["setting.weights"] = _plain(np.diff(iterates["layers"], axis=1).sum(), "count")
    found["setting.bar"] = _plain(BAR, "fraction")
    found["scatter"] = _plain(
        0.5 / math.sqrt(dataset["test_labels"].size),
        "fraction",
        note="standard deviation of the accuracy of coin tosses on the test points",
    )
    found["chance"] = _plain(1 / len(np.unique(dataset["train_labels"])), "fraction")
    return found


def _way(iterates: Arrays) -> Measurements:
    """The last iterate, and how many iterates fit every training point."""
    found = {
        f"final.{name}": _plain(iterates[name][-1], unit, 1)
        for name, unit in (
            ("train_accuracy", "fraction"),
            ("test_accuracy", "fraction"),
            ("train_loss", "nats"),
        )
    }
    fitting = iterates["train_accuracy"] == 1
    return found | {
        "iterates": _plain(fitting.size, "count"),
        "share_fitting": _share(fitting, "iterates"),
        "fitting.test_accuracy": span(iterates["test_accuracy"][fitting], "fraction", DATASET),
    }


def _bad_minima(minima: Arrays) -> Measurements:
    fitting, test = minima["converged"], minima["test_accuracy"]
    found = {
        f"bad.{name}": span(minima[name], unit, DATASET)
        for name, unit in (
            ("train_accuracy", "fraction"),
            ("test_accuracy", "fraction"),
            ("train_loss", "nats"),
            ("gradient_norm", "nats per unit of parameter"),
        )
    }
    for name in ("train_accuracy", "test_accuracy"):
        found[f"searched.{name}"] = span(minima[f"searched_{name}"], "fraction", DATASET)
    # The ends of the ranges have names of their own, for claims about every single one.
    found["bad.lowest_train_accuracy"] = _plain(
        minima["train_accuracy"].min(), "fraction", fitting.size
    )
    found["bad.highest_test_accuracy"] = _plain(test.max(), "fraction", fitting.size)
    return found | {
        "bad.count": _plain(fitting.size, "count"),
        "bad.share_fitting": _share(fitting, "bad minima"),
        "bad.share_below": _share(test < BAR, "bad minima"),
        "bad.share_of_both": _share(fitting & (test < BAR), "bad minima"),
    }


def _distances(embedding: Arrays) -> Measurements:
    names = {
        "to_minimum": LENGTH,
        "to_final": LENGTH,
        "nearest_minimum": LENGTH,
        "step": LENGTH,
        "weight_norm": LENGTH,
        "relative_to_minimum": "ratio",
        "relative_to_final": "ratio",
    }
    found = {
        f"distance.{name}": span(embedding[name], unit, DATASET, centre="median")
        for name, unit in names.items()
    }
    final = embedding["to_minimum"][-1]
    return found | {
        "distance.whole_way": _plain(embedding["to_final"][0], LENGTH, 1),
        "distance.final_to_minimum": _plain(final, LENGTH, 1),
        "distance.final_norm": _plain(embedding["weight_norm"][-1], LENGTH, 1),
        "distance.share_nearer_final": _share(
            embedding["to_final"] < embedding["to_minimum"], "iterates"
        ),
    }


def _embeddings(embedding: Arrays) -> Measurements:
    """How faithful the embeddings are: the one shown, at its perplexity, and all of them."""
    perplexities, runs = embedding["trustworthiness"].shape
    found = {
        "embedding.explained_variance": _plain(embedding["explained_variance"].sum(), "fraction"),
        "embedding.perplexities": _plain(perplexities, "count"),
        "embedding.runs": _plain(runs, "count"),
        "embedding.points": _plain(embedding["embedded"].shape[2], "count"),
    }
    for name, unit in (("trustworthiness", ""), ("rank_correlation", "correlation")):
        values = embedding[name]
        found[f"embedding.{name}"] = Measurement(
            float(values[0, 0]),
            unit,
            DATASET,
            low=float(values.min()),
            high=float(values.max()),
            interval=f"{RANGE} over perplexities and runs",
        )
    return found
