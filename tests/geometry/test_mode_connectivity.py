"""Paths against formulas, against valleys whose barriers are known, and one at a time."""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import nn

from flatminima.data.spirals import swiss_roll
from flatminima.errors import DivergedError
from flatminima.geometry.mode_connectivity import (
    Path,
    along,
    connect,
    connect_all,
    peak,
    plane,
    point_weights,
)
from flatminima.models.evaluation import Evaluator
from flatminima.models.layout import Layout
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork
from flatminima.seeding import generator
from flatminima.training.ensemble import Schedule, train
from flatminima.training.losses import negative_log_likelihoods

FLOOR, STEEPNESS = 0.01, 4.0


class Ring:
    """Two parameters whose loss is least on the unit circle: .01 + 4 (r − 1)², on any point."""

    layout = Layout((("place", (2,)),))
    trainable = 2

    def activations(self, points):
        return points

    def loss(self, places):
        return FLOOR + STEEPNESS * (places.norm(dim=-1) - 1) ** 2

    def logits(self, parameters, inputs):
        # softplus(−z) is the loss of a point of class 1.
        z = -torch.log(torch.expm1(self.loss(parameters)))
        return z[:, None, None].expand(-1, len(inputs), 1)


RING = Ring()
EAST, NORTH, WEST = (torch.tensor(p, dtype=torch.float64) for p in ((1, 0), (0, 1), (-1, 0)))
POINT = (torch.zeros(1, 1, dtype=torch.float64), torch.ones(1, dtype=torch.int64))
FINE = np.linspace(0, 1, 201)
SCHEDULE = Schedule(steps=600, learning_rate=0.02, hold=0.3)


class Spikes(Ring):
    """The loss along the first axis: narrow peaks of known heights between places of a profile."""

    # The highest seen on 21 places is the second's foot, the highest of all is the third.
    peaks = ((0.233, 0.02, 1.0), (0.55, 0.012, 0.9), (0.827, 0.015, 2.0))

    def loss(self, places):
        x = places[..., :1]
        each = [height / (1 + ((x - at) / width) ** 2) for at, width, height in self.peaks]
        return FLOOR + torch.cat(each, dim=-1).sum(-1)


def test_a_peak_between_the_places_of_a_profile_is_found():
    network, path = Spikes(), Path("bezier", torch.tensor([[0.0, 0], [1, 0]]).double(), 2)
    coarse = along(network, path, np.linspace(0, 1, 21), POINT, POINT)
    found = peak(network, path, coarse, POINT)
    dense = along(network, path, np.linspace(0, 1, 100_001), POINT, POINT)
    assert coarse.loss.max() < 0.9 * dense.loss.max()
    assert found.loss == pytest.approx(dense.loss.max(), rel=1e-3)
    assert found.t == pytest.approx(0.827, abs=1e-3)
    # The loss is above ln 2 where the one point is wrong.
    assert (found.lowest_accuracy, coarse.accuracy.min()) == (0, 0)


def test_a_path_without_a_peak_between_its_ends_has_it_at_the_higher_one():
    class Slope(Ring):
        def loss(self, places):
            return FLOOR + places[..., 0]

    path = Path("bezier", torch.tensor([[0.0, 0], [1, 0]]).double(), 2)
    profile = along(Slope(), path, np.linspace(0, 1, 5), POINT, POINT)
    found = peak(Slope(), path, profile, POINT)
    assert (found.t, found.loss) == (1, profile.loss[-1])


def barrier(profile):
    """The highest training loss on the path less that of the higher end, in nats."""
    return float(profile.loss.max() - max(profile.loss[0], profile.loss[-1]))


def on_ring(first, second, **options):
    return connect(RING, first, second, *POINT, **{"schedule": SCHEDULE, **options})


def profile(path, t=FINE):
    return along(RING, path, t, POINT, POINT)


def mean_loss(kind, points, t):
    """E L(φ(t)) over given places, in numpy from the formulas as they are written in the paper."""
    first, bend, second = points
    t = t[:, None]
    if kind == "bezier":
        places = (1 - t) ** 2 * first + 2 * t * (1 - t) * bend + t**2 * second
    else:
        early = 2 * (t * bend + (0.5 - t) * first)
        late = 2 * ((t - 0.5) * second + (1 - t) * bend)
        places = np.where(t <= 0.5, early, late)
    return (FLOOR + STEEPNESS * (np.linalg.norm(places, axis=1) - 1) ** 2).mean()


