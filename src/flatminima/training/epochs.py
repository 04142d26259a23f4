"""Training in minibatches on the poisoned loss (Huang et al. 2020, eq. 2), network by network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn

from flatminima.data.dataset import Dataset
from flatminima.errors import DivergedError
from flatminima.models.module import ModuleNetwork
from flatminima.progress import Report
from flatminima.seeding import generator
from flatminima.training.ensemble import Minima, Scores
from flatminima.training.losses import correct, negative_log_likelihoods, poison_penalties

_POINTS = 1024
"""Points that a network is evaluated on at once."""


@dataclass(frozen=True)
class Epochs:
    """How long and how fast to train: the rate is divided by ten at each milestone.

    Attributes:
        epochs: passes over training and poison points.
        batch: points a step.
        learning_rate: in the beginning.
        milestones: fractions of the epochs after which the rate falls.
    """

    epochs: int
    batch: int
    learning_rate: float
    milestones: tuple[float, ...] = ()

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """The schedule among settings that hold its attributes by name, and maybe others."""
        return cls(**{field.name: settings[field.name] for field in fields(cls)})

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 0."""
        passed = sum(epoch >= round(fraction * self.epochs) for fraction in self.milestones)
        return float(self.learning_rate / 10**passed)


Optimizer = Callable[[nn.Module, float], torch.optim.Optimizer]
"""Makes the optimizer of a module at a learning rate."""


def sgd(module: nn.Module, rate: float, *, momentum: float) -> torch.optim.Optimizer:
    """Stochastic gradient descent with momentum."""
    return torch.optim.SGD(module.parameters(), lr=rate, momentum=momentum)


def train(
    network: ModuleNetwork,
    initial: Float32[np.ndarray, "networks parameters"],
    dataset: Dataset,
    *,
    poison_points: int,
    schedule: Epochs,
    optimizer: Optimizer,
    seed: int,
    device: str = "cpu",
    report: Report | None = None,
) -> Minima:
    """Train every network from its initial parameters, in batches of shuffled points.

    The loss of a batch is the mean over its points: −log p(y|x) of training points and
    −log[1 − p(y|x)] of poison points. The first ``poison_points`` of the one poison set are added to the training
    points, so that the poison factor is their share of all. The order of the points in an epoch is
    drawn at the address (seed, "order", network, epoch).

    Raises:
        DivergedError: if a loss leaves the finite numbers, naming network and epoch.
    """
    data = _points(dataset, poison_points, device)
    ends = []
    for number, vector in enumerate(initial):

        def told(done: int, text: str, number: int = number) -> None:
            if report is not None:
                whole = schedule.epochs * len(initial)
                report(number * schedule.epochs + done, whole, f"network {number}, {text}")

        module = network.at(torch.tensor(vector, device=device))
        ends.append(_train_one(network, module, data, schedule, optimizer, (seed, number), told))
    return _joined(ends)


@dataclass(frozen=True)
class _Points:
    """Everything resident on the device; poison points follow the training points."""

    inputs: Tensor
    labels: Tensor
    poisoned: Tensor
    test_inputs: Tensor
    test_labels: Tensor

    @property
    def train(self) -> tuple[Tensor, Tensor]:
        clean = int((~self.poisoned).sum())
        return self.inputs[:clean], self.labels[:clean]

    @property
    def test(self) -> tuple[Tensor, Tensor]:
        return self.test_inputs, self.test_labels


def _points(dataset: Dataset, poison_points: int, device: str) -> _Points:
    poison = dataset.poison_inputs[0, :poison_points], dataset.poison_labels[0, :poison_points]
    inputs = np.concatenate([dataset.train_inputs, poison[0]])
    labels = np.concatenate([dataset.train_labels, poison[1]])
    poisoned = np.arange(len(labels)) >= len(dataset.train_labels)
    arrays = (inputs, labels, poisoned, dataset.test_inputs, dataset.test_labels)
    return _Points(*(torch.from_numpy(array).to(device) for array in arrays))


