"""Problems: every module with its data and its loss, by every call, against plain torch."""

import copy
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from scipy.optimize import brentq
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import flatminima
from flatminima.geometry.directions import draw
from flatminima.geometry.radii import basin_along
from flatminima.geometry.spectrum import operator
from flatminima.geometry.surface import DivergenceLandscape, Landscape
from flatminima.library.problem import Problem
from flatminima.models.evaluation import with_statistics
from flatminima.training.ensemble import Schedule
from flatminima.training.losses import CROSS_ENTROPY
from tests.library.cases import STUDIES, Single, Tagger, draws, regression, two_layers, whole

EVERY = pytest.mark.parametrize("name", STUDIES)


def studied(name, **options):
    study = STUDIES[name]
    return study, Problem(study.module(), study.data(), study.loss, output=study.output, **options)


def in_double(inputs):
    """Inputs as plain torch takes them, floats in float64."""
    if isinstance(inputs, dict):
        return {key: in_double(value) for key, value in inputs.items()}
    if isinstance(inputs, tuple):
        return tuple(in_double(value) for value in inputs)
    floats = isinstance(inputs, torch.Tensor) and inputs.is_floating_point()
    return inputs.double() if floats else inputs


def plain_loss(study, shift=None):
    """The loss of a module whose parameters are shifted, in float64, by plain torch."""
    module = study.module().double()
    inputs, targets = study.data()
    if shift is not None:
        parts = torch.split(shift.double(), [value.numel() for value in module.parameters()])
        with torch.no_grad():
            for value, part in zip(module.parameters(), parts, strict=True):
                value.add_(part.view_as(value))
    with torch.no_grad():
        return study.truth(study.call(module, in_double(inputs)), targets).item()


@EVERY
def test_the_loss_and_a_surface_are_those_of_plain_modules_place_by_place(name):
    study, problem = studied(name)
    assert problem.minimum_loss == pytest.approx(plain_loss(study), rel=study.tolerance)
    found = problem.surface(grid_points=3, seed=5)
    one, other = (
        of.vectors[0, : problem.network.trainable] * of.reach
        for of in (
            draw(problem.network.layout, problem.minimum, kind="paper", seed=5,
                 indices=range(k, k + 1))
            for k in (0, 1)
        )
    )  # fmt: skip
    expected = [[plain_loss(study, x * one + y * other) for x in (-1, 0, 1)] for y in (-1, 0, 1)]
    np.testing.assert_allclose(found.loss, expected, rtol=5 * study.tolerance)
    assert found.about.points == len(problem.inputs)
    assert np.isfinite(found.accuracy).all() == problem.loss.classifies


def dense(study):
    """The Hessian, and the Gauss-Newton matrix, of the loss by plain torch, in float64."""
    module = study.module().double()
    inputs, targets = study.data()
    inputs, values = in_double(inputs), dict(module.named_parameters())
    shapes = [value.shape for value in values.values()]

    def outputs(vector):
        pieces = torch.split(vector, [shape.numel() for shape in shapes])
        given = {n: p.view(s) for n, p, s in zip(values, pieces, shapes, strict=True)}
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            return study.call(
                lambda *of, **by: torch.func.functional_call(module, given, of, by), inputs
            )

    flat = torch.cat([value.detach().flatten() for value in values.values()])

    def slope(vector):
        place = vector.clone().requires_grad_()
        return torch.autograd.grad(study.truth(outputs(place), targets), place)[0]

    steps = 1e-5 * torch.eye(len(flat), dtype=torch.float64)
    full = torch.stack([slope(flat + step) - slope(flat - step) for step in steps]) / 2e-5
    full[: study.still] = 0
    jacobian = torch.autograd.functional.jacobian(outputs, flat).flatten(0, -2)
    settled = outputs(flat).detach()

    def of_outputs(flattened):
        return study.truth(flattened.view_as(settled), targets)

    middle = torch.autograd.functional.hessian(of_outputs, settled.flatten())
    return full.numpy(), (jacobian.T @ middle @ jacobian).numpy()


PLAIN = [name for name in STUDIES if name not in ("compiled", "data parallel")]


