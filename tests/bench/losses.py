"""Losses around a minimum: along directions, on a plane, and how far a basin reaches."""

from collections.abc import Iterator
from functools import partial
from unittest.mock import patch

import numpy as np

from flatminima.geometry.directions import draw
from flatminima.geometry.loss_surface import loss_surface
from flatminima.geometry.radii import radius_tolerance
from flatminima.geometry.surface import Landscape
from flatminima.models.evaluation import Evaluator
from flatminima.models.network import Network
from flatminima.surveys.basins import basins
from tests.bench import peers
from tests.bench.peers import Resident
from tests.bench.scene import SEED, Images, SwissRoll, resnet
from tests.bench.work import Bench, Record, Way, Work, flops_of, there

OURS = "flatminima"
STEPS = 10
"""Losses along each direction."""
CUTOFFS = (0.1, 0.5, 1.0)
DECADES = 0.1
EXCESS = 0.1

Scene = SwissRoll | Images


def losses_along_directions(bench: Bench, roll: SwissRoll) -> Iterator[Record]:
    """Few and many directions, on one thread and on two."""
    for directions in (bench.size(64, 2), bench.size(1024, 4)):
        # Threads that wait for each other are slow beside other tests.
        for threads in range(1, bench.size(2, 1) + 1):
            make = partial(along, roll, directions, STEPS, threads)
            yield from bench.measure("losses-along-directions", make)


def conv_evaluation(bench: Bench, _roll: SwissRoll) -> Iterator[Record]:
    """The small network of images of the default run, and the paper's."""
    for images, directions in of_images(bench):
        yield from bench.measure("conv-evaluation", partial(along, images, directions, 2, 1))


def of_images(bench: Bench) -> tuple[tuple[Images, int], ...]:
    """Networks of images, and along how many directions they are measured."""
    small = resnet(8, bench.size(8, 2), pixels=8, channels=1, points=bench.size(400, 10))
    large = resnet(
        bench.size(20, 8), bench.size(16, 2), pixels=bench.size(32, 8), channels=3,
        points=bench.size(200, 10),
    )  # fmt: skip
    return (small, bench.size(16, 2)), (large, 1)


def network_of(scene: Scene) -> Network:
    """The network as surveys evaluate it."""
    return scene.model if isinstance(scene, SwissRoll) else Evaluator(scene.network)


def along(scene: Scene, directions: int, steps: int, threads: int) -> Work:
    """Some steps along each direction, as far as the filters are long."""
    inputs, labels, minimum = scene.inputs, scene.labels, scene.vector
    network = network_of(scene)
    drawn = draw(network.layout, minimum, kind="paper", seed=SEED, indices=range(directions))
    moves = drawn.vectors * drawn.reach / steps
    places = np.tile(np.arange(1.0, steps + 1), directions)
    rays = np.repeat(np.arange(directions), steps)
    landscape = Landscape(network, minimum, moves, inputs, labels)
    resident, start = Resident(scene.plain()), Resident(scene.plain())
    ends = [scene.plain(minimum + steps * move) for move in moves]

    def tight() -> np.ndarray:
        displacements = (step * move for move in moves for step in range(1, steps + 1))
        return resident.losses(minimum, displacements, inputs, labels, scene.loss)

    def shipped() -> np.ndarray:
        return peers.lines_of_loss_landscapes(
            start, minimum, ends, (scene.loss, inputs, labels), steps=steps
        )

    count = directions * steps
    # Others add a step to the parameters again and again, which rounds each time.
    tolerance = 1e-3
    name = f"{_named(scene)}, {directions:,} directions of {steps} losses"
    return Work(
        size=name,
        unit="losses/s",
        ours=Way(OURS, lambda: landscape.along(places, rays), count),
        peers=there(
            [
                Way("loss-landscapes", shipped, count, tolerance)
                if peers.installed("loss_landscapes")
                else None,
                Way("a plain loop, all resident", tight, count, tolerance),
            ]
        ),
        flops=partial(flops_of, lambda: resident.module(inputs)),
        threads=threads,
    )


def _named(scene: Scene) -> str:
    points = f"{len(scene.labels):,}"
    if isinstance(scene, SwissRoll):
        return f"network of {scene.model.layout.size:,} parameters on {points} points"
    depth = dict(scene.settings)["depth"]
    return f"ResNet-{depth} on {points} images of {scene.pixels}×{scene.pixels}"


def basin_radii(bench: Bench, roll: SwissRoll) -> Iterator[Record]:
    """How many losses a radius takes, and how long: at one cutoff, and at all."""
    directions, few = bench.size(256, 4), bench.size(16, 2)
    for cutoffs in ((), CUTOFFS):
        make = partial(radii, roll, directions, few, cutoffs)
        work = make()
        ours, peer = counted(roll, directions, cutoffs), counted_one_by_one(roll, few, cutoffs)
        yield bench.record(
            "basin-radii", work.size, "losses/radius", ours,
            peer=peer, peer_name=work.peers[0].name, ratio=peer / ours,
        )  # fmt: skip
        yield from bench.measure("basin-radii", make)


