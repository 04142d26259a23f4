import numpy as np

from flatminima.formats.basins import Basins, BasinTable
from flatminima.surveys.summary import summarise


def part(ensemble, test_accuracy, radius):
    networks = len(test_accuracy)
    minima = ensemble(
        np.zeros((networks, 3)),
        train_accuracy=np.ones(networks),
        test_accuracy=np.array(test_accuracy),
    )
    table = {field.name: np.zeros((networks, 2)) for field in BasinTable.stored()}
    basins = Basins(
        **table
        | {"median_radius": np.full((networks, 2), radius), "log_determinant": np.zeros(networks)},
        radii=np.zeros((networks, 2, 9)),
        weights=7,
        exact=True,
        tolerance=0.1,
    )
    return minima, basins


def test_factors_are_stacked_in_order_and_no_network_is_lost(ensemble):
    (m0, b0), (m1, b1) = part(ensemble, [0.9, 0.8], 2.0), part(ensemble, [0.3, 0.1], 0.5)
    summary = summarise([0, 0.3], [m0, m1], [b0, b1])
    summary.check("a summary")
    table = summary.arrays()
    np.testing.assert_array_equal(table["poison_factor"], [0, 0.3])
    np.testing.assert_allclose(table["gap"], [[0.1, 0.2], [0.7, 0.9]])
    np.testing.assert_array_equal(table["median_radius"][:, 0, 0], [2.0, 0.5])
    assert "radii" not in table
    assert table["weights"].tolist() == [7]
    assert table["exact"].tolist() == [True]
