"""What ``memory`` promises: the same numbers in less of it, by ways of which notes tell."""

from functools import partial
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from flatminima.flatness_measures import BALLS
from flatminima.geometry import curvature as products
from flatminima.geometry.curvature import Operator, gauss_newton, hessian, largest_eigenpairs
from flatminima.geometry.estimators import DAMPINGS, basin_volume, candidates
from flatminima.geometry.footprint import Footprint, footprint, peak, room
from flatminima.geometry.loss_surface import loss_surface
from flatminima.geometry.measures import linearise, measures
from flatminima.geometry.preconditioning import from_jacobian, jacobian, signed_jacobian
from flatminima.geometry.spectrum import curvature, operator, trace
from flatminima.geometry.surface import DivergenceLandscape
from flatminima.models.mlp import MLP
from flatminima.models.module import ModuleNetwork
from tests.bench.memory import peak_mb

from .test_spectrum import NETWORKS, dense, normalised, one_thread, points, small

__all__ = ["one_thread"]

MATRICES = {"hessian": hessian, "gauss_newton": gauss_newton}


def images(outputs=3, count=6):
    """A network whose maps are larger than its weights, on a few images."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.Softplus(), nn.Conv2d(4, 2, 3, padding=1),
            nn.Softplus(), nn.Flatten(), nn.Linear(2 * 64, outputs),
        )  # fmt: skip
        inputs = torch.randn(count, 1, 8, 8)
    network = ModuleNetwork(module)
    return network, network.vector(module), inputs, torch.arange(count) % outputs


def tightest(call):
    """What a call gives in the least memory, to a quarter, in which it gives anything."""
    memory = 2000
    while True:
        memory = int(1.25 * memory)
        try:
            return call(memory=memory)
        except ValueError as error:
            assert "memory is" in str(error) or "of memory are left" in str(error)  # noqa: PT017


def test_tensors_are_counted_while_they_are_there():
    def work(keep):
        held = []
        for _ in range(5):
            made = torch.zeros(1000, dtype=torch.float64)
            # Views take nothing of their own, and neither does what is done in place.
            made.view(10, 100).add_(1)
            held = [*held, made] if keep else []
            del made
        assert not keep or len(held) == 5

    assert peak(partial(work, keep=True)) == pytest.approx(1.2 * 5 * 8000)
    assert peak(partial(work, keep=False)) == pytest.approx(1.2 * 8000)


def test_two_points_tell_of_all():
    found = footprint(lambda count: torch.zeros(100 + 10 * count, dtype=torch.float64), 50)
    assert found.of(50) == pytest.approx(1.2 * 8 * 600, abs=50)
    assert found.fitting(found.of(20)) == 20
    assert Footprint(10, 5).fitting(9) == 0
    assert footprint(torch.zeros, 1) == Footprint(4, 0)
    with pytest.raises(ValueError, match="memory is 0; it is a number of bytes"):
        room(0, torch.device("cpu"))


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("make", ["images", "mlp"])
def test_what_a_product_takes_is_known_beforehand(monkeypatch, matrix, make):
    if make == "images":
        network, minimum, inputs, labels = images(count=40)
    else:
        network, minimum = small(3)
        inputs, labels = points(3, count=400)
    told = []
    needs = products._needs
    monkeypatch.setattr(
        products, "_needs", lambda *args, **how: told.append(needs(*args, **how)) or told[-1]
    )
    MATRICES[matrix](network, minimum, inputs, labels)
    vector = torch.ones(network.trainable, dtype=torch.float64)
    taken = peak(lambda: MATRICES[matrix](network, minimum, inputs, labels) @ vector) / 1.2
    assert taken < told[0].of(len(inputs)) < 5 * taken


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("make", [*NETWORKS, (images, 3)])
def test_products_in_parts_are_those_of_all_points(matrix, make):
    function, outputs = make
    if function is images:
        network, minimum, inputs, labels = images()
        inputs = inputs.double()
    else:
        network, minimum = function(outputs)
        inputs, labels = points(outputs)
    full = dense(network, minimum, inputs, labels, matrix)
    call = partial(MATRICES[matrix], network, minimum, inputs, labels)
    units = np.eye(len(full))[:5]
    whole = call()
    assert whole.notes == ()
    parts = tightest(call)
    singles = [note for note in parts.notes if "float32" in note]
    assert parts.precision == (torch.float32 if singles else torch.float64)
    assert "at a time and differentiates them anew" in parts.notes[-1]
    error = (1e-6 if singles else 1e-10) * np.abs(full).max()
    np.testing.assert_allclose(parts.of_rows(units), full[:5], atol=error)
    # In float64 too, with a few parts.
    memory = parts.room
    while True:
        memory = int(1.05 * memory)
        try:
            parts = call(memory=memory)
        except ValueError:
            continue
        if parts.precision == torch.float64:
            break
    assert parts.notes
    found = [parts.of_rows(units), np.stack([parts.of_array(unit) for unit in units])]
    np.testing.assert_allclose(found, [full[:5]] * 2, atol=1e-10 * np.abs(full).max())
    assert call(memory=2**30).notes == ()


def test_a_product_for_which_there_is_no_memory_is_refused_in_words():
    network, minimum, inputs, labels = images()
    for memory in (100, 20_000):
        with pytest.raises(ValueError, match=r"memory is .*iB, and a product .* raise memory"):
            hessian(network, minimum, inputs, labels, memory=memory)


def diagonal(values, **how):
    """The operator of a diagonal matrix."""
    entries = torch.from_numpy(values)
    return Operator(lambda v: entries * v, len(values), torch.device("cpu"), at_once=4, **how)


def test_eigenvalues_with_few_vectors_in_float32_are_right_and_noted():
    values = np.random.default_rng(0).gamma(0.3, size=500)
    usual = diagonal(values)
    assert products.iteration(usual, 2)[2] == ""
    few = diagonal(values, room=8 * 500 * 20)
    held, dtype, note = products.iteration(few, 2)
    assert held < 20
    assert dtype == np.float32
    assert f"holds {held} vectors in float32" in note
    truth = np.sort(values)[::-1][:2]
    for matrix in (usual, few):
        found, vectors = largest_eigenpairs(matrix, seed=0, count=2, tolerance=1e-9)
        np.testing.assert_allclose(found, truth, rtol=1e-7)
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(2), atol=1e-9)
    for count, cure in ((1, "; raise memory"), (3, "; lower top, or raise memory")):
        with pytest.raises(ValueError, match=cure):
            products.iteration(diagonal(values, room=8 * 500 * 5), count)


def test_a_trace_with_a_smaller_sketch_is_right_and_noted():
    """Of a diagonal matrix every probe sees the trace, if nothing is sketched."""
    values = np.random.default_rng(0).gamma(0.3, size=300)
    told = []
    for vectors, sketch in ((1000, None), (40, 5), (8, 1), (7, 0)):
        matrix = diagonal(values, room=8 * 300 * vectors, notes=("before",))
        found = trace(matrix, products=40, report=lambda *said: told.append(said))
        # Four times the half-width: one interval in twenty misses the truth.
        off = 1e-10 if sketch == 0 else 2 * (found.high - found.low)
        assert found.value == pytest.approx(values.sum(), abs=off)
        assert told[-1][:2] == (40, 40)
        assert found.notes[0] == "before"
        assert len(found.notes) == (1 if sketch is None else 2)
        if sketch is not None:
            assert f"a sketch of {sketch} vectors in place of 10" in found.notes[1]
    with pytest.raises(ValueError, match=r"one probe of a trace .* raise memory"):
        trace(diagonal(values, room=8 * 300 * 2), products=40)


def test_a_spectrum_in_little_memory_is_that_in_much():
    network, minimum, inputs, labels = images(count=30)
    told = []
    call = partial(
        curvature, network, minimum, inputs, labels, top=2, probes=3, steps=5,
        report=lambda done, total, _text: told.append((done, total)),
    )  # fmt: skip
    usual = call()
    assert usual.notes == ()
    assert told[-1] == (told[-1][1],) * 2
    assert all(done <= total for done, total in told)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    tight = tightest(call)
    assert any("at a time" in note for note in tight.notes)
    assert any("vectors in float32" in note for note in tight.notes)
    np.testing.assert_allclose(tight.eigenvalues, usual.eigenvalues, rtol=1e-5)
    assert tight.trace.value == pytest.approx(usual.trace.value, rel=1e-3)
    np.testing.assert_allclose(tight.nodes, usual.nodes, atol=1e-5 * usual.nodes.max())
    # Products alone in float32, at all points.
    single = call(dtype=torch.float32)
    assert single.notes == ()
    np.testing.assert_allclose(single.eigenvalues, usual.eigenvalues, rtol=1e-5)


def test_a_sketch_of_the_jacobian_has_its_gram_in_the_mean():
    """The mean over all signs there are is no longer random."""
    network, minimum, inputs, _ = images()
    rows = jacobian(network, minimum, inputs)
    grams = [
        (signed := signed_jacobian(network, minimum, inputs, torch.tensor([signs] * len(inputs)))).T
        @ signed
        for signs in product((1.0, -1.0), repeat=3)
    ]
    torch.testing.assert_close(torch.stack(grams).mean(dim=0), rows.T @ rows)


def test_preconditioners_are_made_anew_fewer_or_none_and_told():
    network, minimum, inputs, _ = images(count=40)
    weights = 4 * 9 + 2 * 4 * 9 + 3 * 128
    every = candidates(network, minimum, inputs)
    assert every.notes == ()
    assert every[2] is every[2]
    fewer = candidates(network, minimum, inputs, memory=32 * weights * 3 * 10)
    assert "10 points out of 40, since the whole" in fewer.notes[0]
    rows = jacobian(network, minimum, inputs[torch.arange(10) * 4])
    assert len(fewer) == len(every) == 1 + len(DAMPINGS)
    for ours, damping in zip([*fewer][1:], DAMPINGS, strict=True):
        theirs = from_jacobian(rows, damping=damping)
        torch.testing.assert_close(ours.basis, theirs.basis, rtol=0, atol=0)
        torch.testing.assert_close(ours.diagonal, theirs.diagonal, rtol=0, atol=0)
    held = fewer[1]
    assert fewer[1] is held
    signed = candidates(network, minimum, inputs[:10], memory=32 * weights * 2)
    assert len(signed) == 1
    assert "no preconditioner" in signed.notes[0]
    many, start, points, _ = images(outputs=50, count=40)
    weights = 4 * 9 + 2 * 4 * 9 + 50 * 128
    signed = candidates(many, start, points, memory=32 * weights * 20)
    assert "20 points out of 40, whose 50 logits are summed" in signed.notes[0]
    assert len(signed) == len(every)
    assert signed[1].gains.shape == (20,)


def test_a_volume_in_little_memory_is_told_and_the_same_without_preconditioners():
    network, minimum, inputs, labels = images()
    told = []
    call = partial(
        basin_volume, network, minimum, inputs, labels, cutoff=2.0, directions=3, pilots=1,
        decades=1e-3, report=lambda done, total, _text: told.append((done, total)),
    )  # fmt: skip
    usual = call()
    assert usual.notes == ()
    assert all(done <= total for done, total in told)
    tight = tightest(call)
    assert len(tight.notes) == 1
    assert told[-1] == (6, 6)
    for region in ("loss", "divergence"):
        ours, theirs = (getattr(of, region).uniform for of in (tight, usual))
        assert ours.value == pytest.approx(theirs.value, abs=0.05)
    with pytest.raises(ValueError, match=r"a direction of \d+ parameters .* raise memory"):
        call(memory=1000)


def test_divergences_do_not_depend_on_how_many_points_are_taken_at_once(monkeypatch):
    network, minimum, inputs, labels = images()
    around = DivergenceLandscape(network, minimum, torch.ones(1, len(minimum)), inputs, labels)
    whole = around.line(np.array([0.01, 0.02, 0.3]))
    monkeypatch.setattr("flatminima.geometry.surface.IN_DOUBLE", 4)
    np.testing.assert_array_equal(around.line(np.array([0.01, 0.02, 0.3])), whole)


@pytest.mark.parametrize("ball", BALLS)
@pytest.mark.parametrize("make", [small, normalised])
def test_measures_of_some_parameters_at_a_time_are_those_of_all(make, ball):
    network, minimum = make(3)
    inputs, labels = points(3, count=8)
    call = partial(
        measures, network, minimum, inputs, labels, ball=ball, batch=2, partitions=2, seed=1
    )
    usual, parts = call(), tightest(call)
    assert usual.notes == ()
    assert "times over" in parts.notes[0]
    assert parts.keys() == usual.keys()
    for name, value in usual.items():
        ours, theirs = (getattr(of, "value", of) for of in (parts[name], value))
        # The Hessian may be in float32.
        rel = 1e-5 if name == "hessian_top" else 1e-9
        assert ours == pytest.approx(theirs, rel=rel, abs=1e-9), name
    linear = linearise(network, minimum, inputs, labels)
    streamed = tightest(partial(linearise, network, minimum, inputs, labels))
    torch.testing.assert_close(streamed.diagonal(), linear.diagonal(), rtol=1e-12, atol=0)
    with pytest.raises(ValueError, match="take fewer points, or raise memory"):
        call(memory=1000)


def on_classes(classes, count):
    """A network of so many classes and some points; of 500, derivatives of one take 78 MiB."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(20, 39), nn.Tanh(), nn.Linear(39, classes))
        inputs = torch.randn(count, 20)
    network = ModuleNetwork(module)
    with torch.no_grad():
        labels = module(inputs).argmax(dim=1)
    return network, network.vector(module), inputs, labels


