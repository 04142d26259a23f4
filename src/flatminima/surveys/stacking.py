"""What is measured one network after the other, as arrays of all of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np


def stacked(
    parts: Sequence[Any], names: Iterable[str] | None = None, axis: int = 0
) -> dict[str, Any]:
    """Each array of all parts, along a new axis.

    Args:
        parts: mappings or records that hold arrays or numbers by the same names.
        names: which; None: all that the first part holds.
        axis: place of the new axis.
    """
    rows = [part if isinstance(part, Mapping) else vars(part) for part in parts]
    return {name: np.stack([row[name] for row in rows], axis) for name in names or rows[0]}


def in_table(
    parts: Sequence[Any], shape: tuple[int, ...], names: Iterable[str] | None = None
) -> dict[str, Any]:
    """As ``stacked``, but the parts along several new axes of this shape."""
    table = stacked(parts, names)
    return {name: values.reshape(*shape, *values.shape[1:]) for name, values in table.items()}