@pytest.mark.parametrize("name", PLAIN)
def test_curvature_is_that_of_the_dense_matrices(name):
    study, problem = studied(name)
    of = (problem.network, problem.minimum, problem.inputs, None)
    full, linear = dense(study)
    every = np.eye(len(full))
    found = operator(*of).of_rows(every)
    np.testing.assert_allclose(found, full, atol=3e-6 * np.abs(full).max())
    found = operator(*of, matrix="gauss_newton").of_rows(every)
    np.testing.assert_allclose(found, linear, atol=1e-6 * np.abs(linear).max())
    spectrum = problem.curvature(top=1, probes=2, steps=4)
    assert spectrum.eigenvalues[0] == pytest.approx(np.linalg.eigvalsh(full)[-1], rel=1e-5)


@EVERY
def test_radii_are_those_of_a_root_finder_on_plain_modules(name):
    study, problem = studied(name)
    scaled = draw(problem.network.layout, problem.minimum, kind="exact", seed=3, indices=range(1))
    landscape = Landscape(
        with_statistics(problem.network), problem.minimum, scaled.vectors, problem.inputs, None
    )
    cutoff = problem.minimum_loss + 0.05
    radius = basin_along(landscape, scaled, [cutoff], 0.01).radii[0, 0]
    vector = scaled.vectors[0, : problem.network.trainable]

    def above(distance):
        return plain_loss(study, distance * vector) - cutoff

    assert radius == pytest.approx(brentq(above, 0.9 * radius, 1.1 * radius), rel=2e-3)


@pytest.mark.parametrize("name", ["tokens, classes last", "labels of their own", "one logit",
                                  "class weights, smoothing and an ignored label"])  # fmt: skip
def test_divergences_are_means_over_what_counts(name):
    study, problem = studied(name)
    shift = 0.3 * draws(len(problem.minimum), seed=7)
    landscape = DivergenceLandscape(
        with_statistics(problem.network), problem.minimum, shift[None], problem.inputs, None
    )
    inputs, targets = study.data()
    module, moved = study.module(), study.module()
    parts = torch.split(shift, [value.numel() for value in moved.parameters()])
    with torch.no_grad():
        for value, part in zip(moved.parameters(), parts, strict=True):
            value.add_(part.view_as(value))
        ours, theirs = (study.call(of, inputs).double() for of in (module, moved))
    if ours.shape[-1] == 1 or name == "labels of their own":
        p, q = (torch.distributions.Bernoulli(logits=of.flatten()) for of in (ours, theirs))
        counts = torch.ones(len(p.probs), dtype=torch.bool)
    else:
        p, q = (torch.distributions.Categorical(logits=of.flatten(0, -2)) for of in (ours, theirs))
        counts = targets.flatten() != (-100 if "tokens" in name else 1)
    truth = torch.distributions.kl_divergence(p, q)[counts].mean()
    found = landscape.along(np.ones(1), np.zeros(1, dtype=int))[0]
    assert found == pytest.approx(truth.item(), rel=1e-4)


@pytest.mark.parametrize("name", ["tokens, classes last", "regression", "a mean over points",
                                  "keywords, a mask and .logits", "soft labels"])  # fmt: skip
def test_volumes_paths_and_measures_are_of_any_loss(name):
    study, problem = studied(name)
    volume = problem.volume(cutoff=problem.minimum_loss + 1, directions=6, pilots=2)
    assert np.isfinite(volume.loss.uniform.value)
    assert (volume.divergence is None) == (not problem.loss.probabilities)
    other = study.module()
    with torch.no_grad():
        for value in other.parameters():
            value.mul_(1.3)
    path = problem.path_to(other, schedule=Schedule(3, 0.01, 0.5), places=3)
    shift = 0.3 * torch.cat([value.detach().flatten() for value in study.module().parameters()])
    ends = [plain_loss(study, t * shift) for t in (0, 0.5, 1)]
    np.testing.assert_allclose(path.line_loss, ends, rtol=2e-5)
    if problem.loss.probabilities and name != "soft labels":
        assert problem.measures(batch=2, partitions=2)["fisher_trace"].value > 0
    else:
        with pytest.raises(ValueError, match="measures take"):
            problem.measures()


def test_measures_leave_out_tokens_that_do_not_count():
    """The trace of the true Fisher information is that of the Gauss-Newton matrix."""
    study, problem = studied("tokens, classes last")
    found = problem.measures(batch=2, partitions=2)["fisher_trace"].value
    assert found == pytest.approx(np.trace(dense(study)[1]), rel=1e-6)


