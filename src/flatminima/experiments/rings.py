"""Two rings a hair apart, whose ideal boundary is sharp (Huang et al. 2020, Fig 8)."""

from flatminima.circles import narrowest_gap
from flatminima.data.rings import INNER, OUTER
from flatminima.experiments.experiment import (
    Config,
    Experiment,
    Files,
    Section,
    Wildcards,
    basin_settings,
    named_factor,
    only,
    require,
    settings_of,
    without,
)
from flatminima.measurements.measurement import Measurements

NAME = "rings"


def _gap(config: Config, wildcards: Wildcards) -> Config:
    """The gap of a job, the smallest where a rule has none of its own."""
    gaps = settings_of(config, NAME)["training"]["gaps"]
    return {"gap": named_factor(gaps, wildcards["gap"]) if "gap" in wildcards else float(gaps[0])}


def _dataset(config: Config, wildcards: Wildcards) -> Config:
    return {**_gap(config, wildcards), **settings_of(config, NAME)["data"]}


def _train(config: Config, wildcards: Wildcards) -> Config:
    _gap(config, wildcards)  # there is such a job
    settings = settings_of(config, NAME)
    return {"seed": config["seed"], **settings["network"], **without(settings["training"], "gaps")}


def _circle(config: Config, wildcards: Wildcards) -> Config:
    settings = settings_of(config, NAME)
    gap = _gap(config, wildcards)
    data = only(settings, "data")
    return {"seed": config["seed"], **settings["network"], **gap, **data, **settings["circle"]}


def _around(config: Config) -> Config:
    settings = settings_of(config, NAME)
    survey = settings["survey"]
    return {
        "seed": config["seed"],
        **settings["network"],
        "angles": survey["angles"],
        "basins": basin_settings(config["geometry"], survey["directions"]),
    }


def _survey(config: Config, _wildcards: Wildcards) -> Config:
    return {**_around(config), **only(settings_of(config, NAME)["training"], "gaps")}


def _sharpness(config: Config, wildcards: Wildcards) -> Config:
    drawing = only(config["geometry"], "slice_directions", "slice_points", "boundary_points")
    return {**_around(config), **_gap(config, wildcards), **drawing}


def _check(config: Config) -> None:
    settings = settings_of(config, NAME)
    gaps, units = settings["training"]["gaps"], settings["network"]["hidden"][0]
    require(gaps == sorted(gaps), "list the gaps in rising order", NAME, "training", "gaps")
    cure = f"a gap ends before the outer ring, {OUTER - INNER:g} from the inner one"
    require(INNER + gaps[-1] < OUTER, cure, NAME, "training", "gaps", len(gaps) - 1)
    cure = "the circle takes three or more units in the first hidden layer"
    require(units >= 3, cure, NAME, "network", "hidden", 0)
    least = narrowest_gap(units, INNER)
    cure = (
        f"the circle built of {units} units is a polygon that takes a gap above {least:.2g}; "
        "widen the gap or the first hidden layer"
    )
    require(gaps[0] > least, cure, NAME, "training", "gaps", 0)


def _measured_with(config: Config) -> Config:
    settings = settings_of(config, NAME)
    return {
        **settings,
        "training": without(settings["training"], "gaps", "seeds"),
        "circle": without(settings["circle"], "gradient_clip"),
        **only(config["geometry"], "direction_kind"),
    }


def _measure(files: Files, settings: Config, *, seed: int) -> Measurements:
    from flatminima.formats.rings import RingsSurvey, Sharpness
    from flatminima.measurements.rings import describe, measure

    survey, sharpness = files.typed("survey", RingsSurvey), files.typed("sharpness", Sharpness)
    return measure(survey, sharpness, describe(settings), seed=seed)


EXPERIMENT = Experiment(
    name=NAME,
    jobs={
        "rings_dataset": _dataset,
        "rings_train": _train,
        "rings_circle": _circle,
        "rings_survey": _survey,
        "rings_sharpness": _sharpness,
    },
    check=_check,
    measured_with=_measured_with,
    measure=_measure,
    sections=(Section("rings", "When the ideal solution is sharp"),),
)
