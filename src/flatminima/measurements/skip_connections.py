"""Measurements of deep networks with and without skip connections: fits, tests and roughness."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flatminima.formats.skip_connections import DepthMinima, LossSurfaces
from flatminima.measurements.generalization import milestones
from flatminima.measurements.measurement import Measurement, Measurements
from flatminima.measurements.numerals import format_of, written
from flatminima.measurements.statistics import Gauge, ResamplingGauge
from flatminima.models.statistics import SURFACES_BY
from flatminima.ranks import Bootstrap

KINDS = ("with", "without")
DEPTHS = {"shallow": 0, "deep": -1}
"""The least and the greatest depth, by their places among all."""

FITTED = 0.9
"""Mean training accuracy below which networks are none whose generalization could be compared."""

_OF_SURFACE = {
    "falling_share": "fraction",
    "concave_share": "fraction",
    "dips": "count",
    "left_out_share": "fraction",
    "highest_loss": "nats",
}
_OF_TRAINING = {"train_accuracy": "fraction", "test_accuracy": "fraction", "train_loss": "nats"}


def measure(
    surfaces: Mapping[str, LossSurfaces],
    minima: Mapping[str, DepthMinima],
    settings: Mapping[str, Any],
    *,
    seed: int,
    resamples: int = 2000,
) -> Measurements:
    """Measure networks of the least and the greatest depth; names begin with ``skip_connections.``.

    Args:
        surfaces: by kind, one of ``KINDS``.
        minima: by kind.
        settings: ``source`` of the images and what the experiment says.
        seed, resamples: of the bootstrap, of which each number draws at an address of its own.
    """
    gauge = ResamplingGauge(settings["source"], Bootstrap(seed, resamples))
    measurements = _settings(gauge, surfaces[KINDS[0]], minima[KINDS[0]], settings)
    for kind, (end, row) in itertools.product(KINDS, DEPTHS.items()):
        trained, surface = minima[kind], surfaces[kind]
        fitted = trained.converged[row]
        entries = {
            **{
                name: gauge.span(getattr(trained, name)[row], unit)
                for name, unit in _OF_TRAINING.items()
            },
            "parameters": gauge.count(trained.trainable[row]),
            "reaching": gauge.count(fitted.sum(), fitted.size),
        }
        for by, statistics in enumerate(SURFACES_BY):
            entries |= {
                f"{statistics}.{name}": gauge.span(getattr(surface, name)[row, :, by], unit)
                for name, unit in _OF_SURFACE.items()
            }
        measurements |= {f"{kind}.{end}.{name}": entry for name, entry in entries.items()}
    for end, row in DEPTHS.items():
        compared = gauge.difference(
            [minima[kind].test_accuracy[row] for kind in KINDS], "fraction", f"surfaces {end} test"
        )
        fits = [float(minima[kind].train_accuracy[row].mean()) for kind in KINDS]
        if min(fits) < FITTED:
            # Training failed there, which says nothing of how what it leads to generalizes.
            note = "one kind fits too few training images to be compared"
            compared = gauge.missing("fraction", note, compared.runs)
        measurements[f"{end}.test_difference"] = compared
        for by, statistics in enumerate(SURFACES_BY):
            measurements[f"{end}.{statistics}.falling_difference"] = gauge.difference(
                [surfaces[kind].falling_share[row, :, by] for kind in reversed(KINDS)],
                "fraction",
                f"surfaces {end} {statistics}",
            )
        names = [f"without.{end}.{statistics}.falling_share" for statistics in SURFACES_BY]
        fit = measurements[f"without.{end}.train_accuracy"]
        for name in (*names, f"{end}.test_difference"):
            measurements[name] = _with_fit(measurements[name], fit)
    return {f"skip_connections.{name}": entry for name, entry in measurements.items()}


def _settings(
    gauge: Gauge, surface: LossSurfaces, trained: DepthMinima, settings: Mapping[str, Any]
) -> Measurements:
    """What is common to networks of both kinds."""
    survey = settings["survey"]
    counts = {
        **{name: getattr(trained, name) for name in ("train_points", "test_points", "classes")},
        **{name: settings[name] for name in ("width", "epochs", "batch")},
        "places": survey["grid_points"],
        "coarse_places": survey["coarse_grid_points"],
        **{end: surface.depth[row] for end, row in DEPTHS.items()},
        "networks": trained.converged.shape[1],
        "survey_points": surface.surface_points,
    }
    measurements = {
        **{name: gauge.count(count) for name, count in counts.items()},
        **milestones(gauge, settings["milestones"]),
        "learning_rate": gauge.number(settings["learning_rate"]),
        "momentum": gauge.number(settings["momentum"]),
        "reach": gauge.number(survey["reach"]),
    }
    return {
        **{f"setting.{name}": entry for name, entry in measurements.items()},
        "chance": gauge.number(trained.chance, "fraction"),
    }


def _with_fit(measurement: Measurement, fit: Measurement) -> Measurement:
    """The measurement with a note of how well the networks were trained that it is about."""
    if fit.value is None:
        return measurement
    share = written(fit.value, format_of(fit.unit))
    own = f"the networks without skip connections fit {share} of their training images"
    return replace(measurement, note="; ".join(filter(None, (measurement.note, own))))
