"""Tests without rays, most of them without an optimizer, of small networks on a short roll."""

import math

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

NAME = "decisive"


def _chance(config: Config, _wildcards: Wildcards) -> Config:
    settings = settings_of(config, NAME)
    return {
        "seed": config["seed"],
        **only(settings, "data", "network", "gain", "training", "prior", "flipped", "guess"),
        "splitting": settings["splitting"],
    }


def _minima(config: Config, _wildcards: Wildcards) -> Config:
    settings = settings_of(config, NAME)
    return {"seed": config["seed"], **only(settings, "data", "splitting", "minima")}


def _check(config: Config) -> None:
    settings = settings_of(config, NAME)
    prior, flipped, guess, minima = (
        settings[key] for key in ("prior", "flipped", "guess", "minima")
    )
    for name, part in (("prior", prior), ("guess", guess)):
        rising = part["points"] == sorted(set(part["points"]))
        require(rising, "list different numbers of points in rising order", NAME, name, "points")
    flips = flipped["flips"]
    cure = "list different numbers of flipped labels in rising order from 0 (true labels)"
    require(flips[0] == 0 and flips == sorted(set(flips)), cure, NAME, "flipped", "flips")
    cure = f"there are {flipped['held_out']} points whose labels can be flipped"
    require(flips[-1] <= flipped["held_out"], cure, NAME, "flipped", "flips")
    # Below it no point can lie on the wrong side of the boundary.
    most = math.log(2) / (flipped["points"] + flipped["held_out"])
    cure = (
        f"every point is right only where the mean loss is below ln 2 over their number, {most:.3g}"
    )
    require(flipped["loss"] <= most, cure, NAME, "flipped", "loss")
    cure = f"networks are brought to a common loss of {minima['common_loss']}; a basin goes higher"
    require(minima["cutoff"] > minima["common_loss"], cure, NAME, "minima", "cutoff")


def _measure(files: Files, settings: Config, *, seed: int) -> Measurements:
    from flatminima.formats.decisive import Chance, MinimaMasses
    from flatminima.measurements.decisive import measure

    chance, masses = files.typed("chance", Chance), files.typed("minima", MinimaMasses)
    return measure(chance, masses, seed=seed)


EXPERIMENT = Experiment(
    name=NAME,
    jobs={"decisive_chance": _chance, "decisive_minima": _minima},
    check=_check,
    measure=_measure,
    sections=(Section("decisive", "Without rays, poison or optimizer"),),
)
