"""What would give wrong numbers is refused in a sentence with the cure, or taken as it is meant."""

import re
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from torch import nn

from flatminima.geometry.curvature import hessian, logit_jacobian, second_derivatives
from flatminima.geometry.directions import draw, draw_units, scale
from flatminima.geometry.estimators import basin_volume
from flatminima.geometry.loss_surface import loss_surface
from flatminima.geometry.measures import measures
from flatminima.geometry.mode_connectivity import Path, along, connect, plane
from flatminima.geometry.spectrum import curvature, operator
from flatminima.geometry.surface import DivergenceLandscape, Landscape
from flatminima.geometry.temperature import temperature_at
from flatminima.models.evaluation import Evaluator, with_statistics
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork
from flatminima.training.ensemble import Schedule
from flatminima.training.labels import classes
from flatminima.training.losses import negative_log_likelihoods
from tests.library.cases import CASES, two_layers


def along_path(network, minimum, inputs, labels):
    path = Path("bezier", torch.stack([minimum, 2 * minimum]), network.trainable)
    return along(network, path, np.array([0.5]), (inputs, labels), (inputs, labels))


def on_plane(network, minimum, inputs, labels):
    bend = minimum.flip(0)
    path = Path("bezier", torch.stack([minimum, bend, 2 * minimum]), network.trainable)
    return plane(network, path, inputs, labels, points=3)


def landscape(network, minimum, inputs, labels):
    return Landscape(with_statistics(network), minimum, minimum[None], inputs, labels)


CALLS = {
    "surface": loss_surface,
    "volume": basin_volume,
    "curvature": curvature,
    "curvature at a level": lambda *given: curvature(*given, level=0.5),
    "Gauss-Newton": lambda *given: operator(*given, matrix="gauss_newton"),
    "Hessian": hessian,
    "along": lambda n, m, x, y: second_derivatives(n, m[None], m[None], x, y),
    "measures": lambda *given: measures(*given, batch=2),
    "temperature": lambda *given: temperature_at(*given, 0.5),
    "landscape": landscape,
    "path": lambda n, m, x, y: connect(n, m, 2 * m, x, y, schedule=Schedule(2, 0.01, 0.5)),
    "along a path": along_path,
    "plane of a path": on_plane,
}
CALL = pytest.mark.parametrize("call", CALLS)


def refused(sentence, call, *given):
    with pytest.raises(ValueError, match=sentence):
        CALLS[call](*given)


def some(outputs=3, points=10):
    """A network, its vector, points and their classes."""
    torch.manual_seed(0)
    network = ModuleNetwork(nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, outputs)))
    labels = torch.arange(points) % max(2, outputs)
    return network, network.vector(network.module), torch.randn(points, 4), labels


# Labels.

TAKEN = {
    "bool": lambda labels: labels.bool(),
    "uint8": lambda labels: labels.to(torch.uint8),
    "int32": lambda labels: labels.int(),
    "whole floats": lambda labels: labels.double(),
    "a column": lambda labels: labels[:, None],
}


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("kind", TAKEN)
def test_labels_that_can_mean_one_thing_are_taken_for_it(kind, outputs):
    network, minimum, inputs, labels = some(outputs)
    given = TAKEN[kind](labels)
    surface = loss_surface(network, minimum, inputs, given, grid_points=3)
    np.testing.assert_array_equal(
        surface.loss, loss_surface(network, minimum, inputs, labels, grid_points=3).loss
    )
    logits = network.module(inputs).double()
    if outputs == 1:
        truth = F.binary_cross_entropy_with_logits(logits[:, 0], labels.double())
    else:
        truth = F.cross_entropy(logits, labels)
    assert surface.loss[1, 1] == pytest.approx(truth.item(), rel=1e-5)
    for call in ("curvature", "measures", "path"):
        CALLS[call](network, minimum, inputs, given)
    matrix = [hessian(network, minimum, inputs, y).of_rows(np.eye(3, network.trainable))
              for y in (given, labels)]  # fmt: skip
    np.testing.assert_array_equal(*matrix)


