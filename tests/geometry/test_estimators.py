"""Estimators against regions of known size, end to end: module, rays, sums."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import dblquad
from scipy.stats import chi2, ncx2
from torch import nn

from flatminima.geometry.directions import draw, metric
from flatminima.geometry.estimators import (
    GaussianMeasure,
    basin_volume,
    candidates,
    crossings,
    fittest,
    follow,
    initial_measure,
    split_region,
    weigh,
)
from flatminima.geometry.preconditioning import from_diagonal, from_spectrum, identity, positions
from flatminima.geometry.surface import DivergenceLandscape, Landscape
from flatminima.geometry.volume import Bounds, joint_bounds, log_mean, log_unit_ball
from flatminima.models.evaluation import with_statistics
from flatminima.models.layout import Layout
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork

LN10 = math.log(10)
TRUE = torch.ones(1, dtype=torch.long)


class Heights:
    """One point of class 1 whose loss is any positive function of the weights, one filter of n."""

    def __init__(self, n, function):
        self.layout = Layout((("weight", (1, n)),))
        self.trainable = n
        self.function = function

    def activations(self, points):
        return points

    def logits(self, parameters, inputs):
        # softplus(-z) = h solved for the logit z.
        height = self.function(parameters - 1)
        return -torch.log(torch.expm1(height))[:, None, None].expand(-1, len(inputs), 1)


def around(n, function):
    minimum = torch.ones(n, dtype=torch.float64)
    return Landscape(Heights(n, function), minimum, minimum[None], torch.zeros(1, 1), TRUE)


def volume(landscape, level, by=None, count=200, **options):
    by = by or identity()
    rays = follow(landscape, level, by, indices=range(count), seed=0, decades=1e-7, **options)
    return log_mean(rays.volumes, rays.volume_constant, seed=0), rays


def quadratic(eigenvalues):
    return lambda x: (torch.as_tensor(eigenvalues) * x * x).sum(dim=-1) / 2


def test_an_isotropic_quadratic_has_the_volume_of_its_ball_and_every_ray_counts():
    found, rays = volume(around(60, quadratic(np.full(60, 3.0))), 0.7)
    radius = math.sqrt(2 * 0.7 / 3)
    truth = (log_unit_ball(60) + 60 * math.log(radius)) / LN10
    assert found.value == pytest.approx(truth, abs=1e-5)
    assert found.bound == pytest.approx(truth, abs=1e-5)
    assert found.effective_sample_size == pytest.approx(200, rel=1e-6)
    # Directions are in units of the filter's norm, √60.
    np.testing.assert_allclose(np.exp(rays.volumes / 60) * math.sqrt(60), radius, rtol=1e-6)
    assert rays.recrossing_share == rays.censored_share == 0


@pytest.mark.parametrize("rotated", [False, True])
def test_an_ellipsoid_is_exact_when_preconditioned(rotated):
    n = 40
    rng = np.random.default_rng(3)
    values = np.exp(1.5 * rng.normal(size=n))
    truth = (log_unit_ball(n) + np.log(2 * 0.5 / values).sum() / 2) / LN10
    basis = np.linalg.qr(rng.normal(size=(n, n)))[0] if rotated else np.eye(n)
    matrix = torch.tensor(basis * values @ basis.T)
    landscape = around(n, lambda x: (x @ matrix * x).sum(dim=-1) / 2)
    by = (
        from_spectrum(torch.tensor(values), torch.tensor(basis), damping=0.0)
        if rotated
        else from_diagonal(torch.tensor(values), damping=0.0)
    )
    found, _ = volume(landscape, 0.5, by)
    assert found.value == pytest.approx(truth, abs=1e-4)
    assert found.effective_sample_size == pytest.approx(200, rel=1e-4)
    naive, _ = volume(landscape, 0.5)
    assert naive.bound < naive.value < truth - 1


def gaussian(n, radius, deviation, offset, *, count, along=None):
    landscape = around(n, quadratic(np.ones(n)))
    centre = torch.ones(n, dtype=torch.float64)
    centre[0] += offset
    measure = GaussianMeasure(torch.full((n,), deviation, dtype=torch.float64), centre)
    rays = follow(
        landscape, radius**2 / 2, along or identity(), measure,
        indices=range(count), seed=0, decades=1e-7,
    )  # fmt: skip
    return log_mean(rays.masses, rays.mass_constant, seed=0)


@pytest.mark.parametrize(("n", "radius"), [(2, 1.0), (10, 2.0), (100, 4.0), (100, 30.0)])
def test_the_gaussian_mass_of_a_centred_ball_is_a_chi_square_probability(n, radius):
    found = gaussian(n, radius, 1.3, 0.0, count=20)
    truth = chi2.logcdf((radius / 1.3) ** 2, n) / LN10
    assert found.value == pytest.approx(truth, abs=1e-5)
    assert found.effective_sample_size == pytest.approx(20, rel=1e-6)


@pytest.mark.parametrize(("n", "radius", "offset"), [(3, 1.0, 2.0), (8, 2.0, 3.0), (30, 5.0, 2.0)])
def test_the_gaussian_mass_off_centre_is_a_noncentral_one(n, radius, offset):
    found = gaussian(n, radius, 1.0, offset, count=3000)
    truth = math.log10(ncx2.cdf(radius**2, n, offset**2))
    assert found.effective_sample_size > 100
    assert found.value == pytest.approx(truth, abs=0.06)
    assert found.low - 0.02 < truth < found.high + 0.02


def test_preconditioning_leaves_a_gaussian_mass_where_it_is():
    by = from_diagonal(torch.linspace(1, 3, 8, dtype=torch.float64), damping=0.0)
    found = gaussian(8, 2.0, 1.0, 1.0, count=3000, along=by)
    truth = math.log10(ncx2.cdf(4, 8, 1))
    assert found.value == pytest.approx(truth, abs=0.06)


@pytest.mark.parametrize("n", [2, 5, 8])
def test_a_cube_has_the_volume_of_a_cube(n):
    found, _ = volume(around(n, lambda x: x.abs().amax(dim=-1)), 0.5, count=3000)
    assert found.effective_sample_size > 50
    assert found.value == pytest.approx(0.0, abs=0.12)
    assert found.low - 0.05 < 0 < found.high + 0.05


def test_a_star_has_the_area_of_an_integral():
    # r(φ) = 1 + 0.4 cos 5φ has the area π(1 + 0.08).
    def star(x):
        angle = torch.atan2(x[..., 1], x[..., 0])
        return x.norm(dim=-1) / (1 + 0.4 * torch.cos(5 * angle))

    found, _ = volume(around(2, star), 1.0, count=3000)
    assert 10**found.value == pytest.approx(math.pi * 1.08, rel=0.03)


def test_a_star_in_five_dimensions_agrees_with_counting_points():
    weights = torch.tensor([1.0, -2.0, 0.5, 1.5, -1.0], dtype=torch.float64)

    def star(x):
        r = x.norm(dim=-1).clamp(min=1e-300)
        return r / (1 + 0.5 * torch.sin((x @ weights) / r))

    found, _ = volume(around(5, star), 1.0, count=3000)
    box = torch.rand(400_000, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    counted = 3.0**5 * float((star(3 * (box - 0.5)) < 1).double().mean())
    assert 10**found.value == pytest.approx(counted, rel=0.06)


def test_a_ray_that_leaves_and_comes_back_counts_to_where_it_leaves():
    # A ring of loss 2 between the radii 1 and 1.5 and a moat beyond it, in half of the plane.
    def hill(x):
        r = x.norm(dim=-1)
        high = torch.where((r > 1) & (r < 1.5), 2 * torch.ones_like(r), 0.9 * r.clamp(max=1))
        return torch.where(x[..., 0] > 0, torch.where(r > 1.8, r, high), r)

    found, rays = volume(around(2, hill), 1.0, count=400)
    assert 10**found.value == pytest.approx(math.pi, rel=1e-4)
    assert rays.recrossing_share == pytest.approx(0.5, abs=0.1)


def test_a_gaussian_mass_of_a_square_against_an_integral():
    deviation, centre = torch.tensor([0.7, 1.1], dtype=torch.float64), torch.tensor([1.5, 0.4])
    landscape = around(2, lambda x: x.abs().amax(dim=-1))
    rays = follow(
        landscape, 0.8, identity(), GaussianMeasure(deviation, centre.double()),
        indices=range(3000), seed=0,
    )  # fmt: skip
    found = log_mean(rays.masses, rays.mass_constant, seed=0)

    def density(y, x):
        z = (np.array([x, y]) - centre.numpy()) / deviation.numpy()
        return np.exp(-z @ z / 2) / (2 * math.pi * float(deviation.prod()))

    truth = dblquad(density, 0.2, 1.8, 0.2, 1.8)[0]
    assert 10**found.value == pytest.approx(truth, rel=0.03)


def problem(outputs=1, scale=3.0):
    network = MLP((2, 9, 8, outputs))
    inputs = torch.tensor(np.random.default_rng(0).normal(size=(40, 2)), dtype=torch.float32)
    minimum = torch.tensor(network.initialise(3, range(1))[0]) * scale
    logits = network.logits(minimum[None], inputs)[0]
    labels = (logits[:, 0] > 0).long() if outputs == 1 else logits.argmax(dim=1)
    return network, minimum, inputs, labels


def test_any_number_of_shards_and_of_parts_gives_the_same():
    network, minimum, inputs, labels = problem()
    landscape = Landscape(network, minimum, minimum[None], inputs, labels)
    level = landscape.at_minimum() + 0.2
    by = candidates(network, minimum, inputs)[2]
    whole = follow(landscape, level, by, indices=range(12), seed=1)
    for shards in (2, 5, 12):
        parts = [
            follow(landscape, level, by, indices=range(12)[part], seed=1)
            for part in (slice(12 * i // shards, 12 * (i + 1) // shards) for i in range(shards))
        ]
        for name in ("volumes", "masses"):
            together = np.concatenate([getattr(part, name) for part in parts])
            np.testing.assert_allclose(together, getattr(whole, name), rtol=0, atol=0.3)
    tight = follow(landscape, level, by, indices=range(12), seed=1, memory=1)
    np.testing.assert_allclose(tight.volumes, whole.volumes, atol=0.3)
    one = follow(replace(landscape, memory=1), level, by, indices=range(12), seed=1)
    np.testing.assert_allclose(one.volumes, whole.volumes, atol=0.3)
    assert tight.recrossing_share == pytest.approx(whole.recrossing_share)


@pytest.mark.parametrize("outputs", [1, 3])
def test_one_call_gives_every_estimate_and_says_what_it_is_worth(outputs):
    network, minimum, inputs, labels = problem(outputs)
    found = basin_volume(network, minimum, inputs, labels, cutoff=1.0, directions=32, pilots=4)
    assert found.dimension == len(positions(network.layout))
    assert found.loss is not None
    for region, level in ((found.loss, 1.0), (found.divergence, 0.1)):
        assert region.level == level
        for name in ("uniform", "preconditioned", "gaussian", "gaussian_uniform"):
            estimate = getattr(region, name)
            assert estimate.samples == 32
            assert estimate.bound <= estimate.value
            assert 1 <= estimate.effective_sample_size <= 32
            assert estimate.lower_bound  # 32 directions are too few for an upper end.
            assert estimate.tolerance > 0
            assert estimate.low <= estimate.value <= estimate.high
            np.testing.assert_array_equal(estimate.curve_samples, [1, 2, 4, 8, 16, 32])
            assert estimate.curve[0] == pytest.approx(estimate.bound)
            assert estimate.curve[-1] == pytest.approx(estimate.value)
        assert region.gaussian.value < 0.5
        # Chosen among others along other directions, so that it may lose along these by chance.
        assert region.preconditioned.value > region.uniform.value - 10
        for bounds, pair in (
            (region.volume, (region.uniform, region.preconditioned)),
            (region.mass, (region.gaussian_uniform, region.gaussian)),
        ):
            least = max(estimate.value - estimate.tolerance for estimate in pair)
            assert bounds.low == pytest.approx(least - math.log10(40))
            assert str(bounds) in str(region)
        assert all(0 <= share <= 1 for share in region.recrossing_shares + region.censored_shares)
    again = basin_volume(network, minimum, inputs, labels, cutoff=1.0, directions=32, pilots=4)
    assert again.loss.preconditioned.value == found.loss.preconditioned.value


def test_above_the_cutoff_there_is_no_basin_and_still_a_ball_of_functions():
    network, minimum, inputs, labels = problem(scale=1.0)
    found = basin_volume(network, minimum, inputs, 1 - labels, cutoff=0.01, directions=4, pilots=2)
    assert found.loss is None
    assert np.isfinite(found.divergence.uniform.value)
    landscape = Landscape(network, minimum, minimum[None], inputs, labels)
    with pytest.raises(ValueError, match=r"lies above 0\.01"):
        follow(landscape, 0.01, identity(), indices=range(2), seed=0)
    with pytest.raises(ValueError, match="at least one direction"):
        follow(landscape, 5.0, identity(), indices=range(0), seed=0)


def test_a_module_with_batch_norm_is_measured_as_it_stands():
    """At its radius along a ray the module itself, displaced by hand, has the loss of the level."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)
    )
    module(3 * torch.randn(40, 1, 4, 4) + 1)
    network = ModuleNetwork(module)
    minimum = network.vector(module)
    inputs, labels = torch.randn(12, 1, 4, 4), torch.arange(12) % 3
    landscape = Landscape(with_statistics(network), minimum, minimum[None], inputs, labels)
    level = landscape.at_minimum() + 0.5
    rays = follow(landscape, level, identity(), indices=range(3), seed=0)
    directions = draw(network.layout, minimum, kind="exact", seed=0, indices=range(3))
    for log, direction in zip(rays.volumes, directions.vectors, strict=True):
        radius = math.exp(log / directions.dimension)
        there = network.at(minimum + radius * direction).eval()
        assert nn.functional.cross_entropy(there(inputs), labels).item() == pytest.approx(
            level, abs=5e-3
        )


