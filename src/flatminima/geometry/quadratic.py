"""Basins of known volume: a quadratic loss ½ Σ λ_i x_i² below a cutoff is an ellipsoid.

Its volume is V_n Π √(2c/λ_i), and along a unit vector u its radius is √(2c / Σ λ_i u_i²). Along
uniform directions Σ λ_i u_i² gathers at the arithmetic mean of λ, while the volume goes by the
geometric one: estimates from n ln r fall short by (n/2) ln(AM/GM), however exact the radii.
"""

import math

import numpy as np
from jaxtyping import Float

from flatminima.geometry.volume import log_unit_ball
from flatminima.seeding import generator

# Numbers drawn at once.
_NUMBERS = 2**22


def lognormal_spectrum(dimension: int, spread: float, seed: int) -> Float[np.ndarray, " n"]:
    """Eigenvalues with ln λ ~ N(0, spread²), drawn at the address ``(seed, "spectrum")``."""
    return np.exp(spread * generator(seed, "spectrum").standard_normal(dimension))


def log_ellipsoid(eigenvalues: Float[np.ndarray, " n"], cutoff: float) -> float:
    """The logarithm of the volume below the cutoff: ln V_n + ½ Σ ln(2c/λ_i)."""
    return log_unit_ball(len(eigenvalues)) + float(np.log(2 * cutoff / eigenvalues).sum()) / 2


def shortfall(eigenvalues: Float[np.ndarray, " n"]) -> float:
    """(n/2) ln(AM/GM), by which the mean-log estimate along uniform directions falls short."""
    logs = np.log(eigenvalues)
    return len(logs) / 2 * float(np.log(eigenvalues.mean()) - logs.mean())


def log_radii(
    eigenvalues: Float[np.ndarray, " n"],
    cutoff: float,
    directions: range,
    seed: int,
    *,
    power: float = 0.0,
) -> Float[np.ndarray, " directions"]:
    """Logarithms of the radii along v = P u, where P ∝ λ^(−power) has determinant 1.

    u is uniform on the sphere. ``power`` 0 is no preconditioning and ½ the right one. Direction
    k comes from the address ``(seed, "ellipsoid", k)``.
    """
    logs = np.log(eigenvalues)
    shaped = np.exp(logs - 2 * power * (logs - logs.mean()))
    radii = []
    size = max(1, _NUMBERS // len(eigenvalues))
    for first in range(0, len(directions), size):
        draws = [generator(seed, "ellipsoid", number) for number in directions[first:][:size]]
        squares = np.square([draw.standard_normal(len(eigenvalues)) for draw in draws])
        bend = squares @ shaped / squares.sum(axis=1)
        radii.append((math.log(2 * cutoff) - np.log(bend)) / 2)
    return np.concatenate(radii)
