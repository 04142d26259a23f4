"""What the experiments share that train networks at a row of poison factors."""

from functools import partial

from flatminima.data import sources
from flatminima.errors import ConfigError
from flatminima.experiments.experiment import (
    Config,
    Section,
    Settings,
    Wildcards,
    WrongSettingError,
    basin_settings,
    named_factor,
    only,
    require,
    settings_of,
    source_of,
    without,
)
from flatminima.training.poison import poison_points_of_share

BAD_MINIMA = Section("bad-minima", "In search of bad minima")
"""The section of poisoned training, which a run has once however many data sets it has."""

_DRAWN = ("slice_directions", "slice_points", "plane_points")


def jobs(name: str) -> dict[str, Settings]:
    """The settings of the jobs that every such experiment has.

    Args:
        name: of the experiment, which is that of its data set.
    """
    reads = {
        "dataset": dataset,
        "basins": _basins,
        "slices": _slices,
        "selection": _factors,
        "summary": _factors,
    }
    return {rule: partial(settings, name) for rule, settings in reads.items()}


def dataset(name: str, config: Config, _wildcards: Wildcards) -> Config:
    """The settings of the job that makes a data set."""
    data, source = settings_of(config, name)["data"], source_of(config, name)
    # Some come with a library, not from files.
    images = sources.IMAGE_SOURCES.get(source)
    dropped = ("folder", "checksums") if images and images.files is None else ()
    return {
        "seed": config["seed"],
        "source": source,
        "data": without(data, "source", "note", "mirror", *dropped),
    }


def train(name: str, config: Config, wildcards: Wildcards) -> Config:
    """The settings of the job that trains all networks of one poison factor."""
    experiment = settings_of(config, name)
    training = experiment["training"]
    return {
        "poison_factor": named_factor(training["poison_factors"], wildcards["poison"]),
        "seed": config["seed"],
        "network": experiment["network"],
        **without(training, "poison_factors"),
    }


def around_minima(name: str, *geometry: str, cutoff: bool = False) -> Settings:
    """The settings of a job that looks around some minima: the network and parts of the geometry.

    Args:
        name: of the experiment.
        geometry: keys of the geometry.
        cutoff: whether the job reads the highest cutoff too.
    """

    def settings(config: Config, _wildcards: Wildcards) -> Config:
        level = {"cutoff": config["geometry"]["cutoffs"][-1]} if cutoff else {}
        network = {"network": settings_of(config, name)["network"]}
        return {
            "seed": config["seed"],
            **network,
            **level,
            **only(survey_of(config, name), *geometry),
        }

    return settings


def survey_of(config: Config, name: str) -> Config:
    """The geometry; what an experiment says of its own survey counts more than what all have."""
    return {**config["geometry"], **settings_of(config, name).get("survey", {})}


def evaluation(config: Config, name: str, *statistics: str) -> Config:
    """What batch norm normalises by in a survey, if it says so, and what that takes."""
    survey = survey_of(config, name)
    if "batch_norm" not in survey:
        return {}
    batch_norm = survey["batch_norm"]
    batched = "batch" in (batch_norm, *statistics)
    batch = {"batch": settings_of(config, name)["training"]["batch"]} if batched else {}
    return {"evaluation": {"batch_norm": batch_norm, **batch}}


def described(config: Config, name: str) -> Config:
    """What the article says of how the networks were made, and how they were measured."""
    experiment, geometry = settings_of(config, name), config["geometry"]
    kept = only(experiment, "network", "training")
    if "survey" in experiment:
        kept["survey"] = without(experiment["survey"], *_DRAWN)
    return {
        "source": source_of(config, name),
        **kept,
        **only(geometry, "directions", "direction_kind", "excess"),
    }


def check(name: str, config: Config) -> None:
    """Check that factors rise from 0, and that there are points for the shares they stand for.

    Raises:
        WrongSettingError: if they do not, or there are too few.
    """
    training, data = (config["experiments"][name][part] for part in ("training", "data"))
    path = (name, "training", "poison_factors")
    factors = training["poison_factors"]
    cure = "list the factors in rising order from 0 (natural training, the yardstick)"
    require(factors[0] == 0 and factors == sorted(factors), cure, *path)
    if training.get("poison_batch", "share") == "share":
        for index, factor in enumerate(factors):
            try:
                poison_points_of_share(factor, data["train_points"], data["poison_points"])
            except ConfigError as error:
                raise WrongSettingError(("experiments", *path, index), str(error)) from error


def _factors(name: str, config: Config, _wildcards: Wildcards) -> Config:
    return only(settings_of(config, name)["training"], "poison_factors")


def _basins(name: str, config: Config, _wildcards: Wildcards) -> Config:
    survey = survey_of(config, name)
    return {
        "seed": config["seed"],
        "network": settings_of(config, name)["network"],
        **evaluation(config, name),
        **only(survey, "points"),
        "basins": basin_settings(survey, survey["directions"]),
    }


def _slices(name: str, config: Config, wildcards: Wildcards) -> Config:
    around = around_minima(name, "points", "direction_kind", *_DRAWN, cutoff=True)
    return {**around(config, wildcards), **evaluation(config, name)}
