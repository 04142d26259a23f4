"""Poisoned training of many networks at once, all networks of one ensemble in one batched step."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor

from flatminima.data.dataset import Dataset
from flatminima.errors import DivergedError
from flatminima.formats.minima import Minima
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


def train(
    model: MLP,
    initial: Float32[np.ndarray, "networks parameters"],
    dataset: Dataset,
    *,
    poison_factor: float,
    poison_points: int | None,
    schedule: Schedule,
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
    data = _on_device(dataset, device)
    sets, available = dataset.poison_labels.shape
    used = available if poison_points is None else poison_points
    if poison_factor == 0 or used == 0:
        used, poison_factor = 0, 0.0
    every = max(1, schedule.steps // records)
    points = len(dataset.train_labels) + used
    bounds = _slices(len(initial), sum(model.widths[1:-1]) * points, device)

    def follow(first: int, start: Tensor) -> Minima:
        """Train one slice; ``first`` counts the networks before it."""
        parameters = start.requires_grad_()
        stepper = optimizer(parameters, schedule.learning_rate)
        history: list[tuple[int, Scores]] = []
        for step in range(schedule.steps):
            inputs, labels = data.train_inputs, data.train_labels
            if used:
                inputs = torch.cat([inputs, data.poison_inputs[step % sets, :used]])
                labels = torch.cat([labels, data.poison_labels[step % sets, :used]])
            logits = model.logits(parameters, inputs)
            loss = poisoned_loss(logits, labels, len(data.train_labels), poison_factor)
            (gradient,) = torch.autograd.grad(loss.sum(), parameters)
            norm = gradient.norm(dim=1, keepdim=True)
            parameters.grad = gradient * (schedule.gradient_clip / norm).clamp(max=1)
            stepper.param_groups[0]["lr"] = schedule.rate(step)
            stepper.step()
            if (step + 1) % every == 0 or step + 1 == schedule.steps:
                scores = _scores(model, parameters.detach(), data)
                _check_finite(scores.train_loss, step + 1, first, len(initial))
                history.append((step + 1, scores))
                if report is not None:
                    done = first * schedule.steps + len(start) * (step + 1)
                    report(done // len(initial), schedule.steps, str(scores))
        return _minima(model, parameters.detach(), data, history)

    return concatenate(
        [
            follow(first, torch.tensor(initial[first:last], device=device))
            for first, last in itertools.pairwise(bounds)
        ]
    )


def evaluate(
    model: MLP, parameters: Float32[np.ndarray, "networks parameters"], dataset: Dataset
) -> "Scores":
    """Loss and accuracies of every network, without poison."""
    return _scores(model, torch.from_numpy(parameters), _on_device(dataset, "cpu"))


@dataclass(frozen=True)
class Scores:
    """What the networks of an ensemble reach: mean losses in nats, accuracies as fractions."""

    train_loss: Float64[np.ndarray, " networks"]
    train_accuracy: Float64[np.ndarray, " networks"]
    test_loss: Float64[np.ndarray, " networks"]
    test_accuracy: Float64[np.ndarray, " networks"]

    def __str__(self) -> str:
        return (
            f"train loss {self.train_loss.mean():.3g}, "
            f"train {100 * self.train_accuracy.mean():.1f}%, "
            f"test {100 * self.test_accuracy.mean():.1f}% (means)"
        )


def _slices(networks: int, activations: int, device: str) -> list[int]:
    """Where slices of nearly equal size begin and end, given the activations of one network."""
    count = 1 if device != "cpu" else math.ceil(networks * activations / CACHED)
    count = min(networks, count)
    return [networks * i // count for i in range(count + 1)]


def _minima(
    model: MLP, final: Tensor, data: "_DeviceData", history: list[tuple[int, Scores]]
) -> Minima:
    end = _scores(model, final, data)
    return Minima(
        parameters=final.cpu().numpy(),
        train_accuracy=end.train_accuracy,
        test_accuracy=end.test_accuracy,
        train_loss=end.train_loss,
        test_loss=end.test_loss,
        gradient_norm=_gradient_norm(model, final, data),
        converged=end.train_accuracy == 1.0,
        history_step=np.array([step for step, _ in history], dtype=np.int64),
        history_train_loss=np.stack([s.train_loss for _, s in history], axis=1),
        history_train_accuracy=np.stack([s.train_accuracy for _, s in history], axis=1),
        history_test_accuracy=np.stack([s.test_accuracy for _, s in history], axis=1),
    )


def concatenate(parts: Sequence[Minima]) -> Minima:
    """The networks of all parts, in order; what they share, such as steps, stands once."""

    def together(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        return values[0] if name in ("history_step", "trainable") else np.concatenate(values)

    return Minima(**{field.name: together(field.name) for field in fields(Minima)})


@dataclass(frozen=True)
class _DeviceData:
    train_inputs: Tensor
    train_labels: Tensor
    test_inputs: Tensor
    test_labels: Tensor
    poison_inputs: Tensor
    poison_labels: Tensor


def _on_device(dataset: Dataset, device: str) -> _DeviceData:
    return _DeviceData(
        **{
            field.name: torch.from_numpy(getattr(dataset, field.name)).to(device)
            for field in fields(_DeviceData)
        }
    )


def _check_finite(loss: np.ndarray, step: int, first: int, networks: int) -> None:
    bad = np.flatnonzero(~np.isfinite(loss))
    if bad.size:
        raise DivergedError(
            f"training diverged: the loss of network {first + bad[0]} is {loss[bad[0]]} "
            f"at step {step} ({bad.size} of {networks} networks are not finite); "
            "lower learning_rate or gradient_clip"
        )


@torch.no_grad()
def _scores(model: MLP, parameters: Tensor, data: _DeviceData) -> Scores:
    numbers = []
    for inputs, labels in (
        (data.train_inputs, data.train_labels),
        (data.test_inputs, data.test_labels),
    ):
        logits = model.logits(parameters, inputs)
        loss = negative_log_likelihoods(logits, labels).double().mean(dim=1)
        numbers += [loss, correct(logits, labels).double().mean(dim=1)]
    return Scores(*(number.cpu().numpy() for number in numbers))


def _gradient_norm(model: MLP, parameters: Tensor, data: _DeviceData) -> np.ndarray:
    """Norm of the gradient of the clean training loss: zero at a minimum, large under poison."""
    leaf = parameters.clone().requires_grad_()
    loss = negative_log_likelihoods(model.logits(leaf, data.train_inputs), data.train_labels)
    (gradient,) = torch.autograd.grad(loss.mean(dim=1).sum(), leaf)
    norms: np.ndarray = gradient.double().norm(dim=1).cpu().numpy()
    return norms
