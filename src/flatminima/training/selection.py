"""Which minima are shown when only a few can be: a rule, not a choice by eye."""

from collections.abc import Sequence

import numpy as np


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
