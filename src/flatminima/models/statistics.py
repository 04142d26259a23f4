"""Which statistics normalise in batch norm when parameters are displaced; without torch."""

from typing import Literal, get_args

Statistics = Literal["frozen", "refreshed", "batch"]
"""``frozen``: the running statistics of the minimum, wherever the parameters are moved.
``refreshed``: mean and variance over all points, at the displaced parameters. ``batch``: those of
each batch of points, at the displaced parameters."""

STATISTICS: tuple[Statistics, ...] = get_args(Statistics)
"""All of them; arrays hold one by its place here."""

SURFACES_BY: tuple[Statistics, Statistics] = ("refreshed", "frozen")
"""Those by which surfaces of the loss are measured: as the network is trained, each batch by its
own statistics, of which all points together are the mean; and as Li et al. 2018 evaluate it. The
first are those of the surface that is drawn in full."""