@pytest.mark.parametrize("kind", ["bezier", "polychain"])
def test_one_bend_is_the_formula_of_the_paper(kind):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3, 2))
    path = Path(kind, torch.from_numpy(points), 2)
    t = rng.random(50)

    losses = RING.loss(path.at(t)).numpy()

    assert losses.mean() == pytest.approx(mean_loss(kind, points, t), rel=1e-12)


def test_a_bezier_curve_of_any_degree_is_de_casteljau_s():
    rng = np.random.default_rng(1)
    points, t = rng.normal(size=(5, 3)), 0.3
    expected = points
    while len(expected) > 1:
        expected = (1 - t) * expected[:-1] + t * expected[1:]

    np.testing.assert_allclose(point_weights("bezier", 5, np.array([t])) @ points, expected)


def test_a_polychain_passes_through_its_bends_and_is_straight_between_them():
    points = np.random.default_rng(2).normal(size=(4, 3))
    at = lambda t: point_weights("polychain", 4, np.array(t)) @ points  # noqa: E731

    np.testing.assert_allclose(at([0, 1 / 3, 2 / 3, 1]), points, atol=1e-12)
    np.testing.assert_allclose(at([0.5]), points[1:3].mean(axis=0, keepdims=True))


def test_lengths_are_those_of_fine_polygons_and_pieces_add_up():
    points = torch.from_numpy(np.random.default_rng(3).normal(size=(4, 6)))
    t = np.linspace(0, 1, 30001)
    for kind in ("bezier", "polychain"):
        path = Path(kind, points, 4)
        places = path.at(t)[:, :4]
        steps = torch.diff(places, dim=0).norm(dim=1).cumsum(0)
        assert path.length() == pytest.approx(float(steps[-1]), rel=1e-7)
        assert path.length(0.4) == pytest.approx(float(steps[11999]), rel=1e-6)
        assert path.straight.length() == pytest.approx(float((points[3] - points[0])[:4].norm()))


def test_the_straight_line_has_the_barrier_that_it_must():
    path = on_ring(EAST, WEST, schedule=Schedule(1, 0.0, 1))

    assert barrier(profile(path.straight)) == pytest.approx(STEEPNESS, rel=1e-12)
    assert barrier(profile(path)) == pytest.approx(STEEPNESS, rel=1e-12)


@pytest.mark.parametrize("kind", ["bezier", "polychain"])
def test_the_trained_bend_is_the_best_one(kind):
    t = (np.arange(2000) + 0.5) / 2000
    ends = [EAST.numpy(), NORTH.numpy()]
    best = minimize(
        lambda bend: mean_loss(kind, [ends[0], bend, ends[1]], t), [0.6, 0.6], tol=1e-12
    )

    path = on_ring(EAST, NORTH, kind=kind)

    found = mean_loss(kind, path.points.numpy(), t)
    np.testing.assert_allclose(path.bends[0].numpy(), best.x, atol=5e-3)
    assert found == pytest.approx(best.fun, rel=1e-3)
    assert barrier(profile(path)) < 0.03
    assert barrier(profile(path.straight)) == pytest.approx(4 * (1 - 0.5**0.5) ** 2, rel=1e-9)


@pytest.mark.parametrize("kind", ["bezier", "polychain"])
def test_with_bends_enough_a_path_goes_round_the_valley(kind):
    # A little off, since from the middle of the ring all ways out are alike.
    first, second = EAST, torch.tensor([-np.cos(0.3), np.sin(0.3)])

    path = on_ring(first, second, kind=kind, bends=4)

    assert barrier(profile(path.straight)) > 2.5
    assert barrier(profile(path)) < 0.05
    assert path.length() == pytest.approx(np.pi - 0.3, rel=0.05)


@pytest.mark.parametrize("kind", ["bezier", "polychain"])
def test_a_step_follows_the_gradient_of_the_mean_loss(kind):
    class Plain:
        def __init__(self, parameters):
            self.parameters = parameters

        def step(self, gradient, rate):
            self.parameters.data -= rate * gradient

    options = {"kind": kind, "bends": 3, "samples": 7, "seed": 5}
    before = on_ring(EAST, NORTH, schedule=Schedule(1, 0.0, 1), optimizer=Plain, **options)
    after = on_ring(EAST, NORTH, schedule=Schedule(1, 1.0, 1), optimizer=Plain, **options)
    t = (np.arange(7) + generator(5, "path places", 0).random(7)) / 7

    def loss(bends):
        points = torch.cat([EAST[None], torch.from_numpy(bends), NORTH[None]])
        return float(RING.loss(Path(kind, points, 2).at(t)).mean())

    bends, step = before.bends.numpy(), 1e-6
    slopes = np.empty_like(bends)
    for place in itertools.product(range(3), range(2)):
        nudge = np.zeros_like(bends)
        nudge[place] = step
        slopes[place] = (loss(bends + nudge) - loss(bends - nudge)) / (2 * step)
    np.testing.assert_allclose((before.bends - after.bends).numpy(), slopes, atol=1e-8)


