"""One table per data set: every number of every network, stacked over poison factors."""

from collections.abc import Sequence

import numpy as np

from flatminima.storage import Arrays

_OF_MINIMA = (
    "train_accuracy",
    "test_accuracy",
    "train_loss",
    "test_loss",
    "gradient_norm",
    "converged",
)

_OF_ALL = ("weights", "exact", "tolerance", "batch_norm")

_OF_ARCHITECTURE = ("trainable",)


def summarise(
    factors: Sequence[float], minima: Sequence[Arrays], basins: Sequence[Arrays]
) -> Arrays:
    """Stack what was measured at each poison factor.

    Returns:
        ``poison_factor`` (factors,); per network (factors, networks) the accuracies, losses,
        ``gradient_norm``, ``converged`` and ``gap``, the training less the test accuracy; per
        cutoff (factors, networks, cutoffs) everything that a survey of basins gives, except the
        radii themselves; and what is the same for all, (1,): ``weights``, the dimension n,
        ``exact``, whether the directions were uniform on the sphere, ``tolerance`` of ln r, and for
        networks with batch norm ``batch_norm``, which statistics they normalise by; where the
        minima hold statistics too, ``trainable``, the number of parameters that training moves.
    """
    per_network = {name: np.stack([part[name] for part in minima]) for name in _OF_MINIMA}
    of_basins = [name for name in basins[0] if name not in ("radii", *_OF_ALL)]
    return {
        "poison_factor": np.asarray(factors, dtype=np.float64),
        **per_network,
        "gap": per_network["train_accuracy"] - per_network["test_accuracy"],
        **{name: np.stack([part[name] for part in basins]) for name in of_basins},
        **{name: basins[0][name] for name in _OF_ALL if name in basins[0]},
        **{name: minima[0][name] for name in _OF_ARCHITECTURE if name in minima[0]},
    }
