"""Training in minibatches on the poisoned loss (Huang et al. 2020, eq. 2), network by network.

Small pre-activation ResNets of small images are trained together on a CPU, by rows (see
``models.rows``), each on batches of its own; others one after another. On one thread of an AMD EPYC
with AVX-512 and PyTorch 2.13, four ResNet-8s of width 8 in batches of 64 images of 8×8 pixels train
1.2 times as fast together, five in batches of 16 1.5 times, two ResNet-44s of width 4 in batches of
32 1.2 times. An ensemble of them under ``torch.func.vmap`` is not faster than one after another.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass, field, fields
from functools import partial
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from jaxtyping import Float32, Float64
from torch import Tensor, nn

from flatminima.data.dataset import Dataset
from flatminima.devices import tensors, training_precision
from flatminima.errors import ConfigError, DivergedError
from flatminima.formats.minima import NETWORKS, Minima
from flatminima.models.module import ModuleNetwork
from flatminima.models.rows import LONGEST_TRAINED, RowResNet, fits
from flatminima.models.strategies import SMALL
from flatminima.progress import Report
from flatminima.seeding import generator
from flatminima.training.checkpoints import Checkpoints
from flatminima.training.ensemble import Scores, minima
from flatminima.training.losses import log_odds, negative_log_likelihoods, other_classes

_POINTS = 128
"""Points that a network is evaluated on at once: with more, a ResNet-20 on 32×32 pixels leaves the
cache, and a thousand take twice as long."""


@dataclass(frozen=True)
class Epochs:
    """How long and how fast to train: the rate is divided by ten at each milestone.

    Attributes:
        epochs: passes over training and poison points.
        batch: points a step.
        learning_rate: in the beginning.
        milestones: fractions of the epochs after which the rate falls.
        every: epochs from one record of the history to the next; the last epoch has one too.
    """

    epochs: int
    batch: int
    learning_rate: float
    milestones: tuple[float, ...] = ()
    every: int = 1

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """The schedule among settings that hold its attributes by name, and maybe others."""
        names = [entry.name for entry in fields(cls)]
        return cls(**{name: settings[name] for name in names if name in settings})

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 0."""
        passed = sum(epoch >= round(fraction * self.epochs) for fraction in self.milestones)
        return float(self.learning_rate / 10**passed)

    def scored(self, epoch: int) -> bool:
        """Whether the history has a record of what an epoch, counted from 0, led to."""
        return (epoch + 1) % self.every == 0 or epoch + 1 == self.epochs


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
    precision: str = "auto",
    checkpoints: Checkpoints | None = None,
    report: Report | None = None,
) -> Minima:
    """Train every network from its initial parameters, in batches of shuffled points.

    The loss of a batch is the mean over its points: −log p(y|x) of training points and
    −log[1 − p(y|x)] of poison points. The first ``poison_points`` of the one poison set are added
    to the training points, so that the poison factor is their share of all. The order of the
    points in an epoch is drawn at the address (seed, "order", network, epoch).

    Histories hold records of every so many epochs, computed with the running statistics of batch
    norm. Where layers compute in bfloat16, losses and the scores of the end are in float32.

    Args:
        precision: in what layers compute, see ``devices.training_precision``. ResNet-20 of width 16
            on 32×32 pixels trains 1.7 times as fast in bfloat16 on a CPU that has it.
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
    half = training_precision(precision, device) == "bfloat16"
    keys = _keys(initial, data, schedule, seed, half=half, checkpoints=checkpoints)
    saved = [checkpoints.read(n, key) if checkpoints else None for n, key in enumerate(keys)]
    group = _group(
        network, torch.from_numpy(initial), data, optimizer, schedule.learning_rate,
        seed=seed, first=first, half=half,
    )  # fmt: skip
    names = [f"network {place + 1} of {len(initial)}" for place in range(len(initial))]
    for run, state in zip(group.runs, saved, strict=True):
        if state is not None:
            run.restore(state)
            print(f"{names[run.place]} goes on after epoch {run.epochs}")
    done, total = 0, sum(schedule.epochs - run.epochs for run in group.runs)
    while behind := group.behind(schedule.epochs):
        group.epoch(behind, data, schedule)
        due = checkpoints is not None and checkpoints.due()
        for run in behind:
            done += 1
            if report is not None:
                *_, last = run.history.values() or [""]
                report(done, total, f"{names[run.place]}, epoch {run.epochs}, {last}")
            over = run.epochs == schedule.epochs
            if checkpoints is not None and (over or due):
                checkpoints.write(run.place, keys[run.place], run.state(over=over))
    ends = []
    for run in group.runs:
        norm = _gradient_norm(run.module, data)
        ends.append(minima(network.vector(run.module)[None], norm, run.history, network.trainable))
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

    ``precision`` may be among them too.

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
        precision=settings.get("precision", "auto"),
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


@dataclass(eq=False)
class _Run:
    """One network on its way: its module, its optimizer and what it reached.

    Attributes:
        place: among those that are trained here.
        address: the root seed and the number of the network among all of a run.
        epochs: that it has been trained for.
        history: what it reached, by the number of epochs.
    """

    network: ModuleNetwork
    place: int
    address: tuple[int, int]
    module: nn.Module
    stepper: torch.optim.Optimizer
    epochs: int = 0
    history: dict[int, Scores] = field(default_factory=dict)

    def batches(self, data: _Points, schedule: Epochs) -> Iterator[Tensor]:
        """Numbers of the points in each batch of the next epoch, whose rate is set."""
        seed, number = self.address
        for group in self.stepper.param_groups:
            group["lr"] = schedule.rate(self.epochs)
        order = generator(seed, "order", number, self.epochs).permutation(len(data.labels))
        shuffled = torch.from_numpy(order).to(data.labels.device)
        return iter(torch.split(shuffled, _sizes(len(order), schedule.batch)))

    def passed(self, data: _Points, schedule: Epochs, *, half: bool = False) -> None:
        """Note that an epoch is over, and what it led to."""
        scored = schedule.scored(self.epochs)
        self.epochs += 1
        if not scored:
            return
        # The parameters that are stored are those in float32; so is what is said of them.
        scores = _scores(self.module, data, half=half and self.epochs < schedule.epochs)
        if not np.isfinite(scores.train_loss).all():
            raise DivergedError(
                f"training diverged: the loss of network {self.address[1]} is "
                f"{scores.train_loss[0]} after epoch {self.epochs} of {schedule.epochs}; "
                "lower learning_rate"
            )
        self.history[self.epochs] = scores

    def state(self, *, over: bool) -> dict[str, Any]:
        """What a checkpoint holds; a network at its end needs its optimizer no more."""
        return {
            "vector": self.network.vector(self.module),
            "epochs": self.epochs,
            "scored": list(self.history),
            "scores": [torch.tensor(np.array(astuple(one))) for one in self.history.values()],
            "optimizer": None if over else self.stepper.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint holds."""
        self.network.put(self.module, state["vector"])
        self.epochs = state["epochs"]
        scores = [Scores(*one.numpy()) for one in state["scores"]]
        self.history = dict(zip(state["scored"], scores, strict=True))
        if state["optimizer"] is not None:
            self.stepper.load_state_dict(state["optimizer"])
            # Moments lie in memory as their parameters do: another order may round differently.
            for parameter, moments in self.stepper.state.items():
                for name, value in moments.items():
                    if isinstance(value, Tensor) and value.shape == parameter.shape:
                        moments[name] = torch.empty_like(parameter).copy_(value)


