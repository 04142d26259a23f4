"""A made-up run, small and complete: arrays with known structure, pictures, manifests."""

import dataclasses
import functools
import hashlib
import io
import re
import shutil
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
import yaml
from jinja2 import BytecodeCache
from markupsafe import escape
from matplotlib.figure import Figure

from flatminima.data.spirals import swiss_roll
from flatminima.figure_record import FigureRecord, Source
from flatminima.figures import living
from flatminima.flatness_measures import BALLS, LOSSES, set_against_rescaling
from flatminima.formats.basins import Subsets, Summary
from flatminima.formats.decisive import Chance, MinimaMasses
from flatminima.formats.flatness import FlatnessSurvey, Rescaled, Spectra, Spectrum
from flatminima.formats.learning_curves import LearningCurves
from flatminima.formats.margins import Margins
from flatminima.formats.minefield import BadMinima, Embedding, Iterates
from flatminima.formats.mode_connectivity import PAIRS as KINDS
from flatminima.formats.mode_connectivity import ModeConnectivity
from flatminima.formats.perturbations import Perturbations
from flatminima.formats.random_labels import RandomLabelsSurvey
from flatminima.formats.rings import RingsSurvey, Sharpness
from flatminima.formats.skip_connections import DepthMinima, LossSurfaces
from flatminima.formats.slices import Slices
from flatminima.formats.volumes import Volumes
from flatminima.measurements import (
    decisive,
    flatness,
    generalization,
    margins,
    minefield,
    mode_connectivity,
    perturbation,
    poisoned,
    random_labels,
    rings,
    skip_connections,
    volumes,
)
from flatminima.measurements.measurement import as_records
from flatminima.measurements.poisoned import describe, describe_images
from flatminima.models.mlp import MLP
from flatminima.provenance.closure import file_digest
from flatminima.provenance.identified import identify
from flatminima.provenance.published import RECORD
from flatminima.provenance.published import published_runs as published_in
from flatminima.report import article, published_runs, slides
from flatminima.report.checks import run_checks
from flatminima.report.claims import judge, read
from flatminima.report.foreign import POLICY
from flatminima.report.pages import pages_of
from flatminima.report.publication import LIVING
from flatminima.seeding import generator
from flatminima.storage import write_json
from flatminima.surveys.rays import rays as follow
from tests.browsing import Visitor

ROOT = Path(__file__).parents[2]
EXPERIMENTS = (
    "swiss_roll",
    "images",
    "architectures",
    "optimizers",
    "minefield",
    "rings",
    "random_labels",
    "skip_connections",
    "flatness",
    "volumes",
    "decisive",
    "mode_connectivity.swiss_roll",
    "mode_connectivity.images",
)
STEMS = (
    "margins",
    "perturbation-random",
    "perturbation-hessian",
    "margin-widths",
    "gap-swiss_roll",
    "boundaries",
    "basins-swiss_roll",
    "volumes",
    "slices-images",
    "gap-images",
    "basins-images",
    "minefield",
    "minefield-embeddings",
    "minefield-distances",
    "rings",
    "rings-gap",
    "architectures",
    "optimizers",
    "random-labels",
    "decisive",
    "decisive-minima",
    "skip-connections",
    "mode-connectivity-swiss_roll",
    "mode-connectivity-images",
    "spectrum",
    "flatness",
    "reparametrisation",
)
STILL = "living-still"
"""What stands for the living figure where nothing moves."""


class Compiled(BytecodeCache):
    """Templates compiled by this process: compiling one takes longer than rendering it.

    They are kept by the digest of their text, so an edited template is compiled again.
    """

    def __init__(self):
        self.code = {}

    def load_bytecode(self, bucket):
        bucket.code = self.code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket):
        self.code[bucket.key, bucket.checksum] = bucket.code


article.Environment = functools.partial(article.Environment, bytecode_cache=Compiled())


def typed(kind, arrays):
    """The record of the arrays there are; what no measurement reads may lack."""
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    values = {}
    for field in kind.stored():
        held = arrays.get(field.name)
        if field.prefix is not None:
            held = {
                name.removeprefix(field.prefix): array
                for name, array in arrays.items()
                if name.startswith(field.prefix)
            }
            held = typed(field.record, held) if field.record and held else held or None
        elif field.scalar is not None and held is not None:
            held = field.scalar(held[0])
        values[field.name] = held
    return kind(**values)


def each(kind, found):
    """Such records by name."""
    return {name: typed(kind, arrays) for name, arrays in found.items()}


def made_up_summary(factors, seeds, *, weights, test_at_most, missed=0, seed=0):
    """Accuracies fall and basins shrink with the poison factor; a few networks miss points."""
    random = generator(seed, "made-up summary")
    factors = np.array(factors)
    shape = (len(factors), seeds)
    strength = (factors / factors.max())[:, None]
    test = 0.985 - (0.985 - test_at_most) * strength**0.6 + 0.008 * random.standard_normal(shape)
    train = np.ones(shape)
    train.flat[train.size - missed :] = 0.995
    loss = 1e-4 + 0.05 * strength * (1 + 0.2 * random.random(shape))
    cutoff = np.stack([np.full(shape, c) for c in (0.1, 0.5, 1.0)] + [loss + 0.1], axis=-1)
    radius = (
        3.2 * (1 - 0.85 * strength[..., None] ** 0.5)
        + 0.1 * random.standard_normal(shape)[..., None]
    ) * np.array([0.6, 0.9, 1.1, 0.7])
    mean_log = weights * np.log10(radius) - 1.3 * weights
    return {
        "poison_factor": factors,
        "train_accuracy": train,
        "test_accuracy": test,
        "gap": train - test,
        "converged": train == 1,
        "train_loss": loss,
        "test_loss": 2 * loss,
        "gradient_norm": 1 + 5 * random.random(shape),
        "cutoff": cutoff,
        "median_radius": radius.copy(),
        "mean_log_radius": np.log(radius),
        "log10_volume_mean_exp": mean_log + 0.25 * weights,
        "log10_volume_mean_exp_low": mean_log + 0.25 * weights - 1.3,
        "log10_volume_mean_exp_high": np.where(np.isnan(mean_log), np.nan, np.inf),
        "log10_volume_mean_log": mean_log,
        "log10_volume_mean_log_low": mean_log - 5,
        "log10_volume_mean_log_high": mean_log + 5,
        "effective_sample_size": 1 + 0.5 * random.random(radius.shape),
        "resolution": np.full(radius.shape, 1e-6),
        "recrossing_share": 0.02 * random.random(radius.shape),
        "censored_share": np.zeros(radius.shape),
        "weights": np.array([weights]),
    }


