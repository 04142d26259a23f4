"""Training in minibatches on the poisoned loss (Huang et al. 2020, eq. 2), network by network.

Networks are trained one after another. An ensemble of them under ``torch.func.vmap`` is not faster:
on one thread a step of four ResNet-8s of width 8 on 64 images of 8×8 pixels took as long as four
steps one after another (time one after another over time together: median 1.01 of 15 repeats,
between 0.82 and 1.13).
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, field, fields
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor, nn

from flatminima.data.dataset import Dataset
from flatminima.devices import tensors
from flatminima.errors import ConfigError, DivergedError
from flatminima.formats.minima import NETWORKS, Minima
from flatminima.models.module import ModuleNetwork
from flatminima.progress import Report
from flatminima.seeding import generator
from flatminima.training.checkpoints import Checkpoints
from flatminima.training.ensemble import Scores, minima
from flatminima.training.losses import negative_log_likelihoods, poison_penalties

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
        return cls(**{entry.name: settings[entry.name] for entry in fields(cls)})

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 0."""
        passed = sum(epoch >= round(fraction * self.epochs) for fraction in self.milestones)
        return float(self.learning_rate / 10**passed)


Optimizer = Callable[[nn.Module, float], torch.optim.Optimizer]
"""Makes the optimizer of a module at a learning rate. Its ``step`` is given a closure that computes
loss and gradients on one batch."""


def sgd(module: nn.Module, rate: float, *, momentum: float) -> torch.optim.Optimizer:
    """Stochastic gradient descent with momentum."""
    return torch.optim.SGD(module.parameters(), lr=rate, momentum=momentum)


def train(
    network: ModuleNetwork,
    initial: Float32[np.ndarray, "networks parameters"],
    dataset: Dataset,
    *,
    schedule: Epochs,
    optimizer: Optimizer,
    seed: int,
    first: int = 0,
    poison_points: int = 0,
    device: str = "cpu",
    checkpoints: Checkpoints | None = None,
    report: Report | None = None,
) -> Minima:
    """Train every network from its initial parameters, in batches of shuffled points.

    The loss of a batch is the mean over its points: −log p(y|x) of training points and
    −log[1 − p(y|x)] of poison points. The first ``poison_points`` of the one poison set are added
    to the training points, so that the poison factor is their share of all. The order of the
    points in an epoch is drawn at the address (seed, "order", network, epoch).

    Histories hold one record an epoch, computed with the running statistics of batch norm. On a GPU
    layers compute in bfloat16 while training; losses, and the scores of the end, are in float32.

    Args:
        first: the number of the first of these networks among all of a run.
        checkpoints: where networks are kept along the way. A run that was killed goes on from them
            and ends, bit for bit on the same machine, where it would have ended otherwise. The
            caller clears them once the result is written.
        report: called with (epochs done, epochs, text) after every epoch, counting those that this
            run has to do.

    Raises:
        DivergedError: if a loss leaves the finite numbers, naming network and epoch.
        ConfigError: if there are fewer than two points to train on.
    """
    data = _points(dataset, poison_points, device)
    if len(data.labels) < 2:
        raise ConfigError("there is one point to train on; batch norm takes two or more")
    keys = _keys(initial, data, schedule, seed, checkpoints)
    saved = [checkpoints.read(n, key) if checkpoints else None for n, key in enumerate(keys)]
    total = sum(schedule.epochs - len(state["history"] if state else ()) for state in saved)
    done, ends = 0, []
    for place, (vector, state) in enumerate(zip(initial, saved, strict=True)):
        name = f"network {place + 1} of {len(initial)}"
        module = network.at(torch.tensor(vector, device=device))
        # Faster on a CPU too: 1.16 times with a ResNet-8 on 8×8 pixels, 1.18 times with a ResNet-20
        # on 32×32.
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        run = _Run(module, optimizer(module, schedule.learning_rate))
        if state is not None:
            run.restore(network, state)
            print(f"{name} goes on after epoch {run.epochs}")
        while run.epochs < schedule.epochs:
            scores = run.epoch(data, schedule, (seed, first + place))
            done += 1
            if report is not None:
                report(done, total, f"{name}, epoch {run.epochs}, {scores}")
            over = run.epochs == schedule.epochs
            if checkpoints is not None and (over or checkpoints.due()):
                checkpoints.write(place, keys[place], run.state(network, over=over))
        norm, history = _gradient_norm(module, data), dict(enumerate(run.history, 1))
        ends.append(minima(network.vector(module)[None], norm, history, network.trainable))
    return Minima.joined(ends, NETWORKS)


