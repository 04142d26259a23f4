"""Small arrays in the formats that the figures read, shaped like real measurements."""

import math

import numpy as np
import pytest

CUTOFFS = (0.1, 0.5, 1.0)
EXCESS = 0.1
DRAWN = 5  # directions drawn one by one
OWN = (1e-6, 0.07)  # losses of the good and the bad minimum, nats
WIDTH = (1.8, 0.06)  # about where each is one nat higher


def stretches(directions):
    return np.exp(0.3 * np.random.default_rng(1).standard_normal(directions))


def spiral(points):
    rng = np.random.default_rng(0)
    turn = 600 * (2 * np.pi / 360) * np.sqrt(rng.random(points))
    labels = rng.integers(0, 2, points)
    inputs = np.stack([-1.5 * turn * np.cos(turn), 1.5 * turn * np.sin(turn)], 1)
    inputs += 0.5 * rng.standard_normal(inputs.shape)
    inputs[labels == 1] *= -1
    return inputs.astype(np.float32), labels


def spiral_probability(x, y, jag):
    """A classifier that follows the spiral; ``jag`` tears its boundary."""
    radius, angle = np.hypot(x, y), np.arctan2(y, -x)
    wave = np.cos(angle - radius / 1.5) + jag * np.cos(9 * angle + radius)
    return 1 / (1 + np.exp(np.clip(12 * wave, -50, 50)))


@pytest.fixture
def basins():
    """The basins of a good and a bad poison factor: three networks with loss own + (r/s)²."""
    found = []
    for own, width in zip(OWN, WIDTH, strict=True):
        loss = own * np.array([1.0, 1.1, 1.0])
        cutoff = np.stack([np.array([*CUTOFFS, each + EXCESS]) for each in loss])
        room = np.sqrt(cutoff - loss[:, None])
        found.append({"radii": room[:, :, None] * width * stretches(40), "cutoff": cutoff})
    return found


@pytest.fixture
def selection():
    return {
        "good": {"poison": 0.0, "seed": 0, "train_accuracy": 1.0, "test_accuracy": 0.985},
        "bad": {"poison": 0.5, "seed": 2, "train_accuracy": 0.995, "test_accuracy": 0.12},
        "row": [],
    }


@pytest.fixture
def slices():
    """Valleys own + (r/s)², wider along the second direction in the plane."""
    distance, ray = np.linspace(-4, 4, 81), np.geomspace(1e-3, 40, 60)
    own, width = (np.array(pair)[:, None, None] for pair in (OWN, WIDTH))
    across = width * stretches(DRAWN)[None, :, None]
    plane = np.linspace(-4, 4, 33)
    squares = plane[:, None] ** 2 / 2 + plane[None, :] ** 2
    return {
        "distance": distance,
        "loss_1d": own + (distance / across) ** 2,
        "ray_distance": ray,
        "ray_loss": own + (ray / across) ** 2,
        "plane_distance": plane,
        "loss_2d": own + squares / width**2,
        "exact": np.array([False]),
    }


@pytest.fixture
def boundaries():
    """Three networks, not in the order of their gaps."""
    axis = np.linspace(-16, 16, 40)
    fields = [
        spiral_probability(*np.meshgrid(axis, axis), jag).astype(np.float32)
        for jag in (0.0, 0.8, 0.4)
    ]
    inputs, labels = spiral(60)
    return {
        "axis_x": axis.astype(np.float32),
        "axis_y": axis.astype(np.float32),
        "probability": np.stack(fields),
        "good_probability": fields[0],
        "bad_probability": fields[1],
        "poison_factor": np.array([0.0, 0.5, 0.1]),
        "train_accuracy": np.array([1.0, 0.995, 1.0]),
        "test_accuracy": np.array([0.985, 0.12, 0.6]),
        "train_inputs": inputs,
        "train_labels": labels,
    }