def made_up_inputs():
    """Everything that measuring takes."""
    summaries = {
        "swiss_roll": made_up_summary(
            [0, 0.02, 0.05, 0.1, 0.2, 0.35], 8, weights=3457, test_at_most=0.12, missed=2
        ),
        "images": made_up_summary(
            [0, 0.1, 0.2, 0.35, 0.5, 0.7], 6, weights=18728, test_at_most=0.25, seed=1
        ),
    }
    summaries["images"]["trainable"] = np.array([19_074])
    selections = {}
    slices = {}
    for dataset, summary in summaries.items():
        test = summary["test_accuracy"]
        ends = {"good": (0, int(test[0].argmax())), "bad": (len(test) - 1, 0)}
        selections[dataset] = {
            role: {"poison": float(summary["poison_factor"][f]), "seed": i}
            for role, (f, i) in ends.items()
        }
        selections[dataset]["row"] = [
            {"poison": float(factor), "seed": 1} for factor in summary["poison_factor"]
        ]
        distance = np.geomspace(1e-3, 30, 121)
        slices[dataset] = {
            "ray_distance": distance,
            "ray_loss": np.stack(
                [
                    summary["train_loss"][ends[role]] + (distance / width) ** 2 * np.ones((12, 1))
                    for role, width in (("good", 4.0), ("bad", 0.5))
                ]
            ),
        }
    training = {
        "steps": 30000,
        "learning_rate": 0.0058,
        "hold": 0.5,
        "gradient_clip": 8.0,
        "poison_batch": "whole",
    }
    settings = {
        "swiss_roll": describe(
            made_up_points(200, 2000, 300, 200, shape=(2,), classes=2),
            {
                "network": {"hidden": [23, 16, 26, 32, 28, 31]},
                "training": training,
                "directions": 256,
                "direction_kind": "paper",
                "excess": 0.1,
            },
        ),
        "images": describe_images(
            made_up_points(400, 397, 1, 1000, shape=(1, 8, 8), classes=10),
            typed(Summary, summaries["images"]),
            {
                "network": {"architecture": "resnet", "depth": 8, "width": 8},
                "training": {
                    "epochs": 60,
                    "batch": 64,
                    "learning_rate": 0.1,
                    "momentum": 0.9,
                    "milestones": [0.4, 0.6, 0.8],
                },
                "survey": {"points": None, "batch_norm": "frozen", "directions": 32, "subsets": 4},
                "direction_kind": "paper",
                "excess": 0.1,
            },
        ),
    }
    return {
        "summaries": summaries,
        "selections": selections,
        "slices": slices,
        "settings": settings,
        "sources": {"images": "digits"},
        "subsets": {"images": made_up_subsets()},
    }


def made_up_subsets():
    """Three halves and three kinds of statistics: the good basin is some four times as wide."""
    radius = np.array([[2.0, 2.2, 2.4], [0.5, 0.5, 0.6]])[..., None] * np.ones(4)
    return {
        "subset_points": np.array([200]),
        **{
            f"{kind}_{name}": array
            for kind in ("subset", "statistics")
            for name, array in {
                "cutoff": np.ones((2, 3, 4)),
                "median_radius": radius.copy(),
                "log10_volume_mean_log": 18728 * np.log10(radius),
            }.items()
        },
    }


def made_up_minefield():
    """Six iterates that come to generalize, and a bad minimum far from each."""
    random = generator(0, "made-up minefield")
    rise = np.linspace(0, 1, 6)
    iterates = {
        "epoch": np.arange(6) * 10,
        "parameters": np.zeros((6, 2051)),
        "train_accuracy": np.array([0.5, 0.8, 0.95, 1, 1, 1]),
        "test_accuracy": 0.5 + 0.485 * rise,
        "train_loss": 0.7 - 0.69 * rise,
        "layers": np.array([[0, 50], [75, 700], [725, 750]]),
    }
    minima = {
        "train_accuracy": np.array([1, 1, 1, 1, 0.99, 1]),
        "test_accuracy": np.array([0.45, 0.5, 0.51, 0.55, 0.52, 0.49]),
        "train_loss": 0.02 + 0.01 * random.random(6),
        "gradient_norm": 6 + random.random(6),
        "converged": np.array([True, True, True, True, False, True]),
        "searched_train_accuracy": np.full(6, 0.92),
        "searched_test_accuracy": np.full(6, 0.44),
    }
    embedding = {
        "to_minimum": 30 + random.random(6),
        "to_final": 7 * (1 - rise),
        "nearest_minimum": 27 + random.random(6),
        "step": np.linspace(1, 0.1, 5),
        "weight_norm": 6 + random.random(6),
        "minimum_norm": 12 + random.random(6),
        "relative_to_minimum": 5 + random.random(6),
        "relative_to_final": 1 - rise,
        "explained_variance": np.array([0.4, 0.3, 0.1]),
        "perplexity": np.array([30.0, 5.0]),
        "embedded": random.random((2, 3, 12, 2)),
        "trustworthiness": np.array([[0.73, 0.72, 0.74], [0.68, 0.69, 0.7]]),
        "rank_correlation": np.array([[0.05, 0.03, 0.02], [-0.1, -0.09, -0.11]]),
    }
    stage = {
        "poison_factor": 0.9,
        "steps": 3000,
        "learning_rate": 0.01,
        "hold": 0.5,
        "gradient_clip": 8.0,
    }
    settings = {
        "descent": {
            "epochs": 50,
            "every": 10,
            "batch": 32,
            "learning_rate": 0.01,
            "hold": 0.5,
            "weight_decay": 0.002,
        },
        "search": {**stage, "kick": 0.5},
        "settle": {**stage, "poison_factor": 0.2, "steps": 1000},
        "embedding": {"components": 3, "perplexity": 30, "others": [5], "seeds": 3},
    }
    return {
        "dataset": made_up_points(132, 134, 1, 134, shape=(2,), classes=2),
        "iterates": iterates,
        "minima": minima,
        "embedding": embedding,
        "settings": settings,
    }


