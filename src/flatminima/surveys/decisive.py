"""Tests without rays: networks that chance fits to points, and one Gaussian around all minima."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from flatminima.data.dataset import Dataset
from flatminima.devices import tensors
from flatminima.formats.decisive import Chance, MinimaMasses
from flatminima.formats.minima import Minima
from flatminima.geometry.directions import metric
from flatminima.geometry.gaussian_weights import (
    GaussianWeights,
    draw_initial,
    guess_and_check,
    initial_deviation,
    normalised_margins,
    right,
)
from flatminima.geometry.preconditioning import positions
from flatminima.geometry.temperature import with_loss
from flatminima.models.mlp import MLP
from flatminima.progress import Report, silent
from flatminima.training.ensemble import Adam
from flatminima.training.losses import negative_log_likelihoods
from flatminima.training.stopped import Descent, train_until

Settings = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class _Scene:
    """What all tests of networks drawn by chance share.

    Attributes:
        gain: deviations of initial weights, in those of torch's default.
        training: ``networks``, ``steps`` and the learning rates ``adam`` and ``sgd``.
        splitting: ``particles``, ``kept`` and ``moves``.
    """

    model: MLP
    dataset: Dataset
    gain: float
    training: Settings
    splitting: dict[str, Any]
    seed: int

    def points(self, number: int) -> tuple[Tensor, Tensor]:
        """The first few training points."""
        inputs, labels = tensors("cpu", self.dataset.train_inputs, self.dataset.train_labels)
        return inputs[:number], labels[:number]

    def gaussian(
        self, number: int, flipped: Sequence[int] = (), steepness: float = 1.0
    ) -> GaussianWeights:
        """The loss on the first few training points, the labels of some of them flipped."""
        inputs, labels = self.dataset.train_part(number)
        labels = labels.copy()
        labels[list(flipped)] = 1 - labels[list(flipped)]
        deviation = initial_deviation(self.model, self.gain, steepness)
        return GaussianWeights(self.model, inputs, labels, deviation)

    def accuracy(self, networks: Tensor) -> Float64[np.ndarray, " networks"]:
        """Of every network on unseen points."""
        inputs, labels = tensors("cpu", self.dataset.test_inputs, self.dataset.test_labels)
        return np.asarray(_on(self.model, inputs, labels)[1](networks))

    def trained(self, optimizer: str, reached: Callable[[Tensor], Tensor], number: int) -> Tensor:
        """Networks from the Gaussian, trained until something is reached, NaN where it is not."""
        rules: dict[str, Any] = {"optimizer": Adam}
        if optimizer == "sgd":
            rules = {"optimizer": Descent, "batch": 2}
        initial = draw_initial(self.model, self.gain, range(self.training["networks"]), self.seed)
        stopped = train_until(
            reached, self.model, initial, *self.points(number), **rules,
            learning_rate=self.training[optimizer], steps=self.training["steps"], seed=self.seed,
        )  # fmt: skip
        return torch.where(stopped.reached[:, None], stopped.parameters, torch.nan)


def chance(
    model: MLP,
    dataset: Dataset,
    *,
    gain: float,
    prior: Settings,
    flipped: Settings,
    guess: Settings,
    training: Settings,
    splitting: Settings,
    seed: int,
    report: Callable[[str], Report] = lambda _name: silent,
) -> Chance:
    """Fit networks to points by chance, and compare them with trained ones.

    Args:
        gain: deviations of initial weights, in those of torch's default.
        prior: ``points``, ``loss`` and ``runs``: to how many points, below which loss.
        flipped: ``points``, ``held_out``, ``flips``, ``loss``, ``steepness`` and ``runs``: to so
            many points and further ones, of which some have flipped labels.
        guess: ``points``, ``margin``, ``draws`` and ``keep``, see ``guess_and_check``.
        training: ``networks``, ``steps``, and the learning rates ``adam`` and ``sgd``.
        splitting: ``particles``, ``kept`` and ``moves``.
        report: makes what is told of the progress of a part from its name.
    """
    scene = _Scene(model, dataset, gain, training, dict(splitting), seed)
    return Chance(
        **_prior(scene, prior, report("networks drawn by chance")),
        **_flipped(scene, flipped, report("flipped labels")),
        **_guess(scene, guess),
        particles=splitting["particles"],
        moves=splitting["moves"],
        gain=gain,
        parameters=model.layout.size,
        test_points=len(dataset.test_labels),
    )


Of = Callable[[Tensor], Tensor]
"""One number of every network."""


def _on(model: MLP, inputs: Tensor, labels: Tensor) -> tuple[Of, Of]:
    """The mean loss of networks on some points, and the share that they are right about."""

    @torch.no_grad()
    def loss(vectors: Tensor) -> Tensor:
        return negative_log_likelihoods(model.logits(vectors, inputs), labels).double().mean(dim=1)

    @torch.no_grad()
    def accuracy(vectors: Tensor) -> Tensor:
        return right(model, vectors, inputs, labels).double().mean(dim=1)

    return loss, accuracy


def _prior(scene: _Scene, settings: Settings, report: Report) -> dict[str, Any]:
    """Survivors of splitting beside Adam's networks of the same loss."""
    rows: list[dict[str, Any]] = []
    level = settings["loss"]
    for place, number in enumerate(settings["points"]):
        report(place, len(settings["points"]), f"{number} points")
        inputs, labels = scene.points(number)
        gaussian = scene.gaussian(number)
        split = gaussian.below(level, runs=settings["runs"], seed=scene.seed, **scene.splitting)
        networks = [gaussian.parameters(survivors) for survivors in split.survivors]

        loss_of, right_of = _on(scene.model, inputs, labels)

        def low(vectors: Tensor, of: Of = loss_of) -> Tensor:
            below: Tensor = of(vectors) < level
            return below

        trained = scene.trained("adam", low, number)
        reached = ~torch.isnan(trained).any(dim=1).numpy()
        rows.append(
            {
                "probability": split.runs,
                "survivors": [len(run) for run in networks],
                "accuracy": [scene.accuracy(run).mean() for run in networks],
                "train_accuracy": [float(right_of(run).mean()) for run in networks],
                "train_loss": [float(loss_of(run).mean()) for run in networks],
                "adam_accuracy": np.where(reached, scene.accuracy(trained), np.nan),
                "adam_train_accuracy": np.where(reached, right_of(trained), np.nan),
                "adam_train_loss": np.where(reached, loss_of(trained), np.nan),
            }
        )
    return {
        "points": np.array(settings["points"]),
        "loss": level,
        **{name: np.array([row[name] for row in rows]) for name in rows[0]},
    }


