"""Measurements of the tests without rays: chance beside training, masses bounded on both sides."""

import numpy as np
from jaxtyping import Float, Float64

from flatminima.formats.decisive import Chance, MinimaMasses
from flatminima.measurements.measurement import BOOTSTRAP, Measurements
from flatminima.measurements.statistics import ResamplingGauge
from flatminima.ranks import Bootstrap, percentiles

DATA = "short_roll"
"""The points on which all of these networks are trained or drawn."""

RUNS = "lowest to highest over runs"
PAIRS = "lowest to highest over pairs of runs"


def measure(
    chance: Chance, masses: MinimaMasses, *, seed: int, resamples: int = 2000
) -> Measurements:
    """Measure everything the article and the claims say of these tests.

    Names begin with ``decisive.``. ``prior`` is of networks drawn from the Gaussian of initial
    weights, ``flipped`` of those that fit further points with flipped labels, ``guess`` of guess
    and check, ``order`` of good beside bad minima, and ``within`` of bad minima alone.

    Args:
        chance: of networks fitted by chance, and trained ones beside them.
        masses: of good and bad minima.
        seed, resamples: of the bootstrap, of which each number draws at an address of its own.
    """
    gauge = ResamplingGauge(DATA, Bootstrap(seed, resamples))
    measurements = {
        **_prior(gauge, chance),
        **_flipped(gauge, chance),
        **_guess(gauge, chance),
        **_order(gauge, masses),
        **_within(gauge, masses),
        **_settings(gauge, chance, masses),
    }
    return {f"decisive.{name}": entry for name, entry in measurements.items()}


def log_mean(logs: Float[np.ndarray, "... runs"]) -> Float64[np.ndarray, "..."]:
    """Log10 of the mean of probabilities that are given in log10, of which each is unbiased."""
    most = logs.max(axis=-1, keepdims=True)
    return np.asarray(most[..., 0] + np.log10(np.mean(10.0 ** (logs - most), axis=-1)))


def _prior(gauge: ResamplingGauge, chance: Chance) -> Measurements:
    """Survivors beside Adam's networks of the same loss, at every number of points."""
    measurements: Measurements = {}
    sizes = len(chance.points)
    for place in range(sizes):
        name = f"size_{place}"
        adam, drawn = chance.adam_accuracy[place], chance.accuracy[place]
        runs = chance.probability[place]
        measurements |= {
            f"prior.{name}.points": gauge.count(chance.points[place]),
            f"prior.{name}.probability": gauge.number(
                float(log_mean(runs)),
                "decades",
                low=runs.min(),
                high=runs.max(),
                interval=RUNS,
                runs=int(chance.survivors[place].sum()),
            ),
            f"prior.{name}.survivors": gauge.span(drawn, "fraction"),
            f"prior.{name}.train_accuracy": gauge.span(chance.train_accuracy[place], "fraction"),
            f"prior.{name}.train_loss": gauge.span(chance.train_loss[place], "nats"),
            f"prior.{name}.adam": gauge.span(adam, "fraction"),
            f"prior.{name}.adam_train_accuracy": gauge.span(
                chance.adam_train_accuracy[place], "fraction"
            ),
            f"prior.{name}.adam_train_loss": gauge.span(chance.adam_train_loss[place], "nats"),
            f"prior.ahead.{name}": gauge.difference(
                [adam, drawn], "fraction", f"decisive prior {name}"
            ),
        }
    for end, place in (("few", 0), ("many", sizes - 1)):
        here = f"size_{place}"
        measurements |= {
            key.replace(here, end): entry for key, entry in measurements.items() if here in key
        }
    ahead = [measurements[f"prior.ahead.size_{place}"].value for place in range(sizes)]
    known = [value for value in ahead if value is not None]
    place = ahead.index(max(known)) if known else 0
    measurements["prior.ahead.most"] = measurements[f"prior.ahead.size_{place}"]
    measurements["prior.ahead.most.points"] = gauge.count(chance.points[place])
    measurements["prior.sizes"] = gauge.count(sizes)
    measurements["prior.loss"] = gauge.number(chance.loss, "nats")
    measurements["prior.runs"] = gauge.count(chance.probability.shape[1])
    measurements["prior.networks"] = gauge.count(chance.adam_accuracy.shape[1])
    return measurements


