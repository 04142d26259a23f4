"""The experiments, in the order in which the article tells of them."""

from flatminima.experiments import (
    architectures,
    decisive,
    flatness,
    images,
    minefield,
    mode_connectivity,
    optimizers,
    random_labels,
    rings,
    skip_connections,
    swiss_roll,
    volumes,
)
from flatminima.experiments.experiment import Experiment

EXPERIMENTS: dict[str, Experiment] = {
    module.EXPERIMENT.name: module.EXPERIMENT
    for module in (
        architectures,
        optimizers,
        minefield,
        swiss_roll,
        random_labels,
        images,
        volumes,
        decisive,
        rings,
        flatness,
        skip_connections,
        mode_connectivity,
    )
}
"""By their names."""

RESTS_ON: dict[str, str] = {
    name: experiment.needs[0] for name, experiment in EXPERIMENTS.items() if experiment.needs
}
"""Whose data and networks those of an experiment are, where they are not its own."""
