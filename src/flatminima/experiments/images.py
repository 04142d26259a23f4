"""Images and convolutional networks (Huang et al. 2020, Figs 4, 5 and 7)."""

from functools import partial

from flatminima.experiments import poisoned
from flatminima.experiments.experiment import (
    Config,
    Experiment,
    Files,
    Section,
    Wildcards,
    basin_settings,
    check_survey_points,
    only,
    settings_of,
)
from flatminima.measurements.measurement import Measurements

NAME = "images"


def _subsets(config: Config, _wildcards: Wildcards) -> Config:
    survey = poisoned.survey_of(config, NAME)
    return {
        "seed": config["seed"],
        "network": settings_of(config, NAME)["network"],
        **poisoned.evaluation(config, NAME, "batch"),
        **only(survey, "points", "subsets"),
        "basins": basin_settings(survey, survey["subset_directions"]),
    }


def _measure(files: Files, settings: Config, *, seed: int) -> Measurements:
    from flatminima.formats.basins import Subsets, Summary
    from flatminima.formats.slices import Slices
    from flatminima.measurements import poisoned as of_poisoned

    summary = files.typed("summary", Summary)
    return of_poisoned.measure(
        NAME,
        summary,
        files.record("selection"),
        files.typed("slices", Slices),
        of_poisoned.describe_images(files.arrays("dataset"), summary, settings),
        source=settings["source"],
        subsets=files.typed("subsets", Subsets),
        seed=seed,
    )


def _check(config: Config) -> None:
    poisoned.check(NAME, config)
    check_survey_points(config, NAME)


EXPERIMENT = Experiment(
    name=NAME,
    jobs={
        **poisoned.jobs(NAME),
        "images_train": partial(poisoned.train, NAME),
        "subsets": _subsets,
    },
    check=_check,
    measured_with=lambda config: poisoned.described(config, NAME),
    measure=_measure,
    sections=(poisoned.BAD_MINIMA, Section("images", "Good and bad minima of images")),
)
