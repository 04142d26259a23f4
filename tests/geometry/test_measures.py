"""Against explicit gradients and matrices of small networks, one pair of minibatches at a time."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from flatminima.flatness_measures import BALLS
from flatminima.geometry.directions import metric
from flatminima.geometry.measures import linearise, measures, partition
from flatminima.geometry.reparametrisation import layer_factors, rescale_units, unit_factors
from flatminima.geometry.temperature import Tempered, temperature_at
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork
from flatminima.training.losses import kl_divergences, negative_log_likelihoods

from .test_spectrum import NETWORKS, dense, normalised, points, small


def gradients(network, minimum, inputs, labels, batches):
    """Of the mean loss of each minibatch by the trainable parameters, by plain autograd."""
    size, every = network.trainable, []
    for batch in batches:
        leaf = minimum[:size].double().requires_grad_()
        vector = torch.cat([leaf, minimum[size:].double()])
        logits = network.logits(vector[None], inputs[batch])
        loss = negative_log_likelihoods(logits, labels[batch]).mean()
        every.append(torch.autograd.grad(loss, leaf)[0])
    return torch.stack(every).numpy()


def metric_of(ball, network, minimum, fisher):
    """M, in which the squared length of a gradient is gᵀMg."""
    if ball == "raw":
        return np.eye(len(fisher))
    if ball == "filter":
        scale = metric(network.layout, minimum.double(), "exact")[: network.trainable].numpy()
        return np.diag(scale**2)
    return np.linalg.pinv(fisher, rcond=1e-11, hermitian=True)


# Eigenvalues of the Fisher information of a smooth network fall off so far that no dense
# pseudo-inverse can be trusted with them.
@pytest.mark.parametrize(
    ("make", "outputs", "ball"),
    [(*of, ball) for of in NETWORKS for ball in BALLS if (of[0], ball) != (normalised, "kl")],
)
def test_measures_are_those_of_explicit_gradients_and_matrices(make, outputs, ball):
    network, minimum = make(outputs)
    inputs, labels = points(outputs)
    drawn = partition(30, batch=5, count=3, seed=4)
    fisher = dense(network, minimum, inputs, labels, "gauss_newton")
    m = metric_of(ball, network, minimum, fisher)
    regrets, norms, squares, cosines, tops = [], [], [], [], []
    values, vectors = np.linalg.eigh(m)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    for batches in drawn:
        g = gradients(network, minimum, inputs, labels, batches)
        for i, j in itertools.permutations(range(len(batches)), 2):
            product, one, two = (g[a] @ m @ g[b] for a, b in ((i, j), (i, i), (j, j)))
            cosines.append(product / np.sqrt(one * two))
            regrets.append(np.sqrt(two) * (1 - cosines[-1]))
        squares += [each @ m @ each for each in g]
        norms += [np.sqrt(squares[-len(g) + k]) for k in range(len(g))]
        for batch in batches:
            part = dense(network, minimum, inputs[batch], labels[batch], "gauss_newton")
            tops.append(np.linalg.eigvalsh(root @ part @ root)[-1])
    whole = np.linalg.eigvalsh(root @ fisher @ root)

    found = measures(network, minimum, inputs, labels, ball=ball, batch=5, partitions=3, seed=4)

    expected = {
        "regret": np.mean(regrets),
        "gradient_norm": np.mean(norms),
        "contrast": np.mean(tops) / whole[-1],
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, rel=1e-6), name
    assert found["cosine"] == pytest.approx(np.mean(cosines), abs=1e-6)
    assert found["empirical_fisher"] == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-6)
    assert found["fisher_trace"] == pytest.approx(whole.sum(), rel=1e-6)
    assert found["fisher_top"] == pytest.approx(whole[-1], rel=1e-6)
    # Jensen: the mean length is no more than the root of the mean square.
    assert found["gradient_norm"].value <= found["empirical_fisher"]


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_fisher_trace_is_the_expected_square_of_gradients_over_the_labels_predicted(outputs):
    network, minimum = small(outputs)
    inputs, labels = points(outputs)
    logits = network.logits(minimum[None].double(), inputs)[0]
    p = torch.softmax(logits, 1) if outputs > 1 else torch.sigmoid(logits) * torch.tensor([-1, 1])
    p = p if outputs > 1 else p + torch.tensor([1, 0])
    expected = 0.0
    for point, label in itertools.product(range(len(inputs)), range(max(2, outputs))):
        taken = torch.full_like(labels, label)
        g = gradients(network, minimum, inputs, taken, [[point]])[0]
        expected += float(p[point, label]) * g @ g / len(inputs)
    found = measures(network, minimum, inputs, labels, batch=5)
    assert found["fisher_trace"] == pytest.approx(expected, rel=1e-10)


def test_the_trace_of_the_hessian_is_that_of_the_fisher_information():
    """ReLU networks are linear in each single parameter; with batch norm they are not."""
    for outputs in (1, 3):
        network, minimum = small(outputs)
        inputs, labels = points(outputs)
        hessian = dense(network, minimum, inputs, labels, "hessian")
        found = measures(network, minimum, inputs, labels, batch=5)
        assert np.trace(hessian) == pytest.approx(found["fisher_trace"], rel=1e-10)
    network, minimum = normalised(1)
    inputs, labels = points(1)
    found = measures(network, minimum, inputs, labels, batch=5)
    hessian = dense(network, minimum, inputs, labels, "hessian")
    assert np.trace(hessian) != pytest.approx(found["fisher_trace"], rel=1e-3)


def test_the_diagonal_is_that_of_the_gauss_newton_matrix():
    network, minimum = small(3)
    inputs, labels = points(3)
    full = dense(network, minimum, inputs, labels, "gauss_newton")
    found = linearise(network, minimum, inputs, labels).diagonal().numpy()
    np.testing.assert_allclose(found, np.diag(full), rtol=1e-10)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("level", [None, 0.5])
def test_nothing_in_a_ball_of_predictions_depends_on_the_parametrisation(outputs, level):
    network, minimum = small(outputs)
    inputs, labels = points(outputs)
    if level is not None:
        labels = network.logits(minimum[None], inputs.float())[0]
        labels = labels.argmax(1) if outputs > 1 else (labels[:, 0] > 0).long()
    for factors in (
        layer_factors(network.layout, 0, 30.0),
        unit_factors(network.layout, 30.0, seed=2),
    ):
        moved = rescale_units(network.layout, minimum.double()[None], factors)[0]
        before, after = (
            measures(network, each, inputs, labels, ball="kl", level=level, batch=5)
            for each in (minimum, moved)
        )
        assert after["regret"].value == pytest.approx(before["regret"].value, rel=1e-9)
        assert after["gradient_norm"].value == pytest.approx(
            before["gradient_norm"].value, rel=1e-9
        )
        assert after["contrast"].value == pytest.approx(before["contrast"].value, rel=1e-9)
        assert after["fisher_trace"] == pytest.approx(before["fisher_trace"], rel=1e-9)


@pytest.mark.parametrize("ball", ["raw", "filter"])
def test_filter_normalised_measures_stand_layers_and_no_others_do(ball):
    network, minimum = small(1)
    inputs, labels = points(1)

    def trace(factors):
        moved = rescale_units(network.layout, minimum.double()[None], factors)[0]
        return measures(network, moved, inputs, labels, ball=ball, batch=5)["fisher_trace"]

    before = trace(unit_factors(network.layout, 1.0, 0))
    layers, units = (
        trace(factors) / before
        for factors in (
            layer_factors(network.layout, 0, 5.0),
            unit_factors(network.layout, 5.0, seed=0),
        )
    )
    assert (layers == pytest.approx(1, rel=1e-9)) == (ball == "filter")
    assert abs(np.log(units)) > 0.1


def test_where_every_prediction_is_free_minibatches_have_nothing_to_do_with_each_other():
    """More parameters than points: the regret is √(mean of e^(−margin)), of predictions alone."""
    network = MLP((3, 40, 1))
    minimum = torch.from_numpy(network.initialise(0, range(1)))[0]
    inputs, labels = points(1, count=12)
    found = measures(network, minimum, inputs, labels, ball="kl", batch=1, partitions=1)
    logits = network.logits(minimum[None].double(), inputs)[0, :, 0].numpy()
    margins = np.where(labels.numpy() == 1, logits, -logits)
    assert found["fisher_trace"] == pytest.approx(12)
    assert found["cosine"] == pytest.approx(0, abs=1e-9)
    assert found["contrast"].value == pytest.approx(12)
    assert found["regret"].value == pytest.approx(np.sqrt(12) * np.exp(-margins / 2).mean())


def test_a_length_in_the_kl_ball_is_the_root_of_the_divergence_to_second_order():
    network, minimum = small(3)
    inputs, labels = points(3)
    fisher = dense(network, minimum, inputs, labels, "gauss_newton")
    step = 1e-4 * np.random.default_rng(0).normal(size=len(fisher))
    places = torch.stack([minimum.double(), minimum.double() + torch.from_numpy(step)])
    logits = network.logits(places, inputs)
    both = kl_divergences(logits[0], logits[1:]) + kl_divergences(logits[1], logits[:1])
    moved = float(both.mean())
    assert step @ fisher @ step == pytest.approx(moved, rel=1e-2)


def test_with_single_points_one_partition_is_exact():
    network, minimum = small(1)
    inputs, labels = points(1, count=8)
    one, two = (
        measures(network, minimum, inputs, labels, batch=1, partitions=1, seed=seed)
        for seed in (0, 1)
    )
    assert one["regret"].value == pytest.approx(two["regret"].value, rel=1e-12)
    assert np.isnan(one["regret"].low)


def test_at_a_level_measures_are_those_of_the_tempered_network():
    network, minimum = small(3)
    inputs, _ = points(3)
    labels = network.logits(minimum.double()[None], inputs)[0].argmax(dim=1)
    temperature = temperature_at(network, minimum, inputs, labels, 0.9)
    tempered = Tempered(network, temperature)
    for ball in BALLS:
        ours = measures(network, minimum, inputs, labels, ball=ball, level=0.9, batch=5)
        theirs = measures(tempered, minimum, inputs, labels, ball=ball, batch=5)
        assert ours["regret"].value == pytest.approx(theirs["regret"].value, rel=1e-9)
        assert ours["fisher_trace"] == pytest.approx(theirs["fisher_trace"], rel=1e-9)


def test_measures_are_the_same_for_a_module_of_the_same_function():
    network, minimum = small(3)
    inputs, labels = points(3)
    module = nn.Sequential(
        nn.Linear(3, 7), nn.ReLU(), nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 3)
    ).double()
    wrapped = ModuleNetwork(module)
    for ball in BALLS:
        ours, theirs = (
            measures(each, minimum, inputs, labels, ball=ball, batch=5)
            for each in (network, wrapped)
        )
        assert ours["regret"].value == pytest.approx(theirs["regret"].value, rel=1e-9)
        assert ours["contrast"].value == pytest.approx(theirs["contrast"].value, rel=1e-9)


def test_partitions_hold_every_point_once_and_are_addressed():
    first = partition(23, batch=5, count=3, seed=0)
    assert all(sorted(np.concatenate(batches)) == list(range(23)) for batches in first)
    assert {len(batch) for batches in first for batch in batches} <= {5, 6}
    again = partition(23, batch=5, count=2, seed=0)
    for one, two in zip(first, again, strict=False):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a, b)
    for batch in (0, 12):
        with pytest.raises(ValueError, match="disjoint"):
            partition(23, batch=batch, count=1, seed=0)


def test_a_ball_that_does_not_exist_and_a_level_that_cannot_be_had():
    network, minimum = small(1)
    inputs, labels = points(1)
    with pytest.raises(ValueError, match="ball"):
        measures(network, minimum, inputs, labels, ball="round", batch=5)
    wrong = (network.logits(minimum[None], inputs.float())[0, :, 0] <= 0).long()
    with pytest.raises(ValueError, match="no temperature"):
        measures(network, minimum, inputs, wrong, level=0.1, batch=5)