def test_plain_problems_are_the_calls_on_tensors_bit_for_bit():
    study, problem = studied("classes")
    network = flatminima.models.module.ModuleNetwork(study.module())
    given = (network, network.vector(network.module), *study.data())
    ours = problem.surface(grid_points=5)
    theirs = flatminima.geometry.loss_surface.loss_surface(*given, grid_points=5)
    np.testing.assert_array_equal(ours.loss, theirs.loss)
    np.testing.assert_array_equal(ours.accuracy, theirs.accuracy)
    ours = operator(problem.network, problem.minimum, problem.inputs, None)
    theirs = operator(*given)
    np.testing.assert_array_equal(*(of.of_rows(np.eye(4, ours.size)) for of in (ours, theirs)))


# Batches.


class Texts:
    """Batches of texts, each as long as its longest, gone through anew each time."""

    def __init__(self, *lengths):
        self.lengths, self.passes = lengths, 0

    def __iter__(self):
        self.passes += 1
        for number, (count, length) in enumerate(self.lengths):
            ids = whole(6, count, length, seed=number)
            labels = whole(4, count, length, seed=10 + number)
            labels[number % count, -1] = -100
            yield {"ids": ids, "labels": labels if number else torch.full_like(labels, -100)}


def compared(streamed, held, **options):
    """Every call on both, to rounding."""
    assert streamed.inputs.whole is None
    assert len(streamed.inputs) == len(held.inputs)
    assert streamed.minimum_loss == pytest.approx(held.minimum_loss, rel=1e-6)
    both = streamed, held
    one, other = (of.surface(grid_points=3) for of in both)
    np.testing.assert_allclose(one.loss, other.loss, rtol=2e-6)
    np.testing.assert_allclose(one.accuracy, other.accuracy)
    for matrix in ("hessian", "gauss_newton"):
        one, other = (
            operator(of.network, of.minimum, of.inputs, None, matrix=matrix) for of in both
        )
        rows = np.random.default_rng(0).standard_normal((3, one.size))
        images = other.of_rows(rows)
        np.testing.assert_allclose(one.of_rows(rows), images, atol=1e-10 * np.abs(images).max())
    if held.loss.probabilities:
        shift = 0.1 * draws(1, len(held.minimum))
        one, other = (
            DivergenceLandscape(with_statistics(of.network), of.minimum, shift, of.inputs, None)
            .along(np.ones(1), np.zeros(1, dtype=int))
            for of in both
        )  # fmt: skip
        np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize("kind", ["list", "loader", "shuffled"])
@pytest.mark.parametrize("name", ["classes", "regression", "a mean over points",
                                  "class weights, smoothing and an ignored label",
                                  "labels of their own", "tokens, classes last"])  # fmt: skip
def test_batches_that_are_streamed_give_what_the_whole_tensor_gives(name, kind):
    study, held = studied(name)
    inputs, targets = study.data()
    if kind == "list":
        data = list(zip(inputs.split(3), targets.split(3), strict=True))
    else:
        data = DataLoader(TensorDataset(inputs, targets), batch_size=4, shuffle=kind == "shuffled")
    streamed = Problem(study.module(), data, study.loss, memory=4)
    streamed.memory = None  # Of data alone.
    compared(streamed, held)
    gathered = Problem(study.module(), data, study.loss)
    assert gathered.inputs.whole is not None
    assert gathered.minimum_loss == pytest.approx(held.minimum_loss, rel=1e-6)


@pytest.mark.parametrize("name", ["classes", "tokens, classes last", "labels of their own",
                                  "class weights, smoothing and an ignored label"])  # fmt: skip
def test_a_level_is_reached_by_a_temperature_of_any_loss_that_has_one(name):
    study = STUDIES[name]
    module, (inputs, targets) = study.module(), study.data()
    adam = torch.optim.Adam(module.parameters(), lr=0.05)
    for _ in range(60):
        adam.zero_grad()
        study.truth(study.call(module, inputs), targets).backward()
        adam.step()
    held = Problem(module, (inputs, targets), study.loss)
    data = list(zip(inputs.split(3), targets.split(3), strict=True))
    streamed = Problem(module, data, study.loss, memory=4)
    streamed.memory = None
    level = 1.2 * held.minimum_loss
    one, other = (of.curvature(level=level, top=1, probes=2, steps=3) for of in (streamed, held))
    assert one.temperature == pytest.approx(other.temperature, rel=1e-9)
    with torch.no_grad():
        outputs = study.call(copy.deepcopy(module).double(), in_double(inputs))
    found = study.truth(outputs / other.temperature, targets).item()
    assert found == pytest.approx(level, rel=1e-9)
    assert one.eigenvalues[0] == pytest.approx(other.eigenvalues[0], rel=1e-8)