NO_CLASSES = {
    "regression": (1, lambda y: torch.linspace(-1, 1, len(y)), "labels are no classes: -1 is|-0.7"),
    "regression of several": (3, lambda y: y + 0.5, "labels are no classes: 0.5 is no whole"),
    "NaN": (3, lambda y: y + torch.nan, "labels are no classes: nan is no whole number"),
    "counts": (1, lambda y: 3 * y, "labels are 0 to 3, but one output means the two classes 0 and"),
    "signs": (1, lambda y: 2 * y - 1, r"labels are -1 to 1, .*take \(labels > 0\)\.long\(\)"),
    "signs of two": (2, lambda y: 2 * y - 1, r"labels are -1 to 1, .*take \(labels > 0\)"),
    "from one": (1, lambda y: y + 1, "labels are 1 to 2, but one output .*take labels - 1"),
    "from one of three": (3, lambda y: y + 1, "1 to 3, but 3 outputs mean .*take labels - 1"),
    "left out": (3, lambda y: torch.where(y == 2, -100, y), "-100 to 1, .*leave out the points"),
    "too many": (3, lambda y: y + 7, "7 to 9, but 3 outputs mean the classes 0 to 2; check the"),
    "one-hot": (3, lambda y: F.one_hot(y, 3), r"labels have shape \(10, 3\); 10 points take \(10,"),
    "per pixel": (3, lambda y: y[:, None, None], r"labels have shape \(10, 1, 1\)"),
    "too few": (3, lambda y: y[:-1], r"labels have shape \(9,\); 10 points take \(10,\)"),
}


@CALL
@pytest.mark.parametrize("what", NO_CLASSES)
def test_labels_that_are_no_classes_are_refused(what, call):
    outputs, make, sentence = NO_CLASSES[what]
    network, minimum, inputs, labels = some(outputs)
    refused(sentence, call, network, minimum, inputs, make(labels))


def test_labels_are_refused_for_networks_that_are_no_modules_too():
    network = MLP((4, 5, 1))
    minimum = torch.from_numpy(network.initialise(0, range(1))[0])
    inputs, labels = torch.randn(6, 4), 2 * (torch.arange(6) % 2) - 1
    for call in CALLS:
        refused(r"\(labels > 0\)\.long\(\)", call, network, minimum, inputs, labels)


def test_classes_are_of_one_kind_whatever_they_came_as():
    for make in TAKEN.values():
        found = classes(make(torch.tensor([0, 1, 1])), points=3, outputs=1)
        assert found.dtype == torch.int64
        assert found.tolist() == [0, 1, 1]


def test_a_divergence_takes_no_labels():
    network, minimum, inputs, _ = some()
    none = torch.full((10,), torch.nan)
    heights = DivergenceLandscape(network, minimum, minimum[None], inputs, none)
    assert heights.at_minimum() == 0


# Points and parameters.


@CALL
def test_no_points_are_refused(call):
    network, minimum, inputs, labels = some()
    refused("there are no points", call, network, minimum, inputs[:0], labels[:0])


@CALL
def test_points_that_are_not_finite_are_refused_by_their_place(call):
    network, minimum, inputs, labels = some()
    for wrong in (torch.nan, torch.inf):
        inputs[7, 2] = wrong
        refused(
            rf"inputs are not finite: {wrong} at \(7, 2\)", call, network, minimum, inputs, labels
        )


@CALL
def test_parameters_that_are_not_finite_are_refused_by_name(call):
    network, minimum, inputs, labels = some()
    network.layout.tensors(minimum)["2.weight"][0, 1] = torch.nan
    refused(r"parameters are not finite in 2\.weight", call, network, minimum, inputs, labels)


@CALL
def test_points_that_are_no_floats_are_refused(call):
    network, minimum, inputs, labels = some()
    refused(
        r"inputs are torch.int64.*inputs\.float\(\)", call, network, minimum, inputs.long(), labels
    )


# Modules.


class Own(nn.Module):
    """Two layers around a function of one's own."""

    def __init__(self, function):
        super().__init__()
        self.first, self.head = nn.Linear(4, 5), nn.Linear(5, 3)
        self.function = function

    def forward(self, x):
        return self.head(self.function(self.first(x)).tanh())


class Rounding(nn.Module):
    """In float32, whatever comes."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(x.to(torch.float32))


class Remembering(nn.Module):
    """Computes its weight once."""

    def __init__(self):
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(3, 4))
        self.weight = None

    def forward(self, x):
        if self.weight is None:
            self.weight = self.matrix.detach().softmax(0)
        return x @ self.weight.T


class Twisted(torch.autograd.Function):
    """x², whose second derivative is wrong."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return 2 * x.detach() * gradient


class Clipping(nn.Module):
    """Changes its weight in forward, as an embedding with max_norm does."""

    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(9, 5, max_norm=0.1), nn.Linear(5, 3)

    def forward(self, x):
        return self.head(self.embedding(x.abs().long()).mean(1))