def test_splitting_takes_the_same_gaussian_as_rays_where_its_mean_is_zero():
    """A ball about a point that is not the Gaussian's mean: noncentral chi-square."""
    n, radius = 8, 2.0
    measure = GaussianMeasure(torch.ones(n, dtype=torch.float64))
    ball = around(n, quadratic(np.ones(n)))
    truth = math.log10(ncx2.cdf(radius**2, n, n))
    found, _ = split_region(ball, radius**2 / 2, measure, particles=2000, runs=4)
    assert found.log10_probability == pytest.approx(truth, abs=0.1)


def test_the_ball_of_functions_takes_no_labels():
    network, minimum, inputs, labels = problem(3)
    balls = [
        DivergenceLandscape(network, minimum, minimum[None], inputs, some)
        for some in (labels, (labels + 1) % 3)
    ]
    assert balls[0].at_minimum() == 0
    logs = [follow(b, 0.1, identity(), indices=range(6), seed=0).volumes for b in balls]
    np.testing.assert_array_equal(*logs)


def test_the_fittest_is_chosen_by_its_estimate():
    n = 30
    values = torch.tensor(np.exp(np.random.default_rng(0).normal(size=n)))
    landscape = around(n, quadratic(values))
    right, wrong = (from_diagonal(v, damping=0.0) for v in (values, 1 / values))
    for tried in ([identity(), wrong, right], [right, identity()]):
        volume, mass = fittest(tried, landscape, 0.5, indices=range(8), seed=0)
        assert volume is right
        along = [follow(landscape, 0.5, by, indices=range(8), seed=0) for by in tried]
        assert mass is tried[np.argmax([np.exp(rays.masses).mean() for rays in along])]