def train_as(
    settings: Mapping[str, Any],
    network: ModuleNetwork,
    dataset: Dataset,
    *,
    numbers: range | None = None,
    **options: Any,
) -> Minima:
    """Train the networks that settings describe: ``seed``, ``seeds`` and what ``Epochs`` takes.

    Args:
        numbers: of the networks, if not all of them are to be trained.
        options: the others of ``train``.
    """
    seed = settings["seed"]
    numbers = range(settings["seeds"]) if numbers is None else numbers
    return train(
        network,
        network.initialise(seed, numbers),
        dataset,
        schedule=Epochs.of(settings),
        seed=seed,
        first=numbers.start,
        **options,
    )


@dataclass(frozen=True)
class _Points:
    """Everything resident on the device; poison points follow the training points."""

    inputs: Tensor
    labels: Tensor
    poisoned: Tensor
    train: tuple[Tensor, ...]
    test: tuple[Tensor, ...]


def _points(dataset: Dataset, poison_points: int, device: str) -> _Points:
    clean = len(dataset.train_labels)
    inputs, labels, poisoned, *test = tensors(
        device,
        np.concatenate([dataset.train_inputs, dataset.poison_inputs[0, :poison_points]]),
        np.concatenate([dataset.train_labels, dataset.poison_labels[0, :poison_points]]),
        np.arange(clean + len(dataset.poison_labels[0, :poison_points])) >= clean,
        dataset.test_inputs,
        dataset.test_labels,
    )
    return _Points(inputs, labels, poisoned, (inputs[:clean], labels[:clean]), tuple(test))


