"""Both minima as they are, and where the good one is about to fail."""

import numpy as np
import pytest

from flatminima.figures import living_still
from flatminima.figures.style import Look

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def data(perturbations):
    return living_still.collect(perturbations)


def test_the_push_is_the_last_step_up_to_which_the_good_minimum_is_right(perturbations):
    step = perturbations["random_step"]
    accuracy = perturbations["random_train_accuracy"]
    accuracy[0, 0] = 1.0
    accuracy[0, 0, step[4]] = 0.995
    accuracy[1, 0, step[3]] = 0.25
    data = living_still.collect(perturbations)
    assert data["distance"].tolist() == [0.0, perturbations["random_distance"][step[3]]]
    np.testing.assert_array_equal(
        data["probability"], perturbations["random_probability"][:, [0, 3]]
    )
    points = len(perturbations["train_labels"])
    assert data["wrong"][0].tolist() == [0, 0]
    assert data["wrong"][1, 1] == round(0.75 * points)


def test_a_minimum_that_is_never_right_is_pushed_by_one_step(perturbations):
    perturbations["random_train_accuracy"][0, 0] = 0.5
    data = living_still.collect(perturbations)
    assert data["distance"][1] == perturbations["random_distance"][perturbations["random_step"][1]]


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_each_square_shows_a_boundary_and_its_count(data, layout):
    panels = living_still.draw(data, Look("dark", layout)).axes
    counts = [axes.get_xlabel() for axes in panels]
    assert counts == [
        f"{data['wrong'][column, row]} of {len(data['train_labels'])} wrong"
        for column in range(2)
        for row in range(2)
    ]
    for number, axes in enumerate(panels):
        shown = data["probability"][divmod(number, 2)].astype(np.float32)
        assert axes.collections[0].zmax == shown.max()


def test_the_words_have_every_count(data):
    words = living_still.alt(data)
    for kind, (still, pushed) in zip(("good", "bad"), data["wrong"], strict=True):
        assert f"the {kind} minimum puts {still} on the wrong side as it is, and {pushed}" in words
