import numpy as np
import pytest
import torch

from flatminima.geometry.loss_surface import loss_surface
from flatminima.geometry.roughness import roughness
from flatminima.models.convolutional import PreactivationResNet
from flatminima.models.module import ModuleNetwork
from flatminima.surveys.skip_connections import loss_surfaces


def test_a_survey_is_its_surfaces_one_by_one():
    inputs, labels = torch.randn(10, 1, 8, 8), torch.randint(3, (10,))
    networks = {
        depth: ModuleNetwork(PreactivationResNet(1, 3, depth=depth, width=2, skips=False))
        for depth in (8, 14)
    }
    minima = {d: torch.tensor(each.initialise(2, range(2))) for d, each in networks.items()}
    told = []
    found = loss_surfaces(
        networks, minima, inputs, labels,
        reach=0.5, grid_points=7, coarse_grid_points=5, shown=1, seed=3,
        report=lambda done, total, text: told.append((done, total)),
    ).arrays()  # fmt: skip
    assert found["depth"].tolist() == [8, 14]
    assert found["coarse_loss"].shape == (2, 2, 2, 5, 5)
    for row, depth in enumerate((8, 14)):
        for number in range(2):
            for by, statistics in enumerate(("refreshed", "frozen")):
                one = loss_surface(
                    networks[depth], minima[depth][number], inputs, labels,
                    reach=0.5, grid_points=5, seed=3, batch_norm=statistics,
                )  # fmt: skip
                here = (row, number, by)
                np.testing.assert_allclose(found["coarse_loss"][here], one.loss, rtol=1e-4)
                assert found["highest_loss"][here] == pytest.approx(one.loss.max(), rel=1e-4)
    # Of surfaces a second time, rounding may turn what is level: shares are of the stored losses.
    again = roughness(found["coarse_axis"], found["coarse_axis"], found["coarse_loss"][1, 0, 1])
    assert found["falling_share"][1, 0, 1] == again.falling_share
    assert found["concave_share"][1, 0, 1] == again.concave_share
    drawn = loss_surface(
        networks[14], minima[14][1], inputs, labels,
        reach=0.5, grid_points=7, seed=3, batch_norm="refreshed",
    )  # fmt: skip
    np.testing.assert_allclose(found["loss"], drawn.loss, rtol=1e-4)
    np.testing.assert_array_equal(found["axis"], drawn.axis)
    assert (8, 8) in told
