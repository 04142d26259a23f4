import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import gammainc

from flatminima.geometry.basin import first_crossings, log_radius_tolerance
from flatminima.geometry.directions import draw
from flatminima.geometry.volume import (
    Bounds,
    estimate_volume,
    interval,
    joint_bounds,
    log_gaussian_integrals,
    log_mean,
    log_unit_ball,
    lower_bounds,
    per_dimension,
)
from flatminima.models.layout import Layout
from flatminima.seeding import generator

LN10 = math.log(10)
ESTIMATES = [
    f"log10_volume_mean_{kind}{end}" for kind in ("exp", "log") for end in ("", "_low", "_high")
]


def uniform_directions(count, dimension, seed=0):
    gaussians = np.random.default_rng(seed).standard_normal((count, dimension))
    return gaussians / np.linalg.norm(gaussians, axis=1, keepdims=True)


def volume_of(radii, dimension, **options):
    return estimate_volume(radii, **{"dimension": dimension, "limit": 1e6, "seed": 0} | options)


def test_the_unit_ball():
    for dimension, volume in ((1, 2), (2, math.pi), (3, 4 * math.pi / 3), (4, math.pi**2 / 2)):
        assert log_unit_ball(dimension) == pytest.approx(math.log(volume))
    assert log_unit_ball(3457) / LN10 == pytest.approx(-3988.3, abs=0.05)
    assert log_unit_ball(268_336) / LN10 == pytest.approx(-562_999, abs=0.5)


@pytest.mark.parametrize("dimension", [1, 3, 3457, 268_336])
def test_an_isotropic_quadratic_is_exact_both_ways(dimension):
    curvature, cutoff, rays = 3.0, 0.5, 64
    basin = first_crossings(
        lambda distances, rays: curvature * distances**2 / 2,
        rays,
        [cutoff],
        start=1e-3,
        limit=1e3,
        tolerance=log_radius_tolerance(dimension, 1e-6),
    )

    volume = volume_of(basin.radii, dimension)

    truth = (log_unit_ball(dimension) + dimension / 2 * math.log(2 * cutoff / curvature)) / LN10
    for name in ESTIMATES:
        value = getattr(volume, name)
        np.testing.assert_allclose(value, truth, atol=2e-6 + 1e-12 * abs(truth))
    np.testing.assert_allclose(volume.effective_sample_size, rays)


def test_the_bias_on_an_ellipsoid_is_what_the_formula_predicts():
    # Eigenvalues λ: ln V − n E[ln r] ≈ (n/2) ln(AM(λ)/GM(λ)), about 500 nats here.
    dimension, cutoff = 2000, 1.0
    eigenvalues = np.exp(np.random.default_rng(1).normal(size=dimension))
    directions = uniform_directions(1000, dimension)
    radii = np.sqrt(2 * cutoff / (directions**2 @ eigenvalues))

    volume = volume_of(radii, dimension)

    truth = log_unit_ball(dimension) + np.log(2 * cutoff / eigenvalues).sum() / 2
    ratio = eigenvalues.mean() / np.exp(np.log(eigenvalues).mean())
    predicted = dimension / 2 * math.log(ratio)
    bias = truth - volume.log10_volume_mean_log * LN10
    assert bias == pytest.approx(predicted, rel=0.01)
    # The mean of r^n is unbiased, but with 1,000 directions nowhere near: few directions rule it.
    assert volume.effective_sample_size < 16
    assert lower_bounds(volume.log10_volume_mean_exp_high)
    assert 0.5 * predicted < truth - volume.log10_volume_mean_exp * LN10 < bias


