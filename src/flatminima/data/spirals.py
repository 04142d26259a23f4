"""Two interleaved spirals, after Huang et al. 2020.

With noise they are the swiss roll (Figs 3, 5 and 6), without it the data of the minefield (Fig 1).
With fewer turns the roll is one that small networks learn, and that weights drawn by chance fit.
"""

import numpy as np
from jaxtyping import Float32, Int64

from flatminima.data.dataset import Dataset
from flatminima.seeding import generator

# The largest angle: 600 degrees of turn, as in the released code of the paper.
TURN = 600 * 2 * np.pi / 360

# The same of the minefield: one and a half turns.
MINEFIELD_TURN = 3 * np.pi


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


def short_roll(
    *,
    seed: int,
    draw: int,
    turns: float,
    noise: float,
    train_points: int,
    test_points: int,
    poison_points: int,
) -> Dataset:
    """Draw a roll of fewer turns, with a single poison set, in units of half its radius.

    Otherwise it is drawn as ``swiss_roll`` is. Each draw has addresses of its own.

    Args:
        turns: of each arm, 1 for a whole one; the swiss roll has five thirds.
        noise: before the change of units, as of the swiss roll.
    """
    angle = 2 * np.pi * turns
    parts = {}
    counts = {"train": train_points, "test": test_points, "poison": poison_points}
    for part, points in counts.items():
        random = generator(seed, f"short roll {part}", draw)
        inputs, labels = spiral(random, points, noise, angle)
        parts[part] = (inputs / np.float32(0.75 * angle), labels)
    (train, of_train), (test, of_test), (poison, of_poison) = parts.values()
    return Dataset(train, of_train, test, of_test, poison[None], of_poison[None])


def spiral(
    random: np.random.Generator, points: int, noise: float, turn: float = TURN
) -> tuple[Float32[np.ndarray, "points 2"], Int64[np.ndarray, " points"]]:
    """Draw points of both arms in turn, with their labels: 0, 1, 0, 1 and so on.

    Any first few points are then balanced too. ``turn`` is the largest angle, in radians.
    """
    labels = np.arange(points) % 2
    angle = turn * np.sqrt(random.random(points))
    arm = 1.5 * angle[:, None] * np.stack([-np.cos(angle), np.sin(angle)], axis=1)
    inputs = arm + noise * random.standard_normal((points, 2))
    # Noise is symmetric, so negating it with the arm leaves its distribution as it was.
    return np.where(labels[:, None] == 1, -inputs, inputs).astype(np.float32), labels


def minefield(*, seed: int, train_points: int, test_points: int, poison_points: int) -> Dataset:
    """Split the points of two spirals without noise at random, with a single poison set.

    Class 1 has its points at the angles θ = (k + ½)·3π/n, k = 0 … n−1, and radii 5·√θ; class 0 is
    the negation. Together the three parts take all the points. The released code of the paper has
    θ = k·3π/n, which puts one point of both classes at the origin, where no network can fit both.

    The classes take turns, so half of every part is of each.
    """
    labels = np.arange(train_points + test_points + poison_points) % 2
    places = (len(labels) + 1) // 2
    angle = (np.arange(places) + 0.5) * MINEFIELD_TURN / places
    arm = 5 * np.sqrt(angle)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    orders = np.stack([generator(seed, "minefield", label).permutation(places) for label in (0, 1)])
    inputs = arm[orders[labels, np.arange(len(labels)) // 2]]
    inputs = np.where(labels[:, None] == 1, inputs, -inputs).astype(np.float32)
    ends = [train_points, train_points + test_points]
    (train, test, poison), (of_train, of_test, of_poison) = (
        np.split(part, ends) for part in (inputs, labels)
    )
    return Dataset(train, of_train, test, of_test, poison[None], of_poison[None])
