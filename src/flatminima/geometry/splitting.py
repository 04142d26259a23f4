"""Multilevel splitting: the Gaussian mass of a region without rays, to check the rays by.

A rare region {h < level} is reached through nested ones, {h < c₁} ⊃ {h < c₂} ⊃ …, each of which
holds a fixed share of the particles in the one before; the product of the shares is its probability
(subset simulation, Au and Beck 2001). Particles inside a level are spread by preconditioned
Crank-Nicolson moves z' = √(1 − s²) z + s ξ, which leave the Gaussian as it is in any dimension
(Cotter et al. 2013) and are refused where they would leave the level.

In many dimensions such moves stall: they walk at random, in steps as short as the level is deep.
Where the gradient of the height is known, particles fly instead (constrained Hamiltonian Monte
Carlo, Betancourt 2010, arXiv 1005.0157): each gets a momentum p ~ N(0, I) and turns in the plane of
its place and its momentum, which leaves the Gaussian as it is to the last digit, and where a step
ends outside the level the momentum is mirrored by the gradient there. A mirror that depends on the
place alone makes the flight reversible, whatever it is, so that an inexact gradient costs flights
and no truth. Flights that end outside are refused.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from flatminima.progress import Report, silent
from flatminima.seeding import generator

Height = Callable[[Float[np.ndarray, "particles n"]], Float[np.ndarray, " particles"]]
"""What is to lie below the level, at standard normal coordinates."""

Gradient = Callable[[Float[np.ndarray, "particles n"]], Float[np.ndarray, "particles n"]]
"""Of the height of each of some particles, by their coordinates."""

KEPT = 0.25
"""Share of the particles below the next level, by default."""

# Moves are made longer above this share of accepted ones and shorter below it; flights likewise.
_ACCEPTED = 0.3
_ARRIVED = 0.6
# Turns of one flight, each of which is half a radian at the most. An odd number: where the level is
# as round as a ball, particles come back from each mirror to the height that they left from, and
# with an even number every flight would be taken and no height would change.
_TURNS = 7
_WIDEST = 0.5
_LEVELS = 1000


@dataclass(frozen=True, eq=False)
class Splitting:
    """The probability of a region, in log10, by independent runs.

    Attributes:
        log10_probability: of the mean probability over the runs.
        low, high: the least and the greatest run.
        runs: of each run.
        levels: mean number of levels that a run took.
        accepted: mean share of accepted moves.
        survivors: of each run, the particles that ended in the region, float32.
    """

    log10_probability: float
    low: float
    high: float
    runs: Float[np.ndarray, " runs"]
    levels: float
    accepted: float
    survivors: tuple[Float[np.ndarray, "particles n"], ...]

    @property
    def particles(self) -> Float[np.ndarray, "particles n"]:
        """The survivors of the first run."""
        return self.survivors[0]


def split(
    height: Height,
    dimension: int,
    level: float,
    *,
    gradient: Gradient | None = None,
    particles: int = 500,
    kept: float = KEPT,
    moves: int = 10,
    runs: int = 4,
    seed: int = 0,
    report: Report = silent,
) -> Splitting:
    """Estimate the probability that ``height(z) < level`` for standard normal z.

    For a Gaussian N(θ, σ²M²) hand over h(z) = loss(θ + σ M z).

    Args:
        dimension: n, of the points that ``height`` takes, many at once.
        gradient: of the height, with which particles fly; without it they walk. It is asked for
            places outside the level alone.
        particles: in each run.
        kept: share of the particles below the next level.
        moves: of each particle between levels. Too few leave particles near their parents: the
            estimate then varies more, and is low in the median.
        runs: independent repetitions, which say how sure the estimate is.
        seed: root seed; what run i draws for its move m at level l has the address
            ``(seed, "splitting", i, l, m)``.

    Raises:
        ValueError: if an argument is out of range, or the region is not reached.
    """
    if not (particles >= 2 and 0 < kept < 1 and moves >= 1 and runs >= 1):
        raise ValueError("splitting takes two particles or more, 0 < kept < 1, moves and runs")
    outcomes = []
    for run in range(runs):
        report(run, runs, "runs of splitting")
        outcome = _run(
            height,
            dimension,
            level,
            gradient=gradient,
            particles=particles,
            kept=kept,
            moves=moves,
            seed=seed,
            run=run,
        )
        outcomes.append(outcome)
    log, levels, accepted, ended = zip(*outcomes, strict=True)
    logs = np.array(log)
    mean = math.log10(np.mean(10.0 ** (logs - logs.max()))) + float(logs.max())
    return Splitting(
        log10_probability=mean,
        low=float(logs.min()),
        high=float(logs.max()),
        runs=logs,
        levels=float(np.mean(levels)),
        accepted=float(np.mean(accepted)),
        survivors=ended,
    )


def _run(
    height: Height,
    dimension: int,
    level: float,
    *,
    gradient: Gradient | None,
    particles: int,
    kept: float,
    moves: int,
    seed: int,
    run: int,
) -> tuple[float, int, float, np.ndarray]:
    """One run: log10 of the probability, levels, share of accepted moves, and its particles."""

    def normal(*index: int) -> np.random.Generator:
        return generator(seed, "splitting", run, *index)

    places = normal(0, 0).standard_normal((particles, dimension), dtype=np.float32)
    heights = _defined(height(places))
    shares: list[float] = []
    log, step = 0.0, 0.5
    propose: _Propose = _walk if gradient is None else _flight(gradient)
    wanted, widest = (_ACCEPTED, 0.999) if gradient is None else (_ARRIVED, _WIDEST)
    for number in range(1, _LEVELS):
        inside = int((heights < level).sum())
        threshold = level
        if inside < kept * particles:
            threshold = _between(heights, max(1, round(kept * particles)), level)
        below = heights < threshold
        log += math.log10(below.mean())
        chosen = np.flatnonzero(below)
        if threshold == level:
            share = float(np.mean(shares)) if shares else 1.0
            return log, number, share, places[chosen]
        draw = normal(number, 0)
        # As even as can be: every survivor has as many children as any other, or one more.
        parents = np.resize(draw.permutation(chosen), particles)
        places, heights = places[parents], heights[parents]
        for move in range(1, moves + 1):
            draw = normal(number, move)
            noise = draw.standard_normal(places.shape, dtype=np.float32)
            proposed, values = propose(height, places, noise, step, threshold)
            taken = values < threshold
            places[taken], heights[taken] = proposed[taken], values[taken]
            shares.append(float(taken.mean()))
            step = float(np.clip(step * math.exp(taken.mean() - wanted), 1e-4, widest))
    raise ValueError(f"the level {level:.3g} was not reached after {_LEVELS} levels")


_Propose = Callable[[Height, np.ndarray, np.ndarray, float, float], tuple[np.ndarray, np.ndarray]]
"""From height, places, standard normal numbers, step and threshold to new places and heights."""


def _walk(
    height: Height, places: np.ndarray, noise: np.ndarray, step: float, _threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """One preconditioned Crank-Nicolson move of every particle."""
    proposed = np.float32(math.sqrt(1 - step * step)) * places + np.float32(step) * noise
    return proposed, _defined(height(proposed))


def _flight(gradient: Gradient) -> _Propose:
    """Flights of every particle that bounce off the level; a step is an angle in radians."""

    def fly(
        height: Height, places: np.ndarray, noise: np.ndarray, step: float, threshold: float
    ) -> tuple[np.ndarray, np.ndarray]:
        along, across = np.float32(math.cos(step)), np.float32(math.sin(step))
        values = np.empty(len(places))
        momenta = noise
        for _ in range(_TURNS):
            places, momenta = (
                along * places + across * momenta,
                along * momenta - across * places,
            )
            values = _defined(height(places))
            outside = np.flatnonzero(~(values < threshold))
            if outside.size:
                normals = np.asarray(gradient(places[outside]), dtype=np.float32)
                lengths = np.linalg.norm(normals, axis=1, keepdims=True)
                # Without a direction there is no mirror, and the particle flies on.
                sound = np.isfinite(lengths) & (lengths > 0)
                mirrors = np.where(sound, normals, 0) / np.where(sound, lengths, 1)
                against = (momenta[outside] * mirrors).sum(axis=1, keepdims=True)
                momenta[outside] -= 2 * against * mirrors
        return places, values

    return fly


def _between(heights: np.ndarray, count: int, level: float) -> float:
    """A height with as near to ``count`` particles below as can be, but not all and not none.

    Half way between two particles. Particles that no move was taken of are as high as their
    siblings, so that there may be no height with just as many below.
    """
    distinct, alike = np.unique(heights, return_counts=True)
    if len(distinct) == 1:
        raise ValueError(f"splitting stopped at {distinct[0]:.3g}, above the level {level:.3g}")
    place = int(np.abs(np.cumsum(alike)[:-1] - count).argmin())
    low, high = distinct[place : place + 2]
    middle = (low + high) / 2
    return max(float(middle if middle > low else high), level)


def _defined(values: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(values), np.inf, np.asarray(values, dtype=np.float64))