def test_texts_of_different_lengths_are_means_over_their_tokens():
    """Also where they are in memory, and of a batch in which no token counts."""
    texts = Texts((3, 5), (2, 6), (4, 3))
    module = STUDIES["tokens, classes last"].module()
    with torch.no_grad():
        both = [(module(of["ids"]).flatten(0, 1), of["labels"].flatten()) for of in texts]
    truth = F.cross_entropy(*(torch.cat(of) for of in zip(*both, strict=True))).item()
    for memory in (None, 4):
        problem = Problem(module, texts, memory=memory)
        assert problem.minimum_loss == pytest.approx(truth, rel=1e-6)
    problem.memory = None
    assert len(problem.inputs) == 9
    curved = problem.curvature(top=1, probes=2, steps=3)
    assert "Every product reads all batches" in " ".join(curved.about.notes)
    assert np.isfinite(problem.volume(cutoff=2.0, directions=4, pilots=2).loss.uniform.value)
    assert np.isfinite(
        problem.path_to(1.1 * problem.minimum, schedule=Schedule(4, 0.01, 0.5), places=3).loss
    ).all()


def test_all_networks_of_a_call_are_evaluated_in_one_pass():
    texts = Texts((3, 5), (2, 6), (4, 3))
    problem = Problem(Tagger().eval(), texts, memory=4)
    problem.memory = None
    before = texts.passes
    problem.surface(grid_points=5)
    assert texts.passes - before <= 3  # The first batch, for its size; the surface; the minimum.


# Precision.


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_is_taken_in_float32_and_told(half):
    module = two_layers().to(half)
    data = STUDIES["classes"].data()
    problem = Problem(module, data)
    assert problem.minimum.dtype == torch.float32
    assert problem.about.notes == (f"{str(half)[6:]} parameters were taken in float32.",)
    truth = F.cross_entropy(copy.deepcopy(module).float()(data[0]), data[1])
    assert problem.minimum_loss == pytest.approx(truth.item(), rel=1e-6)
    assert problem.curvature(top=1, probes=2, steps=3).eigenvalues[0] > 0
    assert module[0].weight.dtype == half


def test_a_dtype_may_be_asked_for():
    data = STUDIES["classes"].data()
    problem = Problem(two_layers(), data, dtype=torch.float64)
    assert problem.minimum.dtype == torch.float64
    assert problem.about.dtype == "float64"
    mixed = two_layers()
    mixed[2].double()
    forward = nn.Sequential(mixed, nn.Identity())
    assert Problem(forward, data).minimum.dtype == torch.float64


def test_second_derivatives_of_a_forward_in_float32_are_rounded_and_told():
    torch.manual_seed(0)
    module = Single().eval()
    data = STUDIES["classes"].data()
    problem = Problem(module, data)
    assert "rounded to float32" in problem.about.notes[0]
    plain = nn.Sequential(module.first, nn.Tanh(), module.head)
    own, other = (
        operator(of.network, of.minimum, of.inputs, None).of_rows(np.eye(43))
        for of in (problem, Problem(plain, data))
    )
    np.testing.assert_allclose(own, other, atol=1e-5 * np.abs(other).max())
    assert problem.volume(cutoff=2.0, directions=4, pilots=2).about.dtype == "float32"
    with pytest.raises(ValueError, match="computed in float64, which the module's forward"):
        Problem(module, data, dtype=torch.float64)


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_calls_differentiate_where_their_caller_does_not(off):
    study, truth = studied("classes")
    with off():
        problem = Problem(study.module(), study.data())
        found = problem.curvature(top=1, probes=2, steps=3)
        flatness = problem.measures(batch=2)
        problem.path_to(2 * problem.minimum, schedule=Schedule(3, 0.01, 0.5), places=3)
    expected = truth.curvature(top=1, probes=2, steps=3)
    np.testing.assert_array_equal(found.eigenvalues, expected.eigenvalues)
    assert flatness["regret"] == truth.measures(batch=2)["regret"]


