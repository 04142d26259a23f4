"""The linear model on quadratic features against a double loop over its features."""

import pytest
import torch

from flatminima.models.quadratic import QuadraticModel


def features(image, side):
    """All pixels, then all products of the reduced image, one by one."""
    channels, rows, columns = image.shape
    high, wide = rows // side, columns // side
    small = [
        image[c, r * high : (r + 1) * high, k * wide : (k + 1) * wide].mean()
        for c in range(channels)
        for r in range(side)
        for k in range(side)
    ]
    products = [small[i] * small[j] for i in range(len(small)) for j in range(i, len(small))]
    return torch.stack([*image.flatten(), *products])


@pytest.mark.parametrize(("shape", "side"), [((3, 4, 4), 2), ((2, 6, 4), 2), ((1, 4, 4), 4)])
def test_logits_and_gradients_are_those_of_a_linear_layer_on_the_features(shape, side):
    model = QuadraticModel(shape, 5, side=side).double()
    images = torch.randn(3, *shape, dtype=torch.float64)
    table = torch.stack([features(image, side) for image in images])
    expected = table @ model.linear.weight.T + model.linear.bias
    torch.testing.assert_close(model(images), expected)
    weights = torch.randn(3, 5, dtype=torch.float64)
    found = torch.autograd.grad((weights * model(images)).sum(), list(model.parameters()))
    truth = torch.autograd.grad((weights * expected).sum(), list(model.parameters()))
    torch.testing.assert_close(found, truth)


def test_features_are_as_many_as_the_papers():
    model = QuadraticModel((3, 32, 32), 10, side=16)
    assert model.linear.in_features == 3_072 + 768 * 769 // 2 == 298_368
    assert sum(p.numel() for p in model.parameters()) == 2_983_690


def test_a_side_that_does_not_divide_the_image_is_refused():
    with pytest.raises(ValueError, match="side is 3; it must divide 8 rows and 8 columns"):
        QuadraticModel((1, 8, 8), 10, side=3)
