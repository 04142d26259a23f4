import math

import numpy as np
import pytest
import torch

from flatminima.geometry.basin import concatenate, first_crossings, log_radius_tolerance
from flatminima.geometry.directions import draw
from flatminima.geometry.surface import Landscape
from flatminima.models.mlp import MLP

SEARCH = {"start": 1e-3, "limit": 1e3, "tolerance": 1e-8}
CUTOFFS = [0.1, 0.5, 1.0, 0.05]


def quadratic(curvatures, minimum_loss=0.0):
    """Ray k has the loss minimum_loss + curvatures[k] r² / 2."""
    return lambda distances, rays: minimum_loss + curvatures[rays] * distances**2 / 2


def random_curvatures(rays, seed=0):
    return np.exp(np.random.default_rng(seed).normal(size=rays) * 3)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-9])
def test_radii_of_a_quadratic_are_found_to_the_tolerance(tolerance):
    curvatures = random_curvatures(64)
    basin = first_crossings(
        quadratic(curvatures, 0.01), 64, CUTOFFS, start=1e-3, limit=1e3, tolerance=tolerance
    )

    exact = np.sqrt(2 * (np.array(CUTOFFS)[:, None] - 0.01) / curvatures)
    assert np.abs(np.log(basin.radii / exact)).max() < tolerance
    np.testing.assert_array_equal(basin.recrossing_share, 0)
    assert basin.minimum_loss == 0.01


@pytest.mark.parametrize("start", [1e-9, 1e-3, 0.37, 80.0])
def test_the_start_is_only_a_guess(start):
    # From 80 every ray begins far outside and is walked in.
    curvatures = random_curvatures(64)
    basin = first_crossings(
        quadratic(curvatures), 64, [0.3], start=start, limit=1e3, tolerance=1e-8
    )
    np.testing.assert_allclose(basin.radii[0], np.sqrt(0.6 / curvatures), rtol=1e-7)


def test_the_first_crossing_counts_when_a_ray_leaves_and_comes_back():
    # Up through 1 at r = 1, back below it from r = 1.5 to 2.5, out for good.
    def hump(distances, rays):
        return np.interp(distances, [0, 1, 1.25, 1.5, 2, 2.5, 10], [0, 1, 1.5, 1, 0.5, 1, 9])

    def mixed(distances, rays):
        return np.where(rays % 4 == 0, hump(distances, rays), distances)

    basin = first_crossings(mixed, 40, [1.0, 0.25], **SEARCH)

    np.testing.assert_allclose(basin.radii[0], 1, rtol=1e-7)
    np.testing.assert_allclose(basin.radii[1], 0.25, rtol=1e-7)
    np.testing.assert_array_equal(basin.recrossing_share, [0.25, 0])


def test_a_return_is_looked_for_only_so_far_beyond_the_crossing():
    # The loss crosses 1 at r = 1 and is below it again from r = 3 to 4.06. The higher cutoff makes
    # the march go on that far in any case.
    def loss(distances, rays):
        return np.interp(distances, [0, 1, 2, 3, 4, 5], [0, 1, 2, 1, 0.5, 9])

    near = first_crossings(loss, 3, [1.0, 5.0], **SEARCH, beyond=2.9)
    far = first_crossings(loss, 3, [1.0, 5.0], **SEARCH, beyond=4.0)
    np.testing.assert_array_equal(near.recrossing_share, [0, 0])
    np.testing.assert_array_equal(far.recrossing_share, [1, 0])
    np.testing.assert_allclose([near.radii[0], far.radii[0]], 1, rtol=1e-7)


def test_no_radius_without_a_basin_and_an_infinite_one_without_a_crossing():
    # Rays 0–4 saturate at a loss of 1.5, the others grow without bound.
    def loss(distances, rays):
        return 0.2 + np.where(rays < 5, 1.3 * -np.expm1(-distances), distances)

    basin = first_crossings(loss, 10, [0.1, 0.2, 1.0, 2.0], **SEARCH)

    assert np.isnan(basin.radii[:2]).all()
    assert np.isnan(basin.recrossing_share[:2]).all()
    np.testing.assert_allclose(basin.radii[2, :5], -math.log1p(-0.8 / 1.3), rtol=1e-7)
    np.testing.assert_allclose(basin.radii[2, 5:], 0.8, rtol=1e-7)
    assert np.isposinf(basin.radii[3, :5]).all()
    np.testing.assert_allclose(basin.radii[3, 5:], 1.8, rtol=1e-7)
    np.testing.assert_array_equal(basin.recrossing_share[2:], 0)


def test_rays_that_never_cross_are_searched_up_to_the_limit_and_no_further():
    farthest = []

    def flat(distances, rays):
        farthest.append(distances.max(initial=0))
        return np.zeros(len(distances))

    basin = first_crossings(flat, 3, [1.0, 2.0], **SEARCH)
    assert np.isposinf(basin.radii).all()
    assert max(farthest) == SEARCH["limit"] == basin.limit


