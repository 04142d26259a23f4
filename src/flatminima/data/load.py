"""Data sets by name."""

from collections.abc import Callable
from typing import Any

from flatminima.data.cifar10 import cifar10
from flatminima.data.dataset import Dataset
from flatminima.data.digits import digits
from flatminima.data.spirals import minefield, swiss_roll
from flatminima.data.svhn import svhn
from flatminima.errors import ConfigError

SOURCES: dict[str, Callable[..., Dataset]] = {
    "swiss_roll": swiss_roll,
    "digits": digits,
    "svhn": svhn,
    "cifar10": cifar10,
    "minefield": minefield,
}


def load(source: str, *, seed: int, **settings: Any) -> Dataset:
    """Make the data set ``source`` with its own settings.

    Raises:
        ConfigError: if there is no such source.
    """
    if source not in SOURCES:
        raise ConfigError(f"data source {source!r} is unknown; choose one of {', '.join(SOURCES)}")
    return SOURCES[source](seed=seed, **settings)