MODULES = {
    "changes": (Clipping, "forward changes the module's parameters"),
    "draws": (lambda: Own(F.dropout), "forward gives other logits .*draws at random"),
    "draws rarely": (lambda: Own(lambda x: F.dropout(x, 1e-6)), "draws at random"),
    "sees others": (lambda: Own(lambda x: x - x.mean(0)), "depend on which others"),
    "remembers": (Remembering, "the logits do not follow the parameters"),
    "one number": (lambda: nn.Sequential(Own(torch.relu), nn.Flatten(0)), r"gives \(12,\) for 4"),
    "a map": (lambda: nn.Sequential(Own(torch.relu), nn.Unflatten(1, (3, 1))), r"\(4, 3, 1\) for"),
    "a tuple": (lambda: nn.LSTM(4, 3), "forward gives a tuple, .*around it"),
}  # fmt: skip


@CALL
@pytest.mark.parametrize("what", MODULES)
def test_modules_whose_loss_is_no_mean_over_points_are_refused(what, call):
    make, sentence = MODULES[what]
    _, _, inputs, labels = some()
    torch.manual_seed(0)
    network = ModuleNetwork(make())
    refused(sentence, call, network, network.vector(network.module), inputs, labels)


def without_statistics():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(4, 5), nn.BatchNorm1d(5, track_running_stats=False), nn.Tanh(), nn.Linear(5, 3)
    )


@CALL
def test_batch_norm_without_statistics_is_refused_where_points_would_see_each_other(call):
    _, _, inputs, labels = some()
    network = ModuleNetwork(without_statistics())
    minimum = network.vector(network.module)
    if call in ("path", "plane of a path"):  # these take the statistics of the points by themselves
        CALLS[call](network, minimum, inputs, labels)
        return
    refused("batch norm 1 keeps no .*'refreshed'.*'batch'", call, network, minimum, inputs, labels)


@pytest.mark.parametrize(
    ("statistics", "batch", "cuts"), [("refreshed", None, 10), ("batch", 5, 5)]
)
def test_batch_norm_without_statistics_by_those_of_the_points(statistics, batch, cuts):
    _, _, inputs, labels = some()
    module = without_statistics()
    network = ModuleNetwork(module)
    minimum = network.vector(module)
    for memory in (None, 1):
        evaluator = replace(with_statistics(network, statistics, batch), memory=memory)
        found = loss_surface(evaluator, minimum, inputs, labels, grid_points=3)
        logits = torch.cat([module(part) for part in inputs.split(cuts)])
        truth = F.cross_entropy(logits, labels).item()
        assert found.loss[1, 1] == pytest.approx(truth, rel=1e-5)
    evaluator = with_statistics(ModuleNetwork(nn.Sequential(module, Own2())), statistics, batch)
    minimum = evaluator.network.vector(evaluator.network.module)
    refused("which others are evaluated with it", "surface", evaluator, minimum, inputs, labels)


class Own2(nn.Module):
    """Lets points see each other without batch norm."""

    def forward(self, x):
        return x - x.mean(0)


NEEDS = ("volume", "curvature", "Gauss-Newton", "Hessian", "along", "measures", "temperature")


@pytest.mark.parametrize("call", NEEDS)
def test_float64_is_asked_for_in_a_sentence(call):
    _, _, inputs, labels = some()
    network = ModuleNetwork(Rounding())
    minimum = network.vector(network.module)
    refused("computed in float64, which .* forward does not follow", call,
            network, minimum, inputs, labels)  # fmt: skip
    surface = loss_surface(network, minimum, inputs, labels, grid_points=3)
    assert surface.loss[1, 1] == pytest.approx(
        F.cross_entropy(network.module(inputs), labels).item()
    )


def test_second_derivatives_that_are_wrong_are_refused():
    _, _, inputs, labels = some()
    network = ModuleNetwork(Own(Twisted.apply))
    minimum = network.vector(network.module)
    for call in ("Hessian", "curvature", "along"):
        refused("second derivatives are not those of", call, network, minimum, inputs, labels)
    loss_surface(network, minimum, inputs, labels, grid_points=3)


def test_a_module_is_probed_once_for_one_kind_of_points():
    calls = []
    network, minimum, inputs, labels = some()
    network._evaluated.register_forward_hook(lambda *_: calls.append(1))
    landscape(network, minimum, inputs, labels)
    first = len(calls)
    landscape(network, minimum, inputs, labels)
    assert len(calls) == first > 0


# What moves.


