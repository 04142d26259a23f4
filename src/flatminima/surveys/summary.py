"""One table per data set: every number of every network, stacked over poison factors."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from flatminima.formats.basins import Basins, BasinSettings, BasinTable, Summary
from flatminima.formats.minima import Minima, Reached
from flatminima.surveys.stacking import stacked


def summarise(
    factors: Sequence[float], minima: Sequence[Minima], basins: Sequence[Basins]
) -> Summary:
    """Stack what was measured at each poison factor."""
    reached = stacked(minima, Reached.__annotations__)
    settings: dict[str, Any] = {n: getattr(basins[0], n) for n in BasinSettings.__annotations__}
    return Summary(
        **reached,
        **stacked(basins, BasinTable.__annotations__),
        **settings,
        poison_factor=np.asarray(factors, dtype=np.float64),
        gap=reached["train_accuracy"] - reached["test_accuracy"],
        trainable=minima[0].trainable,
    )
