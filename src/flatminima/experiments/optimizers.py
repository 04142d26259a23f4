"""One network, many optimizers, on the images (Huang et al. 2020, Fig 2 right and Table 1)."""

from flatminima.experiments.experiment import (
    Config,
    Experiment,
    Files,
    Section,
    Wildcards,
    settings_of,
    source_of,
    without,
)
from flatminima.measurements.measurement import Measurements

NAME = "optimizers"


def learning_rates(config: Config) -> dict[str, float]:
    """The optimizers of a run with their rates: those that no overlay has left out, by null."""
    rates = settings_of(config, NAME)["learning_rates"]
    return {name: rate for name, rate in rates.items() if rate is not None}


def _train(config: Config, wildcards: Wildcards) -> Config:
    settings, name = settings_of(config, NAME), wildcards["optimizer"]
    chosen = {"optimizer": name, "learning_rate": learning_rates(config)[name]}
    return {"seed": config["seed"], **without(settings, "learning_rates"), **chosen}


def _measured_with(config: Config) -> Config:
    return {
        "source": source_of(config, "images"),
        **without(settings_of(config, NAME), "seeds"),
        "learning_rates": learning_rates(config),
    }


def _measure(files: Files, settings: Config, *, seed: int) -> Measurements:
    from flatminima.formats.learning_curves import LearningCurves
    from flatminima.measurements.generalization import measure_optimizers

    return measure_optimizers(files.each("curves", LearningCurves), settings)


EXPERIMENT = Experiment(
    name=NAME,
    needs=("images",),
    jobs={"optimizers_train": _train},
    measured_with=_measured_with,
    measure=_measure,
    sections=(Section("optimizers", "Does the optimizer matter?"),),
)