def radii(roll: SwissRoll, directions: int, few: int, cutoffs: tuple[float, ...]) -> Work:
    """Radii at every cutoff, ours along all directions and one by one along the first few.

    One more cutoff is the loss at the minimum plus ``EXCESS``.
    """
    resident = Resident(roll.plain())
    count = len(cutoffs) + 1
    return Work(
        size=f"{_named(roll)}, {directions} directions, "
        f"{count} {'cutoff' if count == 1 else 'cutoffs'}",
        unit="radii/s",
        ours=Way(OURS, lambda: our_radii(roll, directions, cutoffs)[:, :few], count * directions),
        peers=(
            Way(
                "ray by ray, SciPy’s brentq and a plain loop",
                lambda: _one_by_one(resident, roll, few, cutoffs)[0],
                count * few,
                tolerance=1e-3,
                # Where a ray crosses a cutoff more than once in a step, either may be found.
                agreeing=0.9,
            ),
        ),
        flops=lambda: (
            counted(roll, directions, cutoffs) * flops_of(lambda: resident.module(roll.inputs))
        ),
    )


def our_radii(roll: SwissRoll, directions: int, cutoffs: tuple[float, ...]) -> np.ndarray:
    """Radii (cutoffs, directions) as surveys measure them, with all else that they say."""
    found = basins(
        roll.model, roll.vector[None], roll.inputs, roll.labels,
        cutoffs=cutoffs, excess=EXCESS, kind="exact", directions=directions, decades=DECADES,
        seed=SEED,
    )  # fmt: skip
    return np.asarray(found.radii[0])


def counted(roll: SwissRoll, directions: int, cutoffs: tuple[float, ...]) -> float:
    """Losses that a radius takes us, those at the minimum and for rounding included."""
    calls: list[int] = []
    evaluate = Landscape.along

    def along(landscape: Landscape, distances: np.ndarray, rays: np.ndarray) -> np.ndarray:
        calls.append(len(distances))
        return evaluate(landscape, distances, rays)

    with patch.object(Landscape, "along", along):
        found = our_radii(roll, directions, cutoffs)
    if sum(calls) < directions:
        raise RuntimeError("radii are no longer found by Landscape.along, where losses are counted")
    return sum(calls) / found.size


def counted_one_by_one(roll: SwissRoll, directions: int, cutoffs: tuple[float, ...]) -> float:
    """Losses that a radius takes one by one."""
    found, count = _one_by_one(Resident(roll.plain()), roll, directions, cutoffs)
    return count / found.size


def _one_by_one(
    resident: Resident, roll: SwissRoll, directions: int, cutoffs: tuple[float, ...]
) -> tuple[np.ndarray, int]:
    """Radii (cutoffs, directions) and how many losses were taken."""
    minimum, inputs, labels = roll.vector, roll.inputs, roll.labels
    drawn = draw(roll.model.layout, minimum, kind="exact", seed=SEED, indices=range(directions))
    taken = 0

    def loss(ray: int, distance: float) -> float:
        nonlocal taken
        taken += 1
        move = iter([float(distance) * drawn.vectors[ray]])
        return float(resident.losses(minimum, move, inputs, labels, roll.loss)[0])

    found = peers.radii_one_by_one(
        loss, directions, (*cutoffs, loss(0, 0.0) + EXCESS), start=1e-3 * drawn.reach,
        tolerance=radius_tolerance(minimum, drawn.dimension, DECADES),
    )  # fmt: skip
    return found, taken


def surface_2d(bench: Bench, roll: SwissRoll) -> Iterator[Record]:
    """The surface of either kind of network."""
    images = resnet(8, bench.size(8, 2), pixels=8, channels=1, points=bench.size(100, 10))
    for scene, side in ((roll, bench.size(41, 5)), (images, bench.size(11, 5))):
        yield from bench.measure("surface-2d", partial(surface, scene, side))


def surface(scene: Scene, side: int) -> Work:
    """A square as wide as the filters are long, on the same two directions."""
    network, minimum = network_of(scene), scene.vector
    inputs, labels = scene.inputs, scene.labels
    first, second = (
        drawn.vectors[0] * drawn.reach
        for drawn in (
            draw(network.layout, minimum, kind="paper", seed=SEED, indices=range(k, k + 1))
            for k in (0, 1)
        )
    )
    axis = np.linspace(-1, 1, side)
    resident = Resident(scene.plain())
    # Theirs begins a step beyond the corner along the second direction.
    spacing = 2 / (side - 1)
    corner = minimum - first - (1 + spacing) * second
    ends = [corner, corner + side * spacing * first, corner + side * spacing * second]
    modules = [scene.plain(end) for end in ends]

    def ours() -> np.ndarray:
        found = loss_surface(network, minimum, inputs, labels, grid_points=side, seed=SEED)
        return np.asarray(found.loss.T)

    def tight() -> np.ndarray:
        moves = (float(x) * first + float(y) * second for x in axis for y in axis)
        return resident.losses(minimum, moves, inputs, labels, scene.loss).reshape(side, side)

    def shipped() -> np.ndarray:
        found = peers.plane_of_loss_landscapes(modules, inputs, labels, scene.loss, steps=side)
        # On its way back it lags a step: every other row lacks its end, and is NaN in ours' place.
        aligned = found.copy()
        aligned[1::2, :-1] = found[1::2, 1:]
        aligned[1::2, -1] = np.nan
        return aligned

    count = side * side
    return Work(
        size=f"{_named(scene)}, {side}×{side}",
        unit="losses/s",
        ours=Way(OURS, ours, count),
        peers=there(
            [
                # The share that it has of the grid.
                Way("loss-landscapes", shipped, count, 1e-3, 1 - 0.6 / side)
                if peers.installed("loss_landscapes")
                else None,
                Way("a plain loop, all resident", tight, count, 1e-3),
            ]
        ),
        flops=partial(flops_of, lambda: resident.module(inputs)),
    )
