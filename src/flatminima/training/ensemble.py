"""Poisoned training of many networks at once, all networks of one ensemble in one batched step."""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor

from flatminima.data.dataset import Dataset
from flatminima.devices import tensors
from flatminima.errors import DivergedError
from flatminima.formats.minima import NETWORKS, Minima
from flatminima.models.mlp import MLP
from flatminima.progress import Report
from flatminima.training.losses import correct, negative_log_likelihoods, poison_penalties


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train: the rate is held and then lowered linearly to zero.

    Attributes:
        steps: number of steps.
        learning_rate: rate while it is held.
        hold: fraction of the steps at the full rate, in [0, 1].
        gradient_clip: largest Euclidean norm of one network's gradient.
    """

    steps: int
    learning_rate: float
    hold: float
    gradient_clip: float = math.inf

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """The schedule among settings that hold its attributes by name, and maybe others."""
        return cls(**{field.name: settings[field.name] for field in fields(cls)})

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        held = self.hold * self.steps
        if step < held:
            return self.learning_rate
        return self.learning_rate * (self.steps - step) / (self.steps - held)


def poisoned_loss(
    logits: Float[Tensor, "networks points outputs"],
    labels: Tensor,
    train_points: int,
    poison_factor: float,
) -> Float[Tensor, " networks"]:
    """L = (1−β)·mean −log p(y|x) over training + β·mean −log[1 − p(y|x)] over poison points.

    Huang et al. 2020, eq. 2. The first ``train_points`` points are for training, the rest poison.
    """
    clean = negative_log_likelihoods(logits[:, :train_points], labels[:train_points]).mean(dim=1)
    if poison_factor == 0:
        return clean
    poison = poison_penalties(logits[:, train_points:], labels[train_points:]).mean(dim=1)
    return (1 - poison_factor) * clean + poison_factor * poison


Optimizer = Callable[[Tensor, float], torch.optim.Optimizer]
"""Makes the optimizer of the parameters (networks, parameters) at a learning rate."""


def adam(parameters: Float[Tensor, "networks parameters"], rate: float) -> torch.optim.Optimizer:
    """Adam, whose moments are per parameter and so per network."""
    return torch.optim.Adam([parameters], lr=rate, fused=True)


CACHED = 1_400_000
"""Hidden activations above which an ensemble is trained in slices on a CPU: those of one layer and
its gradient then still fit the cache, which saves a quarter of the time of two hundred networks."""


@dataclass(frozen=True)
class Scores:
    """What the networks of an ensemble reach: mean losses in nats, accuracies as fractions."""

    train_loss: Float64[np.ndarray, " networks"]
    train_accuracy: Float64[np.ndarray, " networks"]
    test_loss: Float64[np.ndarray, " networks"]
    test_accuracy: Float64[np.ndarray, " networks"]

    @classmethod
    def of(cls, parts: Iterable[tuple[Tensor, Tensor]]) -> Self:
        """Of training and then of test points: logits (networks, points, outputs) and labels."""
        numbers: list[Tensor] = []
        for logits, labels in parts:
            numbers += [negative_log_likelihoods(logits, labels), correct(logits, labels)]
        return cls(*(number.double().mean(dim=1).cpu().numpy() for number in numbers))

    def __str__(self) -> str:
        return (
            f"train loss {self.train_loss.mean():.3g}, "
            f"train {100 * self.train_accuracy.mean():.1f}%, "
            f"test {100 * self.test_accuracy.mean():.1f}% (means)"
        )


def train(
    model: MLP,
    initial: Float32[np.ndarray, "networks parameters"],
    dataset: Dataset,
    *,
    schedule: Schedule,
    poison_factor: float = 0.0,
    poison_points: int | None = None,
    optimizer: Optimizer = adam,
    records: int = 40,
    device: str = "cpu",
    report: Report | None = None,
) -> Minima:
    """Train every network of an ensemble from its initial parameters.

    Networks share the data and nothing else: gradients, clipping and moments are per network, so
    each ends where it would have ended alone, up to float rounding. A large ensemble is therefore
    trained slice by slice on a CPU.

    Args:
        poison_factor: β, the weight of the poison term, in [0, 1).
        poison_points: how many points of each poison set to use; None takes all of them.
        optimizer: what turns gradients into steps; it must keep the networks apart.
        records: how many times along the way loss and accuracies are kept.
        report: called with (steps done, steps, text) at every record, counting those of all slices.

    Raises:
        DivergedError: if a loss leaves the finite numbers, naming network and step.
    """
    clean, test, (poison_inputs, poison_labels) = _parts(dataset, device)
    inputs, labels = clean
    sets, available = poison_labels.shape
    used = available if poison_points is None else poison_points
    if poison_factor == 0 or used == 0:
        used, poison_factor = 0, 0.0
    every = max(1, schedule.steps // records)
    bounds = _slices(len(initial), sum(model.widths[1:-1]) * (len(labels) + used), device)

    def follow(first: int, start: Tensor) -> Minima:
        """Train one slice; ``first`` counts the networks before it."""
        parameters = start.requires_grad_()
        stepper = optimizer(parameters, schedule.learning_rate)
        history: dict[int, Scores] = {}
        for step in range(schedule.steps):
            points, classes = inputs, labels
            if used:
                points = torch.cat([inputs, poison_inputs[step % sets, :used]])
                classes = torch.cat([labels, poison_labels[step % sets, :used]])
            logits = model.logits(parameters, points)
            loss = poisoned_loss(logits, classes, len(labels), poison_factor)
            (gradient,) = torch.autograd.grad(loss.sum(), parameters)
            norm = gradient.norm(dim=1, keepdim=True)
            parameters.grad = gradient * (schedule.gradient_clip / norm).clamp(max=1)
            stepper.param_groups[0]["lr"] = schedule.rate(step)
            stepper.step()
            if (step + 1) % every == 0 or step + 1 == schedule.steps:
                scores = _scores(model, parameters, clean, test)
                if bad := np.flatnonzero(~np.isfinite(scores.train_loss)).tolist():
                    raise DivergedError(
                        f"training diverged: the loss of network {first + bad[0]} is "
                        f"{scores.train_loss[bad[0]]} at step {step + 1} ({len(bad)} of "
                        f"{len(initial)} networks are not finite); lower learning_rate or "
                        "gradient_clip"
                    )
                history[step + 1] = scores
                if report is not None:
                    done = first * schedule.steps + len(start) * (step + 1)
                    report(done // len(initial), schedule.steps, str(scores))
        loss = negative_log_likelihoods(model.logits(parameters, inputs), labels).mean(dim=1)
        (gradient,) = torch.autograd.grad(loss.sum(), parameters)
        return minima(parameters, gradient.double().norm(dim=1), history)

    return Minima.joined(
        [
            follow(first, torch.tensor(initial[first:last], device=device))
            for first, last in itertools.pairwise(bounds)
        ],
        NETWORKS,
    )


def evaluate(
    model: MLP, parameters: Float32[np.ndarray, "networks parameters"], dataset: Dataset
) -> Scores:
    """Loss and accuracies of every network, without poison."""
    train, test, _ = _parts(dataset, "cpu")
    return _scores(model, torch.from_numpy(parameters), train, test)


@torch.no_grad()
def _scores(model: MLP, parameters: Tensor, *parts: list[Tensor]) -> Scores:
    return Scores.of((model.logits(parameters, inputs), labels) for inputs, labels in parts)


def _parts(dataset: Dataset, device: str) -> list[list[Tensor]]:
    """Inputs and labels of training, test and poison points."""
    return [
        tensors(device, getattr(dataset, f"{part}_inputs"), getattr(dataset, f"{part}_labels"))
        for part in ("train", "test", "poison")
    ]


def _slices(networks: int, activations: int, device: str) -> list[int]:
    """Where slices of nearly equal size begin and end, given the activations of one network."""
    count = 1 if device != "cpu" else math.ceil(networks * activations / CACHED)
    count = min(networks, count)
    return [networks * i // count for i in range(count + 1)]


def minima(
    parameters: Float[Tensor, "networks parameters"],
    gradient_norm: Float64[Tensor, " networks"],
    history: Mapping[int, Scores],
    trainable: int | None = None,
) -> Minima:
    """Networks where they end, and what they reached after each step or epoch that is kept.

    ``gradient_norm`` is that of the clean training loss: zero at a minimum, large under poison.
    """
    *_, end = history.values()
    along = {
        f"history_{name}": np.stack([getattr(scores, name) for scores in history.values()], axis=1)
        for name in ("train_loss", "train_accuracy", "test_accuracy")
    }
    reached: dict[str, Any] = vars(end) | along
    return Minima(
        parameters=parameters.detach().cpu().numpy(),
        gradient_norm=gradient_norm.cpu().numpy(),
        converged=end.train_accuracy == 1.0,
        history_step=np.array(list(history), dtype=np.int64),
        trainable=trainable,
        **reached,
    )
