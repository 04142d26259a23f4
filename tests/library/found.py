"""One result of each kind, with numbers that are not finite and texts that mean harm."""

import numpy as np

from flatminima.geometry.sampled import Sampled
from flatminima.geometry.volume import log_mean
from flatminima.library.about import About
from flatminima.library.comparison import Comparison
from flatminima.library.results import (
    Curvature,
    Measures,
    PathProfile,
    Region,
    Surface,
    Trajectory,
    Volume,
)

HOSTILE = "<script>alert(1)</script>\" onload='x' $\\frac{"


def about(**other):
    given = {
        "network": HOSTILE,
        "loss": "cross_entropy",
        "unit": "nats",
        "points": 90,
        "n": 336,
        "held": "3 frozen",
        "minimum_loss": 0.1,
        "dtype": "float32",
        "notes": ("Note <b>this</b>.",),
    }
    return About(**given | other)


def bowl(axis, own=0.02):
    return own + 3 * axis**2 + 90 * axis[:, None] ** 2


def surface(**other):
    axis = np.linspace(-1, 1, 9)
    loss = bowl(axis)
    loss[0, 0], loss[0, 1] = np.inf, np.nan
    return Surface(about(), axis, loss, np.where(np.isfinite(loss), 0.5, np.nan), "frozen", **other)


def region(level):
    draws = np.random.default_rng(0)
    tame, wild = (log_mean(s * draws.standard_normal(80), -40.0, seed=0) for s in (0.3, 9.0))
    shares = np.array([0.1, 0.0, 0.5])
    return Region(level, wild, tame, tame, wild, np.array([0.1, np.nan]), shares, shares)


def curvature():
    threshold = 12 * np.geomspace(1.5, 1e-3, 9)
    counts = np.round(np.geomspace(0.1, 90, 9))
    bounded = np.stack([counts, 0.8 * counts, 1.2 * counts])
    nodes = np.array([[8.0, 0.1, -0.2], [7.0, 0.2, -0.1]])
    return Curvature(
        about(), "hessian", "raw", np.array([8.0, 7.5]), np.array([1e-9, 1e-8]),
        Sampled(20.0, 15.0, 25.0), nodes, np.full((2, 3), 1 / 3), 371, 1.5, threshold, bounded,
        0.2 * bounded,
    )  # fmt: skip


def path():
    t = np.linspace(0, 1, 5)
    x = np.linspace(-2, 12, 8)
    return PathProfile(
        about=about(), form="bezier", points=np.ones((3, 4), np.float32), t=t,
        loss=0.01 + t * (1 - t), line_loss=0.01 + 30 * t * (1 - t), length=12.5, line_length=10.0,
        accuracy=1 - 0.1 * t * (1 - t), line_accuracy=1 - t * (1 - t), x=x, y=x - 3,
        plane_loss=0.01 + (x - 5) ** 2 + (x[:, None] - 1) ** 2,
        ends=np.array([[0.0, 0], [10, 0]]), bend=np.array([5.0, 6.0]),
        curve=np.stack([10 * t, 12 * t * (1 - t)], 1),
    )  # fmt: skip


def trajectory():
    x, steps = np.linspace(-3, 3, 7), np.linspace(0, 2, 6)
    return Trajectory(
        about=about(), explained=np.array([0.7, 0.2, 0.1]), random_walk=np.array([0.6, 0.2, 0.1]),
        coordinates=np.stack([2 - steps, np.sin(steps)], 1), distances=np.zeros(6),
        losses=np.geomspace(2, 0.1, 6), projected_losses=np.geomspace(2.5, 0.1, 6), x=x, y=x,
        loss=bowl(x), batch_norm="frozen",
    )  # fmt: skip


def comparison(n=(336, 336)):
    axis = np.linspace(-1, 1, 5)
    return Comparison(
        names=("a", HOSTILE), networks=tuple(about(n=number) for number in n), level=0.1,
        excess=0.4, divergence=0.1, temperatures=np.array([1.0, 2.5]),
        groups=("filter-normalised", "filter-normalised", "KL ball"),
        titles=("radius, log-mean-exp", "trace of the Hessian", "Fisher trace"),
        units=("filter norms", "nats / filter norm²", "ways to move"),
        values=np.array([[0.2, 0.1], [10.0, 30.0], [12.0, 12.0]]),
        low=np.array([[0.19, 0.09], [8.0, 25.0], [12.0, 12.0]]),
        high=np.array([[np.inf, np.inf], [12.0, 35.0], [12.0, 12.0 + 1e-9]]),
        axis=axis, surfaces=np.stack([bowl(axis), bowl(axis, 2)]),
    )  # fmt: skip


def measures():
    found = {"regret": Sampled(1.5, 1.2, 1.8), "cosine": -0.2, "fisher_trace": 800.0}
    return Measures.of(found, about(), ball="filter")


EVERY = {
    "surface": surface,
    "volume": lambda: Volume(about(), region(0.5), region(0.1)),
    "half a volume": lambda: Volume(about(minimum_loss=np.inf), None, region(0.1)),
    "curvature": curvature,
    "measures": measures,
    "path": path,
    "trajectory": trajectory,
    "comparison": comparison,
}
"""By their kinds and more; a new result is one entry."""
