"""Volumes of basins of the swiss roll's networks by several estimators."""

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

NAME = "volumes"
NETWORKS = "swiss_roll"


def _survey(config: Config, _wildcards: Wildcards) -> Config:
    networks = settings_of(config, NETWORKS)
    return {
        "seed": config["seed"],
        **only(networks, "network"),
        **only(config["geometry"], "decades"),
        **settings_of(config, NAME),
        **only(networks["training"], "poison_factors"),
    }


def _check(config: Config) -> None:
    networks = settings_of(config, NAME)["networks"]
    seeds = settings_of(config, NETWORKS)["training"]["seeds"]
    cure = f"there are {seeds} networks at each poison factor"
    require(networks <= seeds, cure, NAME, "networks")


def _measure(files: Files, settings: Config, *, seed: int) -> Measurements:
    from flatminima.formats.volumes import Volumes
    from flatminima.measurements.volumes import measure

    return measure(NETWORKS, files.typed("volumes", Volumes), seed=seed)


EXPERIMENT = Experiment(
    name=NAME,
    needs=(NETWORKS,),
    jobs={NAME: _survey},
    check=_check,
    measure=_measure,
    sections=(Section("volumes", "How far a volume can be trusted"),),
)
