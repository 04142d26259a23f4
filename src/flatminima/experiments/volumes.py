"""Volumes of basins of the swiss roll's networks by several estimators."""

from collections.abc import Mapping
from typing import Any

from flatminima.experiments.experiment import (
    Config,
    Experiment,
    Files,
    Section,
    WrongSettingError,
    only,
    seed_of,
    settings_of,
)
from flatminima.measurements.measurement import Measurements

NAME = "volumes"
NETWORKS = "swiss_roll"


def _survey(config: Config, _wildcards: Mapping[str, str]) -> Config:
    networks = settings_of(config, NETWORKS)
    return {
        **seed_of(config),
        **only(networks, "network"),
        **only(config["geometry"], "decades"),
        **settings_of(config, NAME),
        **only(networks["training"], "poison_factors"),
    }


def _check(config: Config) -> None:
    networks = settings_of(config, NAME)["networks"]
    seeds = settings_of(config, NETWORKS)["training"]["seeds"]
    if networks > seeds:
        cure = f"there are {seeds} networks at each poison factor"
        raise WrongSettingError(("experiments", NAME, "networks"), networks, cure)


def _measure(files: Files, settings: Mapping[str, Any], *, seed: int) -> Measurements:
    from flatminima.formats.volumes import Volumes
    from flatminima.measurements.volumes import measure

    return measure(NETWORKS, files.typed("volumes", Volumes), seed=seed)


EXPERIMENT = Experiment(
    name=NAME,
    needs=(NETWORKS,),
    jobs={NAME: _survey},
    check=_check,
    measured_with=lambda _config: {},
    measure=_measure,
    sections=(Section("volumes", "How far a volume can be trusted"),),
)