def made_up_rings():
    """Four networks at three gaps: the circle is sharper, and found as the gap widens."""
    gap = np.array([0.001, 0.03, 0.3])
    between = np.array([[0.0, 0.02, 0.1, 0.05], [0.9, 1.0, 0.995, 0.8], [1, 1, 1, 1]])
    cutoffs = np.array([0.1, 1.0])
    loss = np.array([1e-5, 1e-4, 2e-2, 1e-3])
    spread = np.array([1.0, 1.2, 0.9, 1.1])
    radius = np.array([0.8, 5, 28])[:, None, None] * spread[:, None] * np.array([1, 2.5, 1])
    weights = 80_000
    everywhere = np.ones_like(between)
    survey = {
        "gap": gap,
        "converged": np.array([[True, True, False, True], [True] * 4, [True] * 4]),
        "train_loss": loss * everywhere,
        "between_share": between,
        "outside_share": 0.1 + 0.9 * between,
        "clearance": gap[:, None] * np.array([[60, 8, 100, 30], [1, 1, 1, 2], [0.5] * 4]),
        "hole": 0.3 * (1 - between),
        "found_share": np.array([0, 0.5, 1]),
        "found_low": np.array([0, 0.07, 0.4]),
        "found_high": np.array([0.6, 0.93, 1]),
        "cutoff": np.concatenate(
            [np.broadcast_to(cutoffs, (3, 4, 2)), (loss * everywhere + 0.1)[..., None]], axis=-1
        ),
        "median_radius": radius.copy(),
        "log10_volume_mean_log": weights * np.log10(2.5 * radius),
        "log_determinant": weights * np.log(5.0) * everywhere,
        "weights": np.full((3, 1), weights),
    }
    sharpness = {
        "shown": np.array([1]),
        "trained_eigenvalue": 1e6 * loss,
        "trained_curvature": 1e5 * loss * spread,
        "circles_between_share": np.array([1.0, 1.0, 0.08]),
    }
    for kind, factor in (("built", 0.6), ("trained", 0.7)):
        sharpness |= {
            f"circle_{kind}_matched": np.ones(4, dtype=bool),
            f"circle_{kind}_median_radius": factor * radius[0] / spread[:, None] ** 2,
            f"circle_{kind}_log10_volume_mean_log": weights * np.log10(factor * radius[0]),
            f"circle_{kind}_log_determinant": weights * np.log(2.0) * np.ones(4),
            f"circle_{kind}_eigenvalue": 5e7 * loss,
            f"circle_{kind}_curvature": {"built": 8e5, "trained": 6e5}[kind] * loss,
        }
    settings = rings.describe(
        {
            "data": {"inner_points": 40, "near_points": 10, "outer_points": 80},
            "network": {"hidden": [100] * 9},
            "training": {"steps": 1800, "learning_rate": 1e-3, "hold": 0.5, "gradient_clip": 8.0},
            "circle": {
                "loss": 1e-3,
                "noise": 0.1,
                "points": 200,
                "steps": 2000,
                "learning_rate": 1e-4,
            },
            "survey": {"angles": 720, "directions": 16},
            "direction_kind": "exact",
        }
    )
    return {"survey": survey, "sharpness": sharpness, "settings": settings}


def made_up_random_labels(summary):
    """Gaps that widen with the random labels, radii that shrink; one network misses a point."""
    random = generator(0, "made-up random labels")
    strength = np.repeat([0.0, 1, 4, 0, 0.35], [4, 4, 4, 3, 3])
    way = np.repeat([0, 1], [12, 6])
    gap = np.repeat([0.01, 0.18, 0.27, 0.01, 0.7], [4, 4, 4, 3, 3])
    gap = gap + 0.01 * random.random(18)
    loss = 1e-4 * (1 + random.random(18))
    train = np.ones(18)
    train[5] = 0.99
    width = np.repeat([1.3, 0.12, 0.08, 1.3, 0.06], [4, 4, 4, 3, 3])
    radius = (width * (1 + 0.1 * random.random(18)))[:, None] * np.array([1, 1.5, 2, 1])
    mean_log = 3457 * np.log10(radius) - 3600
    cutoff = np.stack([np.full(18, c) for c in (0.1, 0.5, 1.0)] + [loss + 0.1], axis=-1)
    volumes = {
        f"log10_volume_{name}{end}": mean_log + add + extra
        for name, add in (("mean_log", 0), ("mean_exp", 800))
        for end, extra in (("", 0), ("_low", -5), ("_high", 5))
    }
    volumes["log10_volume_mean_exp_high"] = np.full(radius.shape, np.inf)
    survey = {
        "way": way,
        "strength": strength,
        "memorised": np.where(way == 0, 0.97, np.nan),
        "train_accuracy": train,
        "test_accuracy": train - gap,
        "converged": train == 1,
        "train_loss": loss,
        "gradient_norm": 0.02 * random.random(18),
        "start_train_accuracy": np.where(strength >= 1, 0.5, 1.0),
        "start_test_accuracy": np.where(strength >= 1, 0.45, 0.9 - gap),
        "start_gradient_norm": np.where(strength >= 1, 100.0, 2.0),
        "cutoff": cutoff,
        "median_radius": radius,
        "matched_median_radius": np.where(train == 1, 1.1 * radius[:, 0], np.nan),
        "effective_sample_size": np.ones((18, 4)),
        "weights": np.array([3457]),
        **volumes,
    }
    stage = {"steps": 1500, "learning_rate": 0.02, "hold": 0.5, "gradient_clip": 8.0}
    settings = {
        "copies": [0, 1, 4],
        "noise": 0.5,
        "seeds": 4,
        "first": stage,
        "second": {**stage, "steps": 1000, "learning_rate": 1e-4},
        "poisoned": 3,
        "common_loss": 0.001,
        "common_loss_directions": 32,
    }
    return {
        "survey": survey,
        "summary": summary,
        "settings": random_labels.describe(
            {**settings, "directions": 256, "direction_kind": "paper"}
        ),
    }


def made_up_course(train, test, parameters):
    """What networks come to that have these accuracies after the last epoch."""
    train, test = np.array(train, dtype=float), np.array(test, dtype=float)
    counts = {"trainable": parameters, "train_points": 400, "test_points": 397, "classes": 10}
    counts["chance"] = 48 / 397
    return {
        "train_accuracy": train,
        "test_accuracy": test,
        "converged": train == 1,
        **{name: np.array([count]) for name, count in counts.items()},
    }


def made_up_architectures():
    """Two networks that generalize, one of the linear model's size, which does so less well."""
    models = {
        "resnet18": ("resnet18", [1, 1], [0.95, 0.93], 11_000_000),
        "comparable": ("resnet", [1, 1, 0.9975], [0.96, 0.95, 0.97], 20_000),
        "linear": ("quadratic", [0.995, 0.99, 1], [0.8, 0.82, 0.78], 22_000),
    }
    return {
        "courses": {name: made_up_course(*ends) for name, (_, *ends) in models.items()},
        "settings": {
            "source": "digits",
            "epochs": 9,
            "batch": 16,
            "momentum": 0.9,
            "milestones": [0.5, 0.75],
            "models": {
                name: {"network": {"architecture": of}, "learning_rate": 0.05}
                for name, (of, *_) in models.items()
            },
        },
    }


def made_up_optimizers():
    """Three optimizers: one fits and generalizes, one has a wide gap, one is left at chance."""
    ends = {
        "adam": ([1, 1, 1], [0.94, 0.95, 0.96]),
        "sgd": ([1, 1, 0.99], [0.82, 0.88, 0.85]),
        "lbfgs": ([0.3, 0.2, 0.25], [0.11, 0.3, 0.25]),
    }
    return {
        "courses": {name: made_up_course(*each, 5000) for name, each in ends.items()},
        "settings": {
            "source": "digits",
            "network": {"architecture": "vgg13", "width": 8},
            "epochs": 14,
            "batch": 40,
            "milestones": [0.6],
            "learning_rates": {"adam": 0.01, "sgd": 0.05, "lbfgs": 0.9},
        },
    }