def _flipped(scene: _Scene, settings: Settings, report: Report) -> dict[str, Any]:
    """Probabilities with true and with flipped labels of further points, by the same splitting."""
    points, held_out, flips = (settings[key] for key in ("points", "held_out", "flips"))
    runs = []
    for place, number in enumerate(flips):
        report(place, len(flips), f"{number} flipped labels")
        of_these = range(points, points + number)
        gaussian = scene.gaussian(points + held_out, of_these, settings["steepness"])
        split = gaussian.below(
            settings["loss"], runs=settings["runs"], seed=scene.seed, **scene.splitting
        )
        runs.append(split.runs)
    return {
        "flips": np.array(flips),
        "flipped_points": points,
        "held_out": held_out,
        "flipped_loss": settings["loss"],
        "flipped_steepness": settings["steepness"],
        "flipped_probability": np.array(runs),
    }


def _guess(scene: _Scene, settings: Settings) -> dict[str, Any]:
    """Networks that were guessed beside trained ones of the same normalised margin."""
    numbers, margin = list(settings["points"]), settings["margin"]
    inputs, labels = scene.points(max(numbers))
    reference = torch.from_numpy(scene.dataset.train_inputs)
    found = guess_and_check(
        scene.model, scene.gain, inputs, labels, reference,
        points=numbers, margin=margin, draws=settings["draws"], keep=settings["keep"],
        seed=scene.seed,
    )  # fmt: skip
    accuracy = np.full((len(numbers), settings["keep"]), np.nan)
    trained: dict[str, list[np.ndarray]] = {"adam": [], "sgd": []}
    for place, ((_, networks), number) in enumerate(zip(found, numbers, strict=True)):
        accuracy[place, : len(networks)] = scene.accuracy(networks)

        def reached(vectors: Tensor, number: int = number) -> Tensor:
            some = vectors, inputs[:number], labels[:number]
            enough: Tensor = normalised_margins(scene.model, *some, reference) >= margin
            return enough

        for optimizer, rows in trained.items():
            vectors = scene.trained(optimizer, reached, number)
            lost = torch.isnan(vectors).any(dim=1).numpy()
            rows.append(np.where(lost, np.nan, scene.accuracy(vectors)))
    return {
        "guess_points": np.array(numbers),
        "guess_margin": margin,
        "guess_draws": settings["draws"],
        "guess_fitting": np.array([count for count, _ in found]),
        "guess_accuracy": accuracy,
        **{f"guess_{name}_accuracy": np.array(rows) for name, rows in trained.items()},
    }


