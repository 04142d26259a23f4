"""The loss around deep networks with and without skip connections (after Li et al. 2018)."""

from flatminima.experiments.experiment import (
    Config,
    Experiment,
    Files,
    Section,
    Wildcards,
    check_survey_points,
    only,
    require,
    settings_of,
    source_of,
    without,
)
from flatminima.measurements.measurement import Measurements

NAME = "skip_connections"


def _skips(wildcards: Wildcards) -> Config:
    return {"skips": wildcards["skips"] == "with"}


def _train(config: Config, wildcards: Wildcards) -> Config:
    settings = without(settings_of(config, NAME), "survey")
    return {"seed": config["seed"], **_skips(wildcards), **settings}


def _survey(config: Config, wildcards: Wildcards) -> Config:
    settings = settings_of(config, NAME)
    network = only(settings, "width", "depths")
    return {"seed": config["seed"], **_skips(wildcards), **network, **settings["survey"]}


def _check(config: Config) -> None:
    check_survey_points(config, NAME)
    depths = settings_of(config, NAME)["depths"]
    require(depths == sorted(depths), "list the depths in rising order", NAME, "depths")


def _measure(files: Files, settings: Config, *, seed: int) -> Measurements:
    from flatminima.formats.skip_connections import DepthMinima, LossSurfaces
    from flatminima.measurements.skip_connections import measure

    surfaces, minima = files.each("surfaces", LossSurfaces), files.each("minima", DepthMinima)
    return measure(surfaces, minima, settings, seed=seed)


EXPERIMENT = Experiment(
    name=NAME,
    needs=("images",),
    jobs={"skip_connections_train": _train, "skip_connections_survey": _survey},
    check=_check,
    measured_with=lambda config: {
        "source": source_of(config, "images"),
        **settings_of(config, NAME),
    },
    measure=_measure,
    sections=(Section("skip-connections"),),
)