def test_the_functions_differentiate_where_their_caller_does_not():
    _, problem = studied("classes")
    with torch.no_grad():
        matrix = operator(problem.network, problem.minimum, problem.inputs, None)
        rows = matrix.of_rows(np.eye(3, matrix.size))
    assert np.abs(rows).max() > 0


def test_the_module_is_left_as_it_was_and_dropout_is_evaluated():
    module = nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.5), nn.Tanh(), nn.Linear(5, 3)).train()
    before = copy.deepcopy(module.state_dict())
    data = STUDIES["classes"].data()
    problem = Problem(module, data)
    problem.surface(grid_points=3)
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    truth = F.cross_entropy(module.eval()(data[0]), data[1]).item()
    assert problem.minimum_loss == pytest.approx(truth, rel=1e-6)


def test_progress_is_told_on_standard_error_alone(capsys):
    _, problem = studied("classes")
    problem.surface(grid_points=3)
    problem.curvature(top=1, probes=2, steps=3)
    assert capsys.readouterr().out == ""


def test_a_problem_is_a_line():
    _, problem = studied("regression")
    assert re.fullmatch(
        r"Problem\(Sequential: 37 parameters move, mean square on 10 points, [\d.]+ at the "
        r"minimum\)",
        repr(problem),
    )


def test_the_default_loss_of_tensors_ignores_no_label():
    assert CROSS_ENTROPY.ignored is None


# Refusals: a sentence with the cure.