def test_a_map_that_helps_where_no_mass_lies_is_not_the_fittest():
    """Far on one side and thin on the other, where a map evens out what weighs nothing.

    One half of the rays leaves after 30, the other after some hundredths. The Gaussian around the
    minimum is wide against the second and narrow against the first: its mass is a half.
    """
    n = 20
    values = torch.ones(n, dtype=torch.float64)
    values[1] = 1e6

    def lopsided(x):
        thin = (values * x * x).sum(dim=-1).sqrt() / 0.01
        return torch.where(x[..., 0] > 0, x.norm(dim=-1) / 30, thin)

    landscape = around(n, lopsided)
    one = torch.ones(n, dtype=torch.float64)
    options = {"measure": GaussianMeasure(one, one), "seed": 0}
    tried = [identity(), from_diagonal(values, damping=0.0)]
    pilots = [follow(landscape, 1.0, by, indices=range(16), **options).masses for by in tried]
    assert pilots[1].mean() > pilots[0].mean() + 20
    _, mass = fittest(tried, landscape, 1.0, indices=range(16), **options)
    assert mass is tried[0]

    plain, shaped = (
        follow(landscape, 1.0, by, indices=range(16, 144), **options).mass(0) for by in tried
    )
    truth = -math.log10(2)
    assert plain.low < truth < plain.high < 0.5
    # Along the map all rays look alike, and those that weigh most are never met.
    assert shaped.value < shaped.high < truth - 1
    assert joint_bounds(plain, shaped) == Bounds(plain.low, plain.high)
    wrongly = joint_bounds(shaped, plain)
    assert (wrongly.low, wrongly.high) == (pytest.approx(plain.value - math.log10(40)), math.inf)


