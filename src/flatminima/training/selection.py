"""Which minima are shown when only a few can be: a rule, not a choice by eye."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

ROLES = ("good", "bad")
"""The two minima that are shown side by side, in this order."""


def representative(train_accuracy: np.ndarray, test_accuracy: np.ndarray, *, good: bool) -> int:
    """Index of the network that stands for an ensemble.

    Among the networks with the highest training accuracy, the one with the highest test accuracy
    where a good minimum is wanted, the lowest where a bad one is; the first of equals.
    """
    best = train_accuracy == train_accuracy.max()
    score = np.where(best, test_accuracy if good else -test_accuracy, -np.inf)
    return int(score.argmax())


def middle(train_accuracy: np.ndarray, test_accuracy: np.ndarray) -> int:
    """Index of the network of median test accuracy (the lower middle) among the best trained."""
    best = np.flatnonzero(train_accuracy == train_accuracy.max())
    order = best[np.argsort(test_accuracy[best], kind="stable")]
    return int(order[(len(order) - 1) // 2])


def select(
    factors: Sequence[float], train_accuracy: np.ndarray, test_accuracy: np.ndarray
) -> dict[str, object]:
    """Pick the minima that stand for all: the good, the bad, and a row of rising poison factor.

    The good minimum comes from the smallest poison factor, the bad one from the largest; the row
    takes the middle network of every factor, so that it flatters neither end.

    Args:
        factors: poison factors, rising.
        train_accuracy, test_accuracy: shape (factors, networks).
    """

    def entry(factor: int, network: int) -> dict[str, float | int]:
        return {
            "poison": float(factors[factor]),
            "seed": network,
            "train_accuracy": float(train_accuracy[factor, network]),
            "test_accuracy": float(test_accuracy[factor, network]),
        }

    last = len(factors) - 1
    good = representative(train_accuracy[0], test_accuracy[0], good=True)
    bad = representative(train_accuracy[last], test_accuracy[last], good=False)
    row = [
        entry(factor, middle(train_accuracy[factor], test_accuracy[factor]))
        for factor in range(len(factors))
    ]
    return {"good": entry(0, good), "bad": entry(last, bad), "row": row}


def shown_pair(
    selection: Mapping[str, Any], minima: Sequence[Float[np.ndarray, "networks parameters"]]
) -> Float[np.ndarray, "2 parameters"]:
    """Parameters of the good minimum and of the bad one.

    Args:
        selection: what ``select`` picked.
        minima: parameters of all networks by rising poison factor; of the first and the last factor
            at least, which hold the good and the bad minimum.
    """
    return np.stack([minima[0][selection["good"]["seed"]], minima[-1][selection["bad"]["seed"]]])


def shown_row(
    selection: Mapping[str, Any], minima: Sequence[Float[np.ndarray, "networks parameters"]]
) -> Float[np.ndarray, "factors parameters"]:
    """Parameters of the row of rising poison factor; ``minima`` has all factors."""
    row = selection["row"]
    return np.stack([part[entry["seed"]] for part, entry in zip(minima, row, strict=True)])


def shown_along(
    selection: Mapping[str, Any], minima: Sequence[Float[np.ndarray, "networks parameters"]]
) -> tuple[list[Mapping[str, Any]], Float[np.ndarray, "shown parameters"]]:
    """Entries and parameters of the good minimum, then of one of every poison factor.

    Of the largest factor it is the bad minimum; ``minima`` has all factors.
    """
    good, bad = shown_pair(selection, minima)
    entries = [selection["good"], *selection["row"][:-1], selection["bad"]]
    return entries, np.stack([good, *shown_row(selection, minima)[:-1], bad])


def described(entries: Sequence[Mapping[str, Any]]) -> dict[str, Float[np.ndarray, " entries"]]:
    """``poison_factor``, ``train_accuracy`` and ``test_accuracy`` of entries of a selection."""
    keys = {"poison_factor": "poison"} | {n: n for n in ("train_accuracy", "test_accuracy")}
    return {name: np.array([entry[key] for entry in entries]) for name, key in keys.items()}
