"""Good and bad minima joined by paths, pair by pair: what is measured along them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from flatminima.formats.mode_connectivity import (
    ENDS,
    PAIRS,
    Curves,
    Lines,
    ModeConnectivity,
    Planes,
)
from flatminima.geometry.mode_connectivity import Path, along, connect_all, peak, plane
from flatminima.models.evaluation import Evaluator, with_statistics
from flatminima.models.network import Network
from flatminima.models.statistics import STATISTICS
from flatminima.surveys.stacking import in_table, stacked

QUANTITIES = ("loss", "accuracy", "test_loss", "test_accuracy")


def connections(
    network: Network,
    minima: Sequence[Float[Tensor, "networks parameters"]],
    chosen: Int[np.ndarray, "kinds pairs 2"],
    train: tuple[Float[Tensor, "points ..."], Int[Tensor, " points"]],
    test: tuple[Float[Tensor, "others ..."], Int[Tensor, " others"]],
    *,
    curve_points: int,
    plane_points: int | None,
    **options: Any,
) -> ModeConnectivity:
    """Join all pairs and follow each curve and the straight line beside it.

    Args:
        minima: the good ones and the bad ones.
        chosen: numbers of the networks of each pair, by kind in the order of ``PAIRS``.
        train, test: points and their classes; on the former paths are trained.
        curve_points: on each path at which networks are evaluated, evenly spaced in t, the ends
            included.
        plane_points: along each side of the plane through the first pair of each kind and its bend;
            None for no planes.
        options: of ``connect_all``; pairs are numbered kind by kind.
    """
    rows = chosen.reshape(-1, 2)
    kinds = np.repeat(np.array(ENDS), chosen.shape[1], axis=0)
    first, second = (
        torch.stack([minima[kind][row] for kind, row in zip(kinds[:, e], rows[:, e], strict=True)])
        for e in (0, 1)
    )
    paths = connect_all(network, first, second, *train, **options)
    t = np.linspace(0, 1, curve_points)

    def shaped(values: Sequence[Any]) -> np.ndarray:
        rows = np.stack(values)
        return rows.reshape(*chosen.shape[:2], *rows.shape[1:])

    def measured(paths: Sequence[Path]) -> dict[str, np.ndarray]:
        followed = [along(network, path, t, train, test) for path in paths]
        peaks = [peak(network, *pair, train) for pair in zip(paths, followed, strict=True)]
        return {
            **in_table(followed, chosen.shape[:2], QUANTITIES),
            "length": shaped([path.length() for path in paths]),
            "peak_t": shaped([each.t for each in peaks]),
            "peak_loss": shaped([each.loss for each in peaks]),
            "lowest_accuracy": shaped([each.lowest_accuracy for each in peaks]),
        }

    planes = None
    if plane_points is not None:
        drawn = [
            plane(network, path, *train, points=plane_points, curve_points=curve_points)
            for path in paths[:: chosen.shape[1]]
        ]
        planes = Planes(**stacked(drawn, Planes.__annotations__))
    normalised = with_statistics(network)
    refreshed = isinstance(normalised, Evaluator) and normalised.normalises
    return ModeConnectivity(
        pair=chosen,
        t=t,
        curve=Curves(
            **measured(paths), way=shaped([[path.length(until) for until in t] for path in paths])
        ),
        line=Lines(**measured([path.straight for path in paths])),
        bends=shaped([path.bends.cpu().numpy() for path in paths]),
        polychain=options.get("kind") == "polychain",
        plane=planes,
        batch_norm=STATISTICS.index("refreshed") if refreshed else None,
    )


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
    rows = [np.argsort(-scores, kind="stable") for scores in (good_accuracy, bad_accuracy)]
    possible = min(count, *(len(row) // 2 for row in rows))
    if possible < 1:
        raise ValueError("a path takes two networks without poison and two with the most")
    chosen = np.empty((len(PAIRS), possible, 2), dtype=np.int64)
    for kind, (first, second) in enumerate(ENDS):
        for pair in range(possible):
            one, other = rows[first][2 * pair], rows[second][2 * pair + 1]
            chosen[kind, pair] = one, rows[second][2 * pair] if one == other else other
    return chosen