def minima_masses(
    model: MLP,
    draws: Sequence[tuple[Dataset, Minima, Minima]],
    *,
    poison_factor: float,
    common_loss: float,
    cutoff: float,
    width: float,
    splitting: Settings,
    runs: int,
    seed: int,
    report: Report = silent,
) -> MinimaMasses:
    """Measure the mass of the basin of every minimum under one Gaussian in filter units.

    Args:
        draws: of each draw of the data, the points and the networks without and with poison.
        poison_factor: of the latter.
        common_loss: to which the logits of all are scaled first, nats.
        cutoff: below which the loss is in the basin, nats.
        width: deviation of every weight, in norms of its filter; biases stay.
        splitting: ``particles``, ``kept`` and ``moves``.
        runs: of splitting, around each minimum.
    """
    rows: list[dict[str, Any]] = []
    for number, (dataset, *kinds) in enumerate(draws):
        report(number, len(draws), "masses around minima")
        points = dataset.train_inputs, dataset.train_labels
        for poisoned, minima in enumerate(kinds):
            for place, vector in enumerate(minima.parameters):
                masses, levels = _mass(
                    model, vector, *points, common_loss=common_loss, cutoff=cutoff, width=width,
                    splitting=splitting, runs=runs, seed=seed,
                )  # fmt: skip
                told = ("train_accuracy", "test_accuracy", "train_loss")
                row = {name: getattr(minima, name)[place] for name in told}
                row |= {"draw": number, "poisoned": poisoned, "mass": masses, "levels": levels}
                rows.append(row)
    return MinimaMasses(
        **{name: np.array([row[name] for row in rows]) for name in rows[0]},
        poison_factor=poison_factor,
        common_loss=common_loss,
        cutoff=cutoff,
        width=width,
        particles=splitting["particles"],
        moves=splitting["moves"],
        train_points=len(draws[0][0].train_labels),
        poison_points=draws[0][0].poison_labels.shape[1],
        test_points=len(draws[0][0].test_labels),
        weights=len(positions(model.layout)),
    )


def _mass(
    model: MLP,
    vector: Float32[np.ndarray, " parameters"],
    inputs: Float32[np.ndarray, "points features"],
    labels: Int64[np.ndarray, " points"],
    *,
    common_loss: float,
    cutoff: float,
    width: float,
    splitting: Settings,
    runs: int,
    seed: int,
) -> tuple[Float64[np.ndarray, " runs"], float]:
    """Log10 of the mass of the region around one network in each run, and the number of levels."""
    points = torch.from_numpy(inputs), torch.from_numpy(labels)
    steep = with_loss(model, vector, points[0], points[1], common_loss)
    if steep is None:
        return np.full(runs, np.nan), np.nan
    deviation = width * metric(model.layout, torch.from_numpy(steep), "exact").numpy()
    gaussian = GaussianWeights(model, inputs, labels, deviation, steep)
    split = gaussian.below(cutoff, runs=runs, seed=seed, **splitting)
    return split.runs, split.levels