@dataclass(frozen=True)
class _OneByOne:
    """Networks that are trained one after another, by any optimizer, in bfloat16 if ``half``."""

    runs: list[_Run]
    half: bool

    def behind(self, epochs: int) -> list[_Run]:
        """The first that is not at its end."""
        return [run for run in self.runs if run.epochs < epochs][:1]

    def epoch(self, behind: list[_Run], data: _Points, schedule: Epochs) -> None:
        """Take the steps of one more epoch."""
        for run in behind:
            for batch in run.batches(data, schedule):
                self._step(run, data.inputs[batch], data.labels[batch], data.poisoned[batch])
            run.passed(data, schedule, half=self.half)

    def _step(self, run: _Run, inputs: Tensor, labels: Tensor, poisoned: Tensor) -> None:
        # Optimizers that call it more than once a step, such as L-BFGS, need it as a function.
        def closure() -> Tensor:
            run.stepper.zero_grad()
            loss = _losses(_logits(run.module, inputs, half=self.half), labels, poisoned).mean()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss.detach()

        run.stepper.step(closure)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _ByRows:
    """Small networks of small images, those that have come equally far in one batched step.

    Attributes:
        vectors: (networks, parameters) of all; modules and optimizers see parts of its rows.
    """

    runs: list[_Run]
    vectors: Tensor
    rows: RowResNet
    trainable: int

    def behind(self, epochs: int) -> list[_Run]:
        """Those that have come least far, unless they are at their ends."""
        least = min(run.epochs for run in self.runs)
        return [run for run in self.runs if run.epochs == least < epochs]

    @torch.no_grad()
    def epoch(self, behind: list[_Run], data: _Points, schedule: Epochs) -> None:
        """Take the steps of one more epoch."""
        places = torch.tensor([run.place for run in behind])
        for batches in zip(*(run.batches(data, schedule) for run in behind), strict=True):
            self._step(behind, places, torch.stack(batches), data)
        for run in behind:
            run.passed(data, schedule)

    def _step(self, behind: list[_Run], places: Tensor, batch: Tensor, data: _Points) -> None:
        def slopes(logits: Tensor) -> Tensor:
            # One by one, so that no rounding depends on the networks beside.
            return torch.stack(
                [
                    _slopes(one, data.labels[own], data.poisoned[own])
                    for one, own in zip(logits, batch, strict=True)
                ]
            )

        vectors = self.vectors[places]
        gradients, moments = self.rows.gradients(vectors, data.inputs[batch], slopes)
        for run, gradient, found in zip(behind, gradients, moments, strict=True):
            (parameter,) = run.stepper.param_groups[0]["params"]
            parameter.grad = gradient[: self.trainable]
            run.stepper.step()
            statistics = self.vectors[run.place, self.trainable :]
            statistics.lerp_(found[self.trainable :], self.rows.momentum)