def test_directions_scaled_to_the_filters_make_the_matching_ellipsoid_exact():
    # The loss is Σ (δ_i/s_i)²/2 with s_i the norm of the filter of weight i: isotropic in
    # filter-normalised units, with V = V_n (2c)^(n/2) Π s_i in weight space.
    layout = Layout((("in.weight", (6, 5)), ("in.bias", (6,)), ("out.weight", (2, 6))))
    minimum = torch.tensor(
        np.random.default_rng(0).normal(size=layout.size) * np.geomspace(0.1, 30, layout.size)
    )
    norms = np.full(layout.size, np.inf)
    for start, stop in layout.filters:
        norms[start:stop] = float(minimum[start:stop].norm())
    directions = draw(layout, minimum, kind="exact", seed=0, indices=range(30))
    displacements = directions.vectors.numpy() / norms

    basin = first_crossings(
        lambda distances, rays: (distances**2) * (displacements[rays] ** 2).sum(axis=1) / 2,
        30,
        [0.7],
        start=1e-3,
        limit=1e3,
        tolerance=1e-9,
    )
    volume = volume_of(
        basin.radii[0], directions.dimension, log_determinant=directions.log_determinant
    )

    weights = np.isfinite(norms)
    assert directions.dimension == weights.sum() == 42
    truth = log_unit_ball(42) + 21 * math.log(2 * 0.7) + np.log(norms[weights]).sum()
    for value in (volume.log10_volume_mean_exp, volume.log10_volume_mean_log):
        assert value == pytest.approx(truth / LN10, abs=1e-5)
    assert volume.effective_sample_size == pytest.approx(30)


@pytest.mark.parametrize("dimension", [2, 5, 8])
def test_the_volume_of_a_cube(dimension):
    side = 0.6
    radii = side / 2 / np.abs(uniform_directions(10_000, dimension)).max(axis=1)

    volume = volume_of(radii, dimension, resamples=200)

    truth = dimension * math.log10(side)
    assert volume.log10_volume_mean_exp_low <= truth <= volume.log10_volume_mean_exp_high
    assert volume.log10_volume_mean_exp == pytest.approx(truth, abs=0.02)
    assert volume.log10_volume_mean_log < truth
    assert per_dimension(volume.log10_volume_mean_exp, dimension) == pytest.approx(side, rel=0.01)


@pytest.mark.parametrize("dimension", [3, 6])
def test_the_volume_of_a_star_shaped_region_against_brute_force(dimension):
    # {x : |x| ≤ ρ(x/|x|)}, with a deep dent and a bump: star-shaped but far from convex.
    def boundary(units):
        return 1 + 0.6 * np.sin(4 * units[:, 0]) * np.cos(3 * units[:, 1]) + 0.3 * units[:, 2]

    directions = uniform_directions(20_000, dimension)
    basin = first_crossings(
        lambda distances, rays: distances / boundary(directions[rays]),
        len(directions),
        [1.0],
        start=1e-3,
        limit=10,
        tolerance=1e-6,
    )
    volume = volume_of(basin.radii[0], dimension, resamples=200)

    points = np.random.default_rng(1).uniform(-1.9, 1.9, size=(400_000, dimension))
    lengths = np.linalg.norm(points, axis=1)
    share = (lengths <= boundary(points / lengths[:, None])).mean()
    error = math.sqrt((1 - share) / (share * len(points))) / LN10
    truth = math.log10(share) + dimension * math.log10(3.8)
    assert (
        volume.log10_volume_mean_exp_low - 2 * error
        <= truth
        <= volume.log10_volume_mean_exp_high + 2 * error
    )
    assert not lower_bounds(volume.log10_volume_mean_exp_high)


def test_ten_million_dimensions_stay_finite():
    dimension = 10**7
    radii = np.exp(np.random.default_rng(0).normal(size=(2, 50)) * 0.1 + [[-8], [8]])

    volume = volume_of(radii, dimension)

    assert lower_bounds(volume.log10_volume_mean_exp_high).all()
    rest = [name for name in ESTIMATES if name != "log10_volume_mean_exp_high"]
    assert np.isfinite([getattr(volume, name) for name in rest]).all()
    shift = np.diff(volume.log10_volume_mean_log) - dimension * np.diff(
        np.log10(radii).mean(axis=1)
    )
    assert abs(shift[0]) < 1e-3
    np.testing.assert_allclose(volume.effective_sample_size, 1, rtol=1e-6)


