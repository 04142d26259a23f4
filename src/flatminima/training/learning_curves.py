"""Ordinary training, for what it comes to and how: networks without poison, epoch by epoch."""

from collections.abc import Mapping
from typing import Any

from flatminima.data.dataset import Dataset
from flatminima.formats.learning_curves import LearningCurves
from flatminima.models.load import build_module
from flatminima.training.epochs import train_as


def follow(settings: Mapping[str, Any], dataset: Dataset, **options: Any) -> LearningCurves:
    """Train networks on a data set's training points alone.

    Args:
        settings: ``network``, and those of ``epochs.train_as``.
        options: ``optimizer`` and others of ``epochs.train``.

    Raises:
        DivergedError: if a loss leaves the finite numbers.
    """
    network = build_module(settings["network"], dataset.shape, dataset.logits)
    minima: dict[str, Any] = vars(train_as(settings, network, dataset, **options))
    reached = {name: value for name, value in minima.items() if name != "parameters"}
    return LearningCurves(**reached | dataset.counts)
