"""Measures of flatness of every network of the swiss roll, and what rescaling does to them."""

from flatminima.experiments.experiment import (
    Config,
    Experiment,
    Files,
    Section,
    Wildcards,
    only,
    require,
    settings_of,
)
from flatminima.measurements.measurement import Measurements

NAME = "flatness"
NETWORKS = "swiss_roll"


def _survey(config: Config, _wildcards: Wildcards) -> Config:
    networks = settings_of(config, NETWORKS)
    return {
        "seed": config["seed"],
        **only(networks, "network"),
        **only(networks["training"], "poison_factors"),
        NAME: settings_of(config, NAME),
        **only(config["geometry"], "excess", "decades"),
    }


def _check(config: Config) -> None:
    settings, networks = settings_of(config, NAME), settings_of(config, NETWORKS)
    half, layers = networks["data"]["train_points"] // 2, len(networks["network"]["hidden"])
    cure = f"two disjoint minibatches of the training points hold {half} at most"
    require(settings["batch"] <= half, cure, NAME, "batch")
    cure = f"there are {layers} hidden layers, counted from 0"
    require(settings["layer"] < layers, cure, NAME, "layer")


def _measure(files: Files, settings: Config, *, seed: int) -> Measurements:
    from flatminima.formats.flatness import FlatnessSurvey, Rescaled, Spectra
    from flatminima.measurements.flatness import measure

    return measure(
        NETWORKS,
        files.typed("measures", FlatnessSurvey),
        files.typed("spectra", Spectra),
        files.typed("reparametrisation", Rescaled),
        files.arrays("summary"),
        seed=seed,
    )


EXPERIMENT = Experiment(
    name=NAME,
    needs=(NETWORKS,),
    jobs={NAME: _survey},
    check=_check,
    measure=_measure,
    sections=(Section("flatness", "Is flatness the whole story?"),),
)
