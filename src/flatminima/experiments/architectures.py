"""Networks beside a linear model, on the images (Huang et al. 2020, Fig 2 left)."""

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

NAME = "architectures"


def _train(config: Config, wildcards: Wildcards) -> Config:
    settings = settings_of(config, NAME)
    model: Config = settings["models"][wildcards["model"]]
    return {"seed": config["seed"], **without(settings, "models"), **model}


def _measured_with(config: Config) -> Config:
    settings = settings_of(config, NAME)
    models = settings["models"].items()
    return {
        "source": source_of(config, "images"),
        **settings,
        "models": {model: without(described, "seeds") for model, described in models},
    }


def _measure(files: Files, settings: Config, *, seed: int) -> Measurements:
    from flatminima.formats.learning_curves import LearningCurves
    from flatminima.measurements.generalization import measure_architectures

    return measure_architectures(files.each("curves", LearningCurves), settings, seed=seed)


EXPERIMENT = Experiment(
    name=NAME,
    needs=("images",),
    jobs={"architectures_train": _train},
    measured_with=_measured_with,
    measure=_measure,
    sections=(Section("architectures", "A network beside a linear model"),),
)
