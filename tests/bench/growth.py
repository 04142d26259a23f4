"""How memory grows with directions, networks and points: hardly, or something is held whole."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from flatminima.geometry.directions import draw
from flatminima.geometry.surface import Landscape
from flatminima.surveys.basins import basins
from flatminima.training import ensemble
from tests.bench import memory
from tests.bench.losses import network_of
from tests.bench.scene import SEED, SwissRoll, resnet
from tests.bench.work import Bench, Record

MEASURED = "MB"


def growth(bench: Bench, roll: SwissRoll) -> Iterator[Record]:
    """The peak at two sizes each."""
    made: list[tuple[str, Callable[[], Callable[[], Any]]]] = []
    for count in (bench.size(256, 2), bench.size(4096, 8)):
        made.append((f"radii along {count:,} directions", partial(directions, roll, count)))
    for count in (bench.size(20, 2), bench.size(160, 8)):
        made.append((f"training of {count} networks", partial(networks, roll, count)))
    for count in (bench.size(1_000, 20), bench.size(16_000, 80)):
        made.append((f"losses on {count:,} points", partial(points, roll, count)))
    for count in (bench.size(100, 10), bench.size(800, 20)):
        made.append((f"losses of a ResNet-8 on {count} images", partial(images, count)))
    for size, prepare in made:
        peak = memory.peak_mb(prepare)
        yield bench.record("growth", size, MEASURED, peak, peak_memory_mb=peak)


def directions(roll: SwissRoll, count: int) -> Callable[[], Any]:
    """Radii at one cutoff."""
    return partial(
        basins, roll.model, roll.vector[None], roll.inputs, roll.labels,
        cutoffs=(0.5,), excess=0.1, kind="exact", directions=count, decades=10.0, seed=SEED,
    )  # fmt: skip


def networks(roll: SwissRoll, count: int) -> Callable[[], Any]:
    """A few steps of an ensemble."""
    return partial(
        ensemble.train, roll.model, roll.model.initialise(SEED, range(count)), roll.dataset,
        schedule=ensemble.Schedule(4, 0.001, 1.0), poison_factor=0.15, records=1,
    )  # fmt: skip


def points(roll: SwissRoll, count: int) -> Callable[[], Any]:
    """Losses of the small network on more points than it was trained on."""
    many = SwissRoll(roll.hidden, count, roll.minimum)
    return _losses(many)


def images(count: int) -> Callable[[], Any]:
    """Losses of a network of images."""
    return _losses(resnet(8, 8, pixels=8, channels=1, points=count))


def _losses(scene: Any) -> Callable[[], Any]:
    network, minimum = network_of(scene), scene.vector
    drawn = draw(network.layout, minimum, kind="paper", seed=SEED, indices=range(8))
    around = Landscape(network, minimum, drawn.vectors, scene.inputs, scene.labels)
    return partial(around.along, np.ones(8), np.arange(8))