def test_a_crossing_just_inside_the_limit_is_found():
    basin = first_crossings(quadratic(np.array([2.0])), 1, [999.9**2], **SEARCH)
    np.testing.assert_allclose(basin.radii, 999.9, rtol=1e-7)


@pytest.mark.parametrize("outside", [np.inf, np.nan])
def test_where_the_loss_overflows_the_cutoff_is_crossed(outside):
    def loss(distances, rays):
        return np.where(distances < 1.234, 0.0, outside)

    basin = first_crossings(loss, 2, [0.1, 1.0], **SEARCH)
    np.testing.assert_allclose(basin.radii, 1.234, rtol=1e-7)


def test_each_ray_is_the_same_alone_and_in_a_batch():
    curvatures = random_curvatures(20)

    def loss(distances, rays):
        wave = 1 + 0.9 * np.sin(3 * distances + rays)
        return curvatures[rays] * distances**2 * wave

    batch = first_crossings(loss, 20, CUTOFFS, **SEARCH)
    for ray in range(20):
        alone = first_crossings(lambda r, k, ray=ray: loss(r, k + ray), 1, CUTOFFS, **SEARCH)
        np.testing.assert_array_equal(alone.radii[:, 0], batch.radii[:, ray])


def first_on_a_grid(loss, cutoff, *, between, points=20_000):
    """Where each ray first reaches the cutoff on a fine grid, and whether it returns within twice
    that distance."""
    places = np.geomspace(*between, points)
    found, returned = [], []
    for ray in range(RIPPLES):
        values = loss(places, np.full(points, ray))
        first = int(np.argmax(values >= cutoff))
        found.append(places[first])
        near = (places > places[first]) & (places <= 2 * places[first])
        returned.append(bool((values[near] < cutoff).any()))
    return np.array(found), np.array(returned)


RIPPLES = 96


@pytest.mark.parametrize("way", ["excursion", "return"])
def test_what_is_narrower_than_a_marched_step_is_seen_where_it_bends_the_loss(way):
    # ln f = 2 ln r with a Gaussian bump or dip, whose place is another on every ray, and whose part
    # beyond the cutoff is a fifth to a third of an octave wide. Steps of an octave pass over them.
    low, high = (-0.4, -0.1) if way == "excursion" else (0.19, 0.33)
    place = np.linspace(low, high, RIPPLES)

    def loss(distances, rays):
        logs = np.log(np.maximum(distances, 1e-300))
        bump = np.exp(-(((logs - place[rays]) / 0.07) ** 2) / 2)
        return np.exp(2 * logs - 3 * place[rays] * bump)

    truth, returned = first_on_a_grid(loss, 1.0, between=(0.3, 3.0))
    basin = first_crossings(loss, RIPPLES, [1.0], **SEARCH)
    np.testing.assert_allclose(basin.radii[0], truth, rtol=2e-4)
    if way == "return":
        assert returned.all()
        np.testing.assert_array_equal(basin.recrossing[0], returned)


def test_a_cutoff_is_reached_to_the_tolerance_where_the_loss_has_kinks():
    # Slopes change by half at places that differ from ray to ray, as where ReLUs switch.
    kinks = np.sort(np.random.default_rng(3).uniform(0.2, 1.4, (RIPPLES, 6)), axis=1)

    def loss(distances, rays):
        bends = np.maximum(distances[:, None] - kinks[rays], 0).sum(axis=1)
        return distances**2 + bends * 0.7

    tolerance = 1e-5
    basin = first_crossings(loss, RIPPLES, [0.3, 1.0], start=1e-3, limit=1e3, tolerance=tolerance)
    for radii, cutoff in zip(basin.radii, (0.3, 1.0), strict=True):
        truth, _ = first_on_a_grid(loss, cutoff, between=(0.2, 1.5))
        assert (radii <= truth * (1 + tolerance)).all()
        rays = np.arange(RIPPLES)
        assert (loss(radii * (1 - 1.01 * tolerance), rays) < cutoff).all()
        assert (loss(radii * (1 + 1.01 * tolerance), rays) >= cutoff).all()


def test_cutoffs_that_are_almost_the_same_have_almost_the_same_radii_whatever_rounding_does():
    curvatures = random_curvatures(200)

    def loss(distances, rays):
        exact = curvatures[rays] * distances**2 * (1 + 0.3 * np.sin(3 * np.log(distances + 1e-9)))
        return exact.astype(np.float32).astype(np.float64)

    tolerance = 1e-5
    search = {"start": 1e-4, "limit": 1e3, "tolerance": tolerance}
    alone = first_crossings(loss, 200, [0.1], **search).radii[0]
    radii = first_crossings(loss, 200, [0.1, 0.1 + 1e-9, 0.1 + 1e-8], **search).radii
    np.testing.assert_allclose(radii, np.tile(alone, (3, 1)), rtol=2 * tolerance)