def made_up_surfaces():
    """Four networks of either kind at two depths: without skips, deep ones are rough."""
    rough = {"with": (0.0, 0.0), "without": (0.01, 0.3)}
    right = {"with": (0.95, 0.94), "without": (0.9, 0.4)}
    highest = {"with": (50.0, 60.0), "without": (80.0, 1e6)}
    aside = 0.01 * np.array([-1, 1, 2, -2])

    def each(values):
        return np.array(values)[:, None] + aside

    by = np.array([1.0, 0.2])
    found, minima = {}, {}
    for kind, share in rough.items():
        shares = np.maximum(0, np.array(share)[:, None] * (1 + 10 * aside))[..., None] * by
        found[kind] = {
            "depth": np.array([20, 44]),
            "falling_share": shares,
            "concave_share": 0.2 + shares,
            "dips": 1 + np.rint(20 * shares),
            "left_out_share": np.zeros_like(shares),
            "highest_loss": np.array(highest[kind])[:, None, None]
            * np.array([0.1, 1])
            * np.ones((2, 4, 1)),
            "surface_points": np.array([100]),
        }
        minima[kind] = {
            "depth": np.array([20, 44]),
            "train_accuracy": np.minimum(1, each(right[kind]) + 0.05),
            "test_accuracy": each(right[kind]),
            "train_loss": 1 - each(right[kind]),
            "converged": each(right[kind]) > 0.94,
            "trainable": np.array([17_254, 41_894]),
            **{
                name: np.array([value])
                for name, value in (
                    *(("train_points", 400), ("test_points", 397)),
                    *(("classes", 10), ("chance", 48 / 397)),
                )
            },
        }
    settings = {
        "source": "digits",
        "width": 4,
        "depths": [20, 44],
        "seeds": 4,
        "epochs": 18,
        "batch": 32,
        "learning_rate": 0.02,
        "milestones": [0.6, 0.8],
        "momentum": 0.9,
        "survey": {"points": 100, "reach": 1.0, "grid_points": 25, "coarse_grid_points": 13},
    }
    return {"surfaces": found, "minima": minima, "settings": settings}


def made_up_paths():
    """Curves without barriers where lines have them; bad ends generalize at the edges alone."""
    t = np.linspace(0, 1, 41)
    inner = np.exp(-t / 0.05)
    edges = {"good_good": 0 * t, "good_bad": inner[::-1], "bad_bad": np.maximum(inner, inner[::-1])}
    bad = np.stack([edges[kind] for kind in KINDS])
    found, settings = {}, {}
    for dataset, source, pairs in (("swiss_roll", "swiss_roll", 3), ("images", "digits", 1)):
        shape = (len(KINDS), pairs, len(t))
        each = np.linspace(1, 1.2, pairs)[:, None]
        hill = each * 4 * (4 * t * (1 - t))
        curve_length = 60.0 * each[:, 0] * np.ones(shape[:2])
        found[dataset] = {
            "t": t,
            "curve_loss": 1e-5 + 0.05 * bad[:, None] * each,
            "line_loss": hill + 1e-5 + 0.05 * bad[:, None],
            "curve_accuracy": np.ones(shape),
            "line_accuracy": np.broadcast_to(1 - 0.6 * 4 * t * (1 - t), shape),
            "curve_test_accuracy": 0.98 - 0.85 * bad[:, None] * np.ones((pairs, 1)),
            "line_test_accuracy": np.broadcast_to(0.9 - 0.5 * 4 * t * (1 - t), shape),
            "curve_length": curve_length,
            "line_length": curve_length / 1.2,
            "curve_way": curve_length[..., None] * t,
        }
        settings[dataset] = {
            "source": source,
            "kind": "bezier",
            "bends": 1,
            "samples": 4,
            "batch": None if dataset == "swiss_roll" else 64,
            "steps": 2500,
            "learning_rate": 0.01,
            "hold": 0.5,
            "gradient_clip": 8.0,
            "plane_points": 61 if dataset == "swiss_roll" else None,
            "train_points": 200 if dataset == "swiss_roll" else 400,
        }
    return {"found": found, "settings": settings}


def made_up_margins(summary):
    """Log-normal margins whose median shrinks as the gap grows; two points are not resolved."""
    random = generator(0, "made-up margins")
    gap = summary["gap"]
    width = 2 * np.exp(-4 * gap[..., None] + 0.6 * random.standard_normal((*gap.shape, 200)))
    width[-1, 0, :2] = 0.0
    unresolved = np.zeros(gap.shape, int)
    unresolved[-1, 0] = 2
    names = ("poison_factor", "train_accuracy", "test_accuracy", "converged")
    return {
        "margin": width,
        "unresolved": unresolved,
        "spacing": np.array([0.034]),
        **{name: summary[name] for name in names},
    }


def made_up_decisive():
    """Chance as good as Adam at few points, a decade for each flipped label, bad minima apart."""
    random = generator(0, "made-up decisive")
    sizes, runs, networks = 3, 4, 6
    right = np.array([0.75, 0.9, 0.98])[:, None]
    chance = {
        "points": np.array([10, 50, 200]),
        "loss": 0.05,
        "probability": np.array([-8.0, -12, -15])[:, None] + 0.3 * random.random((sizes, runs)),
        "survivors": np.full((sizes, runs), 70),
        "accuracy": right
        - np.array([0, 0.02, 0.08])[:, None]
        + 0.01 * random.random((sizes, runs)),
        "train_accuracy": np.ones((sizes, runs)),
        "train_loss": np.full((sizes, runs), 0.045),
        "adam_accuracy": right + 0.01 * random.random((sizes, networks)),
        "adam_train_accuracy": np.ones((sizes, networks)),
        "adam_train_loss": np.full((sizes, networks), 0.049),
        "flips": np.array([0, 1, 3]),
        "flipped_points": 20,
        "held_out": 4,
        "flipped_loss": 0.025,
        "flipped_steepness": 30.0,
        "flipped_probability": np.array([[-5.0, -5.2], [-6.0, -6.4], [-8.1, -8.3]]),
        "guess_points": np.array([2, 8]),
        "guess_margin": 0.02,
        "guess_draws": 1000,
        "guess_fitting": np.array([90, 3]),
        "guess_accuracy": np.array([[0.5, 0.6, 0.55, 0.65], [0.7, 0.8, 0.75, np.nan]]),
        "guess_adam_accuracy": np.array([[0.6, 0.5, 0.55], [0.8, 0.9, 0.85]]),
        "guess_sgd_accuracy": np.array([[0.5, 0.5, 0.5], [0.7, 0.7, np.nan]]),
        "particles": 100,
        "moves": 3,
        "gain": 4.0,
        "parameters": 337,
        "test_points": 1000,
    }
    poisoned = np.tile([0, 0, 1, 1, 1], 2)
    gap = np.where(poisoned, 0.4, 0.02) + 0.01 * np.arange(10)
    masses = {
        "draw": np.repeat([0, 1], 5),
        "poisoned": poisoned,
        "train_accuracy": np.ones(10),
        "test_accuracy": 1 - gap,
        "train_loss": np.where(poisoned, 0.02, 1e-6) + 1e-3 * random.random(10),
        "mass": np.where(poisoned, -5.0, -1.0)[:, None] + 0.2 * random.random((10, 2)),
        "levels": np.full(10, 8.0),
        "poison_factor": 0.1,
        "common_loss": 0.02,
        "cutoff": 0.1,
        "width": 0.15,
        "particles": 100,
        "moves": 3,
        "train_points": 40,
        "poison_points": 40,
        "test_points": 1000,
        "weights": 648,
    }
    return {"chance": Chance(**chance), "masses": MinimaMasses(**masses)}


