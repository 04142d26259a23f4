"""Checkpoints of one's own training in the plane of their principal components.

Li et al. 2018, arXiv 1712.09913, section 7: two random directions are all but orthogonal to the way
of training, and show none of it; the plane that shows most of it is that of the first two principal
components of θᵢ − θₙ, laid through the last checkpoint θₙ.

**What is explained means little.** The walk of a particle that knows nothing of any loss, in many
dimensions, has 6/π² ≈ .61 of its variance along the first component and 6/(4π²) ≈ .15 along the
second (Antognini and Sohl-Dickstein 2018, arXiv 1806.08805); its projections are cosines of one
half and of one wave, so that the walk looks like a smooth arc. A share of .76 in a plane is what
chance gives: ``Trajectory.random_walk`` has the shares to hold those that were found against.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from flatminima.geometry.surface import Landscape
from flatminima.models.evaluation import Evaluator, with_statistics
from flatminima.models.network import Network
from flatminima.models.statistics import Statistics
from flatminima.progress import Report, silent

# Bytes of checkpoints that are compared at once, in float64.
_MEMORY = 2**28
# Lengths along the second component below this share of those along the first are rounding.
_FLAT = 1e-6

Checkpoints = Tensor | np.ndarray | Sequence[Tensor | np.ndarray]
"""Parameter vectors in the order of training: a matrix, such as one that NumPy maps into memory, or
a sequence of vectors, such as one that reads each from its file when it is asked for it."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Checkpoints in the plane of their first two principal components, and the loss there.

    Distances are Euclidean, in weight space; running statistics do not count.

    Attributes:
        explained: share of the checkpoints' variance along each principal component, largest first;
            they add up to 1.
        axes: the first two components, orthogonal unit vectors, zero at running statistics. The
            checkpoint that is farthest along an axis is on its positive side.
        coordinates: of each checkpoint along both axes, from the last one, which is at (0, 0).
        distances: of each checkpoint from the plane.
        losses: at each checkpoint itself, mean negative log-likelihood in nats, float64.
        projected_losses: where the checkpoints are in the picture, at their projections onto the
            plane. How far these are from ``losses`` is how far the picture is from the truth.
        x, y: places along the axes.
        loss: at each place, in nats, float64; not finite where logits leave the range of their
            dtype.
        accuracy: share of points that are right at each place; NaN where the loss is not finite.
        batch_norm: which statistics normalise; None without batch norm.
    """

    explained: Float64[np.ndarray, " components"]
    axes: Float[Tensor, "2 parameters"]
    coordinates: Float64[np.ndarray, "checkpoints 2"]
    distances: Float64[np.ndarray, " checkpoints"]
    losses: Float64[np.ndarray, " checkpoints"]
    projected_losses: Float64[np.ndarray, " checkpoints"]
    x: Float64[np.ndarray, " columns"]
    y: Float64[np.ndarray, " rows"]
    loss: Float64[np.ndarray, "rows columns"]
    accuracy: Float64[np.ndarray, "rows columns"]
    batch_norm: Statistics | None

    @property
    def random_walk(self) -> Float64[np.ndarray, " components"]:
        """What would be explained of a random walk of as many checkpoints."""
        return random_walk_shares(len(self.coordinates))


def random_walk_shares(places: int) -> Float64[np.ndarray, " components"]:
    """Share of a random walk's variance along each principal component, in many dimensions.

    The k-th of n − 1 is 3 / ((n² − 1) (1 − cos(πk/n))), which tends to 6/(πk)² with the number n of
    places (Antognini and Sohl-Dickstein 2018, section 3). Of fewer dimensions than places, the
    first shares are larger still.

    Raises:
        ValueError: if there are less than two places.
    """
    if places < 2:
        raise ValueError(f"a walk of {places} places goes nowhere; take two or more")
    waves = np.pi * np.arange(1, places) / places
    return np.asarray(3 / ((places**2 - 1) * (1 - np.cos(waves))))


def trajectory(
    network: Network,
    checkpoints: Checkpoints,
    inputs: Float[Tensor, "points ..."],
    labels: Int[Tensor, " points"],
    *,
    grid_points: int = 41,
    margin: float = 0.25,
    batch_norm: Statistics | None = None,
    batch: int | None = None,
    memory: int | None = None,
    report: Report = silent,
) -> Trajectory:
    """Lay checkpoints of a training into the plane that shows most of it.

    Components are those of the checkpoints' deviations from their mean, as in the paper's code,
    taken from the matrix of their products with each other: no more than a few checkpoints are
    looked at together, each several times. Every parameter counts, biases and those of batch norm
    too.

    Args:
        network: any; a ``torch.nn.Module`` as ``ModuleNetwork(module)``.
        checkpoints: parameter vectors in the order of training, such as ``network.vector(module)``
            after each epoch; three or more.
        inputs, labels: the points, on the device on which networks are to be evaluated.
        grid_points: along either axis.
        margin: how far the picture reaches beyond the trajectory on each side, as a share of the
            larger of its two extents.
        batch_norm: which statistics normalise, see ``models.statistics``. None: ``frozen``, or
            those of the network if it is an ``Evaluator`` already. Frozen ones are a checkpoint's
            own for ``losses``, and those of the last one anywhere on the plane.
        batch: number of points that share statistics, if these are ``batch``.
        memory: bytes that displaced networks may take at once, see ``Landscape``.

    Raises:
        ValueError: if there are less than three checkpoints, they do not fit the network, are not
            finite or lie on a line, there is no grid, the network is an ``Evaluator`` by other
            statistics, or what is given does not go together, see ``geometry.checked``.
    """
    if grid_points < 2 or margin < 0:
        raise ValueError(
            f"there are {grid_points} grid points with a margin of {margin}; "
            "take two or more, and no margin below zero"
        )
    if isinstance(network, Evaluator) and batch_norm not in (None, network.statistics):
        raise ValueError(f"the network is evaluated by {network.statistics} statistics already")
    evaluated = with_statistics(network, batch_norm, batch)
    _refuse_misshapen(checkpoints, network.layout.size)
    last = _rows(checkpoints, [len(checkpoints) - 1])[0].to(inputs.device)
    moving = network.trainable
    explained, components = principal_components(checkpoints, last, moving)
    coordinates, distances = _projected(checkpoints, last, components)
    # The sign of a component is nobody's choice.
    farthest = np.abs(coordinates).argmax(axis=0)
    signs = np.sign(coordinates[farthest, [0, 1]])
    coordinates = coordinates * signs
    axes = torch.zeros((2, len(last)), dtype=last.dtype, device=last.device)
    axes[:, :moving] = (components * torch.from_numpy(signs).to(components)[:, None]).to(axes)

    landscape = Landscape(evaluated, last, axes, inputs, labels, memory)
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    reach = margin * float((high - low).max())
    x, y = np.linspace(low - reach, high + reach, grid_points).T
    count = len(coordinates)
    total = grid_points**2 + count
    losses = np.empty(count)
    for number in range(count):
        vector = _rows(checkpoints, [number])[0].to(last)
        losses[number] = replace(landscape, minimum=vector).at_minimum()
        report(number + 1, total, "")
    projected = landscape.at(coordinates)
    loss, accuracy = landscape.plane_scores(
        x, y, report=lambda done, _total, text: report(count + done, total, text)
    )
    used = isinstance(evaluated, Evaluator) and evaluated.normalises and evaluated.statistics
    return Trajectory(
        explained=explained,
        axes=axes,
        coordinates=coordinates,
        distances=distances,
        losses=losses,
        projected_losses=projected,
        x=x,
        y=y,
        loss=loss,
        accuracy=np.where(np.isfinite(loss), accuracy, np.nan),
        batch_norm=used or None,
    )


def principal_components(
    checkpoints: Checkpoints, origin: Float[Tensor, " parameters"], moving: int
) -> tuple[Float64[np.ndarray, " components"], Float64[Tensor, "2 moving"]]:
    """Share of variance along every component, and the first two, of the first ``moving`` numbers.

    With deviations C (checkpoints × parameters) from the mean, C Cᵀ has the eigenvalues of Cᵀ C
    that are not zero, and v = Cᵀ u / ‖Cᵀ u‖ for each of its eigenvectors u. Products are of
    differences from ``origin``, in float64, so that they do not drown in the length of the vectors.

    Raises:
        ValueError: if the checkpoints lie on a line.
    """
    count = len(checkpoints)
    size = max(1, min(count, _MEMORY // (16 * moving)))
    parts = np.array_split(np.arange(count), -(-count // size))
    gram = np.empty((count, count))
    for number, part in enumerate(parts):
        ours = _differences(checkpoints, part, origin, moving)
        for other in parts[: number + 1]:
            theirs = ours if other is part else _differences(checkpoints, other, origin, moving)
            block = (ours @ theirs.T).cpu().numpy()
            gram[np.ix_(part, other)], gram[np.ix_(other, part)] = block, block.T
    centred = gram - gram.mean(axis=0) - gram.mean(axis=1)[:, None] + gram.mean()
    values, vectors = np.linalg.eigh(centred)
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    if not values[1] > _FLAT**2 * values[0]:
        raise ValueError(
            "the checkpoints lie on a straight line, so there is no plane of theirs; take some in "
            "between, or a loss along that line"
        )
    weights = vectors[:, :2] - vectors[:, :2].mean(axis=0)
    axes = torch.zeros((2, moving), dtype=torch.float64, device=origin.device)
    for part in parts:
        shares = torch.from_numpy(weights[part].T.copy()).to(axes)
        axes += shares @ _differences(checkpoints, part, origin, moving)
    first = axes[0] / axes[0].norm()
    second = axes[1] - (axes[1] @ first) * first
    # The last of as many eigenvalues as checkpoints is that of the mean, and zero.
    return values[:-1] / values[:-1].sum(), torch.stack([first, second / second.norm()])


def _projected(
    checkpoints: Checkpoints,
    origin: Float[Tensor, " parameters"],
    components: Float64[Tensor, "2 moving"],
) -> tuple[Float64[np.ndarray, "checkpoints 2"], Float64[np.ndarray, " checkpoints"]]:
    """Coordinates of each checkpoint, and its distance from the plane."""
    coordinates, distances = [], []
    for number in range(len(checkpoints)):
        (away,) = _differences(checkpoints, [number], origin, components.shape[1])
        place = components @ away
        coordinates.append(place.cpu().numpy())
        distances.append(float((away - place @ components).norm()))
    return np.stack(coordinates), np.array(distances)


def _differences(
    checkpoints: Checkpoints,
    numbers: Sequence[int] | np.ndarray,
    origin: Float[Tensor, " parameters"],
    moving: int,
) -> Float64[Tensor, "some moving"]:
    """θᵢ − θₙ of some checkpoints, without running statistics."""
    rows = [row[:moving].to(origin.device, torch.float64) for row in _rows(checkpoints, numbers)]
    return torch.stack(rows) - origin[:moving].double()


def _rows(checkpoints: Checkpoints, numbers: Sequence[int] | np.ndarray) -> list[Tensor]:
    """Some checkpoints; a copy of those that are arrays, which may be read-only."""
    rows = (checkpoints[int(number)] for number in numbers)
    return [
        row.detach() if isinstance(row, Tensor) else torch.from_numpy(np.array(row)) for row in rows
    ]


def _refuse_misshapen(checkpoints: Checkpoints, size: int) -> None:
    count = len(checkpoints)
    if count < 3:
        raise ValueError(f"there are {count} checkpoints; a plane takes three or more")
    for number in range(count):
        (row,) = _rows(checkpoints, [number])
        if row.shape != (size,):
            raise ValueError(
                f"checkpoint {number} has shape {tuple(row.shape)}; expected ({size},), "
                "one parameter vector"
            )
        if not row.isfinite().all():
            raise ValueError(f"checkpoint {number} is not finite; leave it out")