def test_log_mean_exp_against_the_powers_themselves():
    radii = np.random.default_rng(0).uniform(0.5, 2, size=(3, 20))
    volume = volume_of(radii, 4, log_determinant=0.3)

    powers = radii**4
    ball = math.pi**2 / 2
    expected = np.log10(ball * powers.mean(axis=1) * math.exp(0.3))
    np.testing.assert_allclose(volume.log10_volume_mean_exp, expected)
    expected = np.log10(ball * np.exp(np.log(powers).mean(axis=1) + 0.3))
    np.testing.assert_allclose(volume.log10_volume_mean_log, expected)
    size = powers.sum(axis=1) ** 2 / (powers**2).sum(axis=1)
    np.testing.assert_allclose(volume.effective_sample_size, size)
    np.testing.assert_allclose(volume.mean_log_radius, np.log(radii).mean(axis=1))
    assert (volume.log10_volume_mean_log <= volume.log10_volume_mean_exp).all()


def test_the_interval_of_mean_log_covers_the_truth_as_often_as_it_says():
    # ln r is normal around 0, so that the truth is the unit ball. 400 repetitions.
    dimension = 100
    radii = np.exp(np.random.default_rng(2).normal(size=(400, 80)) * 0.3)
    volume = volume_of(radii, dimension, resamples=400)

    truth = log_unit_ball(dimension) / LN10
    covered = (volume.log10_volume_mean_log_low <= truth) & (
        truth <= volume.log10_volume_mean_log_high
    )
    assert 0.91 < covered.mean() < 0.98
    width = (volume.log10_volume_mean_log_high - volume.log10_volume_mean_log_low).mean()
    assert width == pytest.approx(2 * 1.96 * dimension * 0.3 / math.sqrt(80) / LN10, rel=0.05)


def cross_polytope(n, sets, directions):
    """n ln r, and the logarithm of its mean power: the volume is 2^n/n!."""
    logs = -n * np.log(np.abs(uniform_directions(sets * directions, n, 4)).sum(axis=1))
    truth = n * math.log(2) - math.lgamma(n + 1) - log_unit_ball(n)
    return logs.reshape(sets, directions), truth


def ellipsoid(n, spread, sets, directions):
    values = np.exp(spread * np.random.default_rng(0).normal(size=n))
    logs = -n / 2 * np.log(uniform_directions(sets * directions, n, 5) ** 2 @ values)
    return logs.reshape(sets, directions), -np.log(values).sum() / 2


def lognormal(deviation, sets, directions):
    draws = np.random.default_rng(6).normal(size=(sets, directions))
    return deviation * draws, deviation**2 / 2


@pytest.mark.parametrize(
    ("body", "share"),
    [
        (lambda *sizes: cross_polytope(50, *sizes), (0.1, 0.35)),
        (lambda *sizes: ellipsoid(50, 0.3, *sizes), (0.8, 0.98)),
        (lambda *sizes: lognormal(1.7, *sizes), (0.5, 0.8)),
        (lambda *sizes: lognormal(0.5, *sizes), (1, 1)),
    ],
    ids=["cross-polytope", "ellipsoid", "lognormal", "near-Gaussian"],
)
def test_intervals_hold_the_volume_of_bodies_with_long_rays(body, share):
    """Wherever there are two ends; in a part of the sets of directions, by how tame a body is."""
    sets, directions = 300, 128
    logs, truth = body(sets, directions)
    options = {"log_determinant": -log_unit_ball(1), "resamples": 200, "limit": math.inf}
    found = volume_of(np.exp(logs), 1, **options)
    truth /= LN10
    low, high = found.log10_volume_mean_exp_low, found.log10_volume_mean_exp_high
    twosided = ~lower_bounds(high)
    assert share[0] <= twosided.mean() <= share[1]
    assert ((low <= truth) & (truth <= high))[twosided].mean() >= 0.95
    assert (low <= truth).mean() >= 0.95


