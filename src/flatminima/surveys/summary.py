"""One table per data set: every number of every network, stacked over poison factors."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from flatminima.formats.basins import Basins, BasinSettings, BasinTable, Summary
from flatminima.formats.minima import Minima, Reached


def summarise(
    factors: Sequence[float], minima: Sequence[Minima], basins: Sequence[Basins]
) -> Summary:
    """Stack what was measured at each poison factor."""
    stacked: dict[str, Any] = {
        field.name: np.stack([getattr(part, field.name) for part in parts])
        for parts, record in ((minima, Reached), (basins, BasinTable))
        for field in record.stored()
    }
    settings = {field.name: getattr(basins[0], field.name) for field in BasinSettings.stored()}
    return Summary(
        **stacked,
        **settings,
        poison_factor=np.asarray(factors, dtype=np.float64),
        gap=stacked["train_accuracy"] - stacked["test_accuracy"],
        trainable=minima[0].trainable,
    )