@pytest.fixture
def summary():
    """Five factors with four seeds; some networks miss training points, some have no basin."""
    rng = np.random.default_rng(3)
    gap = np.array([0.01, 0.45, 0.6, 0.78, 0.8])[:, None] + 0.05 * rng.random((5, 4))
    train = np.ones((5, 4))
    train[4, 1:] = (0.995, 0.98, 0.96)
    own = np.array([1e-7, 0.02, 0.04, 0.08, 0.12])[:, None] * (1 + 0.2 * rng.random((5, 4)))
    cutoff = np.stack([np.full((5, 4), level) for level in CUTOFFS] + [own + EXCESS], axis=2)
    room = cutoff - own[:, :, None]
    width = 2 * np.exp(-4.5 * gap)[:, :, None] * (1 + 0.3 * rng.random((5, 4, 1)))
    radius = np.where(room > 0, width * np.sqrt(np.maximum(room, 0)), np.nan)
    weights = 3457
    ball = (0.5 * weights * math.log(math.pi) - math.lgamma(weights / 2 + 1)) / math.log(10)
    mean_log = ball + weights * np.log10(radius)
    return {
        "poison_factor": np.array([0, 0.05, 0.1, 0.3, 0.5]),
        "train_accuracy": train,
        "gap": gap,
        "converged": train == 1,
        "train_loss": own,
        "cutoff": cutoff,
        "median_radius": radius,
        "log10_volume_mean_exp": mean_log + 1500,
        "log10_volume_mean_log": mean_log,
        "effective_sample_size": np.where(np.isnan(radius), np.nan, 1.1),
        "weights": np.array([weights]),
        "exact": np.array([False]),
    }


@pytest.fixture
def perturbations(boundaries):
    """Losses that rise as squares; a boundary that jags with the distance; nine steps."""
    distance = np.concatenate([[0.0], np.geomspace(0.01, 10, 36)])
    step = np.concatenate([[0], np.arange(1, 37, 5)])
    grid = np.meshgrid(boundaries["axis_x"], boundaries["axis_y"])
    found = {"exact": np.array([True])}
    found |= {
        name: boundaries[name] for name in ("axis_x", "axis_y", "train_inputs", "train_labels")
    }
    for way, shorter in (("random", 1.0), ("hessian", 0.02)):
        out = shorter * distance
        width = shorter * np.array([[2.0], [0.05]])
        rise = (out / width) ** 2
        accuracy = 1 - 0.5 * np.minimum(rise, 1)
        found |= {
            f"{way}_{name}": array
            for name, array in {
                "distance": out,
                "step": step,
                "loss": np.array([[1e-9], [0.05]]) + rise,
                "train_accuracy": np.stack([accuracy, accuracy], axis=1),
                "test_accuracy": np.array([[0.98], [0.1]]) * accuracy,
                "second_derivative": np.array([[1e-9], [60.0]]) * np.cos(rise),
                "eigenvalue": (np.array([[1e-7], [4e4]]) * (1 + rise))[:, step],
                "probability": np.stack(
                    [
                        [spiral_probability(*grid, jag + r) for r in np.minimum(one, 1)]
                        for jag, one in zip((0.0, 0.8), rise[:, step], strict=True)
                    ]
                ).astype(np.float16),
            }.items()
        }
    return found


@pytest.fixture
def widths():
    """Margins of four factors with three networks; some points are too near for the grid."""
    rng = np.random.default_rng(5)
    median = np.array([2.0, 0.5, 0.1, 0.06])[:, None, None]
    margin = median * np.exp(0.5 * rng.standard_normal((4, 3, 50)))
    margin[3, :, 0] = 0.0
    train = np.ones((4, 3))
    train[3, 2] = 0.98
    return {
        "margin": margin,
        "spacing": np.array([0.034]),
        "poison_factor": np.array([0.0, 0.005, 0.05, 0.3]),
        "train_accuracy": train,
        "test_accuracy": train - np.array([0.02, 0.3, 0.6, 0.85])[:, None],
        "converged": train == 1,
    }
