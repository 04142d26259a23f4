"""A ReLU network built by hand whose decision boundary is all but a circle.

Take N unit vectors u_k evenly spaced in the plane. Σ_k relu(u_k·x) is half of Σ_k |u_k·x|, and at
radius r a geometric sum of cosines gives it as c·r·cos ψ, where ψ is the angle from x to the
nearest of S evenly spaced axes, |ψ| ≤ π/S, with S = N sides for even N, 2N for odd. Its level lines
are regular polygons of S sides, whose inscribed and circumscribed circles differ by a factor of
cos(π/S): by one part in two thousand for N = 100. Deeper layers of equal positive weights hand the
sum on unchanged.
"""

import itertools
import math

import numpy as np
from jaxtyping import Float, Float64

from flatminima.circles import even_angles, polygon_sides, unit_vectors
from flatminima.models.mlp import MLP
from flatminima.seeding import generator

# Turns the first vector by this part of the angle between two: points on the usual multiples of it
# then lie on no unit's kink, where a second derivative would not exist.
_TURN = 1 / 3


def polygon(model: MLP, radius: float) -> Float64[np.ndarray, " parameters"]:
    """Parameters whose decision boundary is a regular polygon of mean radius ``radius``.

    Class 1 lies outside; ``radius`` is half-way between those of the inscribed and of the
    circumscribed circle. The difference of the logits rises outwards with a slope near one, which
    :func:`steepened` changes. No filter is zero, so every weight can be perturbed in proportion to
    its filter. All layers have the same Frobenius norm: among the scalings of the layers that leave
    the function as it is, the one of least norm.

    Raises:
        ValueError: if the network has not two inputs, two logits and at least three units in its
            first hidden layer.
    """
    inputs, *hidden, logits = model.widths
    if inputs != 2 or logits != 2 or not hidden or hidden[0] < 3:
        raise ValueError(
            f"widths are {model.widths}; a polygon takes two inputs, two logits and at least three "
            "units in the first hidden layer"
        )
    units, last = hidden[0], hidden[-1]
    angles = even_angles(units) + _TURN * 2 * math.pi / units
    weights = [
        unit_vectors(angles) / math.sqrt(units),
        *(
            np.full((after, before), 1 / math.sqrt(before * after))
            for before, after in itertools.pairwise(hidden)
        ),
        np.outer([-1, 1], np.full(last, 1 / math.sqrt(2 * last))),
    ]
    # Every corner and every middle of a side is a multiple of half the angle between sides.
    around = angles[0] + even_angles(2 * polygon_sides(units))
    passed = unit_vectors(around)
    for weight in weights[:-1]:
        passed = np.maximum(passed @ weight.T, 0)
    heights = passed @ (weights[-1][1] - weights[-1][0])
    level = 2 * radius / (1 / heights.min() + 1 / heights.max())
    biases = [*(np.zeros(width) for width in hidden), np.array([level, -level]) / 2]
    pairs = zip(weights, biases, strict=True)
    vector = np.concatenate([part.ravel() for pair in pairs for part in pair])
    return steepened(model, vector, radius / level)


def roughened(
    model: MLP, vector: Float[np.ndarray, " parameters"], noise: float, *, seed: int
) -> Float64[np.ndarray, " parameters"]:
    """The network with Gaussian noise on every weight, so that no two of its units stay alike.

    Args:
        noise: standard deviation, as a multiple of the root mean square of the weight's filter.
        seed: root seed; the noise is drawn at the address ``(seed, "roughening")``.
    """
    deviation = np.zeros(len(vector))
    for start, stop in model.layout.filters:
        deviation[start:stop] = noise * np.sqrt(np.square(vector[start:stop]).mean())
    drawn = generator(seed, "roughening").standard_normal(len(vector))
    return np.asarray(vector + deviation * drawn, dtype=np.float64)


def steepened(
    model: MLP, vector: Float[np.ndarray, " parameters"], factor: float
) -> Float64[np.ndarray, " parameters"]:
    """The same network with its logits multiplied by ``factor``, shared out evenly over layers."""
    step = factor ** (1 / (len(model.widths) - 1))
    # A bias meets the factors of its own layer and of all before it.
    powers = [layer + 1 if bias else 1 for layer in range(len(model.widths) - 1) for bias in (0, 1)]
    factors = np.repeat([step**power for power in powers], model.layout.sizes)
    return np.asarray(vector * factors, dtype=np.float64)