def _flipped(gauge: ResamplingGauge, chance: Chance) -> Measurements:
    """By how many decades networks with true labels are more, for each number of flipped ones."""
    logs = chance.flipped_probability
    drawn = chance.particles * logs.shape[1]
    measurements: Measurements = {}
    per_point = []
    for place in range(len(logs)):
        runs = logs[place]
        measurements[f"flipped.count_{place}.flips"] = gauge.count(chance.flips[place])
        measurements[f"flipped.count_{place}.probability"] = gauge.number(
            float(log_mean(runs)), "decades", low=runs.min(), high=runs.max(), interval=RUNS,
            runs=drawn,
        )  # fmt: skip
        if place:
            decades = float(log_mean(logs[0]) - log_mean(runs))
            per_point.append(decades / float(chance.flips[place]))
            measurements[f"flipped.count_{place}.decades"] = gauge.number(
                decades,
                "decades",
                # The worst run of the one against the best of the other.
                low=logs[0].min() - runs.max(),
                high=logs[0].max() - runs.min(),
                interval=PAIRS,
                runs=2 * drawn,
            )
            measurements[f"flipped.count_{place}.per_point"] = gauge.number(
                per_point[-1], "decades"
            )
    least, most = min(per_point), max(per_point)
    return measurements | {
        "flipped.decades": measurements[f"flipped.count_{len(logs) - 1}.decades"],
        "flipped.flips": gauge.count(chance.flips[-1]),
        "flipped.counts": gauge.count(len(logs)),
        "flipped.points": gauge.count(chance.flipped_points),
        "flipped.held_out": gauge.count(chance.held_out),
        "flipped.loss": gauge.number(chance.flipped_loss, "nats"),
        "flipped.steepness": gauge.number(chance.flipped_steepness, "ratio"),
        "flipped.runs": gauge.count(logs.shape[1]),
        "flipped.per_point.least": gauge.number(least, "decades"),
        "flipped.per_point.most": gauge.number(most, "decades"),
        "flipped.unevenness": gauge.number(
            most / least if least > 0 else None,
            "ratio",
            runs=drawn * len(logs),
            note="of the decades that one flipped point costs, the greatest over the least",
        ),
    }


def _guess(gauge: ResamplingGauge, chance: Chance) -> Measurements:
    """Guessed networks beside trained ones of the same margin, at every number of points."""
    measurements: Measurements = {}
    counts = len(chance.guess_points)
    for place in range(counts):
        here = f"guess.size_{place}"
        guessed = chance.guess_accuracy[place]
        # No more are tested than fit.
        guessed = guessed[np.isfinite(guessed)]
        fitting = int(chance.guess_fitting[place])
        measurements |= {
            f"{here}.points": gauge.count(chance.guess_points[place]),
            f"{here}.fitting": gauge.count(fitting),
            f"{here}.share": gauge.number(fitting / chance.guess_draws, "fraction"),
            f"{here}.guessed": gauge.span(guessed, "fraction"),
        }
        for name, trained in (
            ("adam", chance.guess_adam_accuracy[place]),
            ("sgd", chance.guess_sgd_accuracy[place]),
        ):
            measurements[f"{here}.{name}"] = gauge.span(trained, "fraction")
            measurements[f"{here}.{name}.ahead"] = gauge.difference(
                [trained, guessed], "fraction", f"decisive guess {place} {name}"
            )
            reached = np.isfinite(trained)
            measurements[f"{here}.{name}.reaching"] = gauge.count(reached.sum(), reached.size)
    last = f"guess.size_{counts - 1}"
    sides = [measurements[f"{last}.{name}.ahead"] for name in ("adam", "sgd")]
    known = [side for side in sides if side.value is not None]
    ahead = max(known, key=lambda side: side.value or 0.0) if known else sides[0]
    return measurements | {
        "guess.ahead": ahead,
        "guess.sizes": gauge.count(counts),
        "guess.points": measurements[f"{last}.points"],
        "guess.draws": gauge.count(chance.guess_draws),
        "guess.fitting": measurements[f"{last}.fitting"],
        "guess.margin": gauge.number(chance.guess_margin, "ratio"),
        "guess.guessed": measurements[f"{last}.guessed"],
        "guess.adam": measurements[f"{last}.adam"],
        "guess.sgd": measurements[f"{last}.sgd"],
    }


def _order(gauge: ResamplingGauge, masses: MinimaMasses) -> Measurements:
    """Good beside bad minima of each draw, with bounds from both sides."""
    known = np.isfinite(masses.mass).all(axis=1)
    mass = np.full(len(known), np.nan)
    mass[known] = log_mean(masses.mass[known])
    least, greatest = masses.mass.min(axis=1), masses.mass.max(axis=1)
    good, bad = ((masses.poisoned == kind) & known for kind in (0, 1))
    apart = [
        least[one] - greatest[other]
        for one in np.flatnonzero(good)
        for other in np.flatnonzero(bad & (masses.draw == masses.draw[one]))
    ]
    clear = np.array(apart) > 0
    what = "pairs of a good and a bad minimum of one draw"
    share = gauge.share(clear, what) if clear.size else gauge.missing("fraction", "no such pair")
    return {
        "order.pairs": share,
        "order.good": gauge.span(mass[good], "decades"),
        "order.bad": gauge.span(mass[bad], "decades"),
        "order.decades": gauge.difference([mass[good], mass[bad]], "decades", "decisive order"),
        "order.spread": gauge.span((greatest - least)[known], "decades"),
        "order.good.accuracy": gauge.span(masses.test_accuracy[good], "fraction"),
        "order.bad.accuracy": gauge.span(masses.test_accuracy[bad], "fraction"),
        "order.good.loss": gauge.span(masses.train_loss[good], "nats", "median"),
        "order.bad.loss": gauge.span(masses.train_loss[bad], "nats", "median"),
        "order.networks": gauge.count(known.sum(), len(known)),
        "order.missed": gauge.count((~known).sum(), len(known)),
    }


