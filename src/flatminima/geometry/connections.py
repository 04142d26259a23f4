"""Good and bad minima joined by paths, pair by pair: what is measured along them."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from flatminima.geometry.paths import Path, along, connect_all, plane
from flatminima.models.evaluation import Evaluator, with_statistics
from flatminima.models.network import Network
from flatminima.models.statistics import STATISTICS
from flatminima.storage import Arrays
from flatminima.training.pairs import ENDS


def connections(
    network: Network,
    minima: tuple[Float[Tensor, "good parameters"], Float[Tensor, "bad parameters"]],
    chosen: Int[np.ndarray, "kinds pairs 2"],
    train: tuple[Float[Tensor, "points ..."], Int[Tensor, " points"]],
    test: tuple[Float[Tensor, "others ..."], Int[Tensor, " others"]],
    *,
    places: int,
    plane_points: int | None,
    **options: Any,
) -> Arrays:
    """Join all pairs and follow each curve and the straight line beside it.

    Args:
        network: the architecture.
        minima: the good ones and the bad ones.
        chosen: numbers of the networks of each pair, by kind in the order of ``pairs.KINDS``.
        train: inputs and labels of the points on which paths are trained.
        test: those of points that have no part in it.
        places: on each path at which networks are evaluated, evenly spaced in t, the ends included.
        plane_points: along each side of the plane through the first pair of each kind and its bend;
            None for no planes.
        options: of ``connect_all``; pairs are numbered kind by kind.

    Returns:
        Kinds first and pairs second: ``pair`` as chosen; ``curve_`` and ``line_`` with each of
        ``loss``, ``accuracy``, ``test_loss`` and ``test_accuracy`` (places last), ``length`` and
        ``curve_way``, the length up to each place; ``bends`` (bends, parameters last), in the dtype
        of the minima; ``t`` (places,). With planes, kinds first: ``plane_x``, ``plane_y``,
        ``plane_loss`` (rows, columns), ``plane_ends`` (2, 2), ``plane_bend`` (2,) and
        ``plane_curve`` (places, 2). ``polychain`` (1,), whether paths are that and not Bezier
        curves; for networks with batch norm ``batch_norm`` (1,), the place in ``STATISTICS``.
    """
    rows = chosen.reshape(-1, 2)
    kinds = np.repeat(np.array(ENDS), chosen.shape[1], axis=0)
    first, second = (
        torch.stack([minima[kind][row] for kind, row in zip(kinds[:, e], rows[:, e], strict=True)])
        for e in (0, 1)
    )
    paths = connect_all(network, first, second, *train, **options)
    t = np.linspace(0, 1, places)

    def shaped(values: list[Any]) -> np.ndarray:
        stacked = np.stack([np.asarray(value) for value in values])
        return stacked.reshape(*chosen.shape[:2], *stacked.shape[1:])

    found = {"pair": chosen, "t": t}
    for name, each in (("curve", paths), ("line", [path.straight for path in paths])):
        profiles = [vars(along(network, path, t, train, test)) for path in each]
        for quantity in ("loss", "accuracy", "test_loss", "test_accuracy"):
            found[f"{name}_{quantity}"] = shaped([profile[quantity] for profile in profiles])
        found[f"{name}_length"] = shaped([path.length() for path in each])
    found["curve_way"] = shaped([[path.length(place) for place in t] for path in paths])
    found["bends"] = shaped([path.bends.cpu().numpy() for path in paths])
    found["polychain"] = np.array([options.get("kind") == "polychain"])
    if plane_points is not None:
        found |= _planes(network, paths[:: chosen.shape[1]], train, plane_points, places)
    normalised = with_statistics(network)
    if isinstance(normalised, Evaluator) and normalised.normalises:
        found["batch_norm"] = np.array([STATISTICS.index("refreshed")], dtype=np.int64)
    return found


def _planes(
    network: Network,
    paths: list[Path],
    train: tuple[Tensor, Tensor],
    points: int,
    places: int,
) -> Arrays:
    planes = [vars(plane(network, path, *train, points=points, places=places)) for path in paths]
    names = ("x", "y", "loss", "ends", "bend", "curve")
    return {f"plane_{name}": np.stack([each[name] for each in planes]) for name in names}