@dataclass
class _Run:
    """One network on its way: its module, its optimizer and what it reached after each epoch."""

    module: nn.Module
    stepper: torch.optim.Optimizer
    history: list[Scores] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        return len(self.history)

    def epoch(self, data: _Points, schedule: Epochs, address: tuple[int, int]) -> Scores:
        """Take the steps of one more epoch."""
        seed, number = address
        for group in self.stepper.param_groups:
            group["lr"] = schedule.rate(self.epochs)
        order = generator(seed, "order", number, self.epochs).permutation(len(data.labels))
        shuffled = torch.from_numpy(order).to(data.labels.device)
        for batch in torch.split(shuffled, _sizes(len(order), schedule.batch)):
            self._step(data.inputs[batch], data.labels[batch], data.poisoned[batch])
        # The parameters that are stored are those in float32; so is what is said of them.
        scores = _scores(self.module, data, exact=self.epochs + 1 == schedule.epochs)
        if not np.isfinite(scores.train_loss).all():
            raise DivergedError(
                f"training diverged: the loss of network {number} is {scores.train_loss[0]} "
                f"after epoch {self.epochs + 1} of {schedule.epochs}; lower learning_rate"
            )
        self.history.append(scores)
        return scores

    def _step(self, inputs: Tensor, labels: Tensor, poisoned: Tensor) -> None:
        # Optimizers that call it more than once a step, such as L-BFGS, need it as a function.
        def closure() -> Tensor:
            self.stepper.zero_grad()
            loss = _loss(_logits(self.module, inputs), labels, poisoned)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss.detach()

        self.stepper.step(closure)  # type: ignore[arg-type]

    def state(self, network: ModuleNetwork, *, over: bool) -> dict[str, Any]:
        """What a checkpoint holds; a network at its end needs its optimizer no more."""
        return {
            "vector": network.vector(self.module),
            "history": torch.tensor(np.array([astuple(scores) for scores in self.history])),
            "optimizer": None if over else self.stepper.state_dict(),
        }

    def restore(self, network: ModuleNetwork, state: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint holds."""
        network.put(self.module, state["vector"])
        self.history = [Scores(*scores) for scores in state["history"].numpy()]
        if state["optimizer"] is not None:
            self.stepper.load_state_dict(state["optimizer"])
            # Moments lie in memory as their parameters do: another order may round differently.
            for parameter, moments in self.stepper.state.items():
                for name, value in moments.items():
                    if isinstance(value, Tensor) and value.shape == parameter.shape:
                        moments[name] = torch.empty_like(parameter).copy_(value)


def _sizes(points: int, batch: int) -> list[int]:
    """Sizes of the batches; a last one of a single point, which has no variance, joins another."""
    sizes = [batch] * (points // batch) + [points % batch] * (points % batch > 0)
    if sizes[-1] == 1:
        sizes[-2:] = [sum(sizes[-2:])]
    return sizes


def _keys(
    initial: Float32[np.ndarray, "networks parameters"],
    data: _Points,
    schedule: Epochs,
    seed: int,
    checkpoints: Checkpoints | None,
) -> list[str]:
    """A digest for each network of everything that determines where it ends."""
    if checkpoints is None:
        return [""] * len(initial)
    held = (data.inputs, data.labels, data.poisoned, *data.test)
    forms = [(tensor.dtype, tuple(tensor.shape)) for tensor in held]
    told = (checkpoints.recipe, torch.__version__, data.inputs.device.type, schedule, seed, forms)
    common = hashlib.sha256(repr(told).encode())
    for tensor in held:
        common.update(tensor.cpu().numpy().reshape(-1).data)
    return [
        hashlib.sha256(common.digest() + str(number).encode() + vector.tobytes()).hexdigest()
        for number, vector in enumerate(initial)
    ]


def _logits(module: nn.Module, inputs: Tensor, *, exact: bool = False) -> Tensor:
    """Logits in float32; layers compute in bfloat16 on a GPU unless ``exact``."""
    kind = inputs.device.type
    with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda" and not exact):
        logits: Tensor = module(inputs)
    return logits.float()


def _loss(logits: Tensor, labels: Tensor, poisoned: Tensor) -> Tensor:
    clean = negative_log_likelihoods(logits[None], labels)[0]
    return torch.where(poisoned, poison_penalties(logits[None], labels)[0], clean).mean()


@torch.no_grad()
def _scores(module: nn.Module, data: _Points, *, exact: bool) -> Scores:
    def logits(inputs: Tensor) -> Tensor:
        parts = torch.split(inputs, _POINTS)
        return torch.cat([_logits(module, part, exact=exact) for part in parts])[None]

    module.eval()
    scores = Scores.of((logits(inputs), labels) for inputs, labels in (data.train, data.test))
    module.train()
    return scores


def _gradient_norm(module: nn.Module, data: _Points) -> Float64[Tensor, "1"]:
    """Norm of the gradient of the clean training loss with the running statistics as they are."""
    module.eval()
    module.zero_grad()
    inputs, labels = data.train
    for part, classes in zip(
        torch.split(inputs, _POINTS), torch.split(labels, _POINTS), strict=True
    ):
        logits = _logits(module, part, exact=True)[None]
        loss = negative_log_likelihoods(logits, classes).sum() / len(labels)
        loss.backward()  # type: ignore[no-untyped-call]
    squares = [p.grad.double().square().sum() for p in module.parameters() if p.grad is not None]
    return torch.stack(squares).sum().sqrt()[None]
