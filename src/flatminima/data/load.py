"""Data sets by name."""

from collections.abc import Callable, Mapping
from typing import Any

from flatminima.data.dataset import Dataset
from flatminima.data.images import draw
from flatminima.data.sources import IMAGE_SOURCES
from flatminima.data.spirals import minefield, swiss_roll
from flatminima.errors import ConfigError

SPIRALS: Mapping[str, Callable[..., Dataset]] = {"swiss_roll": swiss_roll, "minefield": minefield}


def load(source: str, *, seed: int, **settings: Any) -> Dataset:
    """Make the data set ``source`` with its own settings.

    Raises:
        ConfigError: if there is no such source.
    """
    if source in SPIRALS:
        return SPIRALS[source](seed=seed, **settings)
    if source in IMAGE_SOURCES:
        return draw(IMAGE_SOURCES[source], seed=seed, **settings)
    known = ", ".join([*SPIRALS, *IMAGE_SOURCES])
    raise ConfigError(f"data source {source!r} is unknown; choose one of {known}")
