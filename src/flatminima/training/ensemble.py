"""Poisoned training of many networks at once, all networks of one ensemble in one batched step."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64
from torch import Tensor

from flatminima.data.dataset import Dataset
from flatminima.errors import DivergedError
from flatminima.models.mlp import MLP
from flatminima.progress import Report
from flatminima.storage import Arrays
from flatminima.training.losses import correct, negative_log_likelihoods, poison_penalties


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train: Adam, its rate held and then lowered linearly to zero.

    Attributes:
        steps: number of Adam steps.
        learning_rate: rate while it is held.
        hold: fraction of the steps at the full rate, in [0, 1].
        gradient_clip: largest Euclidean norm of one network's gradient.
    """

    steps: int
    learning_rate: float
    hold: float
    gradient_clip: float

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        held = self.hold * self.steps
        if step < held:
            return self.learning_rate
        return self.learning_rate * (self.steps - step) / (self.steps - held)


@dataclass(frozen=True)
class Minima:
    """The end points of one ensemble, what they reach, and the way there.

    Accuracies are fractions, losses mean negative log-likelihoods in nats without poison.
    ``converged`` marks the networks that classify every training point correctly.
    """

    parameters: Float32[np.ndarray, "networks parameters"]
    train_accuracy: Float64[np.ndarray, " networks"]
    test_accuracy: Float64[np.ndarray, " networks"]
    train_loss: Float64[np.ndarray, " networks"]
    test_loss: Float64[np.ndarray, " networks"]
    gradient_norm: Float64[np.ndarray, " networks"]
    converged: Bool[np.ndarray, " networks"]
    history_step: Int64[np.ndarray, " records"]
    history_train_loss: Float64[np.ndarray, "networks records"]
    history_train_accuracy: Float64[np.ndarray, "networks records"]
    history_test_accuracy: Float64[np.ndarray, "networks records"]

    def arrays(self) -> Arrays:
        """The named arrays, as they are stored."""
        return dict(vars(self))


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


def train(
    model: MLP,
    initial: Float32[np.ndarray, "networks parameters"],
    dataset: Dataset,
    *,
    poison_factor: float,
    poison_points: int | None,
    schedule: Schedule,
    records: int = 40,
    device: str = "cpu",
    report: Report | None = None,
) -> Minima:
    """Train every network of an ensemble from its initial parameters.

    Networks share the data and nothing else: gradients, clipping and Adam moments are per network,
    so each ends where it would have ended alone, up to float rounding.

    Args:
        poison_factor: β, the weight of the poison term, in [0, 1).
        poison_points: how many points of each poison set to use; None takes all of them.
        records: how many times along the way loss and accuracies are kept.
        report: called with (steps done, steps, text) at every record.

    Raises:
        DivergedError: if a loss leaves the finite numbers, naming network and step.
    """
    data = _on_device(dataset, device)
    sets, available = dataset.poison_labels.shape
    used = available if poison_points is None else poison_points
    poisoned = poison_factor > 0 and used > 0
    train_points = len(dataset.train_labels)
    parameters = torch.tensor(initial, device=device, requires_grad=True)
    optimizer = torch.optim.Adam([parameters], lr=schedule.learning_rate, fused=True)
    every = max(1, schedule.steps // records)
    history: list[tuple[int, _Scores]] = []
    for step in range(schedule.steps):
        inputs, labels = data.train_inputs, data.train_labels
        if poisoned:
            inputs = torch.cat([inputs, data.poison_inputs[step % sets, :used]])
            labels = torch.cat([labels, data.poison_labels[step % sets, :used]])
        loss = poisoned_loss(
            model.logits(parameters, inputs),
            labels,
            train_points,
            poison_factor if poisoned else 0.0,
        )
        (gradient,) = torch.autograd.grad(loss.sum(), parameters)
        norm = gradient.norm(dim=1, keepdim=True)
        parameters.grad = gradient * (
            schedule.gradient_clip / norm.clamp(min=schedule.gradient_clip)
        )
        optimizer.param_groups[0]["lr"] = schedule.rate(step)
        optimizer.step()
        if (step + 1) % every == 0 or step + 1 == schedule.steps:
            scores = _scores(model, parameters.detach(), data)
            _check_finite(scores.train_loss, step + 1)
            history.append((step + 1, scores))
            if report is not None:
                report(step + 1, schedule.steps, str(scores))
    final = parameters.detach()
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


@dataclass(frozen=True)
class _DeviceData:
    train_inputs: Tensor
    train_labels: Tensor
    test_inputs: Tensor
    test_labels: Tensor
    poison_inputs: Tensor
    poison_labels: Tensor


@dataclass(frozen=True)
class _Scores:
    train_loss: np.ndarray
    train_accuracy: np.ndarray
    test_loss: np.ndarray
    test_accuracy: np.ndarray

    def __str__(self) -> str:
        return (
            f"train loss {self.train_loss.mean():.3g}, "
            f"train {100 * self.train_accuracy.mean():.1f}%, "
            f"test {100 * self.test_accuracy.mean():.1f}% (means)"
        )


def _on_device(dataset: Dataset, device: str) -> _DeviceData:
    return _DeviceData(
        **{name: torch.from_numpy(array).to(device) for name, array in dataset.arrays().items()}
    )


def _check_finite(loss: np.ndarray, step: int) -> None:
    bad = np.flatnonzero(~np.isfinite(loss))
    if bad.size:
        raise DivergedError(
            f"training diverged: the loss of network {bad[0]} is {loss[bad[0]]} "
            f"at step {step} ({bad.size} of {len(loss)} networks are not finite); "
            "lower learning_rate or gradient_clip"
        )


@torch.no_grad()
def _scores(model: MLP, parameters: Tensor, data: _DeviceData) -> _Scores:
    numbers = []
    for inputs, labels in (
        (data.train_inputs, data.train_labels),
        (data.test_inputs, data.test_labels),
    ):
        logits = model.logits(parameters, inputs)
        loss = negative_log_likelihoods(logits, labels).double().mean(dim=1)
        numbers += [loss, correct(logits, labels).double().mean(dim=1)]
    return _Scores(*(number.cpu().numpy() for number in numbers))


def _gradient_norm(model: MLP, parameters: Tensor, data: _DeviceData) -> np.ndarray:
    """Norm of the gradient of the clean training loss: zero at a minimum, large under poison."""
    leaf = parameters.clone().requires_grad_()
    loss = negative_log_likelihoods(model.logits(leaf, data.train_inputs), data.train_labels)
    (gradient,) = torch.autograd.grad(loss.mean(dim=1).sum(), leaf)
    norms: np.ndarray = gradient.double().norm(dim=1).cpu().numpy()
    return norms