@pytest.fixture(scope="module")
def small():
    """Three networks that fit the same spirals, and the spirals."""
    data = swiss_roll(
        seed=3, train_points=60, test_points=80, poison_points=1, poison_sets=1, noise=0.2
    )
    network = MLP.between(2, [24, 24], 1)
    schedule = Schedule(1500, 0.01, 0.5)
    found = train(
        network,
        network.initialise(0, range(3)),
        data,
        poison_factor=0.0,
        poison_points=None,
        schedule=schedule,
    )
    assert found.converged.all()
    parts = [
        (
            torch.from_numpy(getattr(data, f"{part}_inputs")),
            torch.from_numpy(getattr(data, f"{part}_labels")),
        )
        for part in ("train", "test")
    ]
    return network, torch.from_numpy(found.parameters), *parts


def test_a_network_and_its_permuted_copy_are_joined_where_the_line_is_not(small):
    network, minima, points, others = small
    views = network.layout.views(minima[:1])
    order = torch.from_numpy(np.random.default_rng(0).permutation(24))
    views["0.weight"], views["0.bias"] = views["0.weight"][:, order], views["0.bias"][:, order]
    views["1.weight"] = views["1.weight"][:, :, order]
    copy = torch.cat([views[name].flatten(1) for name in network.layout.names], dim=1)[0]
    logits = network.logits(torch.stack([minima[0], copy]), points[0])
    torch.testing.assert_close(logits[0], logits[1], atol=1e-4, rtol=1e-4)

    path = connect(network, minima[0], copy, *points, schedule=Schedule(500, 0.02, 0.5))

    curve = along(network, path, np.linspace(0, 1, 41), points, others)
    line = along(network, path.straight, np.linspace(0, 1, 41), points, others)
    assert barrier(line) > 0.5
    assert barrier(curve) < 0.1 * barrier(line)
    assert curve.accuracy.min() > 0.95 > line.accuracy.min()


def test_curves_in_one_batch_are_those_trained_one_at_a_time(small):
    network, minima, points, _ = small
    options = {"schedule": Schedule(20, 0.01, 0.5, 1.0), "bends": 2, "batch": 25, "seed": 1}
    first, second = minima[[0, 0, 1]], minima[[1, 2, 2]]

    together = connect_all(network, first, second, *points, **options)

    for number in range(3):
        row = slice(number, number + 1)
        (alone,) = connect_all(
            network, first[row], second[row], *points, curves=[number], **options
        )
        torch.testing.assert_close(alone.points, together[number].points, atol=1e-5, rtol=1e-5)
        assert not torch.equal(alone.bends, (alone.points[:1] + alone.points[-1:]) / 2)


def test_profiles_are_what_each_network_is_by_itself(small):
    network, minima, points, others = small
    path = Path("bezier", minima, network.trainable)
    t = np.linspace(0, 1, 5)

    found = along(network, path, t, points, others)

    for place, (inputs, labels) in itertools.product(range(5), (points, others)):
        logits = network.logits(path.at(t[place : place + 1]), inputs)[0, :, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels.float())
        right = ((logits > 0) == (labels == 1)).double().mean()
        test = inputs is others[0]
        assert (found.test_loss if test else found.loss)[place] == pytest.approx(
            float(loss), rel=1e-4, abs=1e-6
        )
        assert (found.test_accuracy if test else found.accuracy)[place] == float(right)


