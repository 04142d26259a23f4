"""Curves of low loss between good and bad minima of a data set (after Garipov et al. 2018)."""

from flatminima.experiments.experiment import (
    Config,
    Experiment,
    Files,
    Section,
    Wildcards,
    data_alone,
    only,
    require,
    settings_of,
    source_of,
)
from flatminima.measurements.measurement import Measurements

NAME = "mode_connectivity"


def connected(config: Config) -> tuple[str, ...]:
    """The data sets whose minima are connected, in order."""
    settings = config["experiments"][NAME] or {}
    return tuple(dataset for dataset, curves in settings.items() if curves is not None)


def _connect(config: Config, wildcards: Wildcards) -> Config:
    dataset = wildcards["dataset"]
    curves = settings_of(config, NAME)[dataset]
    if curves is None:
        raise KeyError(dataset)
    return {"seed": config["seed"], **only(settings_of(config, dataset), "network"), **curves}


def _check(config: Config) -> None:
    """Check that there are the minima that are to be connected, two of a kind at least."""
    cure = f"connect the minima of one data set at least, or leave {NAME} out (null)"
    require(connected(config), cure, NAME)
    for dataset in connected(config):
        experiment = config["experiments"][dataset]
        batch = settings_of(config, NAME)[dataset]["batch"]
        cure = f"{NAME}.{dataset} connects its minima; leave that out too (null)"
        require(experiment is not None and not data_alone(config, dataset), cure, dataset)
        seeds, points = experiment["training"]["seeds"], experiment["data"]["train_points"]
        cure = f"a curve connects two networks; train more, or leave {NAME} out (null)"
        require(seeds >= 2, cure, dataset, "training", "seeds")
        cure = f"there are {points} training points; null takes all"
        require((batch or 0) <= points, cure, NAME, dataset, "batch")


def _measured_with(config: Config) -> Config:
    return {
        dataset: {
            "source": source_of(config, dataset),
            **only(settings_of(config, dataset)["data"], "train_points"),
            **settings_of(config, NAME)[dataset],
        }
        for dataset in connected(config)
    }


def _measure(files: Files, settings: Config, *, seed: int) -> Measurements:
    from flatminima.formats.mode_connectivity import ModeConnectivity
    from flatminima.measurements.mode_connectivity import measure

    return measure(files.each("paths", ModeConnectivity), settings)


EXPERIMENT = Experiment(
    name=NAME,
    jobs={NAME: _connect},
    check=_check,
    measured_with=_measured_with,
    measure=_measure,
    sections=(Section("mode-connectivity"),),
    parts=connected,
)