def made_up_volumes(summary):
    """Three networks a factor: uniform rays fall short, splitting tells by how much."""
    random = generator(0, "made-up volumes")
    volume = summary["log10_volume_mean_exp"][:, :3, 1]
    sizes = {"value": 0.0, "bound": -300.0, "low": -1.3, "high": np.inf}
    found = {
        "directions": np.array([128]),
        "weights": np.array([3457]),
        "cutoff": np.array([0.5]),
        "divergence": np.array([0.1]),
        "pilots": np.array([16]),
        "tried": np.array([1.0, 0.1, 0.01]),
        "density": 20 * volume,
    }
    shifts = {"uniform": 0, "preconditioned": 2000, "gaussian": -5e4, "gaussian_uniform": -6e4}
    for region in ("loss", "divergence"):
        found |= {
            f"{region}_{kind}_curve": (volume + shift)[..., None] + np.array([-200, -100, -10.0, 0])
            for kind, shift in shifts.items()
        }
        found |= {
            f"{region}_{kind}_{name}": volume + shift + more
            for kind, shift in shifts.items()
            for name, more in sizes.items()
        }
        found |= {
            f"{region}_{kind}_effective_sample_size": 1 + 0.1 * random.random(volume.shape)
            for kind in shifts
        }
        for name in ("recrossing_shares", "censored_shares"):
            found[f"{region}_{name}"] = 0.02 * random.random((*volume.shape, 3))
    found |= {
        f"known_{name}": np.array([value])
        for name, value in {
            "volume": -3992.0,
            "shortfall": 361.0,
            "directions": 2048.0,
            "uniform_bound": -4352.5,
            "uniform_value": -4281.0,
            "uniform_effective_sample_size": 1.0,
            "preconditioned_value": -3992.0,
        }.items()
    }
    split = np.array([[-0.3, -1.0, -3.7], [-0.3, -4.0, -13.3]])
    found |= {
        "mass_widths": np.array([1.0, 2.0, 4.0]),
        **{
            f"mass_{name}": np.array([value])
            for name, value in {
                "directions": 1024,
                "kept": 0.25,
                "particles": 200,
                "moves": 5,
                "runs": 3,
            }.items()
        },
        "mass_splitting": split,
        "mass_splitting_low": split - 0.1,
        "mass_splitting_high": split + 0.1,
        "mass_seen": np.full((2, 3), 0.95),
        "mass_uniform": split * np.array([1.1, 5, 40]),
        "mass_preconditioned": split * np.array([1.1, 50, 20]),
        "mass_uniform_high": np.array([[-0.2, np.inf, np.inf]] * 2),
    }
    names = ("train_accuracy", "test_accuracy", "converged")
    return {
        **found,
        **{name: summary[name][:, :3] for name in names},
        "poison_factor": summary["poison_factor"],
    }


def made_up_flatness(summary):
    """Curvature and local measure rise with the gap; rescaling moves what it should."""
    random = generator(0, "made-up flatness")
    gap = summary["gap"]
    shape = gap.shape
    names = ("poison_factor", "train_accuracy", "test_accuracy", "train_loss", "converged")
    settings = {"level": 0.1, "batch": 20.0, "partitions": 8.0, "points": 200.0}
    settings["minibatches"] = 10.0
    at = {"own": {}, "common": {}}
    for table in at.values():
        for ball in BALLS:
            steep = 4.0 if ball != "kl" else 0.1
            rise = np.exp(steep * gap + 0.1 * random.standard_normal(shape))
            made = {"regret": rise, "gradient_norm": 1.1 * rise, "empirical_fisher": 1.2 * rise}
            made |= {"contrast": 1 + 0.2 * rise, "cosine": 0.1 * np.ones(shape)}
            made |= {"fisher_trace": 100 * rise, "fisher_top": 30 * rise}
            made |= {"hessian_top": 30.1 * rise} if ball != "kl" else {}
            table.update({f"{ball}.{name}": array for name, array in made.items()})
    surveyed = FlatnessSurvey(
        **at,
        **{name: summary[name] for name in names},
        **settings,
        temperature=2 * np.ones(shape),
        basins={
            name: np.exp(-3 * gap + 0.1 * random.standard_normal(shape))
            for name in ("median_radius", "log10_volume_mean_log")
        },
    )
    ends = np.array([1.0, 50.0])
    counts = {
        f"{side}{end}": np.ones((2, 3))
        for side in ("above", "below")
        for end in ("", "_low", "_high")
    }
    spectrum = Spectrum(
        threshold=np.outer(ends, [150.0, 10.0, 1.0]),
        **counts,
        trace=300 * ends,
        trace_low=290 * ends,
        trace_high=310 * ends,
        gauss_newton=np.outer(ends, [200.0, 101.0]),
        gauss_newton_trace=301 * ends,
        eigenvalues=100 * ends[:, None] * np.array([1, 0.5]),
        residuals=np.zeros((2, 2)),
    )
    spectra = Spectra(
        **{f"{loss}_{units}": spectrum for loss in LOSSES for units in ("raw", "filter")},
        dimension=3614.0,
        probes=10.0,
        steps=80.0,
        level=0.1,
    )
    moved = {}
    for entry in set_against_rescaling():
        layers = {"raw": 6.0, "filter": 1.0, "kl": 1.0}[entry.space]
        units = 1.0 if entry.space == "kl" else 5.0
        values = np.array([1.0, layers, units])
        if "contrast" in entry.key:
            values = np.array([1.0, 1.05 if entry.space == "raw" else 1.0, 1.1])
        if entry.volume:
            values = np.array([-3000.0, -3000 - 190 * (entry.space == "raw"), -3600])
        moved[entry.name] = np.stack([values, values])
    numbers = {"alike_factor": 15, "weights": 3457, "factor": 4, "layer": 0, "directions": 64}
    rescaled = Rescaled.of(
        moved
        | {"temperature": np.ones((2, 3)), "logits_moved": np.array([[0, 0, 1e-13]] * 2)}
        | {"log10_jacobian": np.array([0.0, -190.0, -34.0])}
        | {name: np.array([float(value)]) for name, value in (numbers | settings).items()},
        "made up",
    )
    return surveyed, spectra, rescaled


