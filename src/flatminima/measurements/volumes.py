"""Measurements of volumes by several estimators: how far each is off, and what is left to say."""

from collections.abc import Mapping

import numpy as np

from flatminima.geometry.volume import ENOUGH_SAMPLES, per_dimension
from flatminima.measurements.measurement import Measurement, Measurements
from flatminima.measurements.statistics import correlation, difference, finite, mapped, span
from flatminima.ranks import Bootstrap
from flatminima.storage import Arrays

VOLUMES = {
    "paper": "loss_uniform_value",
    "mean_log": "loss_uniform_bound",
    "preconditioned": "loss_preconditioned_value",
    "preconditioned_bound": "loss_preconditioned_bound",
    "ball": "divergence_preconditioned_value",
}
"""Estimates of a volume by their names here: the last is of the ball of functions."""

MEAN_EXP = {
    "paper": "loss_uniform",
    "preconditioned": "loss_preconditioned",
    "ball": "divergence_preconditioned",
    "gaussian": "divergence_gaussian",
}
"""The estimates by log-mean-exp, which are lower bounds where they rest on too few rays."""

MASSES = {"gaussian": "divergence_gaussian_value", "density": "density"}
"""The Gaussian mass of the ball of functions, and what of it is the length of the weights."""

RUNS = "lowest to highest over runs"
QUADRATIC = "quadratic_basin"
"""On what the known volume is measured."""


def measure(dataset: str, volumes: Arrays, *, seed: int, resamples: int = 2000) -> Measurements:
    """Measure all that is said of the volumes of one data set.

    Args:
        dataset: with which the names begin.
        volumes: arrays of ``geometry.volumes``, with accuracies and poison factors.
        seed: root seed of the bootstrap.
        resamples: of each bootstrap.
    """
    found = _known(volumes)
    found |= _of_networks(dataset, volumes, Bootstrap(seed, resamples))
    found |= _of_factors(dataset, volumes)
    found |= _masses(dataset, volumes)
    found |= _settings(dataset, volumes)
    return {f"volumes.{name}": entry for name, entry in found.items()}


def _known(volumes: Arrays) -> Measurements:
    """The basin whose volume is known."""
    numbers = {
        name: float(array[0])
        for name, array in volumes.items()
        if name.startswith("known") and array.size == 1
    }
    truth, predicted = numbers["known_volume"], numbers["known_shortfall"]
    short = truth - numbers["known_uniform_bound"]

    def decades(value: float) -> Measurement:
        return Measurement(finite(value), "decades", QUADRATIC)

    return {
        "known.directions": Measurement(numbers["known_directions"], "count", QUADRATIC),
        "known.volume": decades(truth),
        "known.predicted": decades(predicted),
        "known.short.mean_log": decades(short),
        "known.short.paper": decades(truth - numbers["known_uniform_value"]),
        "known.short.mismatch": Measurement(
            finite(abs(short / predicted - 1)), "fraction", QUADRATIC
        ),
        "known.effective_sample_size": Measurement(
            numbers["known_uniform_effective_sample_size"], "", QUADRATIC
        ),
        "known.preconditioned.error": Measurement(
            finite(abs(numbers["known_preconditioned_value"] - truth)), "decades", QUADRATIC
        ),
    }


def _of_networks(dataset: str, volumes: Arrays, bootstrap: Bootstrap) -> Measurements:
    gap = volumes["train_accuracy"].astype(np.float64) - volumes["test_accuracy"]
    factors = volumes["poison_factor"]
    ends = {"natural": int(factors.argmin()), "most_poisoned": int(factors.argmax())}
    n = int(volumes["weights"][0])
    counts = {
        "networks": gap.size,
        "factors": len(factors),
        "seeds": gap.shape[1],
        "directions": volumes["directions"][0],
    }
    found = {
        **{name: Measurement(float(count), "count", dataset) for name, count in counts.items()},
        "cutoff": Measurement(float(volumes["cutoff"][0]), "nats", dataset),
        "divergence": Measurement(float(volumes["divergence"][0]), "nats", dataset),
        "measured": Measurement(
            float(np.isfinite(volumes["loss_uniform_value"]).sum()), "count", dataset
        ),
        "recrossing": Measurement(_largest(volumes, "recrossing_shares"), "fraction", dataset),
        "censored": Measurement(_largest(volumes, "censored_shares"), "fraction", dataset),
    }
    for name, array in MEAN_EXP.items():
        size = volumes[f"{array}_effective_sample_size"]
        found[f"{name}.effective_sample_size"] = span(size, "", dataset, centre="median")
        found[f"{name}.lower_bounds"] = Measurement(
            float((size < ENOUGH_SAMPLES).sum()),
            "count",
            dataset,
            runs=int(np.isfinite(size).sum()),
        )
    for name in ("paper", "preconditioned"):
        curve = volumes[f"{MEAN_EXP[name]}_curve"]
        gain = (
            curve[..., -1] - curve[..., -2] if curve.shape[-1] > 1 else np.full(gap.shape, np.nan)
        )
        found[f"{name}.last_doubling"] = span(gain, "decades", dataset)
    for name, array in (VOLUMES | MASSES).items():
        values = volumes[array].astype(np.float64)
        for end, factor in ends.items():
            found[f"{end}.{name}"] = span(values[factor], "decades", dataset)
            if name in VOLUMES:
                found[f"{end}.per_dimension.{name}"] = span(
                    per_dimension(values[factor], n), "length in weight space", dataset
                )
        sides = [values[factor] for factor in ends.values()]
        decades = difference(
            sides, "decades", dataset, address=f"{dataset} estimates {name}", bootstrap=bootstrap
        )
        found[f"difference.{name}"] = decades
        if name in VOLUMES:
            found[f"radius_ratio.{name}"] = mapped(decades, lambda end: 10.0 ** (end / n), "ratio")
        known = np.isfinite(values)
        found[f"vs_gap.{name}"] = correlation(
            values[known], gap[known], dataset,
            address=f"{dataset} estimates {name} vs gap", bootstrap=bootstrap,
        )  # fmt: skip
        poisoned = known & (np.arange(len(gap)) != ends["natural"])[:, None]
        found[f"vs_gap.{name}.poisoned"] = correlation(
            values[poisoned], gap[poisoned], dataset,
            address=f"{dataset} estimates {name} vs gap, poisoned", bootstrap=bootstrap,
        )  # fmt: skip
    raised = volumes["loss_preconditioned_value"] - volumes["loss_uniform_value"]
    found["raised"] = span(raised, "decades", dataset)
    sure = volumes["loss_preconditioned_low"] - volumes["loss_uniform_value"]
    sure = sure[np.isfinite(sure)]
    found["raised.least"] = Measurement(
        float(sure.min()) if sure.size else None,
        "decades",
        dataset,
        runs=int(sure.size),
        note="95% lower limit of each volume less log-mean-exp; the least over networks",
    )
    return found