def test_an_estimate_is_as_sure_as_its_radii():
    """By the tolerance of the search: n δ ln r of a volume, and d ln ∫ / d ln r of a mass."""
    landscape = around(8, quadratic(np.ones(8)))
    centre = torch.ones(8, dtype=torch.float64)
    centre[0] += 1.5
    measure = GaussianMeasure(torch.full((8,), 0.8, dtype=torch.float64), centre)
    (crossed,) = crossings(landscape, 2.0, identity(), indices=range(80), seed=0, decades=0.01)
    assert crossed.tolerance == pytest.approx(0.01 * LN10 / 8)
    rays = weigh([crossed], measure)
    np.testing.assert_allclose(rays.volume_tolerances, 0.01 * LN10)
    step = 1e-5
    further, nearer = (
        weigh([replace(crossed, radii=crossed.radii * math.exp(way * step))], measure).masses
        for way in (1, -1)
    )
    slopes = (further - nearer) / (2 * step)
    np.testing.assert_allclose(rays.mass_tolerances, crossed.tolerance * slopes, rtol=1e-4)
    weights = np.exp(rays.masses - rays.masses.max())
    expected = np.average(rays.mass_tolerances, weights=weights) / LN10
    assert rays.mass(0).tolerance == pytest.approx(expected)
    bare = log_mean(rays.masses, rays.mass_constant, seed=0)
    assert rays.mass(0).high == pytest.approx(bare.high + expected)
    assert rays.volume(0).low == pytest.approx(
        log_mean(rays.volumes, rays.volume_constant, seed=0).low - 0.01
    )