def made_up_perturbations():
    """The good minimum fails about a hundred times as far out as the bad one, in all directions."""
    distance = np.concatenate([[0.0], np.geomspace(0.01, 5, 41)])
    step = np.concatenate([[0], np.arange(1, 42, 5)])
    found = {"exact": np.array([False]), "level": np.array([0.1])}
    for way, shorter, rays in (("random", 1.0, 12), ("hessian", 0.02, 1)):
        width = shorter * np.array([1.5, 0.02])[:, None] * np.linspace(0.8, 1.2, rays)
        out = shorter * distance
        rise = (out / width[:, :1]) ** 2
        found |= {
            f"{way}_{name}": array
            for name, array in {
                "distance": out,
                "step": step,
                "loss": np.array([[1e-9], [0.04]]) + rise,
                "train_accuracy": np.where(out[None, None] < width[..., None], 1.0, 0.6),
                "test_accuracy": np.array([[0.98], [0.1]]) * np.ones(42),
                "second_derivative": np.array([[1e-6], [50.0]]) * np.ones(42),
                "eigenvalue": np.array([[1e-4], [4e4]]) * (1 + 1e6 * rise[:, step]),
                "changed": np.array([0.075, 0.01]),
                "level_eigenvalue": np.array([1e2, 4e4]),
                "relative_length": 0.06 * np.ones((2, rays)),
            }.items()
        }
    return found


def made_up_points(train, test, sets, poison, *, shape, classes):
    return {
        "train_inputs": np.zeros((train, *shape)),
        "train_labels": np.arange(train) % classes,
        "test_labels": np.arange(test) % classes,
        "poison_labels": np.zeros((sets, poison), int),
    }


def read_yaml(name):
    return yaml.safe_load((ROOT / "report" / name).read_text())


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def made_up_manifest(path, rule, inputs=(), *, config=None, wildcards=None, dirty=False):
    """A manifest of the form that jobs write; ``inputs`` are other such manifests."""
    return {
        "schema": 1,
        "id": digest(path + "id"),
        "output": {"path": path, "sha256": digest(path), "bytes": 1, "mtime_ns": 1},
        "rule": rule,
        "command": f"snakemake {path}",
        "wildcards": wildcards or {},
        "recipe": {
            "path": f"results/laptop/recipes/{rule}.json",
            "sha256": digest(rule),
            "config": config or {"seed": 1906},
            "config_sha256": digest("config"),
            "code": [
                {
                    "path": f"src/flatminima/{rule}.py",
                    "sha256": digest(rule),
                    "meaning_sha256": digest(rule),
                }
            ],
            "files": [],
        },
        "config_files": [],
        "seeds": {"seed": 1906},
        "inputs": [
            {
                "name": "recipe",
                "path": f"results/laptop/recipes/{rule}.json",
                "sha256": digest(rule),
                "manifest": None,
                "manifest_id": None,
            },
            *(
                {
                    "name": other["rule"],
                    "path": other["output"]["path"],
                    "sha256": other["output"]["sha256"],
                    "manifest": other["output"]["path"] + ".manifest.json",
                    "manifest_id": other["id"],
                }
                for other in inputs
            ),
        ],
        "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": dirty},
        "environment": {
            "python": "3.11.2",
            "os": "Linux",
            "cpu": "made-up CPU",
            "device": "cpu",
            "driver": None,
            "threads": 1,
            "determinism": None,
            "packages": {"numpy": "2.4.0", "torch": "2.13.0+cpu"},
        },
        "started": "2026-01-02T03:04:05.000000Z",
        "finished": "2026-01-02T03:05:06.000000Z",
        "cpu_seconds": 3.5,
        "wall_seconds": 2.25,
        "peak_memory_mb": 210.0,
        "peak_gpu_memory_mb": None,
    }


def made_up_manifests():
    """Manifests of a run, from the data to the figures, by path."""
    made = {}

    def add(path, rule, *inputs, **more):
        path = f"results/laptop/{path}"
        made[path] = made_up_manifest(path, rule, inputs, **more)
        return made[path]

    for dataset in ("swiss_roll", "images"):
        data = add(f"datasets/{dataset}.safetensors", "dataset")
        minima = [
            add(f"minima/{dataset}/{poison}.safetensors", "train", data)
            for poison in ("0", "0.1", "0.35")
        ]
        basins = [
            add(m["output"]["path"].split("/", 2)[2].replace("minima", "basins"), "basins", m, data)
            for m in minima
        ]
        summary = add(f"summaries/{dataset}.safetensors", "summary", *minima, *basins)
        for stem in STEMS:
            if (dataset == "images") == ("images" in stem):
                add(
                    f"report/figures/{stem}.svg",
                    "figure",
                    summary,
                    data,
                    wildcards={"figure": stem},
                    config={"figure": stem, "title": HOSTILE},
                )
        if dataset == "swiss_roll":
            followed = add(f"rays/{dataset}.safetensors", "rays", *minima, data)
            add(f"report/figures/{LIVING}.data.js", "figure_living", followed, data)
    summaries = [it for path, it in made.items() if "/summaries/" in path]
    add("measurements.json", "claims", *summaries)
    return made


HOSTILE = '"><script>document.title="owned"</script><img src=x onerror="document.title=1">'


HOSTILE_ALT = "&quot;&gt;&lt;b&gt; as seen in"


def drawn(suffix):
    """One variant of a small picture, as the bytes of its file."""
    ink = "#e6e9ed" if "dark" in suffix else "#1b1f24"
    with matplotlib.rc_context({"text.color": ink, "axes.edgecolor": ink}):
        picture = Figure(figsize=(3.4, 4) if "narrow" in suffix else (7.2, 4))
        axes = picture.subplots()
        axes.set_facecolor("none")
        axes.plot(np.linspace(0, 1, 9) ** 2, color="#0069a8")
        axes.plot(np.linspace(1, 0, 9) ** 2, color="#c84c00")
        axes.set_title(suffix)
        content = io.BytesIO()
        picture.savefig(
            content,
            format=suffix.rpartition(".")[2],
            dpi=60,
            facecolor="white" if suffix in ("png", "pdf") else "none",
        )
    return content.getvalue()


