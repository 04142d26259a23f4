"""Ordinary training, for what it comes to and how: networks without poison, epoch by epoch."""

from collections.abc import Mapping
from typing import Any

from flatminima.data.dataset import Dataset
from flatminima.errors import ConfigError
from flatminima.formats.learning_curves import LearningCurves
from flatminima.models.load import build
from flatminima.models.module import ModuleNetwork
from flatminima.progress import Report
from flatminima.training.checkpoints import Checkpoints
from flatminima.training.epochs import Epochs, Optimizer, train


def follow(
    settings: Mapping[str, Any],
    dataset: Dataset,
    *,
    optimizer: Optimizer,
    device: str = "cpu",
    checkpoints: Checkpoints | None = None,
    report: Report | None = None,
) -> LearningCurves:
    """Train networks on a data set's training points alone.

    Args:
        settings: ``network``, ``seed``, ``seeds`` and what :class:`Epochs` takes, by name.
        dataset: whose poison points are left aside.
        optimizer: makes the optimizer of a module at a rate.
        device: to train on.
        checkpoints: where networks are kept along the way; the caller clears them.
        report: told of every epoch.

    Raises:
        DivergedError: if a loss leaves the finite numbers.
        ConfigError: if the network is none of images.
    """
    network = build(settings["network"], dataset.shape, dataset.logits)
    if not isinstance(network, ModuleNetwork):
        raise ConfigError("networks beside each other have an architecture, not hidden widths")
    minima = train(
        network,
        network.initialise(settings["seed"], range(settings["seeds"])),
        dataset,
        poison_points=0,
        schedule=Epochs.of(settings),
        optimizer=optimizer,
        seed=settings["seed"],
        device=device,
        checkpoints=checkpoints,
        report=report,
    )
    kept: dict[str, Any] = {
        name: value for name, value in vars(minima).items() if name != "parameters"
    }
    return LearningCurves(**kept | dataset.counts)