def within(
    x: Float[np.ndarray, "... networks"],
    y: Float[np.ndarray, "... networks"],
    groups: np.ndarray,
) -> Float64[np.ndarray, "..."]:
    """Correlation of ranks within each group, all groups together.

    Ranks are taken in each group by itself and centred there, so that what differs between groups
    is gone; then it is Pearson's correlation of all of them.
    """
    from scipy.stats import rankdata  # noqa: PLC0415 (half a second that planning can spare)

    def ranks(values: np.ndarray) -> np.ndarray:
        out = np.zeros(values.shape)
        for group in np.unique(groups):
            of_group = rankdata(values[..., groups == group], axis=-1)
            out[..., groups == group] = of_group - of_group.mean(axis=-1, keepdims=True)
        return out

    a, b = ranks(x), ranks(y)
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    return np.asarray(np.clip(rho, -1, 1))


def _within(gauge: ResamplingGauge, masses: MinimaMasses) -> Measurements:
    """Of bad minima alone, what tells the gap: mass, loss before it was matched, or draw."""
    kept = (masses.poisoned == 1) & np.isfinite(masses.mass).all(axis=1)
    draws = masses.draw[kept]
    gap = (masses.train_accuracy - masses.test_accuracy)[kept]
    mass = log_mean(masses.mass[kept]) if kept.any() else np.zeros(0)
    measurements: Measurements = {}
    for name, values in (("mass", mass), ("loss", masses.train_loss[kept])):
        rho = float(within(values, gap, draws)) if len(gap) > 2 else np.nan
        low = high = None
        if np.isfinite(rho):
            rows = _rows_within(gauge.bootstrap, f"decisive within {name}", draws)
            low, high = percentiles(within(values[rows], gap[rows], draws), rho)
        measurements[f"within.{name}"] = gauge.number(
            rho, "correlation", low=low, high=high, interval=BOOTSTRAP if low is not None else "",
            runs=len(gap),
        )  # fmt: skip
    centred = sum(
        float(np.square(gap[draws == draw] - gap[draws == draw].mean()).sum())
        for draw in np.unique(draws)
    )
    total = float(np.square(gap - gap.mean()).sum()) if len(gap) else 0.0
    return measurements | {
        "within.draw": gauge.number(
            1 - centred / total if total > 0 else None,
            "fraction",
            runs=len(gap),
            note="share of the variance of the gap that lies between draws of the data",
        ),
        "within.gap": gauge.span(gap, "fraction"),
        "within.draws": gauge.count(len(np.unique(masses.draw))),
        "within.networks": gauge.count(len(gap)),
    }


def _rows_within(bootstrap: Bootstrap, address: str, groups: np.ndarray) -> np.ndarray:
    """Resamples of networks, (resamples, networks), each place by one of its own group."""
    places = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    drawn = bootstrap.rows(address, *map(len, places))
    rows = np.empty((bootstrap.resamples, len(groups)), dtype=np.int64)
    for some, chosen in zip(places, drawn, strict=True):
        rows[:, some] = some[chosen]
    return rows


def _settings(gauge: ResamplingGauge, chance: Chance, masses: MinimaMasses) -> Measurements:
    """What the article quotes of the settings."""
    measurements = {
        "parameters": gauge.count(chance.parameters),
        "gain": gauge.number(chance.gain, "ratio"),
        "particles": gauge.count(chance.particles),
        "moves": gauge.count(chance.moves),
        "test_points": gauge.count(chance.test_points),
        "weights": gauge.count(masses.weights),
        "width": gauge.number(masses.width, "ratio"),
        "cutoff": gauge.number(masses.cutoff, "nats"),
        "common_loss": gauge.number(masses.common_loss, "nats"),
        "poison_factor": gauge.number(masses.poison_factor),
        "minima_points": gauge.count(masses.train_points),
        "minima_runs": gauge.count(masses.mass.shape[1]),
    }
    return {f"setting.{name}": entry for name, entry in measurements.items()}
