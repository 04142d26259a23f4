"""Both minima at the same distances, and the curves that belong to them; still and moving."""

import io

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from flatminima.figures import animation, perturbation
from flatminima.figures.style import Look

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def data(perturbations):
    return perturbation.collect(perturbations, "random")


def squares(figure):
    return [axes for axes in figure.axes if not axes.get_xlim()[0] > 0]


def curves(figure):
    return [axes for axes in figure.axes if axes.get_xscale() == "log"]


def line(axes, label):
    (found,) = [one for one in axes.lines if one.get_label() == label]
    return found


def test_the_steps_shown_run_from_the_minimum_to_the_end(perturbations):
    data = perturbation.collect(perturbations, "random", shown=3)
    assert data["shown"].tolist() == [0, 4, 8]
    whole = perturbations["random_probability"]
    np.testing.assert_array_equal(data["probability"], whole[:, [0, 4, 8]])
    every = perturbation.collect(perturbations, "random", shown=None)
    assert every["shown"].tolist() == list(range(9))
    few = perturbation.collect(perturbations, "random", shown=100)
    assert few["shown"].tolist() == list(range(9))


def test_each_square_says_how_far_and_how_right(data):
    figure = perturbation.draw(data, Look())
    panels = squares(figure)
    places = data["step"][data["shown"]]
    titles = [axes.get_title(loc="left") for axes in panels[:5]]
    assert titles == [f"distance {data['distance'][place]:.2g}" for place in places]
    assert [axes.get_ylabel() for axes in panels[::5]] == ["Good minimum", "Bad minimum"]
    for number, axes in enumerate(panels):
        column, place = number // 5, places[number % 5]
        assert axes.get_xlabel() == perturbation.accuracies(data, column, place, "\n")
        field = axes.collections[0]
        shown = data["probability"][column, number % 5].astype(np.float32)
        assert field.zmax == shown.max()


def test_the_narrow_page_turns_rows_into_columns(data):
    panels = squares(perturbation.draw(data, Look("dark", "narrow")))
    assert [axes.get_title(loc="left") for axes in panels[:2]] == ["Good minimum", "Bad minimum"]
    labels = [axes.get_ylabel() for axes in panels[::2]]
    places = data["step"][data["shown"]]
    assert labels == [f"distance {data['distance'][place]:.2g}" for place in places]


def test_curves_are_the_data_beyond_the_minimum(data):
    loss, accuracy, curvature = curves(perturbation.draw(data, Look()))
    for column, kind in enumerate(("good", "bad")):
        drawn = line(loss, f"_{kind} loss")
        np.testing.assert_array_equal(drawn.get_xdata(), data["distance"][1:])
        np.testing.assert_array_equal(drawn.get_ydata(), data["loss"][column, 1:])
        for part in ("train", "test"):
            drawn = line(accuracy, f"_{kind} {part}").get_ydata()
            np.testing.assert_allclose(drawn, 100 * data[f"{part}_accuracy"][column, 1:])
        drawn = line(curvature, f"_{kind} largest")
        np.testing.assert_array_equal(drawn.get_xdata(), data["distance"][data["step"][1:]])
        np.testing.assert_array_equal(drawn.get_ydata(), data["eigenvalue"][column, 1:])
        along = line(curvature, f"_{kind} along").get_ydata()
        expected = data["second_derivative"][column, 1:]
        np.testing.assert_array_equal(along[expected > 0], expected[expected > 0])
        assert np.isnan(along[expected <= 0]).all()


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_nothing_overlaps_or_leaves_the_page(data, layout):
    figure = perturbation.draw(data, Look("light", layout))
    renderer = FigureCanvasAgg(figure).get_renderer()
    across, down = figure.get_size_inches() * figure.dpi
    boxes = [axes.get_tightbbox(renderer) for axes in figure.axes]
    boxes += [legend.get_window_extent(renderer) for legend in figure.legends]
    for i, a in enumerate(boxes):
        assert a.x0 > -1
        assert a.y0 > -1
        assert a.x1 < across + 1
        assert a.y1 < down + 1
        for b in boxes[:i]:
            assert a.x0 >= b.x1 or b.x0 >= a.x1 or a.y0 >= b.y1 or b.y0 >= a.y1


def test_curvature_without_any_positive_value_is_drawn(data):
    flat = data | {name: -np.abs(data[name]) for name in ("eigenvalue", "second_derivative")}
    perturbation.draw(flat, Look()).draw_without_rendering()


def test_words_come_from_the_data(data):
    words = perturbation.alt(data)
    assert "moved along a random direction" in words
    below = np.flatnonzero(data["train_accuracy"][1] < 0.99)[0]
    assert f"below 99% at {data['distance'][below]:.3g}" in words
    held = data | {"train_accuracy": np.ones_like(data["train_accuracy"])}
    assert "stays at 99% or more" in perturbation.alt(held)


def test_a_frame_marks_its_own_place_on_every_curve(perturbations):
    data = perturbation.collect(perturbations, "random", shown=None)
    figure = animation.frame(data, 4)
    place = data["step"][4]
    heights = (data["loss"], 100 * data["train_accuracy"], None)
    for axes, values in zip(curves(figure), heights, strict=True):
        marks = [one for one in axes.lines if one.get_marker() == "o"]
        low, high = axes.get_ylim()
        expected = data["eigenvalue"][:, 4] if values is None else values[:, place]
        for mark, value in zip(marks, expected, strict=True):
            assert mark.get_xdata() == data["distance"][place]
            assert mark.get_ydata() == np.clip(value, low, high)
            hollow = mark.get_markerfacecolor() == "white"
            assert hollow == (not low <= value <= high)


@pytest.fixture(scope="module")
def moving():
    """Three frames of uniform data, animated twice."""
    axis = np.linspace(-1, 1, 12)
    data = {
        "way": np.array("hessian"),
        "exact": np.array([True]),
        "axis_x": axis,
        "axis_y": axis,
        "train_inputs": np.zeros((2, 2)),
        "train_labels": np.array([0, 1]),
        "distance": np.array([0.0, 0.1, 1, 10]),
        "step": np.array([0, 1, 3]),
        "shown": np.arange(3),
        "probability": np.linspace(0, 1, 2 * 3 * 144).reshape(2, 3, 12, 12).astype(np.float16),
        "loss": np.ones((2, 4)),
        "train_accuracy": np.ones((2, 4)),
        "test_accuracy": np.ones((2, 4)),
        "second_derivative": np.ones((2, 4)),
        "eigenvalue": np.ones((2, 3)),
    }
    return animation.files(data), animation.files(data)


@pytest.mark.parametrize("suffix", ["webp", "gif"])
def test_animations_go_out_and_back_for_ever_at_slide_size(moving, suffix):
    first, second = moving
    assert first[suffix] == second[suffix]
    picture = Image.open(io.BytesIO(first[suffix]))
    assert picture.size == (960, 540)
    assert picture.n_frames == 4
    assert picture.info["loop"] == 0
    frames, durations = [], []
    for number in range(4):
        picture.seek(number)
        picture.load()
        frames.append(np.asarray(picture.convert("RGB")).astype(int))
        durations.append(picture.info["duration"])
    assert durations == [animation.REST, animation.MOVE, animation.REST, animation.MOVE]
    assert np.abs(frames[1] - frames[3]).mean() < 1
    assert np.abs(frames[0] - frames[2]).mean() > 5
