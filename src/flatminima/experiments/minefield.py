"""Bad minima beside the way of ordinary training (Huang et al. 2020, Fig 1)."""

import math
from functools import partial

from flatminima.experiments import poisoned
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

NAME = "minefield"


def _descent(config: Config, _wildcards: Wildcards) -> Config:
    settings = settings_of(config, NAME)
    return {"seed": config["seed"], **settings["network"], **settings["descent"]}


def _search(config: Config, _wildcards: Wildcards) -> Config:
    settings = settings_of(config, NAME)
    return {
        "seed": config["seed"],
        **settings["network"],
        **only(settings, "search", "settle"),
        **only(settings["descent"], "weight_decay"),
    }


def _embedding(config: Config, _wildcards: Wildcards) -> Config:
    return {"seed": config["seed"], **settings_of(config, NAME)["embedding"]}


def _check(config: Config) -> None:
    """Check that there are more points than t-SNE's perplexity and enough for the components."""
    settings = settings_of(config, NAME)
    descent, embedding = settings["descent"], settings["embedding"]
    points = 2 * (1 + math.ceil(descent["epochs"] / descent["every"]))
    path = (NAME, "embedding")
    why = f"there are {points} points to embed, two for each iterate that the descent keeps"
    cure = f"{why}, which have no more principal components; lower it or keep more iterates"
    require(embedding["components"] <= points, cure, *path, "components")
    cure = f"{why}, and a perplexity is below their number; lower it or keep more iterates"
    require(embedding["perplexity"] < points, cure, *path, "perplexity")
    for index, perplexity in enumerate(embedding["others"]):
        require(perplexity < points, cure, *path, "others", index)
        same = "it is the perplexity already; the others differ from it"
        require(perplexity != embedding["perplexity"], same, *path, "others", index)


def _measure(files: Files, settings: Config, *, seed: int) -> Measurements:
    from flatminima.formats.minefield import BadMinima, Embedding, Iterates
    from flatminima.measurements.minefield import measure

    return measure(
        files.arrays("dataset"),
        files.typed("iterates", Iterates),
        files.typed("bad_minima", BadMinima),
        files.typed("embedding", Embedding),
        settings,
    )


EXPERIMENT = Experiment(
    name=NAME,
    jobs={
        "dataset": partial(poisoned.dataset, NAME),
        "minefield_descent": _descent,
        "minefield_search": _search,
        "minefield_embedding": _embedding,
    },
    check=_check,
    measured_with=lambda config: settings_of(config, NAME),
    measure=_measure,
    sections=(Section("minefield", "A minefield of bad minima"),),
)