def test_a_jacobian_that_does_not_fit_is_taken_at_fewer_points():
    network, minimum, inputs, _ = problem(3)
    n = len(positions(network.layout))
    few = candidates(network, minimum, inputs, memory=32 * n * 3 * 5)
    some = candidates(network, minimum, inputs[::8])
    for ours, theirs in zip(few, some, strict=True):
        torch.testing.assert_close(ours.diagonal, theirs.diagonal)


def test_the_initial_measure_has_the_variance_of_fresh_weights():
    network = MLP((2, 40, 30, 1))
    deviation = initial_measure(network.layout).deviation.numpy()
    drawn = network.initialise(0, range(50))[:, positions(network.layout).numpy()]
    np.testing.assert_allclose((drawn / deviation).std(), 1, rtol=0.02)


def test_splitting_and_rays_find_the_same_mass_of_the_same_region():
    network, minimum, inputs, labels = problem()
    landscape = Landscape(with_statistics(network), minimum, minimum[None], inputs, labels)
    level = landscape.at_minimum() + 0.3
    moving = positions(network.layout)
    filters = metric(network.layout, minimum, "exact")[moving].double()
    measure = GaussianMeasure(0.7 * filters, minimum[moving].double())
    rays = follow(landscape, level, identity(), measure, indices=range(2000), seed=0)
    ours = log_mean(rays.masses, rays.mass_constant, seed=0)
    theirs, seen = split_region(landscape, level, measure, particles=1500, runs=4, moves=8)
    assert -4 < ours.value < -0.5
    assert not ours.lower_bound
    assert 0.8 < seen <= 1
    found = theirs.log10_probability + math.log10(seen)
    assert found == pytest.approx(ours.value, abs=0.25)