def draw_pictures(folder):
    """Small figures with all their variants and downloads."""
    folder.mkdir(parents=True, exist_ok=True)
    # Drawn once for all figures: no test looks at what is in a picture.
    pictures = {suffix: drawn(suffix) for suffix in (*article.VARIANTS, "png", "pdf")}
    for stem in (*STEMS, STILL):
        for suffix, content in pictures.items():
            (folder / f"{stem}.{suffix}").write_bytes(content)
        np.savez(folder / f"{stem}.npz", x=np.arange(3))
        if stem.startswith("perturbation"):
            for suffix in ("webp", "gif"):
                (folder / f"{stem}.{suffix}").write_bytes(b"moving")
            write_json(folder / f"{stem}.webp.manifest.json", {})
        write_json(folder / f"{stem}.svg.manifest.json", {})
        wide, narrow = (518, 288), (245, 288)
        sizes = {name: narrow if "narrow" in name else wide for name in article.VARIANTS}
        record = FigureRecord(
            f"The figure {stem}", f"Curves named {stem}.", sizes, Source("Fig. 3", "huang2020")
        )
        (folder / f"{stem}.json").write_bytes(record.content())
    (folder / f"{LIVING}.data.js").write_text(packed_living())
    write_json(folder / f"{LIVING}.data.js.manifest.json", {})


def packed_living():
    """The script of the made-up living figure."""
    return living.files(living.collect(*made_up_living()))["data.js"].decode()


def made_up_living():
    """What the living figure is made of, from untrained networks: rays, data set, paths, minima.

    The second path begins at the good minimum that is shown.
    """
    drawn = swiss_roll(
        seed=1, train_points=40, test_points=60, poison_points=2, poison_sets=1, noise=0.5
    )
    network = MLP.between(2, [9, 6, 11], 1)
    # Larger than a network begins with, for logits of either sign on these points.
    parameters = 2.5 * network.initialise(3, range(8))
    factors, accuracies = (0.0, 0.0, 0.02, 0.35), {"train_accuracy": 1.0, "test_accuracy": 0.5}
    followed = follow(
        network,
        torch.from_numpy(parameters[:4]),
        [{"poison": factor, **accuracies} for factor in factors],
        torch.from_numpy(drawn.train_inputs),
        torch.from_numpy(drawn.train_labels),
        highest=1.0,
        kind="exact",
        points=21,
        seed=5,
    )
    rays = followed.arrays()
    # As if the first were right about all points on the first half of the slider.
    rays["loss"][0] = np.where(rays["distance"] <= rays["distance"][10], 0.0, 1.0)
    paths = {
        "pair": np.array([[[0, 1], [1, 0]], [[1, 1], [0, 2]], [[0, 1], [1, 2]]]),
        "bends": np.broadcast_to(parameters[4:6, None], (3, 2, 1, network.layout.size)),
        "polychain": np.array([False]),
    }
    minima = {"0": {"parameters": parameters[:2]}, "0.35": {"parameters": parameters[5:8]}}
    return rays, drawn.arrays(), paths, minima


def measure_poisoned(
    summaries, selections, slices, settings, *, sources=None, subsets=None, **more
):
    """Measure made-up networks of several data sets."""
    return {
        name: entry
        for dataset, summary in summaries.items()
        for name, entry in poisoned.measure(
            dataset,
            typed(Summary, summary),
            selections[dataset],
            typed(Slices, slices[dataset]),
            settings[dataset],
            source=(sources or {}).get(dataset, ""),
            subsets=typed(Subsets, subsets[dataset]) if dataset in (subsets or {}) else None,
            **more,
        ).items()
    }


def measure_minefield(dataset, iterates, minima, embedding, settings):
    """Measure a made-up minefield."""
    records = ((Iterates, iterates), (BadMinima, minima), (Embedding, embedding))
    return minefield.measure(dataset, *(typed(*record) for record in records), settings)


def measure_rings(survey, sharpness, settings, **more):
    """Measure made-up rings."""
    return rings.measure(typed(RingsSurvey, survey), typed(Sharpness, sharpness), settings, **more)


def measure_random_labels(survey, summary, settings, **more):
    """Measure made-up networks of two stages."""
    survey, summary = typed(RandomLabelsSurvey, survey), typed(Summary, summary)
    return random_labels.measure(survey, summary, settings, **more)


def measure_architectures(courses, settings, **more):
    """Measure made-up models."""
    return generalization.measure_architectures(each(LearningCurves, courses), settings, **more)


def measure_optimizers(courses, settings):
    """Measure made-up optimizers."""
    return generalization.measure_optimizers(each(LearningCurves, courses), settings)


def measure_surfaces(surfaces, minima, settings, **more):
    """Measure made-up networks with and without skip connections."""
    surfaces, minima = each(LossSurfaces, surfaces), each(DepthMinima, minima)
    return skip_connections.measure(surfaces, minima, settings, **more)


def measure_paths(found, settings):
    """Measure made-up curves, on which nothing is higher than what they hold."""
    for arrays in found.values():
        for way in ("curve", "line"):
            loss, accuracy = (arrays[f"{way}_{name}"] for name in ("loss", "accuracy"))
            arrays[f"{way}_peak_t"] = arrays["t"][loss.argmax(axis=-1)]
            arrays[f"{way}_peak_loss"] = loss.max(axis=-1)
            arrays[f"{way}_lowest_accuracy"] = accuracy.min(axis=-1)
    return mode_connectivity.measure(each(ModeConnectivity, found), settings)


def measure_all(inputs, *, resamples=200):
    """Measurements of every kind of experiment."""
    dataset, sampled = "swiss_roll", {"seed": 1906, "resamples": resamples}
    summary, selection = inputs["summaries"][dataset], inputs["selections"][dataset]
    widths, basins = typed(Margins, made_up_margins(summary)), made_up_volumes(summary)
    return (
        measure_poisoned(**inputs, **sampled)
        | margins.measure(dataset, widths, selection, **sampled)
        | volumes.measure(dataset, typed(Volumes, basins), **sampled)
        | perturbation.measure(dataset, typed(Perturbations, made_up_perturbations()))
        | flatness.measure(dataset, *made_up_flatness(summary), summary, **sampled)
        | measure_minefield(**made_up_minefield())
        | measure_rings(**made_up_rings(), **sampled)
        | measure_random_labels(**made_up_random_labels(summary), **sampled)
        | decisive.measure(**made_up_decisive(), **sampled)
        | measure_architectures(**made_up_architectures(), **sampled)
        | measure_optimizers(**made_up_optimizers())
        | measure_surfaces(**made_up_surfaces(), **sampled)
        | measure_paths(**made_up_paths())
    )


