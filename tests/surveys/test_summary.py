import numpy as np

from flatminima.report.summary import summarise


def part(test_accuracy, radius):
    networks = len(test_accuracy)
    minima = {
        name: np.full(networks, 0.5)
        for name in ("train_loss", "test_loss", "gradient_norm", "converged")
    }
    minima |= {"train_accuracy": np.ones(networks), "test_accuracy": np.array(test_accuracy)}
    basins = {
        "radii": np.zeros((networks, 2, 9)),
        "median_radius": np.full((networks, 2), radius),
        "weights": np.array([7]),
        "exact": np.array([True]),
    }
    return minima, basins


def test_factors_are_stacked_in_order_and_no_network_is_lost():
    (m0, b0), (m1, b1) = part([0.9, 0.8], 2.0), part([0.3, 0.1], 0.5)
    table = summarise([0, 0.3], [m0, m1], [b0, b1])
    np.testing.assert_array_equal(table["poison_factor"], [0, 0.3])
    np.testing.assert_allclose(table["gap"], [[0.1, 0.2], [0.7, 0.9]])
    np.testing.assert_array_equal(table["median_radius"][:, 0, 0], [2.0, 0.5])
    assert "radii" not in table
    assert table["weights"].tolist() == [7]
    assert table["exact"].tolist() == [True]