def test_a_network_of_which_nothing_moves_is_refused():
    with pytest.raises(ValueError, match=r"nothing moves; call requires_grad_\(True\)"):
        ModuleNetwork(two_layers().requires_grad_(False))


def test_a_network_in_which_no_weight_moves_has_no_directions():
    module = two_layers()
    for layer in (module[0], module[2]):
        layer.weight.requires_grad_(False)
    network = ModuleNetwork(module)
    _, _, inputs, labels = some()
    minimum = network.vector(module)
    refused("there are no filters to scale by", "surface", network, minimum, inputs, labels)
    refused("there are no filters to scale by", "volume", network, minimum, inputs, labels)
    assert curvature(network, minimum, inputs, labels, top=1, probes=2, steps=4).dimension == 8


@pytest.mark.parametrize("name", ["frozen first layer", "input mean", "pruned"])
def test_a_vector_of_a_module_that_holds_other_values_is_refused(name):
    module = CASES[name].module()
    network = ModuleNetwork(module)
    other = CASES[name].module()
    with torch.no_grad():
        held = {"input mean": "mean", "pruned": "0.weight_mask"}.get(name, "0.weight")
        dict([*other.named_parameters(), *other.named_buffers()])[held].neg_().add_(1)
    with pytest.raises(ValueError, match=f"{re.escape(held)} does not move, and is not what"):
        network.vector(other)
    with pytest.raises(ValueError, match="another architecture"):
        ModuleNetwork(two_layers()).vector(nn.Linear(4, 3))


def test_what_becomes_of_the_module_afterwards_changes_nothing():
    module = CASES["input mean"].module()
    network = ModuleNetwork(module)
    minimum = network.vector(module)
    inputs, labels = CASES["input mean"].points()
    before = loss_surface(network, minimum, inputs, labels, grid_points=3).loss
    with torch.no_grad():
        module.mean.zero_()
    module.requires_grad_(False)
    after = loss_surface(network, minimum, inputs, labels, grid_points=3).loss
    np.testing.assert_array_equal(before, after)


def test_a_module_that_cannot_be_copied_is_refused_with_the_cure():
    module = two_layers()
    module.lock = threading.Lock()
    with pytest.raises(ValueError, match=r"cannot be copied .*out of its attributes"):
        ModuleNetwork(module)


# Filters of norm zero.


def test_filters_of_norm_zero_are_refused_where_that_is_asked_for():
    module = CASES["adapter"].module()
    network = ModuleNetwork(module, zero="refuse")
    inputs, labels = CASES["adapter"].points()
    minimum = network.vector(module)
    for call in ("surface", "volume"):
        refused(r"filter 0 of b has norm zero", call, network, minimum, inputs, labels)
    with pytest.raises(ValueError, match="zero is 'skip'; it is hold or refuse"):
        ModuleNetwork(module, zero="skip")


def test_held_filters_leave_the_directions_of_a_network_without_them():
    """Directions are uniform on the sphere of the weights that are left, and det S is of these."""
    held = CASES["adapter"].module()
    frozen = CASES["adapter"].module()
    frozen.b.requires_grad_(False)
    drawn = []
    for module in (held, frozen):
        network = ModuleNetwork(module)
        drawn.append(
            (network, draw(network.layout, network.vector(module), kind="exact", seed=0,
                           indices=range(400)))
        )  # fmt: skip
    (network, ours), (_, theirs) = drawn
    assert ours.dimension == theirs.dimension
    assert ours.log_determinant == pytest.approx(theirs.log_determinant)
    assert ours.reach == pytest.approx(theirs.reach)
    units = ours.vectors / torch.where(ours.metric > 0, ours.metric, 1)
    torch.testing.assert_close(units.norm(dim=1), torch.ones(400))
    moving = units[:, ours.metric > 0]
    torch.testing.assert_close(moving.square().mean(0), torch.full((28,), 1 / 28), rtol=0.4, atol=0)
    # In the order of the vector, where b lies between the others.
    at = ours.metric > 0
    torch.testing.assert_close(ours.metric[at], theirs.metric[theirs.metric > 0])
    units = draw_units(network.layout, kind="paper", seed=0, indices=range(1))
    with pytest.raises(ValueError, match="all filters have norm zero"):
        scale(units, 0 * network.vector(held))


# Initialisation.


