"""Comparisons against the parts they are made of, and on networks that compute one function."""

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)

from flatminima.geometry.estimators import basin_volume
from flatminima.geometry.loss_surface import loss_surface
from flatminima.geometry.measures import measures
from flatminima.geometry.reparametrisation import (
    layer_factors,
    log_weight_jacobian,
    rescale_units,
    unit_factors,
)
from flatminima.geometry.spectrum import curvature
from flatminima.geometry.temperature import at_loss
from flatminima.library.about import About
from flatminima.library.compare import LEAST, compare
from flatminima.models.mlp import MLP
from flatminima.progress import Progress

SMALL = {
    "directions": 6, "pilots": 2, "grid_points": 3, "probes": 3, "batch": 6, "partitions": 3
}  # fmt: skip


@dataclass(frozen=True)
class Given:
    """A network at a minimum, with its points."""

    network: MLP
    minimum: torch.Tensor
    inputs: torch.Tensor
    labels: torch.Tensor
    unit: str = "nats"

    @property
    def about(self):
        n = sum(math.prod(shape) for _, shape in self.network.layout.shapes if len(shape) > 1)
        loss = float(F.cross_entropy(self.logits(), self.labels))
        return About(
            "MLP", "cross_entropy", self.unit, len(self.labels), n, "none", loss, "float64"
        )

    def logits(self):
        return self.network.logits(self.minimum[None], self.inputs)[0]


