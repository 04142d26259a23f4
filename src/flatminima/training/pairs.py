"""Which minima are joined by paths: a rule, not a choice by eye."""

import numpy as np
from jaxtyping import Int64

KINDS = ("good_good", "good_bad", "bad_bad")
"""What the two ends of a path are, in this order."""

ENDS = ((0, 0), (0, 1), (1, 1))
"""The same as places in (good, bad)."""


def pairs(
    good_accuracy: np.ndarray, bad_accuracy: np.ndarray, count: int
) -> Int64[np.ndarray, "kinds pairs 2"]:
    """Numbers of the networks at the ends of paths of each kind.

    Networks come in the order of their training accuracy, the first of equals first; pair k joins
    number 2k of one such row to number 2k + 1. A good and a bad network of the same number began
    with the same weights, so where these two would, the bad one's neighbour takes its place.

    Args:
        good_accuracy: training accuracies without poison.
        bad_accuracy: the same at the highest poison factor.
        count: pairs of each kind at most; as many as there are networks for.

    Raises:
        ValueError: if there are fewer than two networks of a kind.
    """
    rows = [np.argsort(-each, kind="stable") for each in (good_accuracy, bad_accuracy)]
    there = min(count, *(len(row) // 2 for row in rows))
    if there < 1:
        raise ValueError("a path takes two networks without poison and two with the most")
    chosen = np.empty((len(KINDS), there, 2), dtype=np.int64)
    for kind, (first, second) in enumerate(ENDS):
        for pair in range(there):
            one, other = rows[first][2 * pair], rows[second][2 * pair + 1]
            chosen[kind, pair] = one, rows[second][2 * pair] if one == other else other
    return chosen