def test_four_cutoffs_cost_fewer_than_sixty_evaluations_a_ray():
    evaluations = 0
    curvatures = random_curvatures(256)

    def loss(distances, rays):
        nonlocal evaluations
        evaluations += len(distances)
        return quadratic(curvatures)(distances, rays)

    tolerance = log_radius_tolerance(3457)
    first_crossings(loss, 256, CUTOFFS, start=0.01, limit=1e3, tolerance=tolerance)
    assert evaluations < 60 * 256


@pytest.mark.parametrize("outputs", [1, 3])
def test_at_its_radius_a_network_has_the_loss_of_the_cutoff(outputs):
    network = MLP((2, 16, 16, outputs))
    rng = np.random.default_rng(0)
    inputs = torch.tensor(rng.normal(size=(40, 2)), dtype=torch.float32)
    minimum = torch.tensor(network.initialise(3, range(1))[0]) * 2
    # Labels are what the network says, so that its loss starts low, like that of a minimum.
    logits = network.logits(minimum[None], inputs)[0]
    labels = (logits[:, 0] > 0).long() if outputs == 1 else logits.argmax(dim=1)
    directions = draw(network.layout, minimum, kind="paper", seed=0, indices=range(12))
    landscape = Landscape(network, minimum, directions.vectors, inputs, labels)
    base = landscape.along(np.zeros(1), np.zeros(1, dtype=int))[0]
    cutoffs = base + np.array([0.05, 0.1, 0.5])
    search = {
        "start": directions.reach / 256,
        "limit": directions.reach * 64,
        "tolerance": log_radius_tolerance(directions.dimension),
    }

    basin = first_crossings(landscape.along, 12, cutoffs, **search)

    assert basin.minimum_loss == base
    for radii, cutoff in zip(basin.radii, cutoffs, strict=True):
        rays = np.flatnonzero(np.isfinite(radii))
        assert len(rays) >= 9
        np.testing.assert_allclose(landscape.along(radii[rays], rays), cutoff, rtol=1e-4)
        # Nothing on the way out was above: this is the first crossing.
        way = np.linspace(0, 0.999, 200)
        for ray in rays:
            assert landscape.along(radii[ray] * way, np.full(200, ray)).max() < cutoff
    one = Landscape(network, minimum, directions.vectors[7:8], inputs, labels, memory=1)
    alone = first_crossings(one.along, 1, cutoffs, **search)
    np.testing.assert_allclose(alone.radii[:, 0], basin.radii[:, 7], rtol=1e-4)


def test_the_tolerance_keeps_a_volume_within_the_decades():
    # One decade at n = 268,336 needs ln r to 8.6e-6.
    assert log_radius_tolerance(268_336, decades=1) == pytest.approx(8.58e-6, rel=1e-3)
    shift = 268_336 * log_radius_tolerance(268_336) / math.log(10)
    assert shift == pytest.approx(0.01)


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": 0.0},
        {"start": 2e3},
        {"limit": math.inf},
        {"tolerance": 0.0},
        {"per_octave": 0},
        {"beyond": 0.5},
    ],
)
def test_arguments_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        first_crossings(quadratic(np.ones(1)), 1, [1.0], **SEARCH | wrong)


def test_a_loss_that_jumps_at_the_minimum_itself_is_refused():
    def loss(distances, rays):
        return np.where(distances == 0, 0.0, 1.0)

    with pytest.raises(ValueError, match=r"ray 0 does not fall below 0\.5"):
        first_crossings(loss, 2, [0.5], **SEARCH)


def test_parts_of_the_rays_are_joined_by_their_number():
    def loss(distances, rays):
        # Every fifth ray comes back below one; ray 0 never rises, and the last cutoff is too low.
        back = np.interp(distances, [0, 1, 1.2, 1.4, 1.6, 9], [0.2, 1, 1.5, 0.8, 1.1, 9])
        return np.where(rays % 5 == 1, back, np.where(rays == 0, 0.2, 0.2 + distances * rays))

    levels = [1.0, 0.5, 0.1]
    whole = first_crossings(loss, 13, levels, **SEARCH)
    parts = [
        first_crossings(lambda d, r, first=first: loss(d, r + first), count, levels, **SEARCH)
        for first, count in ((0, 1), (1, 9), (10, 3))
    ]
    both = concatenate(parts)
    np.testing.assert_array_equal(both.radii, whole.radii)
    np.testing.assert_allclose(both.recrossing_share, whole.recrossing_share, rtol=1e-14)
    assert 0 < whole.recrossing_share[0] < 1
    assert np.isnan(both.recrossing_share[2])
    assert (both.minimum_loss, both.limit) == (whole.minimum_loss, whole.limit)
    with pytest.raises(ValueError, match="at least one part"):
        concatenate([])