def _group(
    network: ModuleNetwork,
    initial: Float32[Tensor, "networks parameters"],
    data: _Points,
    optimizer: Optimizer,
    rate: float,
    *,
    seed: int,
    first: int,
    half: bool,
) -> _OneByOne | _ByRows:
    """The networks as they are trained; ``first`` is the number of the first of them."""
    shape = tuple(data.inputs.shape[1:])
    # Momentum moves each number by itself, so that it may see them all as one vector.
    alone = not (isinstance(optimizer, partial) and optimizer.func is sgd)
    if alone or half or data.inputs.is_cuda or not fits(network.module, shape, LONGEST_TRAINED):
        runs = []
        for place, vector in enumerate(initial):
            module = network.at(vector.to(data.inputs.device))
            module.to(memory_format=_memory_format(module, shape))  # type: ignore[call-overload]
            runs.append(
                _Run(network, place, (seed, first + place), module, optimizer(module, rate))
            )
        return _OneByOne(runs, half)
    vectors = initial.clone()
    runs = []
    for place, vector in enumerate(vectors):
        module = network.seen_at(vector)
        stepper = optimizer(nn.ParameterList([vector[: network.trainable]]), rate)
        runs.append(_Run(network, place, (seed, first + place), module, stepper))
    rows = RowResNet(network.module, network.layout, shape)
    return _ByRows(runs, vectors, rows, network.trainable)


def _memory_format(module: nn.Module, shape: tuple[int, ...]) -> torch.memory_format:
    """The order of memory that is faster, on a CPU too.

    Channels last is: 1.1 times with a ResNet-8 on 8×8 pixels, 1.2 times with a ResNet-20 on 32×32.
    With the many channels of a ResNet-18 of width 64 on 8×8 pixels it is slower by 1.1 times.
    """
    filters = [part.out_channels for part in module.modules() if isinstance(part, nn.Conv2d)]
    wide_on_small = max(filters, default=0) > 256 and shape[-1] <= SMALL
    return torch.contiguous_format if wide_on_small else torch.channels_last


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
    *,
    half: bool,
    checkpoints: Checkpoints | None,
) -> list[str]:
    """A digest for each network of everything that determines where it ends."""
    if checkpoints is None:
        return [""] * len(initial)
    held = (data.inputs, data.labels, data.poisoned, *data.test)
    forms = [(tensor.dtype, tuple(tensor.shape)) for tensor in held]
    told = (
        checkpoints.recipe,
        torch.__version__,
        data.inputs.device.type,
        schedule,
        seed,
        half,
        forms,
    )
    common = hashlib.sha256(repr(told).encode())
    for tensor in held:
        common.update(tensor.cpu().numpy().reshape(-1).data)
    return [
        hashlib.sha256(common.digest() + str(number).encode() + vector.tobytes()).hexdigest()
        for number, vector in enumerate(initial)
    ]


def _logits(module: nn.Module, inputs: Tensor, *, half: bool = False) -> Tensor:
    """Logits in float32; layers compute in bfloat16 if ``half``."""
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=half):
        logits: Tensor = module(inputs)
    return logits.float()


def _losses(logits: Tensor, labels: Tensor, poisoned: Tensor) -> Tensor:
    """Of each point: −log p of its label, or −log(1 − p) where it is of poison.

    With o the log odds of the label these are softplus(−o) and softplus(o).
    """
    odds = log_odds(logits, labels)
    return F.softplus(torch.where(poisoned, odds, -odds))


def _slopes(logits: Tensor, labels: Tensor, poisoned: Tensor) -> Tensor:
    """Gradient of the mean of ``_losses`` by the logits."""
    sign = torch.where(poisoned, 1.0, -1.0).to(logits)
    slope = (torch.sigmoid(sign * log_odds(logits, labels)) * sign / len(labels))[:, None]
    if logits.shape[1] == 1:
        return slope * (2 * labels[:, None] - 1)
    others = other_classes(logits, labels).softmax(1)
    return (others * -slope).scatter_(1, labels[:, None], slope)


@torch.no_grad()
def _scores(module: nn.Module, data: _Points, *, half: bool = False) -> Scores:
    def logits(inputs: Tensor) -> Tensor:
        parts = torch.split(inputs, _POINTS)
        return torch.cat([_logits(module, part, half=half) for part in parts])[None]

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
        logits = _logits(module, part)[None]
        loss = negative_log_likelihoods(logits, classes).sum() / len(labels)
        loss.backward()  # type: ignore[no-untyped-call]
    squares = [p.grad.double().square().sum() for p in module.parameters() if p.grad is not None]
    return torch.stack(squares).sum().sqrt()[None]
