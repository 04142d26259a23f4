"""Basin radii: how far the loss stays below a cutoff along many rays from a minimum."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import elementwise

# Loss at each distance along each ray: (places,), (places,) -> (places,), all float64 but the rays.
Loss = Callable[
    [Float[np.ndarray, " places"], Int[np.ndarray, " places"]], Float[np.ndarray, " places"]
]


@dataclass(frozen=True, eq=False)
class Basin:
    """How far a basin reaches along each ray, for each cutoff. All arrays are float64.

    Attributes:
        radii: distance of the first crossing, in units of the length of the direction vectors.
            NaN where the minimum itself lies at or above the cutoff, so that there is no basin;
            inf where the loss stays below the cutoff up to ``limit``.
        recrossing: 1 where a ray comes back below the cutoff after the first crossing, at a marched
            distance of at most ``beyond`` times the radius (and ``limit``), else 0. NaN where there
            is no basin.
        minimum_loss: the loss at distance 0.
        limit: the largest distance searched.
    """

    radii: Float[np.ndarray, "cutoffs rays"]
    recrossing: Float[np.ndarray, "cutoffs rays"]
    minimum_loss: float
    limit: float

    @property
    def recrossing_share(self) -> Float[np.ndarray, " cutoffs"]:
        """Fraction of all rays that come back below the cutoff. NaN where there is no basin."""
        share: np.ndarray = self.recrossing.mean(axis=1)
        return share


def concatenate(parts: Sequence[Basin]) -> Basin:
    """The basin along all rays, from parts around one minimum; a ValueError if there are none."""
    if not parts:
        raise ValueError("a basin is made of at least one part")
    return Basin(
        np.concatenate([part.radii for part in parts], axis=1),
        np.concatenate([part.recrossing for part in parts], axis=1),
        parts[0].minimum_loss,
        parts[0].limit,
    )


def log_radius_tolerance(dimension: int, decades: float = 0.01) -> float:
    """Tolerance in ln r that moves log10 of a volume in ``dimension`` dimensions by ``decades``.

    From δ log10 V = n δ(ln r) / ln 10. What arithmetic can carry is another matter: see
    ``resolution``.
    """
    return decades * math.log(10) / dimension


def first_crossings(
    loss: Loss,
    rays: int,
    cutoffs: Sequence[float] | Float[np.ndarray, " cutoffs"],
    *,
    start: float,
    limit: float,
    tolerance: float,
    per_octave: int = 8,
    beyond: float = 2.0,
) -> Basin:
    """Find where the loss first reaches each cutoff along each ray.

    Each ray is doubled outwards from ``start`` (or halved inwards, if the loss is already too high
    there) until the lowest cutoff lies between a distance and its double. From that distance it is
    marched outwards in ``per_octave`` geometric steps per doubling until it is ``beyond`` times as
    far as its crossing of the highest cutoff. The first step across each cutoff is then refined in
    ln r by Chandrupatla's method. An excursion above a cutoff that falls between two distances
    visited, doubled or marched, goes unseen. Every ray is treated by itself, whichever others are
    asked for with it.

    Args:
        loss: the loss at distances along rays, vectorised; infinite or NaN counts as above.
        cutoffs: absolute levels of the loss.
        start: a distance well inside the basin.
        limit: the largest distance to search.
        tolerance: of ln r; see ``log_radius_tolerance``.
        per_octave: marched distances per doubling of the distance.
        beyond: how far past a crossing to look for a return, as a multiple of its distance; ≥ 1.

    Raises:
        ValueError: if an argument is out of range, or the loss does not fall below a cutoff that
            the minimum is below, however near the minimum.
    """
    if not 0 < start < limit < math.inf:
        raise ValueError(f"start is {start} and limit is {limit}; need 0 < start < limit < inf")
    if not (tolerance > 0 and per_octave >= 1 and beyond >= 1):
        raise ValueError(
            f"tolerance is {tolerance}, per_octave {per_octave} and beyond {beyond}; "
            "need tolerance > 0 and the others at least 1"
        )

    def defined(distances: np.ndarray, rays: np.ndarray) -> np.ndarray:
        values = loss(distances, rays)
        return np.where(np.isnan(values), np.inf, values)

    levels = np.asarray(cutoffs, dtype=np.float64)
    minimum_loss = float(loss(np.zeros(1), np.zeros(1, dtype=np.int64))[0])
    radii = np.full((len(levels), rays), np.nan)
    recrossing = np.full((len(levels), rays), np.nan)
    inside = minimum_loss < levels
    if inside.any() and rays:
        lowest, highest = levels[inside].min(), levels[inside].max()
        origin = _last_octave_below(defined, rays, lowest, start, limit)
        path = _march(defined, origin, highest, limit=limit, per_octave=per_octave, beyond=beyond)
        radii[inside], recrossing[inside] = _crossings(
            defined, path, levels[inside], tolerance=tolerance, beyond=beyond
        )
    return Basin(radii, recrossing, minimum_loss, limit)


def _last_octave_below(
    loss: Loss, rays: int, lowest: float, start: float, limit: float
) -> tuple[Float[np.ndarray, " rays"], Float[np.ndarray, " rays"]]:
    """For each ray a distance below the cutoff whose double is not, or is too far; and its loss."""
    distances = np.full(rays, start)
    losses = loss(distances, np.arange(rays))
    climbing = np.flatnonzero(losses < lowest)
    falling = np.flatnonzero(losses >= lowest)
    while falling.size:
        distances[falling] /= 2
        if distances.min() < start * 2.0**-100:
            raise ValueError(
                f"the loss along ray {falling[0]} does not fall below {lowest} near the minimum"
            )
        losses[falling] = loss(distances[falling], falling)
        falling = falling[losses[falling] >= lowest]
    while (climbing := climbing[2 * distances[climbing] <= limit]).size:
        values = loss(2 * distances[climbing], climbing)
        below = values < lowest
        climbing = climbing[below]
        distances[climbing] *= 2
        losses[climbing] = values[below]
    return distances, losses


def _march(
    loss: Loss,
    origin: tuple[Float[np.ndarray, " rays"], Float[np.ndarray, " rays"]],
    highest: float,
    *,
    limit: float,
    per_octave: int,
    beyond: float,
) -> tuple[Float[np.ndarray, "steps rays"], Float[np.ndarray, "steps rays"]]:
    """Distances and losses on the way out, NaN where a ray has been stopped."""
    position, at_position = origin
    distances, losses = [position], [at_position]
    horizon = np.full(len(position), limit)
    crossed = np.zeros(len(position), dtype=bool)
    while (active := np.flatnonzero(position < horizon)).size:
        position = np.minimum(position * 2 ** (1 / per_octave), horizon)
        values = np.full(len(position), np.nan)
        values[active] = loss(position[active], active)
        crossing = ~crossed & (values >= highest)
        horizon[crossing] = np.minimum(beyond * position[crossing], limit)
        crossed |= crossing
        distances.append(position)
        losses.append(values)
    return np.stack(distances), np.stack(losses)


def _crossings(
    loss: Loss,
    path: tuple[Float[np.ndarray, "steps rays"], Float[np.ndarray, "steps rays"]],
    cutoffs: Float[np.ndarray, " cutoffs"],
    *,
    tolerance: float,
    beyond: float,
) -> tuple[Float[np.ndarray, "cutoffs rays"], Bool[np.ndarray, "cutoffs rays"]]:
    """First crossings, refined, and which rays return below each cutoff after them."""
    distances, losses = path
    above = losses >= cutoffs[:, None, None]
    first = above.argmax(axis=1)
    which, ray = np.nonzero(above.any(axis=1))
    step = first[which, ray]

    def above_cutoff(
        log_distance: np.ndarray, ray: np.ndarray, cutoff: np.ndarray, *ends: np.ndarray
    ) -> np.ndarray:
        # The root finder begins by evaluating both ends of the bracket, which the march has done.
        low, at_low, high, at_high = ends
        values = np.where(log_distance == low, at_low, at_high)
        new = (log_distance != low) & (log_distance != high)
        values[new] = loss(np.exp(log_distance[new]), ray[new])
        return np.asarray(values - cutoff)

    low, high = np.log(distances[step - 1, ray]), np.log(distances[step, ray])
    ends = (low, losses[step - 1, ray], high, losses[step, ray])
    found = elementwise.find_root(
        above_cutoff,
        (low, high),
        args=(ray, cutoffs[which], *ends),
        tolerances={"xatol": tolerance, "xrtol": 0.0},
    )
    radii = np.full(first.shape, np.inf)
    radii[which, ray] = np.exp(found.x)

    steps = np.arange(len(losses))[:, None]
    later = steps > first[:, None, :]
    near = distances <= beyond * radii[:, None, :]
    below = losses < cutoffs[:, None, None]
    returned = (later & near & below).any(axis=1) & above.any(axis=1)
    return radii, returned
