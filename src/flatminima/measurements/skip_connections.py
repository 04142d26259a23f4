"""Measurements of deep networks with and without skip connections: fits, tests and roughness."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flatminima.errors import DamagedFileError
from flatminima.measurements.measurement import Measurement, Measurements
from flatminima.measurements.numerals import format_of, written
from flatminima.measurements.statistics import difference, span
from flatminima.models.statistics import SURFACES_BY
from flatminima.ranks import Bootstrap
from flatminima.storage import Arrays

KINDS = ("with", "without")
DEPTHS = {"shallow": 0, "deep": -1}
"""The least and the greatest depth, by their places among all."""

_OF_SURFACE = {
    "falling_share": "fraction",
    "concave_share": "fraction",
    "dips": "count",
    "left_out_share": "fraction",
    "highest_loss": "nats",
}
_OF_TRAINING = {"train_accuracy": "fraction", "test_accuracy": "fraction", "train_loss": "nats"}
_COUNTS = ("train_points", "test_points", "classes")


def measure(
    surfaces: Mapping[str, Arrays],
    minima: Mapping[str, Arrays],
    settings: Mapping[str, Any],
    *,
    seed: int,
    resamples: int = 2000,
) -> Measurements:
    """Measure networks of the least and the greatest depth; names begin with ``surfaces.``.

    Args:
        surfaces: by kind, one of ``KINDS``, what ``surveys.skip_connections.loss_surfaces``
            gave.
        minima: by kind, what :func:`flatminima.training.depths.train_depths` gave; the parameters
            are not read.
        settings: ``source`` of the images and what the experiment says.
        seed: root seed of the bootstrap; each number draws at an address of its own.
        resamples: of each bootstrap.

    Raises:
        DamagedFileError: if an array is missing.
    """
    source = settings["source"]
    _check(surfaces, (*_OF_SURFACE, "depth", "surface_points"))
    _check(minima, (*_OF_TRAINING, *_COUNTS, "depth", "trainable", "converged", "chance"))
    found = _settings(surfaces[KINDS[0]], minima[KINDS[0]], settings)
    bootstrap = Bootstrap(seed, resamples)
    for kind, (end, row) in itertools.product(KINDS, DEPTHS.items()):
        trained, surface = minima[kind], surfaces[kind]
        networks = trained["converged"].shape[1]
        entries = {
            name: span(trained[name][row], unit, source) for name, unit in _OF_TRAINING.items()
        }
        entries |= {
            "parameters": Measurement(float(trained["trainable"][row]), "count", source),
            "reaching": Measurement(
                float(trained["converged"][row].sum()), "count", source, runs=networks
            ),
        }
        for by, statistics in enumerate(SURFACES_BY):
            entries |= {
                f"{statistics}.{name}": span(surface[name][row, :, by], unit, source)
                for name, unit in _OF_SURFACE.items()
            }
        found |= {f"{kind}.{end}.{name}": entry for name, entry in entries.items()}
    for end, row in DEPTHS.items():
        found[f"{end}.test_difference"] = difference(
            [minima[kind]["test_accuracy"][row] for kind in KINDS],
            "fraction",
            source,
            address=f"surfaces {end} test",
            bootstrap=bootstrap,
        )
        for by, statistics in enumerate(SURFACES_BY):
            found[f"{end}.{statistics}.falling_difference"] = difference(
                [surfaces[kind]["falling_share"][row, :, by] for kind in reversed(KINDS)],
                "fraction",
                source,
                address=f"surfaces {end} {statistics}",
                bootstrap=bootstrap,
            )
        names = [f"without.{end}.{statistics}.falling_share" for statistics in SURFACES_BY]
        for name in (*names, f"{end}.test_difference"):
            found[name] = _with_fit(found[name], found[f"without.{end}.train_accuracy"])
    return {f"skip_connections.{name}": entry for name, entry in found.items()}


def _check(arrays: Mapping[str, Arrays], needed: tuple[str, ...]) -> None:
    for kind in KINDS:
        if missing := [name for name in needed if name not in arrays[kind]]:
            raise DamagedFileError(
                f"the arrays of networks {kind} skip connections lack {', '.join(missing)}; "
                "delete them and run snakemake again"
            )


def _settings(surface: Arrays, trained: Arrays, settings: Mapping[str, Any]) -> Measurements:
    """What is common to networks of both kinds."""
    source, survey = settings["source"], settings["survey"]
    counts = {name: float(trained[name][0]) for name in _COUNTS}
    counts |= {name: float(settings[name]) for name in ("width", "epochs", "batch")}
    counts |= {
        "places": float(survey["grid_points"]),
        "coarse_places": float(survey["coarse_grid_points"]),
    }
    counts |= {end: float(surface["depth"][row]) for end, row in DEPTHS.items()}
    counts |= {
        "networks": float(trained["converged"].shape[1]),
        "survey_points": float(surface["surface_points"][0]),
        "milestones": float(len(settings["milestones"])),
    }
    found = {name: Measurement(count, "count", source) for name, count in counts.items()}
    for index, fraction in enumerate(settings["milestones"]):
        found[f"milestone_{index}"] = Measurement(float(fraction), "fraction", source)
    plain = {
        "learning_rate": settings["learning_rate"],
        "momentum": settings["momentum"],
        "reach": survey["reach"],
    }
    found |= {name: Measurement(float(value), "", source) for name, value in plain.items()}
    chance = Measurement(float(trained["chance"][0]), "fraction", source)
    return {f"setting.{name}": entry for name, entry in found.items()} | {"chance": chance}


def _with_fit(measurement: Measurement, fit: Measurement) -> Measurement:
    """The measurement with a note of how well the networks were trained that it is about."""
    if fit.value is None:
        return measurement
    share = written(fit.value, format_of(fit.unit))
    own = f"the networks without skip connections fit {share} of their training images"
    return replace(measurement, note="; ".join(filter(None, (measurement.note, own))))
