"""Networks by rows against the modules themselves, in float64, and against one another."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's usual name)
from torch import nn

from flatminima.models.convolutional import PreactivationResNet, _halved
from flatminima.models.module import ModuleNetwork
from flatminima.models.rows import RowResNet, fits

SHAPES = {
    "as in the run": ((1, 8, 8), {"depth": 8, "width": 4}),
    "deeper, without skips": ((1, 8, 8), {"depth": 14, "width": 2, "skips": False}),
    "colours, and more rows than columns": ((3, 12, 4), {"depth": 8, "width": 8}),
    "down to a single pixel": ((2, 4, 4), {"depth": 14, "width": 4}),
}


def case(name, networks=3, points=7):
    """Networks whose statistics and scales are not those of fresh ones, and points of each."""
    shape, sizes = SHAPES[name]
    torch.manual_seed(1)
    network = ModuleNetwork(PreactivationResNet(shape[0], 5, **sizes))
    vectors = torch.from_numpy(network.initialise(0, range(networks))).double()
    for tensor, values in network.layout.views(vectors).items():
        if tensor.endswith("running_var"):
            values.uniform_(0.5, 2)
        else:
            values.add_(0.2 * torch.randn_like(values))
    inputs = torch.randn(networks, points, *shape, dtype=torch.float64)
    return network, vectors, inputs, RowResNet(network.module, network.layout, shape)


def module_of(network, vector):
    return ModuleNetwork(network.module.double()).at(vector)


@pytest.mark.parametrize("by_the_points", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_logits_are_those_of_the_module(name, by_the_points):
    network, vectors, inputs, rows = case(name)
    found = rows.logits(vectors, inputs[0], by_the_points=by_the_points)
    for logits, vector in zip(found, vectors, strict=True):
        module = module_of(network, vector).train(by_the_points)
        torch.testing.assert_close(logits, module(inputs[0]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", SHAPES)
def test_gradients_and_moments_are_those_of_training_the_module(name):
    network, vectors, inputs, rows = case(name)
    labels = torch.arange(inputs.shape[1]) % 5

    def slopes(logits):
        with torch.enable_grad():
            logits = logits.clone().requires_grad_()
            loss = sum(F.cross_entropy(one, labels) for one in logits)
            return torch.autograd.grad(loss, logits)[0]

    gradients, moments = rows.gradients(vectors, inputs, slopes)

    for number, vector in enumerate(vectors):
        module = module_of(network, vector)
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = 1.0  # what is left is that of the points alone
        F.cross_entropy(module(inputs[number]), labels).backward()
        expected = torch.cat([parameter.grad.flatten() for parameter in module.parameters()])
        trainable = network.trainable
        torch.testing.assert_close(gradients[number, :trainable], expected, rtol=1e-10, atol=1e-12)
        assert not gradients[number, trainable:].any()
        torch.testing.assert_close(
            moments[number, trainable:], network.vector(module)[trainable:], rtol=1e-11, atol=1e-12
        )
        assert not moments[number, :trainable].any()


@pytest.mark.parametrize("name", SHAPES)
def test_in_single_precision_they_are_as_near_as_its_rounding(name):
    _, vectors, inputs, rows = case(name)
    exact = rows.logits(vectors, inputs[0], by_the_points=True)
    rounded = rows.logits(vectors.float(), inputs[0].float(), by_the_points=True)
    torch.testing.assert_close(rounded.double(), exact, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("points", [7, 20])
@pytest.mark.parametrize("name", SHAPES)
def test_no_bit_of_a_network_depends_on_those_beside_it(name, points):
    _, vectors, inputs, rows = case(name, networks=4, points=points)
    vectors, inputs = vectors.float(), inputs.float()
    together = rows.gradients(vectors, inputs, torch.clone)
    frozen, refreshed = (rows.logits(vectors, inputs[0], by_the_points=by) for by in (False, True))
    for some in (slice(0, 1), slice(1, 3), slice(3, 4)):
        for all_of_it, part in zip(
            together, rows.gradients(vectors[some], inputs[some], torch.clone), strict=True
        ):
            assert torch.equal(all_of_it[some], part)
        assert torch.equal(frozen[some], rows.logits(vectors[some], inputs[0]))
        found = rows.logits(vectors[some], inputs[0], by_the_points=True)
        assert torch.equal(refreshed[some], found)


class Changed(PreactivationResNet):
    def forward(self, x):
        return 2 * super().forward(x)


def with_another_norm():
    module = PreactivationResNet(1, 3, depth=8, width=4)
    module.norm.eps = 0.1
    return module


@pytest.mark.parametrize(
    ("module", "shape", "expected"),
    [
        (PreactivationResNet(1, 3, depth=8, width=4), (1, 8, 8), True),
        (PreactivationResNet(1, 3, depth=8, width=4), (1, 6, 6), False),
        (PreactivationResNet(1, 3, depth=8, width=4), (1, 16, 16), False),
        (PreactivationResNet(1, 3, depth=8, width=6), (1, 8, 8), False),
        (PreactivationResNet(1, 3, depth=8, width=3), (1, 8, 8), False),
        (Changed(1, 3, depth=8, width=4), (1, 8, 8), False),
        (with_another_norm(), (1, 8, 8), False),
        (nn.Linear(64, 3), (64,), False),
    ],
)
def test_only_what_is_known_to_be_right_and_faster_goes_by_rows(module, shape, expected):
    assert fits(module, shape, 32) == expected


@pytest.mark.parametrize("size", [(8, 8), (2, 2), (7, 5), (3, 4)])
def test_halving_averages_squares_of_four(size):
    x = torch.randn(3, 2, *size, dtype=torch.float64)
    torch.testing.assert_close(_halved(x), F.avg_pool2d(x, 2), rtol=1e-14, atol=1e-14)


def test_a_single_pixel_cannot_be_halved():
    with pytest.raises(ValueError, match="a map of 1×4 cannot be halved"):
        _halved(torch.zeros(2, 3, 1, 4))
