import numpy as np
import pytest
import torch
from scipy.stats import beta

from flatminima.data.rings import radii
from flatminima.data.rings import rings as place
from flatminima.geometry.directions import draw
from flatminima.models.mlp import MLP
from flatminima.models.polygon import polygon, roughened, steepened
from flatminima.surveys.rings import (
    boundaries,
    curvatures,
    decision,
    found_shares,
    lines,
    pictures,
)

MODEL = MLP.between(2, [40, 6], 2)
DATA = place(gap=0.05, inner_points=8, near_points=4, outer_points=8)
INPUTS, LABELS = torch.from_numpy(DATA.train_inputs), torch.from_numpy(DATA.train_labels)
RINGS = radii(0.05)


@pytest.fixture(scope="module")
def networks():
    """The polygon between the rings, one inside them, and a rough one."""
    flat = polygon(MODEL, 0.425)
    rough = roughened(MODEL, flat, 0.2, seed=1)
    vectors = [steepened(MODEL, v, 50.0) for v in (flat, polygon(MODEL, 0.3), rough)]
    return torch.from_numpy(np.stack(vectors).astype(np.float32))


def logits(vector, points):
    return MODEL.logits(vector[None], torch.from_numpy(points.astype(np.float32)))[0]


def loss_at(vector):
    return torch.nn.functional.cross_entropy(
        MODEL.logits(vector[None], INPUTS.to(vector))[0], LABELS
    )


def test_a_decision_is_positive_where_class_1_has_the_larger_logit(networks):
    points = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    margin = decision(MODEL, networks[2])(points)
    np.testing.assert_array_equal(margin > 0, logits(networks[2], points).argmax(dim=1) == 1)


def test_boundaries_tell_the_circle_from_one_that_is_too_small(networks):
    followed = boundaries(MODEL, networks, RINGS, angles=360)
    assert followed["between_share"][:2].tolist() == [1, 0]
    assert followed["outside_share"][1] == 1
    assert followed["clearance"][0] == pytest.approx(0.025, abs=0.001)
    assert followed["clearance"][1] == 0
    # The rough one by brute force, at every ray.
    angle = 2 * np.pi * np.arange(360) / 360
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    inside = (logits(networks[2], 0.4 * ring).argmax(dim=1) == 0).numpy()
    outside = (logits(networks[2], 0.45 * ring).argmax(dim=1) == 1).numpy()
    assert followed["outside_share"][2] == outside.mean()
    assert followed["between_share"][2] == (inside & outside).mean()


def test_curvatures_are_those_of_the_dense_hessian(networks):
    vector = networks[2].double()
    hessian = torch.func.hessian(loss_at)(vector).numpy()
    norms = np.zeros(len(vector))
    for start, stop in MODEL.layout.filters:
        norms[start:stop] = np.linalg.norm(vector[start:stop])
    expected = np.linalg.eigvalsh(hessian)[-1]
    scaled = np.linalg.eigvalsh(norms[:, None] * hessian * norms)[-1]
    measured = curvatures(MODEL, networks[2:], INPUTS, LABELS, kind="exact", seed=0).arrays()
    assert measured["eigenvalue"][0] == pytest.approx(expected, rel=1e-4)
    assert measured["curvature"][0] == pytest.approx(scaled, rel=1e-4)
    plain = curvatures(MODEL, networks[2:], INPUTS, LABELS, kind="paper", seed=0).arrays()
    weights = norms > 0  # along the paper's directions distances are lengths, and biases stay
    reduced = np.linalg.eigvalsh(hessian[np.ix_(weights, weights)])[-1]
    assert plain["curvature"][0] == pytest.approx(reduced, rel=1e-4)


def test_a_dead_network_has_no_curvature(networks):
    dead = networks[:1].clone()
    MODEL.layout.views(dead)["0.bias"] -= 1e4
    MODEL.layout.views(dead)["1.bias"] -= 1e4
    measured = curvatures(MODEL, dead, INPUTS, LABELS, kind="exact", seed=0)
    assert measured.curvature.tolist() == [0]


def test_filter_normalised_curvature_ignores_the_scale_of_layers(networks):
    """ReLU layers may trade a factor; the biases here sit in the last layer alone."""
    flat = networks[:1].clone()
    scaled = flat.clone()
    views = MODEL.layout.views(scaled)
    views["0.weight"] *= 40
    views["1.weight"] /= 40
    one, other = (
        curvatures(MODEL, part, INPUTS, LABELS, kind="exact", seed=0).arrays()
        for part in (flat, scaled)
    )
    np.testing.assert_allclose(one["curvature"], other["curvature"], rtol=1e-4)
    assert abs(one["eigenvalue"] / other["eigenvalue"] - 1) > 0.1


def test_lines_hold_the_loss_at_their_distances(networks):
    distance = np.array([-0.5, 0.0, 2.0])
    along = lines(MODEL, networks[:2], INPUTS, LABELS, distance, kind="exact", count=2, seed=3)
    for number, vector in enumerate(networks[:2]):
        rays = draw(MODEL.layout, vector, kind="exact", seed=3, indices=range(2)).vectors
        for ray in range(2):
            for place_, r in enumerate(distance):
                expected = float(loss_at(vector + float(r) * rays[ray]))
                assert along[number, ray, place_] == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_pictures_hold_the_probability_at_the_places_they_name(networks):
    drawn = pictures(MODEL, networks[:2], RINGS, points=9)
    assert drawn["angle"][[0, -1]].tolist() == [0, 360]
    assert (np.diff(drawn["offset"]) > 0).all()
    assert drawn["offset"][0] == pytest.approx(-0.4)
    assert (np.abs(drawn["offset"]) < 0.05).sum() > 20  # the gap takes its share
    for index, vector in enumerate(networks[:2]):
        place_ = np.array([[drawn["axis_x"][6], drawn["axis_y"][2]]])
        expected = torch.softmax(logits(vector, place_), dim=1)[0, 1]
        assert drawn["probability"][index, 2, 6] == pytest.approx(float(expected), abs=1e-4)
        turn, radius = np.radians(drawn["angle"][5]), 0.4 + drawn["offset"][60]
        place_ = radius * np.array([[np.cos(turn), np.sin(turn)]])
        expected = torch.softmax(logits(vector, place_), dim=1)[0, 1]
        assert drawn["unrolled"][index, 60, 5] == pytest.approx(float(expected), abs=1e-3)


def test_found_counts_the_networks_at_the_bar():
    shares = found_shares(np.array([[0.2, 0.99, 1.0, 0.98], [1, 1, 1, 1]]))
    np.testing.assert_allclose(shares["found_share"], [0.5, 1])
    np.testing.assert_allclose(shares["found_low"], beta.ppf(0.025, [2, 4], [3, 1]))
    np.testing.assert_allclose(shares["found_high"], [beta.ppf(0.975, 3, 2), 1])
