"""The swiss roll: two spirals with noise (Huang et al. 2020, Figs 3, 5 and 6)."""

from functools import partial

from flatminima.experiments import poisoned
from flatminima.experiments.experiment import (
    Config,
    Experiment,
    Files,
    Section,
    Wildcards,
    settings_of,
    without,
)
from flatminima.measurements.measurement import Measurements

NAME = "swiss_roll"


def _margins(config: Config, _wildcards: Wildcards) -> Config:
    experiment = settings_of(config, NAME)
    return {
        "network": experiment["network"],
        "poison_factors": experiment["training"]["poison_factors"],
        "margin_points": config["geometry"]["margin_points"],
    }


def _boundaries(config: Config, wildcards: Wildcards) -> Config:
    around = poisoned.around_minima(NAME, "boundary_points")
    return without(around(config, wildcards), "seed")


def _measure(files: Files, settings: Config, *, seed: int) -> Measurements:
    from flatminima.formats.basins import Summary
    from flatminima.formats.margins import Margins
    from flatminima.formats.perturbations import Perturbations
    from flatminima.formats.slices import Slices
    from flatminima.measurements import margins, perturbation
    from flatminima.measurements import poisoned as of_poisoned

    selection = files.record("selection")
    return {
        **of_poisoned.measure(
            NAME,
            files.typed("summary", Summary),
            selection,
            files.typed("slices", Slices),
            of_poisoned.describe(files.arrays("dataset"), settings),
            seed=seed,
        ),
        **margins.measure(NAME, files.typed("margins", Margins), selection, seed=seed),
        **perturbation.measure(NAME, files.typed("perturbations", Perturbations)),
    }


EXPERIMENT = Experiment(
    name=NAME,
    jobs={
        **poisoned.jobs(NAME),
        "train": partial(poisoned.train, NAME),
        "rays": poisoned.around_minima(NAME, "direction_kind", "slice_points", cutoff=True),
        "boundaries": _boundaries,
        "perturbations": poisoned.around_minima(
            NAME,
            "direction_kind",
            "slice_directions",
            "perturbation_steps",
            "boundary_points",
            cutoff=True,
        ),
        "margins": _margins,
    },
    check=partial(poisoned.check, NAME),
    measured_with=lambda config: poisoned.described(config, NAME),
    measure=_measure,
    sections=(
        Section("margins", "Wide margins and flat minima"),
        poisoned.BAD_MINIMA,
        Section("basins"),
    ),
    title="The swiss roll",
)
