"""One network, many optimizers, on the images (Huang et al. 2020, Fig 2 right and Table 1)."""

from collections.abc import Mapping
from typing import Any

from flatminima.experiments.experiment import (
    Config,
    Experiment,
    Files,
    seed_of,
    settings_of,
    source_of,
    without,
)
from flatminima.measurements.measurement import Measurements

NAME = "optimizers"


def _train(config: Config, wildcards: Mapping[str, str]) -> Config:
    settings, name = settings_of(config, NAME), wildcards["optimizer"]
    chosen = {"optimizer": name, "learning_rate": settings["learning_rates"][name]}
    return {**seed_of(config), **without(settings, "learning_rates"), **chosen}


def _measured_with(config: Config) -> Config:
    source = {"source": source_of(config, "images")}
    return {**source, **without(settings_of(config, NAME), "seeds")}


def _measure(files: Files, settings: Mapping[str, Any], *, seed: int) -> Measurements:
    from flatminima.measurements.generalization import measure_optimizers

    return measure_optimizers(files.each("curves"), settings)


EXPERIMENT = Experiment(
    name=NAME,
    needs=("images",),
    jobs={"optimizers_train": _train},
    measured_with=_measured_with,
    measure=_measure,
)
