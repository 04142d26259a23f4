"""The swiss roll: two interleaved spirals with noise (Huang et al. 2020, Figs 3, 5 and 6)."""

import numpy as np
from jaxtyping import Float32, Int64

from flatminima.data.dataset import Dataset
from flatminima.seeding import generator

# The largest angle: 600 degrees of turn, as in the released code of the paper.
TURN = 600 * 2 * np.pi / 360


def swiss_roll(
    *,
    seed: int,
    train_points: int,
    test_points: int,
    poison_points: int,
    poison_sets: int,
    noise: float,
) -> Dataset:
    """Draw a swiss roll with ``poison_sets`` independent poison sets.

    Per class, t = 600·(2π/360)·√U and (x, y) = (−1.5 t cos t, 1.5 t sin t) + noise·N(0, I); the
    other class is the negation. The classes take turns, so half of every set is of each.
    """
    train_inputs, train_labels = spiral(generator(seed, "swiss roll train"), train_points, noise)
    test_inputs, test_labels = spiral(generator(seed, "swiss roll test"), test_points, noise)
    sets = [
        spiral(generator(seed, "swiss roll poison", index), poison_points, noise)
        for index in range(poison_sets)
    ]
    return Dataset(
        train_inputs,
        train_labels,
        test_inputs,
        test_labels,
        poison_inputs=np.stack([inputs for inputs, _ in sets]),
        poison_labels=np.stack([labels for _, labels in sets]),
    )


def spiral(
    random: np.random.Generator, points: int, noise: float
) -> tuple[Float32[np.ndarray, "points 2"], Int64[np.ndarray, " points"]]:
    """Draw points of both arms in turn, with their labels: 0, 1, 0, 1 and so on.

    Any first few points are then balanced too.
    """
    labels = np.arange(points) % 2
    angle = TURN * np.sqrt(random.random(points))
    arm = 1.5 * angle[:, None] * np.stack([-np.cos(angle), np.sin(angle)], axis=1)
    inputs = arm + noise * random.standard_normal((points, 2))
    # Noise is symmetric, so negating it with the arm leaves its distribution as it was.
    return np.where(labels[:, None] == 1, -inputs, inputs).astype(np.float32), labels
