"""Residual networks of several depths, with or without skip connections, trained alike."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from flatminima.data.dataset import Dataset
from flatminima.errors import ConfigError
from flatminima.formats.skip_connections import DepthMinima
from flatminima.models.load import build
from flatminima.models.module import ModuleNetwork
from flatminima.progress import Report
from flatminima.training.checkpoints import Checkpoints
from flatminima.training.epochs import Epochs, Optimizer, train

_REACHED = ("train_accuracy", "test_accuracy", "train_loss", "test_loss", "converged")


def networks(settings: Mapping[str, Any], dataset: Dataset) -> dict[int, ModuleNetwork]:
    """The architecture of each depth.

    Args:
        settings: ``depths``, ``width`` and ``skips``.
        dataset: whose points they take.

    Raises:
        ConfigError: if there is no network of such a depth.
    """
    built = {}
    for depth in settings["depths"]:
        size = {"depth": depth, "width": settings["width"], "skips": settings["skips"]}
        network = build({"architecture": "resnet", **size}, dataset.shape, dataset.logits)
        if not isinstance(network, ModuleNetwork):
            raise ConfigError("residual networks take images")
        built[depth] = network
    return built


def train_depths(
    settings: Mapping[str, Any],
    dataset: Dataset,
    *,
    optimizer: Optimizer,
    device: str = "cpu",
    checkpoints: Callable[[int], Checkpoints] | None = None,
    report: Report | None = None,
) -> DepthMinima:
    """Train networks of every depth on a data set's training points alone.

    Networks of one number start from the same weights and see the points in the same order with
    skip connections and without.

    Args:
        settings: ``depths``, ``width``, ``skips``, ``seed``, ``seeds`` and what :class:`Epochs`
            takes, by name.
        dataset: whose poison points are left aside.
        optimizer: makes the optimizer of a module at a rate.
        device: to train on.
        checkpoints: makes those of a depth; the caller clears them.
        report: told of every epoch.

    Raises:
        DivergedError: if a loss leaves the finite numbers.
        ConfigError: if there is no network of such a depth.
    """
    built = networks(settings, dataset)
    minima = {
        depth: train(
            network,
            network.initialise(settings["seed"], range(settings["seeds"])),
            dataset,
            poison_points=0,
            schedule=Epochs.of(settings),
            optimizer=optimizer,
            seed=settings["seed"],
            device=device,
            checkpoints=checkpoints(depth) if checkpoints is not None else None,
            report=report,
        )
        for depth, network in built.items()
    }
    reached: dict[str, Any] = {
        name: np.stack([getattr(ensemble, name) for ensemble in minima.values()])
        for name in _REACHED
    }
    return DepthMinima(
        parameters={str(depth): ensemble.parameters for depth, ensemble in minima.items()},
        depth=np.array(list(built), dtype=np.int64),
        trainable=np.array([network.trainable for network in built.values()], dtype=np.int64),
        **reached | dataset.counts,
    )
