"""Bad minima without poison at the end, on the swiss roll and with its network."""

from flatminima.experiments.experiment import (
    Config,
    Experiment,
    Files,
    Section,
    Wildcards,
    basin_settings,
    only,
    require,
    settings_of,
    without,
)
from flatminima.measurements.measurement import Measurements

NAME = "random_labels"
NETWORKS = "swiss_roll"


def _train(config: Config, _wildcards: Wildcards) -> Config:
    settings, networks = settings_of(config, NAME), settings_of(config, NETWORKS)
    return {
        "seed": config["seed"],
        **only(networks, "network"),
        **only(networks["training"], "poison_factors"),
        **without(settings, "common_loss", "common_loss_directions"),
    }


def _survey(config: Config, _wildcards: Wildcards) -> Config:
    settings, geometry = settings_of(config, NAME), config["geometry"]
    common = without(basin_settings(geometry, settings["common_loss_directions"]), "cutoffs")
    return {
        "seed": config["seed"],
        **only(settings_of(config, NETWORKS), "network"),
        "basins": basin_settings(geometry, geometry["directions"]),
        "common_loss": {"loss": settings["common_loss"], **common},
        "boundary_points": geometry["boundary_points"],
    }


def _check(config: Config) -> None:
    settings = settings_of(config, NAME)
    copies, seeds = settings["copies"], settings_of(config, NETWORKS)["training"]["seeds"]
    cure = "list the copies in rising order from 0 (true labels, the yardstick)"
    require(copies[0] == 0 and copies == sorted(copies), cure, NAME, "copies")
    cure = f"there are {seeds} networks at each poison factor"
    require(settings["poisoned"] <= seeds, cure, NAME, "poisoned")


def _measured_with(config: Config) -> Config:
    return {**settings_of(config, NAME), **only(config["geometry"], "directions", "direction_kind")}


def _measure(files: Files, settings: Config, *, seed: int) -> Measurements:
    from flatminima.formats.basins import Summary
    from flatminima.formats.random_labels import RandomLabelsSurvey
    from flatminima.measurements.random_labels import describe, measure

    survey = files.typed("survey", RandomLabelsSurvey)
    return measure(survey, files.typed("summary", Summary), describe(settings), seed=seed)


EXPERIMENT = Experiment(
    name=NAME,
    needs=(NETWORKS,),
    jobs={"random_labels_train": _train, "random_labels_survey": _survey},
    check=_check,
    measured_with=_measured_with,
    measure=_measure,
    sections=(Section("random-labels", "A second way to bad minima"),),
)