def traced(*given, memory=None):
    """The trace in four products, whose graph of 8,000 points and 500 classes is 120 MiB."""
    return trace(operator(*given, memory=memory), products=4)


def many(call, count, memory, **options):
    """A call, once it has been made in small: code that is loaded by then is none of its memory."""
    call(*on_classes(3, 4), **options)
    return partial(call, *on_classes(500, count), memory=memory, **options)


@pytest.mark.parametrize(
    ("call", "count", "options"),
    [
        (basin_volume, 200, {"cutoff": 8.0, "directions": 4, "pilots": 1, "memory": 2**26}),
        (loss_surface, 2000, {"grid_points": 3, "memory": 2**26}),
        (traced, 8000, {"memory": 2**26}),
        (measures, 2, {"batch": 1, "partitions": 1, "ball": "filter", "memory": 2**28}),
    ],
)
def test_a_call_takes_what_it_is_promised(call, count, options):
    """As much again may be kept by an allocator, and 32 MiB by products of matrices."""
    taken = peak_mb(partial(many, call, count, **options))
    if taken is None:
        pytest.skip("only Linux tells the peak of a process")
    assert taken < 2 * options["memory"] / 2**20 + 32


def test_what_fits_takes_the_usual_way_and_says_nothing():
    network = MLP((2, 5, 3))
    minimum = torch.from_numpy(network.initialise(0, range(1)))[0]
    inputs, labels = torch.randn(9, 2), torch.arange(9) % 3
    given = (network, minimum, inputs, labels)
    assert basin_volume(*given, cutoff=3.0, directions=2, pilots=1).notes == ()
    assert curvature(*given, top=1, probes=1, steps=2).notes == ()
    assert measures(*given, batch=2).notes == ()