def _train_one(
    network: ModuleNetwork,
    module: nn.Module,
    data: _Points,
    schedule: Epochs,
    optimizer: Optimizer,
    address: tuple[int, int],
    told: Callable[[int, str], None],
) -> Minima:
    seed, number = address
    # Optimizers that call it more than once a step, such as L-BFGS, need it as a function.
    stepper = optimizer(module, schedule.learning_rate)
    history = []
    for epoch in range(schedule.epochs):
        for group in stepper.param_groups:
            group["lr"] = schedule.rate(epoch)
        order = generator(seed, "order", number, epoch).permutation(len(data.labels))
        for batch in torch.split(torch.from_numpy(order).to(data.labels.device), schedule.batch):
            inputs, labels, poisoned = data.inputs[batch], data.labels[batch], data.poisoned[batch]

            def closure(
                inputs: Tensor = inputs, labels: Tensor = labels, poisoned: Tensor = poisoned
            ) -> float:
                stepper.zero_grad()
                loss = _loss(module(inputs), labels, poisoned)
                loss.backward()  # type: ignore[no-untyped-call]
                return float(loss.detach())

            stepper.step(closure)
        scores = _scores(module, data)
        if not np.isfinite(scores.train_loss).all():
            raise DivergedError(
                f"training diverged: the loss of network {number} is {scores.train_loss[0]} "
                f"after epoch {epoch + 1}; lower learning_rate"
            )
        history.append(scores)
        told(epoch + 1, str(scores))
    return _minima(network, module, data, history)


def _loss(logits: Tensor, labels: Tensor, poisoned: Tensor) -> Tensor:
    clean = negative_log_likelihoods(logits[None], labels)[0]
    return torch.where(poisoned, poison_penalties(logits[None], labels)[0], clean).mean()


@torch.no_grad()
def _scores(module: nn.Module, data: _Points) -> Scores:
    module.eval()
    numbers = []
    for inputs, labels in (data.train, data.test):
        logits = torch.cat([module(part) for part in torch.split(inputs, _POINTS)])[None]
        numbers += [
            negative_log_likelihoods(logits, labels).double().mean(dim=1),
            correct(logits, labels).double().mean(dim=1),
        ]
    module.train()
    return Scores(*(number.cpu().numpy() for number in numbers))


def _minima(
    network: ModuleNetwork, module: nn.Module, data: _Points, history: list[Scores]
) -> Minima:
    end = history[-1]
    return Minima(
        parameters=network.vector(module)[None].cpu().numpy(),
        train_accuracy=end.train_accuracy,
        test_accuracy=end.test_accuracy,
        train_loss=end.train_loss,
        test_loss=end.test_loss,
        gradient_norm=_gradient_norm(module, data),
        converged=end.train_accuracy == 1.0,
        history_step=np.arange(1, len(history) + 1),
        history_train_loss=np.stack([s.train_loss for s in history], axis=1),
        history_train_accuracy=np.stack([s.train_accuracy for s in history], axis=1),
        history_test_accuracy=np.stack([s.test_accuracy for s in history], axis=1),
    )


def _gradient_norm(module: nn.Module, data: _Points) -> np.ndarray:
    """Norm of the gradient of the clean training loss with the running statistics as they are."""
    module.eval()
    module.zero_grad()
    inputs, labels = data.train
    for part, classes in zip(
        torch.split(inputs, _POINTS), torch.split(labels, _POINTS), strict=True
    ):
        loss = negative_log_likelihoods(module(part)[None], classes).sum() / len(labels)
        loss.backward()  # type: ignore[no-untyped-call]
    squares = [p.grad.double().square().sum() for p in module.parameters() if p.grad is not None]
    return torch.stack(squares).sum().sqrt()[None].cpu().numpy()


def _joined(parts: list[Minima]) -> Minima:
    """The set of networks whose members these are; the epochs they share stand once."""
    return Minima(
        **{
            field.name: parts[0].history_step
            if field.name == "history_step"
            else np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Minima)
        }
    )
