"""A number estimated from independent draws, with its interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

INTERVAL = 0.95


@dataclass(frozen=True)
class Sampled:
    """A mean with its 95% interval by Student's t; both ends NaN from a single draw.

    Notes say, in sentences, what was found in a cheaper way than usual for want of memory.
    """

    value: float
    low: float
    high: float
    notes: tuple[str, ...] = ()


def mean_of(draws: Sequence[float] | Float[np.ndarray, " draws"]) -> Sampled:
    """The mean of independent draws with its interval.

    Raises:
        ValueError: if there are no draws.
    """
    if not len(draws):
        raise ValueError("a mean takes at least one draw")
    value = float(np.mean(draws))
    if len(draws) == 1:
        return Sampled(value, math.nan, math.nan)
    error = float(np.std(draws, ddof=1)) / math.sqrt(len(draws))
    half = float(stdtrit(len(draws) - 1, (1 + INTERVAL) / 2)) * error
    return Sampled(value, value - half, value + half)