def test_sets_that_look_best_missed_the_long_rays():
    """Why an upper end is raised: the bootstrap alone fails, the more the higher an ESS it asks."""
    logs, truth = ellipsoid(50, 0.3, 300, 128)
    options = {"log_determinant": -log_unit_ball(1), "resamples": 200, "limit": math.inf}
    found = volume_of(np.exp(logs), 1, **options)
    raised = 1.5 * np.log10(128 / found.effective_sample_size)
    held = found.log10_volume_mean_exp_high - raised >= truth / LN10
    best = found.effective_sample_size >= 128 / 3
    assert best.sum() > 20
    assert held[best].mean() < 0.8 < held[found.effective_sample_size >= 16].mean()


def test_where_an_interval_has_an_upper_end_and_where_it_lies():
    ends = np.array([[-1.0, -1.0, -1.0, np.nan], [1.0, 1.0, 1.0, np.nan]])
    value, size = np.array([0.5, 0.5, 0.5, np.nan]), np.array([128.0, 32.0, 15.9, np.nan])
    low, high = interval(value, ends, size, 128)
    np.testing.assert_allclose(low, [-1, -1, 0.5 - math.log10(20), np.nan])
    np.testing.assert_allclose(high, [1, 1 + 1.5 * math.log10(4), np.inf, np.nan])
    np.testing.assert_array_equal(lower_bounds(high), [False, False, True, False])
    wider = interval(value, ends, size, 128, tolerance=np.array([0.1, 0.2, 0.3, 0.4]))
    np.testing.assert_allclose(wider[0], low - [0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(wider[1] - [0.1, 0.2, 0.3, 0.4], high)
    few = interval(0.5, np.array([-1.0, 1.0]), 63.0, 63)
    np.testing.assert_allclose(few, [0.5 - math.log10(20), np.inf])


def test_intervals_are_wider_by_what_radii_are_off():
    logs = np.random.default_rng(0).normal(size=(2, 200)) / 50
    logs[1] *= 2
    bare = volume_of(np.exp(logs), 50)
    options = {"tolerance": 1e-3, "rounding": np.array([2e-3, np.nan])}
    found = volume_of(np.exp(logs), 50, **options)
    tolerance, rounding = 50 / LN10 * np.array([1e-3, 1e-3]), 50 / LN10 * np.array([2e-3, 0])
    by_size = rounding * np.sqrt(200 / found.effective_sample_size)
    for kind, off in (("exp", tolerance + by_size), ("log", tolerance + rounding)):
        for end, way in (("", 0), ("_low", -1), ("_high", 1)):
            name = f"log10_volume_mean_{kind}{end}"
            np.testing.assert_allclose(getattr(found, name), getattr(bare, name) + way * off)
    # No errors of that root mean square move the estimate further, be they as bad as can be.
    weights = np.exp(50 * logs[0])
    errors = weights / np.sqrt(np.square(weights).mean()) * 2e-4
    moved = volume_of(np.exp(logs[0] + errors), 50).log10_volume_mean_exp
    most = 50 / LN10 * 2e-4 * np.sqrt(200 / found.effective_sample_size[0])
    assert moved - bare.log10_volume_mean_exp[0] == pytest.approx(most, rel=0.02)


def test_the_greatest_of_several_lower_bounds_is_one():
    """Of means that are too large as often as Markov's inequality lets them, five at once."""
    many, draws = 5, np.random.default_rng(0)
    for reduction, joint in ((20 * many, True), (20, False)):
        # 1 on average, and a hair above what the reduction takes away once in so many times.
        top = 1.01 * reduction
        nothing, hit = (log_mean(np.log([of]), 0.0, seed=0, resamples=2) for of in (1e-9, top))
        wrong = 0
        for hits in draws.random((1000, many)) < 1 / top:
            means = [hit if on else nothing for on in hits]
            low = joint_bounds(*means).low if joint else max(mean.low for mean in means)
            wrong += low > 0
        assert wrong < 70 if joint else wrong > 150


def test_an_upper_end_comes_from_the_chosen_estimate_and_no_bound_lies_above_it():
    rng = np.random.default_rng(0)
    steady = log_mean(rng.normal(0, 0.3, size=100), 0.0, seed=0)
    low = log_mean(rng.normal(-230, 0.3, size=100), 0.0, seed=0)
    wild = log_mean(rng.normal(0, 60, size=100), 0.0, seed=0)
    assert wild.lower_bound
    assert not steady.lower_bound
    assert joint_bounds(steady) == joint_bounds(steady, low) == Bounds(steady.low, steady.high)
    assert joint_bounds(low, steady) == Bounds(steady.value - math.log10(40), math.inf)
    for pair in ((steady, wild), (wild, steady)):
        assert joint_bounds(*pair) == Bounds(wild.value - math.log10(40), math.inf)
    assert str(joint_bounds(wild)).endswith("a lower bound")
    assert str(joint_bounds(steady)) == f"{steady.low:,.1f} to {steady.high:,.1f}"


def test_the_bootstrap_has_its_own_address():
    radii = np.exp(np.random.default_rng(0).normal(size=(2, 30)))
    first = volume_of(radii, 10, index=(3,))
    again = volume_of(radii, 10, index=(3,))
    other = volume_of(radii, 10, index=(4,))
    alone = volume_of(radii[1], 10, index=(3,))

    np.testing.assert_array_equal(first.log10_volume_mean_log_low, again.log10_volume_mean_log_low)
    assert (first.log10_volume_mean_log_low != other.log10_volume_mean_log_low).all()
    for name in ESTIMATES:
        assert getattr(first, name)[1] == pytest.approx(getattr(alone, name), rel=1e-12)


@pytest.mark.parametrize("at_once", [1, 7 * 65, 10**9])
def test_how_much_is_resampled_at_once_changes_no_bit(monkeypatch, at_once):
    logs = np.random.default_rng(0).normal(size=65)
    draws = generator(3, "bootstrap", 4).integers(65, size=(100, 65))
    means = np.log10(np.exp(logs[draws]).mean(axis=1))
    monkeypatch.setattr("flatminima.geometry.volume._RESAMPLED", at_once)
    found = estimate_volume(
        np.exp(logs), dimension=1, limit=1e9, seed=3, index=(4,), resamples=100,
        log_determinant=-log_unit_ball(1),
    )  # fmt: skip
    raised = (1 + 64 / 65) * np.log10(65 / found.effective_sample_size)
    ends = [found.log10_volume_mean_exp_low, found.log10_volume_mean_exp_high - raised]
    np.testing.assert_allclose(ends, np.quantile(means, (0.025, 0.975)), rtol=1e-12)


def test_a_set_without_a_basin_has_no_volume_and_does_not_disturb_the_others():
    radii = np.exp(np.random.default_rng(0).normal(size=(3, 30)))
    whole = volume_of(radii, 10)
    radii[1] = np.nan
    holed = volume_of(radii, 10)

    for name in ("effective_sample_size", "censored_share", "mean_log_radius"):
        assert np.isnan(getattr(holed, name)[1])
    assert not lower_bounds(holed.log10_volume_mean_exp_high)[1]
    for name in ESTIMATES:
        values = getattr(holed, name)
        assert np.isnan(values[1])
        np.testing.assert_array_equal(values[[0, 2]], getattr(whole, name)[[0, 2]])


def test_a_radius_beyond_the_search_counts_as_the_limit():
    radii = np.array([1.0, 2.0, np.inf, 3.0])
    censored = volume_of(radii, 5, limit=4.0)
    replaced = volume_of(np.array([1.0, 2.0, 4.0, 3.0]), 5)

    assert censored.censored_share == 0.25
    assert replaced.censored_share == 0
    assert censored.log10_volume_mean_exp == replaced.log10_volume_mean_exp
    assert censored.log10_volume_mean_log_low == replaced.log10_volume_mean_log_low


@pytest.mark.parametrize("radii", [[], [1.0, 0.0], [1.0, -1.0], [[], []]])
def test_radii_that_are_no_radii_are_refused(radii):
    with pytest.raises(ValueError, match="must be positive"):
        volume_of(np.array(radii), 5)


def test_per_dimension_radius():
    np.testing.assert_allclose(per_dimension(np.array([-3457.0, 0.0]), 3457), [0.1, 1])


@pytest.mark.parametrize("n", [1, 2, 7, 200])
@pytest.mark.parametrize("linear", [-4.0, 0.0, 3.0])
@pytest.mark.parametrize("end", [0.3, 5.0, math.inf])
def test_integrals_along_rays_agree_with_quadrature(n, linear, end):
    quadratic = 1.7
    found = float(log_gaussian_integrals(end, linear, quadratic, n))

    def log_integrand(s):
        return (n - 1) * math.log(s) - linear * s - quadratic * s * s / 2

    peak = min((-linear + math.sqrt(linear**2 + 4 * quadratic * (n - 1))) / (2 * quadratic), end)
    peak = max(peak, 1e-3)
    shift = log_integrand(peak)
    stop = min(end, peak + 12)
    total, _ = quad(
        lambda s: math.exp(log_integrand(s) - shift) if s else float(n == 1) * math.exp(-shift),
        0, stop, points=[peak] if peak < stop else None, limit=500, epsabs=0, epsrel=1e-11,
    )  # fmt: skip
    assert found == pytest.approx(math.log(total) + shift, abs=1e-8)


@pytest.mark.parametrize("n", [100_000, 10_000_000])
def test_in_a_high_dimension_a_centred_ball_has_its_chi_square_mass(n):
    for standard in (-3.0, 0.0, 2.0):
        radius = math.sqrt(n) + standard * math.sqrt(0.5)
        integral = float(log_gaussian_integrals(radius, 0.0, 1.0, n))
        log = integral + math.log(n) + log_unit_ball(n) - n / 2 * math.log(2 * math.pi)
        assert log == pytest.approx(math.log(gammainc(n / 2, radius**2 / 2)), abs=1e-4)


def test_everything_is_finite_in_ten_million_dimensions():
    n = 10_000_000
    rng = np.random.default_rng(0)
    logs = n * rng.normal(-3, 0.3, size=50)
    found = log_mean(logs, log_unit_ball(n), seed=0)
    assert np.isfinite([found.value, found.bound, found.low, found.effective_sample_size]).all()
    assert found.lower_bound
    masses = log_gaussian_integrals(np.exp(logs / n), rng.normal(size=50), 1e4, n)
    assert np.isfinite(masses).all()


def test_a_ray_of_no_length_adds_nothing():
    assert log_gaussian_integrals(0.0, 1.0, 1.0, 5) == -np.inf


def test_a_mean_of_equal_numbers_has_no_error():
    found = log_mean(np.full(100, 12.0), 3.0, seed=0)
    for value in (found.value, found.low, found.high, found.bound, *found.curve):
        assert value == pytest.approx(15 / math.log(10))
    assert found.effective_sample_size == pytest.approx(100)
    np.testing.assert_array_equal(found.curve_samples, [1, 2, 4, 8, 16, 32, 64])


def test_a_mean_that_rests_on_one_number_is_a_lower_bound():
    logs = np.zeros(100)
    logs[17] = 500
    found = log_mean(logs, 0.0, seed=0)
    assert found.lower_bound
    assert found.high == math.inf
    assert found.low == pytest.approx(found.value - math.log10(20))
    with pytest.raises(ValueError, match="at least one direction"):
        log_mean(np.empty(0), 0.0, seed=0)


def test_intervals_of_a_mean_hold_it_as_often_as_they_say():
    inside = 0
    for trial in range(200):
        logs = np.random.default_rng(trial).normal(0, 0.7, size=200)
        found = log_mean(logs, 0.0, seed=trial, resamples=300)
        inside += found.low <= 0.245 / math.log(10) <= found.high
    assert 0.94 < inside / 200 <= 1
