"""Poisoned training of many networks at once, all networks of one ensemble in one batched step."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol, Self

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor
from torch.optim.adam import adam

from flatminima.data.dataset import Dataset
from flatminima.devices import tensors
from flatminima.errors import DivergedError
from flatminima.formats.minima import Minima
from flatminima.models.layout import Layout
from flatminima.models.mlp import MLP
from flatminima.progress import Report
from flatminima.training import matrices
from flatminima.training.backprop import Objective, gradients
from flatminima.training.losses import correct, negative_log_likelihoods


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


class Stepper(Protocol):
    """What moves the parameters (networks, parameters) of an ensemble, every network by itself."""

    def step(self, gradient: Float[Tensor, "networks parameters"], rate: float) -> None:
        """Move every network along its gradient, at a learning rate."""


Optimizer = Callable[[Tensor], Stepper]
"""Makes what moves the parameters that it is given, in place."""


class Adam:
    """Adam (Kingma and Ba 2015), whose moments are per parameter and so per network.

    PyTorch's own, by its function: calling ``torch.optim.Adam`` takes longer than the step of a few
    small networks does.
    """

    def __init__(self, parameters: Float[Tensor, "networks parameters"]) -> None:
        """Begin without any moment.

        Raises:
            ValueError: if the parameters do not lie one after the other.
        """
        if not parameters.is_contiguous():
            raise ValueError("Adam goes through memory; give it contiguous parameters")
        self._parameters = parameters
        self._mean, self._squares = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self._steps = torch.zeros((), device=parameters.device)

    @torch.no_grad()
    def step(self, gradient: Float[Tensor, "networks parameters"], rate: float) -> None:
        """Move every parameter by its mean gradient over the root of its mean square."""
        adam(
            [self._parameters],
            # On a CPU it takes no notice of strides.
            [gradient.contiguous()],
            [self._mean],
            [self._squares],
            [],
            [self._steps],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )


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
    weight_decay: float = 0.0,
    optimizer: Optimizer = Adam,
    records: int = 40,
    device: str = "cpu",
    report: Report | None = None,
) -> Minima:
    """Train every network of an ensemble from its initial parameters.

    Networks share the data and nothing else: gradients, clipping and moments are per network, so
    each ends where it would have ended alone, up to float rounding.

    Args:
        poison_factor: β, the weight of the poison term, in [0, 1).
        poison_points: how many points of each poison set to use; None takes all of them.
        weight_decay: what is added to the gradient for each unit of a weight, twice the coefficient
            of an L2 penalty; biases do not decay.
        optimizer: what turns gradients into steps; it must keep the networks apart.
        records: how many times along the way loss and accuracies are kept.
        report: called with (steps done, steps, text) at every record.

    Raises:
        DivergedError: if a loss leaves the finite numbers, naming network and step.
    """
    clean, test, (poison_inputs, poison_labels) = _parts(dataset, device)
    natural = loss = Objective(*clean)
    if poison_factor > 0 and poison_points != 0:
        poison = poison_inputs[:, :poison_points], poison_labels[:, :poison_points]
        loss = Objective(*clean, poison_factor, *poison)
    order = matrices.order(model.layout).to(device)
    back = torch.argsort(order)
    parameters = torch.from_numpy(initial).to(device).index_select(1, order)
    gradient_of = gradients(model, loss, parameters)
    decay = decays(model.layout, weight_decay)[order].to(parameters)
    stepper = optimizer(parameters)
    every = max(1, schedule.steps // records)
    history: dict[int, Scores] = {}
    for step in range(schedule.steps):
        gradient = gradient_of(step)
        if weight_decay > 0:
            gradient.addcmul_(parameters, decay)
        # Networks with a larger norm are scaled to it.
        gradient.renorm_(2, 0, schedule.gradient_clip)
        stepper.step(gradient, schedule.rate(step))
        if (step + 1) % every == 0 or step + 1 == schedule.steps:
            scores = _scores(model, parameters[:, back], clean, test)
            if bad := np.flatnonzero(~np.isfinite(scores.train_loss)).tolist():
                raise DivergedError(
                    f"training diverged: the loss of network {bad[0]} is "
                    f"{scores.train_loss[bad[0]]} at step {step + 1} ({len(bad)} of "
                    f"{len(initial)} networks are not finite); lower learning_rate or "
                    "gradient_clip"
                )
            history[step + 1] = scores
            if report is not None:
                report(step + 1, schedule.steps, str(scores))
    slope = gradients(model, natural, parameters)(0)
    return minima(parameters[:, back], slope.double().norm(dim=1), history)


def decays(layout: Layout, weight_decay: float) -> Float[Tensor, " parameters"]:
    """What each number of a vector decays by: weights, the rows of matrices, and not biases."""
    found = torch.zeros(layout.size)
    for start, stop in layout.filters:
        found[start:stop] = weight_decay
    return found


def evaluate(
    model: MLP, parameters: Float32[np.ndarray, "networks parameters"], dataset: Dataset
) -> Scores:
    """Loss and accuracies of every network, without poison."""
    train, test, _ = _parts(dataset, "cpu")
    return _scores(model, torch.from_numpy(parameters), train, test)


# Numbers that the networks scored at once may take for their activations.
_SCORED = 2**22


@torch.no_grad()
def _scores(model: MLP, parameters: Tensor, *parts: tuple[Tensor, Tensor]) -> Scores:
    def logits(inputs: Tensor) -> Tensor:
        some = max(1, _SCORED // model.activations(len(inputs)))
        return torch.cat([model.logits(these, inputs) for these in torch.split(parameters, some)])

    return Scores.of((logits(inputs), labels) for inputs, labels in parts)


def _parts(dataset: Dataset, device: str) -> list[tuple[Tensor, Tensor]]:
    """Inputs and labels of training, test and poison points."""
    found = []
    for part in ("train", "test", "poison"):
        arrays = (getattr(dataset, f"{part}_{name}") for name in ("inputs", "labels"))
        inputs, labels = tensors(device, *arrays)
        found.append((inputs, labels))
    return found


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
