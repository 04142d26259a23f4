"""Residual networks of several depths, with or without skip connections, trained alike."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from flatminima.data.dataset import Dataset
from flatminima.formats.skip_connections import DepthMinima
from flatminima.models.load import build_module
from flatminima.models.module import ModuleNetwork
from flatminima.training.checkpoints import Checkpoints
from flatminima.training.epochs import train_as

_REACHED = ("train_accuracy", "test_accuracy", "train_loss", "test_loss", "converged")


def networks(settings: Mapping[str, Any], dataset: Dataset) -> dict[int, ModuleNetwork]:
    """The architecture of each of ``depths``, of one ``width`` and with ``skips`` or without.

    Raises:
        ConfigError: if there is no network of such a depth.
    """
    alike = {"architecture": "resnet", "width": settings["width"], "skips": settings["skips"]}
    return {
        depth: build_module({**alike, "depth": depth}, dataset.shape, dataset.logits)
        for depth in settings["depths"]
    }


def train_depths(
    settings: Mapping[str, Any],
    dataset: Dataset,
    *,
    checkpoints: Callable[[int], Checkpoints] | None = None,
    **options: Any,
) -> DepthMinima:
    """Train networks of every depth on a data set's training points alone.

    Networks of one number start from the same weights and see the points in the same order with
    skip connections and without.

    Args:
        settings: those of ``networks`` and of ``epochs.train_as``.
        checkpoints: makes those of a depth; the caller clears them.
        options: ``optimizer`` and others of ``epochs.train``.

    Raises:
        DivergedError: if a loss leaves the finite numbers.
        ConfigError: if there is no network of such a depth.
    """
    built = networks(settings, dataset)
    minima = {
        depth: train_as(
            settings,
            network,
            dataset,
            checkpoints=checkpoints(depth) if checkpoints else None,
            **options,
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