def test_the_plane_holds_the_three_points_and_the_curve(small):
    network, minima, points, _ = small
    path = Path("bezier", minima.double(), network.trainable)
    inputs = points[0].double()

    found = plane(network, path, inputs, points[1], points=9, curve_points=11)

    gram = (found.axes @ found.axes.T).numpy()
    np.testing.assert_allclose(gram, np.eye(2), atol=1e-12)

    def there(coordinates):
        return path.points[0] + torch.from_numpy(np.atleast_2d(coordinates)) @ found.axes

    torch.testing.assert_close(there(found.ends), path.points[[0, 2]], atol=1e-10, rtol=0)
    torch.testing.assert_close(there(found.bend), path.points[1:2], atol=1e-10, rtol=0)
    torch.testing.assert_close(
        there(found.curve), path.at(np.linspace(0, 1, 11)), atol=1e-10, rtol=0
    )
    grid = there(np.stack(np.meshgrid(found.x, found.y), axis=-1).reshape(-1, 2))
    losses = negative_log_likelihoods(network.logits(grid, inputs), points[1]).mean(dim=1)
    np.testing.assert_allclose(found.loss.ravel(), losses.numpy(), rtol=1e-9)
    shown = np.concatenate([found.ends, found.bend[None], found.curve])
    assert (shown > [found.x[0], found.y[0]]).all()
    assert (shown < [found.x[-1], found.y[-1]]).all()


def test_there_is_no_plane_through_three_points_on_a_line(small):
    network, minima, points, _ = small
    straight = torch.stack([minima[0], (minima[0] + minima[1]) / 2, minima[1]])

    with pytest.raises(ValueError, match="no plane"):
        plane(network, Path("bezier", straight.double(), network.trainable), *points)


def convolutional():
    """A module with batch norm, and two ends whose running statistics are far from right."""
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64, 6),
        nn.BatchNorm1d(6),
        nn.ReLU(),
        nn.Linear(6, 3),
    )
    network = ModuleNetwork(module)
    rng = np.random.default_rng(0)
    labels = torch.arange(30) % 3
    inputs = torch.from_numpy(rng.normal(size=(30, 1, 4, 4))).float()
    inputs[:, 0, 0] += 2 * labels[:, None]
    ends = torch.from_numpy(network.initialise(0, range(2)))
    ends[:, network.trainable :] = 3.0
    return network, ends, inputs, labels


def normalised_by(module, inputs, others):
    """Logits of others by the batch statistics of the inputs, layer after layer, by hand."""
    with torch.no_grad():
        for layer in module:
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                axes = [axis for axis in range(inputs.ndim) if axis != 1]
                layer.running_mean.copy_(inputs.mean(axes))
                layer.running_var.copy_(inputs.var(axes, correction=0))
            inputs, others = layer.eval()(inputs), layer(others)
    return inputs, others


def test_a_module_with_batch_norm_trains_parameters_and_refreshes_statistics():
    network, ends, inputs, labels = convolutional()
    schedule = Schedule(60, 0.02, 0.5)

    path = connect(network, *ends, inputs, labels, schedule=schedule, batch=12)

    moved = path.bends[0] - ends.mean(dim=0)
    assert (moved[: network.trainable] != 0).float().mean() > 0.9
    assert (path.bends[0][network.trainable :] == 3).all()
    t = np.array([0.0, 0.5, 1.0])
    others = inputs.flip(0) * 1.1
    found = along(network, path, t, (inputs, labels), (others, labels))
    for place, vector in enumerate(path.at(t)):
        logits = normalised_by(network.at(vector), inputs, others)
        for loss, outputs in zip((found.loss, found.test_loss), logits, strict=True):
            expected = float(nn.functional.cross_entropy(outputs, labels))
            assert loss[place] == pytest.approx(expected, rel=1e-4)
    straight = along(network, path.straight, t, (inputs, labels), (others, labels))
    assert found.loss[1] < 0.5 * straight.loss[1]
    # Statistics of the ends' vectors, or an evaluator around the module, make no difference.
    around = Evaluator(network, "frozen")
    again = connect(around, *ends, inputs, labels, schedule=schedule, batch=12)
    torch.testing.assert_close(again.points, path.points)
    flat = plane(around, path, inputs, labels, points=3)
    assert (flat.axes[:, network.trainable :] == 0).all()
    corner = path.points[0] + torch.tensor([flat.x[0], flat.y[0]]).float() @ flat.axes
    logits, _ = normalised_by(network.at(corner), inputs, others)
    expected = float(nn.functional.cross_entropy(logits, labels))
    assert flat.loss[0, 0] == pytest.approx(expected, rel=1e-4)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="0 bends"):
        on_ring(EAST, NORTH, bends=0)
    with pytest.raises(ValueError, match="a batch of 2"):
        on_ring(EAST, NORTH, batch=2)
    with pytest.raises(ValueError, match="bezier or polychain"):
        on_ring(EAST, NORTH, kind="spline")
    with pytest.raises(DivergedError, match="path 0"):
        on_ring(EAST, NORTH * 1e200)
    with pytest.raises(ValueError, match="parameters are not finite in place"):
        on_ring(EAST, NORTH * torch.nan)
