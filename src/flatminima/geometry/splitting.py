"""Multilevel splitting: the Gaussian mass of a region without rays, to check the rays by.

A rare region {h < level} is reached through nested ones, {h < c₁} ⊃ {h < c₂} ⊃ …, each of which
holds a fixed share of the particles in the one before; the product of the shares is its probability
(subset simulation, Au and Beck 2001). Particles inside a level are spread by preconditioned
Crank-Nicolson moves z' = √(1 − s²) z + s ξ, which leave the Gaussian as it is in any dimension
(Cotter et al. 2013) and are refused where they would leave the level.
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

KEPT = 0.25
"""Share of the particles below the next level, by default."""

# Moves are made longer above this share of accepted ones and shorter below it.
_ACCEPTED = 0.3
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
        particles: of the first run, those that ended in the region, float32.
    """

    log10_probability: float
    low: float
    high: float
    runs: Float[np.ndarray, " runs"]
    levels: float
    accepted: float
    particles: Float[np.ndarray, "particles n"]


def split(
    height: Height,
    dimension: int,
    level: float,
    *,
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
        particles=ended[0],
    )


def _run(
    height: Height,
    dimension: int,
    level: float,
    *,
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
            proposed = np.float32(math.sqrt(1 - step * step)) * places + np.float32(step) * noise
            values = _defined(height(proposed))
            taken = values < threshold
            places[taken], heights[taken] = proposed[taken], values[taken]
            shares.append(float(taken.mean()))
            step = float(np.clip(step * math.exp(taken.mean() - _ACCEPTED), 1e-4, 0.999))
    raise ValueError(f"the level {level:.3g} was not reached after {_LEVELS} levels")


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
