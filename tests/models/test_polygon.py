import math

import numpy as np
import pytest
import torch

from flatminima.circles import even_angles, narrowest_gap, polygon_sides, unit_vectors
from flatminima.data.rings import radii, rings
from flatminima.geometry.circle import follow
from flatminima.geometry.temperature import with_loss
from flatminima.models.mlp import MLP
from flatminima.models.polygon import polygon, roughened, steepened

FULL = MLP.between(2, [100] * 9, 2)
DATA = rings(gap=0.001, inner_points=40, near_points=10, outer_points=80)
INPUTS, LABELS = torch.from_numpy(DATA.train_inputs), torch.from_numpy(DATA.train_labels)


def margin(model, vector, points):
    """Logit of class 1 less that of class 0, layer by layer in numpy."""
    hidden = np.asarray(points, dtype=vector.dtype)
    tensors = list(model.layout.views(torch.from_numpy(vector[None])).values())
    for layer in range(0, len(tensors), 2):
        weight, bias = (tensor[0].numpy() for tensor in tensors[layer : layer + 2])
        hidden = hidden @ weight.T + bias
        if layer < len(tensors) - 2:
            hidden = np.maximum(hidden, 0)
    return hidden[:, 1] - hidden[:, 0]


def mean_loss(model, vector):
    margins = margin(model, vector, INPUTS.double().numpy())
    return np.log1p(np.exp(-margins * np.where(LABELS.numpy() == 1, 1, -1))).mean()


@pytest.mark.parametrize("widths", [[100], [20, 7], [33, 12, 5], [4, 3]])
def test_the_boundary_is_a_regular_polygon(widths):
    model = MLP.between(2, widths, 2)
    vector = polygon(model, 0.4)
    sides = polygon_sides(widths[0])
    # At unit radius the height less that at the centre is c·cos ψ: the boundary is at 1 / that.
    angles = even_angles(10_000)
    centre = margin(model, vector, np.zeros((1, 2)))[0]
    radius = -centre / (margin(model, vector, unit_vectors(angles)) - centre)
    ratio = math.cos(math.pi / sides)
    apothem = 0.4 * 2 / (1 + 1 / ratio)
    turned = angles - angles[radius.argmin()]
    psi = (turned + math.pi / sides) % (2 * math.pi / sides) - math.pi / sides
    np.testing.assert_allclose(radius, apothem / np.cos(psi), rtol=2e-3 / sides)
    assert radius.min() == pytest.approx(apothem, rel=1e-6)
    assert radius.max() - radius.min() < narrowest_gap(widths[0], 0.4) * 1.001


def test_single_precision_keeps_the_boundary_within_a_thousandth_at_every_angle():
    vector = with_loss(FULL, polygon(FULL, 0.4005), INPUTS, LABELS, 1e-4).astype(np.float32)
    found = follow(lambda points: margin(FULL, vector, points), even_angles(3000), radii(0.001))
    assert found.between.all()
    assert (found.hole, found.excess) == (0, 0)
    slack = (0.001 - narrowest_gap(100, 0.4)) / 2
    assert found.outwards.min() == pytest.approx(slack, abs=5e-6)
    assert found.outwards.max() == pytest.approx(0.001 - slack, abs=5e-6)


def test_no_filter_is_zero_and_every_layer_has_the_same_norm():
    vector = with_loss(FULL, polygon(FULL, 0.4005), INPUTS, LABELS, 1e-3)
    assert all(np.linalg.norm(vector[a:b]) > 0 for a, b in FULL.layout.filters)
    views = FULL.layout.views(torch.from_numpy(vector[None]))
    norms = [float(tensor.norm()) for name, tensor in views.items() if name.endswith("weight")]
    np.testing.assert_allclose(norms, norms[0])


@pytest.mark.parametrize("loss", [0.3, 1e-3, 1e-7])
def test_the_loss_is_met_and_the_boundary_stays(loss):
    model = MLP.between(2, [60, 8], 2)
    vector = polygon(model, 0.4005)
    steep = with_loss(model, vector, INPUTS, LABELS, loss)
    assert mean_loss(model, steep) == pytest.approx(loss, rel=1e-6)
    logits = model.logits(torch.from_numpy(steep[None]), INPUTS.double())[0]
    assert torch.nn.functional.cross_entropy(logits, LABELS) == pytest.approx(loss, rel=1e-6)
    points = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    ratio = margin(model, steep, points) / margin(model, vector, points)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


def test_steepening_multiplies_the_logits_of_any_network():
    model = MLP.between(2, [7, 5, 6], 2)
    vector = model.initialise(3, range(1))[0].astype(float)
    points = np.random.default_rng(1).uniform(-1, 1, (50, 2))
    np.testing.assert_allclose(
        margin(model, steepened(model, vector, 12.5), points), 12.5 * margin(model, vector, points)
    )


@pytest.mark.parametrize("loss", [0.6, 0.3, 1e-3])
def test_a_network_on_the_wrong_side_of_a_point_is_no_minimum_of_any_loss(loss):
    model = MLP.between(2, [60, 8], 2)
    wrong = polygon(model, 0.41)
    assert 0.05 < mean_loss(model, steepened(model, wrong, 12.0)) < 0.6
    assert with_loss(model, wrong, INPUTS, LABELS, loss) is None


def test_no_slope_has_a_loss_above_that_of_guessing():
    model = MLP.between(2, [60, 8], 2)
    assert with_loss(model, polygon(model, 0.4005), INPUTS, LABELS, 0.8) is None


@pytest.mark.parametrize("widths", [(3, 9, 2), (2, 9, 1), (2, 2), (2, 2, 2)])
def test_other_architectures_are_refused(widths):
    with pytest.raises(ValueError, match="at least three"):
        polygon(MLP(widths), 0.4)


def test_roughening_is_in_proportion_to_each_filter_and_leaves_biases():
    vector = with_loss(FULL, polygon(FULL, 0.4005), INPUTS, LABELS, 1e-3)
    rough = roughened(FULL, vector, 0.1, seed=2)
    weights = np.zeros(len(vector), dtype=bool)
    for start, stop in FULL.layout.filters:
        weights[start:stop] = True
    np.testing.assert_array_equal(rough[~weights], vector[~weights])
    scale = np.concatenate(
        [
            np.full(stop - start, np.sqrt(np.mean(vector[start:stop] ** 2)))
            for start, stop in FULL.layout.filters
        ]
    )
    relative = (rough - vector)[weights] / scale
    assert relative.std() == pytest.approx(0.1, rel=0.02)
    assert abs(relative.mean()) < 0.002
    assert not np.array_equal(rough, roughened(FULL, vector, 0.1, seed=3))