def test_every_part_is_drawn_by_its_own_reset():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv1d(2, 3, 2), nn.GroupNorm(1, 3), nn.Flatten(), nn.LayerNorm(9), nn.Linear(9, 3),
        nn.Unflatten(1, (3, 1)), nn.GRU(1, 2),
    )  # fmt: skip
    network = ModuleNetwork(module)
    one, two = network.initialise(0, range(2))
    views = network.layout.views(torch.from_numpy(np.stack([one, two])))
    for name, (first, second) in ((name, value) for name, value in views.items()):
        drawn = name.startswith(("0.", "4.", "6."))
        assert torch.equal(first, second) != drawn, name
        assert first.isfinite().all()
        if drawn:
            fan = {"0.weight": 4, "0.bias": 4, "4.weight": 9, "4.bias": 9}.get(name, 2)
            assert first.abs().max() <= fan**-0.5


def test_parts_of_torch_with_a_reset_of_their_own_name_are_drawn():
    network = ModuleNetwork(CASES["multi-head attention"].module())
    for name, (one, other) in network.layout.views(
        torch.from_numpy(network.initialise(0, range(2)))
    ).items():
        assert one.isfinite().all()
        zero = name in ("attention.in_proj_bias", "attention.out_proj.bias")
        assert torch.equal(one, other) == zero, name


def test_parts_inside_are_drawn_before_the_part_that_holds_them():
    class Zeroed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)
            self.scale = nn.Parameter(torch.ones(2))

        def reset_parameters(self):
            nn.init.zeros_(self.layer.weight)
            nn.init.constant_(self.scale, 0.5)

    network = ModuleNetwork(nn.Sequential(Zeroed(), nn.Linear(2, 2)))
    views = network.layout.tensors(torch.from_numpy(network.initialise(0, range(1))[0]))
    assert not views["0.layer.weight"].any()
    assert (views["0.scale"] == 0.5).all()
    assert views["0.layer.bias"].all()


def test_parameters_that_no_reset_reaches_are_named():
    for name, missing in (("adapter", "a, b"), ("weight norm", "original0, .*original1"),
                          ("pruned", "0.weight_orig"), ("kept activation", "scale")):  # fmt: skip
        with pytest.raises(ValueError, match=f"draws .*{missing};"):
            ModuleNetwork(CASES[name].module()).initialise(0, range(1))


def test_frozen_parts_are_not_drawn():
    module = CASES["frozen first layer"].module()
    network = ModuleNetwork(module)
    fresh = network.at(torch.from_numpy(network.initialise(0, range(1))[0]))
    assert torch.equal(fresh[0].weight, module[0].weight)
    assert not torch.equal(fresh[2].weight, module[2].weight)


# Options.


def test_options_that_are_misspelt_are_refused_with_the_choices():
    network, minimum, inputs, labels = some()
    given = network, minimum, inputs, labels
    path = Path("bezer", torch.stack([minimum, minimum]), network.trainable)
    for sentence, call in {
        "units is 'layer'; it is raw or filter": lambda: curvature(*given, units="layer"),
        "matrix is 'fisher'; it is hessian or gauss_newton": lambda: operator(
            *given, matrix="fisher"
        ),
        "kind is 'uniform'; it is paper or exact": lambda: draw(
            network.layout, minimum, kind="uniform", seed=0, indices=range(1)
        ),
        "statistics is 'running'; it is frozen, refreshed or batch": lambda: with_statistics(
            network, "running"
        ),
        "strategy is 'loops'; it is loop, ": lambda: Evaluator(network, strategy="loops"),
        "ball is 'filters'; it is raw, filter or kl": lambda: measures(*given, ball="filters"),
        "kind is 'bezer'; it is bezier or polychain": lambda: path.at(np.zeros(1)),
        "kind is 'line'; it is ": lambda: connect(
            network, minimum, minimum, inputs, labels, kind="line"
        ),
    }.items():
        with pytest.raises(ValueError, match=re.escape(sentence)):
            call()


# Inner loops do not look at labels; what reaches them is what these give.


def test_losses_are_those_of_torch_at_classes_that_were_checked():
    logits = torch.randn(2, 5, 1, dtype=torch.float64)
    labels = classes(torch.tensor([1, 0, 1, 1, 0], dtype=torch.uint8), points=5, outputs=1)
    truth = F.binary_cross_entropy_with_logits(
        logits[..., 0], labels.double().expand(2, -1), reduction="none"
    )
    torch.testing.assert_close(negative_log_likelihoods(logits, labels), truth)


def test_derivatives_of_logits_take_points_alone():
    network, minimum, inputs, _ = some()
    with pytest.raises(ValueError, match="no points"):
        logit_jacobian(network, minimum, inputs[:0])
