"""Which statistics normalise in batch norm when parameters are displaced; without torch."""

from typing import Literal, get_args

Statistics = Literal["frozen", "refreshed", "batch"]
"""``frozen``: the running statistics of the minimum, wherever the parameters are moved.
``refreshed``: mean and variance over all points, at the displaced parameters. ``batch``: those of
each batch of points, at the displaced parameters."""

STATISTICS: tuple[Statistics, ...] = get_args(Statistics)
"""All of them; arrays hold one by its place here."""