def given(seed=0, widths=(2, 5, 7, 2)):
    """A network that is right about every point, since its own classes are theirs."""
    network, draw = MLP(widths), torch.Generator().manual_seed(seed)
    minimum = 1.5 * torch.randn(network.layout.size, generator=draw, dtype=torch.float64)
    inputs = torch.randn(24, 2, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    labels = network.logits(minimum[None], inputs)[0].argmax(dim=1)
    return Given(network, minimum, inputs, labels)


def rescaled(one, factors):
    return replace(one, minimum=rescale_units(one.network.layout, one.minimum[None], factors)[0])


def rows(found, title):
    return found.values[found.titles.index(title)]


@pytest.fixture(scope="module")
def two():
    return {"a": given(0), "b": given(1)}


@pytest.fixture(scope="module")
def found(two):
    return compare(two, 0.3, **SMALL)


def test_networks_have_the_loss_that_was_asked_for(two, found):
    for one, temperature in zip(two.values(), found.temperatures, strict=True):
        loss = F.cross_entropy(one.logits() / temperature, one.labels)
        assert float(loss) == pytest.approx(0.3, rel=1e-9)
    np.testing.assert_allclose(found.surfaces[:, 1, 1], 0.3, rtol=1e-9)


@pytest.mark.parametrize("place", [0, 1])
def test_numbers_are_those_of_the_parts(two, found, place):
    one = list(two.values())[place]
    of = (one.minimum, one.inputs, one.labels)
    tempered = at_loss(one.network, *of, 0.3)
    surface = loss_surface(tempered, *of, grid_points=3)
    np.testing.assert_array_equal(found.surfaces[place], surface.loss)
    volume = basin_volume(tempered, *of, cutoff=0.3 + 0.4, directions=6, pilots=2)
    # det S by hand: every weight counts the norm of the row that it is in.
    weights = [of for of in one.network.layout.tensors(one.minimum).values() if of.ndim == 2]
    n = sum(of.numel() for of in weights)
    scale = sum(of.shape[1] * float(of.norm(dim=1).log10().sum()) for of in weights)
    plain = volume.loss.uniform
    for title, log10 in (
        ("radius, log-mean-exp", plain.value),
        ("radius, mean-log", plain.bound),
    ):
        assert rows(found, title)[place] == pytest.approx(10 ** ((log10 - scale) / n), rel=1e-9)
    ball = volume.divergence
    assert rows(found, "log10 volume, mean-log")[place] == ball.uniform.bound
    assert rows(found, "log10 volume, log-mean-exp")[place] == ball.preconditioned.value
    assert rows(found, "log10 Gaussian mass")[place] == ball.gaussian.value
    bends = curvature(one.network, *of, units="filter", level=0.3, top=1, probes=3, steps=1)
    assert rows(found, "trace of the Hessian")[place] == bends.trace.value
    assert rows(found, "top eigenvalue")[place] == bends.eigenvalues[0]
    by_kl = measures(one.network, *of, ball="kl", level=0.3, batch=6, partitions=3)
    assert rows(found, "regret")[place] == by_kl["regret"].value
    assert rows(found, "Fisher trace")[place] == by_kl["fisher_trace"]
    number = found.titles.index("regret")
    assert found.high[number, place] == by_kl["regret"].high


def test_without_a_level_it_is_the_highest_loss_but_not_too_low(two):
    few = SMALL | {"directions": 1, "probes": 1}
    own = [one.about.minimum_loss for one in two.values()]
    assert compare(two, **few).level == pytest.approx(max(LEAST, *own))
    hot = replace(two["a"], minimum=two["a"].minimum / 3)
    assert hot.about.minimum_loss > LEAST
    assert compare({"a": hot, "b": two["b"]}, **few).level == hot.about.minimum_loss


def test_a_rescaled_layer_moves_volumes_alone_and_rescaled_units_what_is_per_filter():
    """Multiplied by 3 and divided by it: one function, so what rests on the function stays."""
    one = given(3)
    layout = one.network.layout
    layers, units = layer_factors(layout, 1, 3.0), unit_factors(layout, 8.0, seed=0)
    found = compare(
        {"one": one, "layer": rescaled(one, layers), "units": rescaled(one, units)}, 0.3, **SMALL
    )
    np.testing.assert_allclose(found.temperatures, found.temperatures[0], rtol=1e-8)
    by_group = {group: [] for group in found.groups}
    for group, values in zip(found.groups, found.values, strict=True):
        by_group[group].append(values)
    in_ball, per_filter = (np.array(by_group[g]) for g in ("KL ball", "filter-normalised"))
    np.testing.assert_allclose(in_ball / in_ball[:, :1], 1, rtol=1e-6)
    # Radii are found to a tenth of a decade of V along each ray.
    np.testing.assert_allclose(per_filter[:, 1], per_filter[:, 0], rtol=5e-3)
    assert (np.abs(per_filter[:, 2] / per_filter[:, 0] - 1) > 0.02).all()
    # In weight space by the determinant: 7 × 5 weights are multiplied by 3 and 2 × 7 divided.
    bound = rows(found, "log10 volume, mean-log")
    moved = log_weight_jacobian(layout, layers) / math.log(10)
    assert moved == pytest.approx((35 - 14) * math.log10(3))
    assert bound[1] - bound[0] == pytest.approx(moved, abs=0.1)
    apart = {each.title for each in found.quantities if each.apart}
    assert apart.isdisjoint({"regret", "gradient norm", "Fisher trace"})
    assert "top eigenvalue" in apart


def test_networks_of_several_sizes_are_compared_per_dimension(two):
    wide = given(2, (2, 9, 7, 2))
    found = compare({"a": two["a"], "wide": wide}, 0.3, **SMALL)
    whole = compare(two, 0.3, **SMALL)
    n = two["a"].about.n
    for title in ("log10 volume, mean-log", "log10 Gaussian mass"):
        assert rows(found, title)[0] == pytest.approx(rows(whole, title)[0] / n, rel=1e-12)
        assert found.units[found.titles.index(title)] == "decades / n"
    assert "per dimension" in str(found.table())


def test_a_loss_without_probabilities_is_taken_as_it_is(two):
    """Called none here, so that the numbers are known."""
    as_they_are = {name: replace(one, unit="loss") for name, one in two.items()}
    found = compare(as_they_are, **SMALL)
    assert math.isnan(found.level)
    assert set(found.groups) == {"filter-normalised"}
    assert (found.temperatures == 1).all()
    one = two["a"]
    of = (one.minimum, one.inputs, one.labels)
    bends = curvature(one.network, *of, units="filter", top=1, probes=3, steps=1)
    assert rows(found, "trace of the Hessian")[0] == bends.trace.value
    assert found.surfaces[0, 1, 1] == pytest.approx(one.about.minimum_loss)
    assert "each at its own loss, with regions that reach 0.4 above it" in found.heading
    assert found.units[-1] == "loss / filter norm²"
    with pytest.raises(ValueError, match="without probabilities has no temperature"):
        compare(as_they_are, 0.3)


def test_what_cannot_be_compared_is_refused(two):
    with pytest.raises(ValueError, match="1 networks cannot be compared; hand over two or more"):
        compare({"a": two["a"]})
    with pytest.raises(ValueError, match="some losses are in nats and some are not"):
        compare({"a": two["a"], "b": replace(two["b"], unit="loss")})
    wrong = replace(two["b"], labels=1 - two["b"].labels)
    with pytest.raises(ValueError, match=r"b: at no temperature is the loss of this network 0\.3"):
        compare({"a": two["a"], "b": wrong}, 0.3, **SMALL)


def test_progress_goes_to_standard_error(two, capsys, monkeypatch):
    monkeypatch.setattr("flatminima.library.compare.Progress", partial(Progress, interval=0.0))
    compare(two, 0.3, **SMALL)
    told = capsys.readouterr()
    assert told.out == ""
    assert [line.split(",")[0] for line in told.err.splitlines()] == [
        "compare: 0/2 (0%)",
        "compare: 1/2 (50%)",
    ]