def _largest(volumes: Arrays, name: str, factor: int | None = None) -> float | None:
    of = slice(None) if factor is None else factor
    both = np.concatenate(
        [volumes[f"{region}_{name}"][of].ravel() for region in ("loss", "divergence")]
    )
    both = both[np.isfinite(both)]
    return float(both.max()) if both.size else None


def _of_factors(dataset: str, volumes: Arrays) -> Measurements:
    """What the estimates at each poison factor rest on."""
    found = {}
    for number, factor in enumerate(volumes["poison_factor"]):
        here = f"poison_{number}"
        found[f"{here}.factor"] = Measurement(float(factor), "", dataset)
        for name in ("preconditioned", "ball"):
            size = volumes[f"{MEAN_EXP[name]}_effective_sample_size"][number]
            found[f"{here}.{name}"] = span(volumes[VOLUMES[name]][number], "decades", dataset)
            found[f"{here}.{name}.effective_sample_size"] = span(size, "", dataset, centre="median")
        found[f"{here}.recrossing"] = Measurement(
            _largest(volumes, "recrossing_shares", number), "fraction", dataset
        )
    return found


def _settings(dataset: str, volumes: Arrays) -> Measurements:
    """How rays were shaped and particles moved."""
    counts = ("pilots", *(f"mass_{name}" for name in ("directions", "particles", "moves", "runs")))
    found = {
        f"setting.{name}": Measurement(float(volumes[name][0]), "count", dataset) for name in counts
    }
    ends = {"damping.least": volumes["tried"].min(), "damping.most": volumes["tried"].max()}
    ends |= {
        "width.least": volumes["mass_widths"].min(),
        "width.most": volumes["mass_widths"].max(),
    }
    found |= {
        f"setting.{name}": Measurement(float(value), "", dataset) for name, value in ends.items()
    }
    found["setting.dampings"] = Measurement(float(volumes["tried"].size), "count", dataset)
    found["setting.kept"] = Measurement(float(volumes["mass_kept"][0]), "fraction", dataset)
    return found


def _masses(dataset: str, volumes: Arrays) -> Measurements:
    """Rays beside splitting, around a good and a bad minimum."""
    split, rays = volumes["mass_splitting"], volumes["mass_uniform"]
    sure = volumes["mass_uniform_effective_sample_size"] >= ENOUGH_SAMPLES
    apart = np.abs(split - rays)
    sure &= np.isfinite(apart)
    agreed = apart[sure]
    found = {
        "mass.cases": Measurement(float(apart.size), "count", dataset),
        "mass.compared": Measurement(float(agreed.size), "count", dataset),
        "mass.least": Measurement(
            float(10 ** split[sure].min()) if agreed.size else None, "fraction", dataset, runs=2
        ),
        "mass.widths": Measurement(float(len(volumes["mass_widths"])), "count", dataset),
        "mass.disagreement": Measurement(
            float(agreed.max()) if agreed.size else None,
            "decades",
            dataset,
            runs=2,
            note=f"largest where rays have an effective sample size of {ENOUGH_SAMPLES} or more",
        ),
        "mass.seen": Measurement(finite(float(volumes["mass_seen"].min())), "fraction", dataset),
        "mass.width": Measurement(float(volumes["mass_widths"][-1]), "", dataset),
    }
    shapes: Mapping[str, str] = {"paper": "uniform", "preconditioned": "preconditioned"}
    for name, array in {"splitting": "splitting", **shapes}.items():
        good, bad = (float(mass) for mass in volumes[f"mass_{array}"][:, -1])
        found[f"mass.difference.{name}"] = Measurement(
            finite(good - bad), "decades", dataset, runs=2
        )
    for role, name in enumerate(("good", "bad")):
        found[f"mass.{name}"] = Measurement(
            finite(float(split[role, -1])),
            "decades",
            dataset,
            low=finite(float(volumes["mass_splitting_low"][role, -1])),
            high=finite(float(volumes["mass_splitting_high"][role, -1])),
            interval=RUNS,
            runs=1,
        )
        for estimate, array in shapes.items():
            found[f"mass.{name}.{estimate}.short"] = Measurement(
                finite(float(split[role, -1] - volumes[f"mass_{array}"][role, -1])),
                "decades",
                dataset,
                runs=1,
            )
    return found
