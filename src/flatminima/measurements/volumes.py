"""Measurements of volumes by several estimators: how far each is off, and what is left to say."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from flatminima.formats.volumes import Estimates, KnownBasin, Masses, Volumes
from flatminima.geometry.volume import lower_bounds, per_dimension
from flatminima.measurements.measurement import Measurements
from flatminima.measurements.statistics import Gauge, ResamplingGauge, mapped
from flatminima.ranks import Bootstrap
from flatminima.training.selection import ROLES

RUNS = "lowest to highest over runs"
QUADRATIC = "quadratic_basin"
"""On what the known volume is measured."""


def measure(dataset: str, volumes: Volumes, *, seed: int, resamples: int = 2000) -> Measurements:
    """Measure all that is said of the volumes of one data set; names begin with ``volumes.``.

    Args:
        dataset: on which the networks were trained.
        volumes: around every network.
        seed, resamples: of the bootstrap, of which each number draws at an address of its own.
    """
    gauge = ResamplingGauge(dataset, Bootstrap(seed, resamples))
    measurements = {
        **_known(volumes.known),
        **_of_networks(gauge, volumes),
        **_of_factors(gauge, volumes),
        **_masses(gauge, volumes.mass),
        **_settings(gauge, volumes),
    }
    return {f"volumes.{name}": entry for name, entry in measurements.items()}


def _volumes(volumes: Volumes) -> Mapping[str, Float[np.ndarray, "factors networks"]]:
    """Estimates of a volume; the last is of the ball of functions."""
    loss, divergence = volumes.below_loss, volumes.below_divergence
    return {
        "paper": loss.uniform.value,
        "mean_log": loss.uniform.bound,
        "preconditioned": loss.preconditioned.value,
        "preconditioned_bound": loss.preconditioned.bound,
        "ball": divergence.preconditioned.value,
    }


def _by_mean_exp(volumes: Volumes) -> Mapping[str, Estimates]:
    """Those by log-mean-exp, which are lower bounds where they rest on too few rays."""
    loss, divergence = volumes.below_loss, volumes.below_divergence
    return {
        "paper": loss.uniform,
        "preconditioned": loss.preconditioned,
        "ball": divergence.preconditioned,
        "gaussian": divergence.gaussian,
    }


def _known(known: KnownBasin) -> Measurements:
    """The basin whose volume is known."""
    gauge = Gauge(QUADRATIC)
    short = known.volume - known.uniform.bound.item()
    error = known.preconditioned.value.item() - known.volume
    sizes = known.uniform.effective_sample_size
    return {
        "known.directions": gauge.count(known.directions),
        "known.volume": gauge.number(known.volume, "decades"),
        "known.predicted": gauge.number(known.shortfall, "decades"),
        "known.short.mean_log": gauge.number(short, "decades"),
        "known.short.paper": gauge.number(known.volume - known.uniform.value.item(), "decades"),
        "known.short.mismatch": gauge.number(abs(short / known.shortfall - 1), "fraction"),
        "known.effective_sample_size": gauge.number(sizes.item()),
        "known.preconditioned.error": gauge.number(abs(error), "decades"),
    }


def _of_networks(gauge: ResamplingGauge, volumes: Volumes) -> Measurements:
    gap, factors = volumes.train_accuracy - volumes.test_accuracy, volumes.poison_factor
    ends = {"natural": int(factors.argmin()), "most_poisoned": int(factors.argmax())}
    n = volumes.weights
    loss, by_mean_exp = volumes.below_loss, _by_mean_exp(volumes)
    measurements = {
        "networks": gauge.count(gap.size),
        "factors": gauge.count(len(factors)),
        "seeds": gauge.count(gap.shape[1]),
        "directions": gauge.count(volumes.directions),
        "cutoff": gauge.number(volumes.cutoff, "nats"),
        "divergence": gauge.number(volumes.divergence, "nats"),
        "measured": gauge.count(np.isfinite(loss.uniform.value).sum()),
        "recrossing": gauge.number(_largest(volumes, "recrossing_shares"), "fraction"),
        "censored": gauge.number(_largest(volumes, "censored_shares"), "fraction"),
    }
    for name, estimates in by_mean_exp.items():
        size = estimates.effective_sample_size
        measurements[f"{name}.effective_sample_size"] = gauge.span(size, "", centre="median")
        measurements[f"{name}.lower_bounds"] = gauge.count(
            lower_bounds(estimates.high).sum(), int(np.isfinite(size).sum())
        )
    for name in ("paper", "preconditioned"):
        curve = by_mean_exp[name].curve
        doubled = curve.shape[-1] > 1
        gain = curve[..., -1] - curve[..., -2] if doubled else np.full(gap.shape, np.nan)
        measurements[f"{name}.last_doubling"] = gauge.span(gain, "decades")
    # The Gaussian mass of the ball of functions, and what of it is the length of the weights.
    masses = {"gaussian": by_mean_exp["gaussian"].value, "density": volumes.density}
    poisoned = (np.arange(len(gap)) != ends["natural"])[:, None]
    for name, values in {**_volumes(volumes), **masses}.items():
        for end, factor in ends.items():
            measurements[f"{end}.{name}"] = gauge.span(values[factor], "decades")
        address = f"{gauge.dataset} estimates {name}"
        sides = [values[factor] for factor in ends.values()]
        decades = gauge.difference(sides, "decades", address)
        measurements[f"difference.{name}"] = decades
        if name not in masses:
            for end, factor in ends.items():
                measurements[f"{end}.per_dimension.{name}"] = gauge.span(
                    per_dimension(values[factor], n), "length in weight space"
                )
            ratio = mapped(decades, lambda end: 10.0 ** (end / n), "ratio")
            measurements[f"radius_ratio.{name}"] = ratio
        known = np.isfinite(values)
        # Mean-log is one always, and the density no estimate.
        bounds = lower_bounds(by_mean_exp[name].high) if name in by_mean_exp else name != "density"
        for suffix, words, some in (("", "", known), (".poisoned", ", poisoned", known & poisoned)):
            measurements[f"vs_gap.{name}{suffix}"] = gauge.correlation(
                values, gap, f"{address} vs gap{words}", some, bounds=bounds, left_out=""
            )
    raised = loss.preconditioned.value - loss.uniform.value
    measurements["raised"] = gauge.span(raised, "decades")
    sure = _finite(loss.preconditioned.low - loss.uniform.value)
    measurements["raised.least"] = gauge.number(
        sure.min() if sure.size else None,
        "decades",
        runs=sure.size,
        note="95% lower limit of each volume less log-mean-exp; the least over networks",
    )
    return measurements


def _finite(values: np.ndarray) -> Float[np.ndarray, " finite"]:
    known: np.ndarray = values[np.isfinite(values)]
    return known


def _largest(volumes: Volumes, name: str, factor: int | slice = slice(None)) -> float | None:
    """The largest share over regions and estimators, maybe at one poison factor alone."""
    regions = (volumes.below_loss, volumes.below_divergence)
    shares = _finite(np.stack([getattr(region, name)[factor] for region in regions]))
    return float(shares.max()) if shares.size else None


def _of_factors(gauge: Gauge, volumes: Volumes) -> Measurements:
    """What the estimates at each poison factor rest on."""
    measurements = {}
    for number, factor in enumerate(volumes.poison_factor):
        here = f"poison_{number}"
        measurements[f"{here}.factor"] = gauge.number(factor)
        for name in ("preconditioned", "ball"):
            estimates = _by_mean_exp(volumes)[name]
            size = estimates.effective_sample_size[number]
            measurements[f"{here}.{name}"] = gauge.span(estimates.value[number], "decades")
            measurements[f"{here}.{name}.effective_sample_size"] = gauge.span(size, "", "median")
        share = _largest(volumes, "recrossing_shares", number)
        measurements[f"{here}.recrossing"] = gauge.number(share, "fraction")
    return measurements


def _settings(gauge: Gauge, volumes: Volumes) -> Measurements:
    """How rays were shaped and particles moved."""
    mass, tried = volumes.mass, volumes.tried
    measurements = {
        "pilots": gauge.count(volumes.pilots),
        "mass_directions": gauge.count(mass.directions),
        "mass_particles": gauge.count(mass.particles),
        "mass_moves": gauge.count(mass.moves),
        "mass_runs": gauge.count(mass.runs),
        "damping.least": gauge.number(tried.min()),
        "damping.most": gauge.number(tried.max()),
        "width.least": gauge.number(mass.widths.min()),
        "width.most": gauge.number(mass.widths.max()),
        "dampings": gauge.count(tried.size),
        "kept": gauge.number(mass.kept, "fraction"),
    }
    return {f"setting.{name}": entry for name, entry in measurements.items()}


def _masses(gauge: Gauge, mass: Masses) -> Measurements:
    """Rays beside splitting, around a good and a bad minimum."""
    apart = np.abs(mass.splitting - mass.uniform)
    sure = np.isfinite(mass.uniform_high) & np.isfinite(apart)
    measurements = {
        "cases": gauge.count(apart.size),
        "compared": gauge.count(sure.sum()),
        "least": gauge.number(
            10 ** mass.splitting[sure].min() if sure.any() else None, "fraction", runs=2
        ),
        "widths": gauge.count(len(mass.widths)),
        "disagreement": gauge.number(
            apart[sure].max() if sure.any() else None,
            "decades",
            runs=2,
            note="largest where rays give an interval with two ends",
        ),
        "seen": gauge.number(mass.seen.min(), "fraction"),
        "width": gauge.number(mass.widths[-1]),
    }
    by_rays = {"paper": mass.uniform, "preconditioned": mass.preconditioned}
    for name, masses in {"splitting": mass.splitting, **by_rays}.items():
        good, bad = (float(widest) for widest in masses[:, -1])
        measurements[f"difference.{name}"] = gauge.number(good - bad, "decades", runs=2)
    for role, name in enumerate(ROLES):
        measurements[name] = gauge.number(
            mass.splitting[role, -1],
            "decades",
            low=mass.splitting_low[role, -1],
            high=mass.splitting_high[role, -1],
            interval=RUNS,
            runs=1,
        )
        for estimate, masses in by_rays.items():
            short = mass.splitting[role, -1] - masses[role, -1]
            measurements[f"{name}.{estimate}.short"] = gauge.number(short, "decades", runs=1)
    return {f"mass.{name}": entry for name, entry in measurements.items()}
