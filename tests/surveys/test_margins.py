import numpy as np
import pytest

from flatminima.models.mlp import MLP
from flatminima.surveys.margins import margins


def test_the_network_itself_says_which_points_it_misclassifies(ensemble):
    """On a grid far coarser than the points, of networks with the boundary at x = 0.13."""
    model = MLP((2, 1))
    networks = np.array([[0.1, 0.0, -0.013], [-0.1, 0.0, 0.013]], np.float32)
    x = [2.0, -2.0, 0.3, 0.3, -1.5, 0.05]
    inputs = np.array([[place, 0.0] for place in x], dtype=np.float32)
    labels = np.array([1, 0, 1, 0, 1, 1])

    end = ensemble(networks)
    told = []
    found = margins(
        model, [end, end], inputs, labels,
        factors=[0, 0.3], points=5, report=lambda *given: told.append(given[:2]),
    )  # fmt: skip

    assert found.spacing == pytest.approx(1.1)
    # Right, right, right though the node at 0 is not, and three that are wrong; or the reverse.
    np.testing.assert_allclose(found.margin[0, 0], [1.87, 2.13, 0, 0, 0, 0], atol=1e-3)
    np.testing.assert_allclose(found.margin[1, 1], [0, 0, 0, 0, 1.63, 0.08], atol=1e-3)
    assert found.unresolved.tolist() == [[1, 1], [1, 1]]
    assert found.poison_factor.tolist() == [0, 0.3]
    np.testing.assert_array_equal(found.test_accuracy, [end.test_accuracy] * 2)
    assert told == [(1, 2), (2, 2)]