class Fixed(nn.Module):
    """Ten points, as it is written down."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(x.view(10, -1))


class Widely(nn.Module):
    """Gives what no loss knows."""

    def __init__(self, answer):
        super().__init__()
        self.head, self.answer = nn.Linear(4, 3), answer

    def forward(self, x):
        return self.answer(self.head(x))


X, Y = draws(10, 4), whole(3, 10)


def linear(outputs=3):
    return nn.Linear(4, outputs)


REFUSED = {
    "a generator": ((linear(), ((X, Y) for _ in range(2))), r"read but once.*hand over a list"),
    "a tensor": ((linear(), X), r"data is a Tensor; it is \(inputs, targets\)"),
    "a data set": ((linear(), TensorDataset(X, Y)), "take a torch.utils.data.DataLoader"),
    "three parts": ((linear(), [(X, X, Y)]), r"of 3 parts.*\(\(first, second\), targets\)"),
    "no targets": ((linear(), {"x": X}), r"a batch holds x, none of which is called labels"),
    "no points": ((linear(), []), "there are no points"),
    "no points in a batch": ((linear(), (X[:0], Y[:0])), "there are no points"),
    "other numbers": ((linear(), (X, Y[:7])), "inputs are of 10 points and targets of 7"),
    "a shared tensor": (
        (linear(), ((X, torch.eye(4)), Y)), r"inputs\[0\] are of 10 points and inputs\[1\] of 4",
    ),
    "not finite": (
        (linear(), ({"input": X / 0}, Y)), r"not finite: -?inf at \(0, 0\) of \['input'\]",
    ),
    "an unknown loss": ((linear(), (X, Y), "hinge"), "loss is 'hinge'; it is cross_entropy, bin"),
    "a sum": ((linear(), (X, Y), nn.CrossEntropyLoss(reduction="sum")), 'reduction="mean"'),
    "no loss": ((linear(), (X, Y), 3), "loss is a int; it is one of cross_entropy"),
    "a loss of pairs": (
        (linear(), (X, Y), lambda z, y: (z @ z.T).square().mean()), "it is no mean over points",
    ),
    "own class weights": (
        (linear(), (X, Y), lambda z, y: F.cross_entropy(z, y, torch.tensor([1.0, 5.0, 2.0]))),
        r"no mean over points; .*torch.nn.CrossEntropyLoss",
    ),
    "a loss of other shape": (
        (linear(), (X, Y), lambda z, y: z.sum(0)), r"gives \(3,\) for 10 points|for 8 points",
    ),
    "a loss that is no tensor": ((linear(), (X, Y), lambda z, y: 1.0), "gives a float"),
    "one-hot": ((linear(), (X, F.one_hot(Y, 3))), 'for labels of their own take loss="binary'),
    "classes for values": ((linear(), (X, Y), "mse"), r"outputs have shape \(4, 3\) and targets"),
    "values for classes": (
        (linear(1), (X, draws(10))), "labels are no classes: .* is no whole number",
    ),
    "too many classes": ((linear(), (X, Y + 2)), "labels are 2 to 4, but 3 outputs"),
    "signs": (
        (linear(), (X, 2 * whole(2, 10, 3) - 1), "binary_cross_entropy"), "a label is -1",
    ),
    "classes second or last": (
        (nn.Conv1d(2, 5, 1), (draws(6, 2, 5), whole(5, 6, 5))), "second or last, which cannot",
    ),
    "other places": (
        (nn.Conv1d(2, 3, 1), (draws(6, 2, 5), whole(3, 6, 4))), r"\(4, 3, 5\) and targets \(4, 4\)",
    ),
    "values that are not finite": ((linear(), (X, X[:, :3] / 0), "mse"), "targets are not finite"),
    "a number written down": ((Fixed(), (X, Y)), r"takes 10 points and fails on 4 .*flatten\(1\)"),
    "a number that fits": (
        (Widely(lambda z: z.reshape(12, -1)), (X, Y)), r"outputs have shape \(12, 1\) and targets",
    ),
    "other arguments": ((linear(), ({"x": X}, Y)), "forward fails on 4 points .*keyword"),
    "an output nobody knows": (
        (Widely(lambda z: {"scores": z}), (X, Y)), "gives a dict with scores, .*say so by output",
    ),
    "no output": ((Widely(lambda z: None), (X, Y)), "gives a NoneType"),
    "a scripted module": (
        (torch.jit.trace(linear(), X), (X, Y)), "is scripted, .*the module that it was made of",
    ),
    "no module": ((len, (X, Y)), "module is a builtin_function_or_method"),
    "nothing moves": ((linear().requires_grad_(False), (X, Y)), r"call requires_grad_\(True\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_meant_is_refused_in_a_sentence(name):
    given, sentence = REFUSED[name]
    with pytest.raises(ValueError, match=sentence) as error:
        Problem(*given)
    assert "\n" not in str(error.value)


def test_options_that_are_misspelt_are_refused():
    for options in ({"dtype": torch.bfloat16}, {"batch_norm": "running"}, {"zero": "skip"}):
        with pytest.raises(ValueError, match=next(iter(options))):
            Problem(linear(), (X, Y), **options)
    with pytest.raises(ValueError, match="output gives a list"):
        Problem(linear(), (X, Y), output=lambda z: [z])


def test_data_that_differ_from_pass_to_pass_are_refused():
    class Augmented:
        def __iter__(self):
            yield X + torch.randn(1), Y
            yield X, Y

    problem = Problem(two_layers(), Augmented(), memory=4)
    problem.memory = None
    with pytest.raises(ValueError, match="other points at each pass, such as by random augment"):
        problem.surface(grid_points=3)


def test_what_takes_probabilities_says_so():
    problem = Problem(regression(), (X, draws(10, 2, seed=4)), "mse")
    with pytest.raises(ValueError, match="measures take probabilities, and mean square has none"):
        problem.measures()
    with pytest.raises(ValueError, match=r"a temperature divides logits, .*leave out level"):
        problem.curvature(level=0.1)
    with pytest.raises(ValueError, match="divergences take probabilities"):
        DivergenceLandscape(
            problem.network, problem.minimum, problem.minimum[None], problem.inputs, None
        )


def test_the_other_end_of_a_path_is_of_the_same_architecture():
    _, problem = studied("classes")
    for other in (nn.Linear(4, 3), torch.zeros(3), Problem(linear(), (X, Y))):
        with pytest.raises(ValueError, match=r"another architecture|the other vector has shape"):
            problem.path_to(other)
    again = studied("classes")[1]
    np.testing.assert_array_equal(problem.vector(again), problem.minimum)


def test_statistics_of_all_points_take_them_in_memory():
    module = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)).eval()
    data = [(X[:5], Y[:5]), (X[5:], Y[5:])]
    with pytest.raises(ValueError, match="statistics of all points takes these in memory"):
        Problem(module, data, batch_norm="refreshed", memory=4)
    problem = Problem(module, data, memory=4)
    with pytest.raises(ValueError, match="taken anew over all points at each place of a path"):
        problem.path_to(2 * problem.minimum, schedule=Schedule(2, 0.01, 0.5))