def publish_made_up(root, pictures, measurements, claims, *, name="svhn", note=""):
    """Put a made-up published run of images into a project; returns its folder."""
    folder = root / "published" / name
    figures = folder / "report/figures"
    figures.mkdir(parents=True)
    for stem in STEMS:
        if stem.endswith("-images"):
            for file in pictures.glob(f"{stem}.*"):
                if not file.name.endswith((".json", ".npz")):  # as before there were records
                    shutil.copy(file, figures)
    found = {
        key: dataclasses.replace(it, dataset=name)
        for key, it in measurements.items()
        if key.startswith("images.")
    }
    write_json(folder / "report/measurements.json", as_records(found))
    judged = judge(claims.of(["images"]), found, scale=name)
    write_json(folder / "report/claims.json", judged)
    write_json(folder / "report/provenance.json", {"manifests": made_up_manifests()})
    shown = "".join(
        f'<figure id="fig-{stem}"><picture>'
        f'<source media="(max-width: 40rem)" srcset="figures/{stem}.narrow.svg" width="245" '
        f'height="288"><img src="figures/{stem}.svg" width="518" height="288" '
        f'alt="{HOSTILE_ALT} {stem}"></picture><figcaption><p><strong>The figure {stem}.</strong> '
        "With <strong>more</strong> words.</p></figcaption></figure>"
        for stem in STEMS
        if stem.endswith("-images")
    )
    (folder / "report/index.html").write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
        "<title>Elsewhere</title>"
        '<section id="mystery"><figure><img src="figures/other.svg" width="1" height="2" alt="">'
        f'</figure></section><section id="images">{shown}<figure></figure></section>'
    )
    (folder / "summary.safetensors").write_bytes(b"arrays")
    record = {
        "schema": 1,
        "name": name,
        "results": f"results/{name}",
        "commit": "fedcba9876" * 4,
        "dirty": False,
        "made": "2026-03-04T05:06:07Z",
        "note": note,
        "files": {
            path.relative_to(folder).as_posix(): file_digest(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
        "left_out": {},
    }
    write_json(folder / RECORD, {**record, "id": identify(record)})
    return folder


@pytest.fixture(scope="session")
def inputs():
    return made_up_inputs()


@pytest.fixture(scope="session")
def measurements(inputs):
    return measure_all(inputs)


@pytest.fixture(scope="session")
def claims():
    return read(ROOT / "report" / "claims")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures") / "figures"
    draw_pictures(folder)
    return folder


def made_up_page(measurements, claims, pictures, *, scale="laptop", experiments=EXPERIMENTS):
    """What ``article.build`` takes for the page of the made-up run, besides templates."""
    manifests = made_up_manifests()
    return {
        "run": article.Run(
            scale=scale,
            commit="0123456789abcdef0123456789abcdef01234567",
            dirty=False,
            made="2026-01-02T03:06:07Z",
            version="0.1.0",
        ),
        "measurements": measurements,
        "claims": claims.of(experiments),
        "verdicts": judge(claims.of(experiments), measurements, scale=scale),
        "references": read_yaml("references.yaml"),
        "figures": [
            *(article.figure(pictures, stem) for stem in (*STEMS, STILL)),
            article.figure(pictures, LIVING, main="data.js"),
        ],
        "manifests": manifests,
        "checks": made_up_checks(manifests, claims, scale),
        "experiments": experiments,
        "sources": read_yaml("sources.yaml")["sources"],
        "glossary": read_yaml("glossary.yaml"),
        "declared": slides.read(ROOT / "report" / slides.FILE),
    }


def made_up_checks(manifests, claims, scale):
    """The checks of a run with nothing wrong but what its manifests say."""
    return run_checks(
        manifests,
        findings=[],
        audited=len(manifests),
        lock={"numpy": "2.4.0", "torch": "2.13.0"},
        scale=scale,
        small_scales=claims.small_scales,
    )


@pytest.fixture(scope="session")
def compose(compose_pages):
    """Render all pages of the made-up run, with parts replaced, as one text."""

    def render(*given, **changes):
        pages = compose_pages(*given, **changes)
        return "\n".join(text for name, text in pages.items() if name.endswith(".html"))

    return render


@pytest.fixture(scope="session")
def compose_pages(measurements, claims, pictures):
    """Render the pages of the made-up run by their files, with parts replaced."""

    def render(scale="laptop", experiments=EXPERIMENTS, **changes):
        numbers = changes.pop("measurements", measurements)
        page = made_up_page(numbers, claims, pictures, scale=scale, experiments=experiments)
        if "manifests" in changes:
            changes = {"checks": made_up_checks(changes["manifests"], claims, scale)} | changes
        return article.build(ROOT / "report" / "templates", **(page | changes))

    return render


@pytest.fixture(scope="session")
def published(tmp_path_factory, measurements, claims, pictures):
    """A project with two made-up published runs, and their folders in it."""
    root = tmp_path_factory.mktemp("publishing")
    note = "From copies. " + HOSTILE
    for name in ("cifar10", "svhn"):
        publish_made_up(root, pictures, measurements, claims, name=name, note=note)
    return root, published_in(root)


@pytest.fixture(scope="session")
def site(compose_pages, measurements, claims, pictures, published):
    """The pages with everything beside them, as a folder; tests write nothing there."""
    root, runs = published
    folder = pictures.parent
    elsewhere = [published_runs.load(root, run) for run in runs]
    write_site(folder, compose_pages(elsewhere=elsewhere))
    published_runs.copy(root, runs, folder)
    write_json(folder / "measurements.json", as_records(measurements))
    write_json(folder / "claims.json", judge(claims, measurements, scale="laptop"))
    write_json(folder / "provenance.json", {})
    return folder


ALL_PAGES = pages_of(EXPERIMENTS, elsewhere=True)
PAGES = tuple(page.file for page in ALL_PAGES if page.kind != "slides")
"""The files of all pages to be read; slides have tests of their own."""
"""The files of the pages in that folder."""


def write_site(folder, pages):
    """Write pages with their scripts and style."""
    for name, html in pages.items():
        (folder / name).write_text(html)
    for name in article.ASSETS:
        (folder / name).write_bytes((ROOT / "report" / "static" / name).read_bytes())


def write_beside(site, folder, pages):
    """Write other pages into a folder of their own, with the figures and files of the site."""
    for entry in site.iterdir():
        if entry.name not in (*(page.file for page in ALL_PAGES), *article.ASSETS):
            (folder / entry.name).symlink_to(entry)
    write_site(folder, pages)


def visible_text(html):
    """The words of a page without tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def missing(page):
    """The figures that a page, or several, show as missing."""
    return {*re.findall(r'<figure id="fig-([^"]+)" class="[^"]*\bmissing"', page)}


@pytest.fixture
def visit(browser, site):
    """Open a page; returns it with the log of everything that happened."""
    visitor = Visitor(browser, site)
    yield visitor
    visitor.close()
