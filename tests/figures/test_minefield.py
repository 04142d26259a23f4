"""Every iterate and every bad minimum is where the data put it, in the colour of its number."""

import matplotlib.colors
import numpy as np
import pytest

from flatminima.figures import minefield, minefield_distances, minefield_embeddings, style
from flatminima.figures.style import Look

pytestmark = pytest.mark.filterwarnings("error")
COUNT = 9
LOOKS = [Look(theme, layout) for theme in ("light", "dark") for layout in ("wide", "narrow")]


@pytest.fixture
def arrays():
    """The files of a made-up minefield: an arc of iterates among scattered bad minima."""
    random = np.random.default_rng(0)
    epoch = np.arange(COUNT) * 10
    rise = epoch / epoch[-1]
    arc = np.stack([np.cos(2 * rise), np.sin(2 * rise)], axis=1)
    embedded = np.stack(
        [
            [
                np.concatenate([size * arc, 2 * random.standard_normal((COUNT, 2))])
                for size in (1, 2)
            ]
            for _ in range(3)
        ]
    )
    iterates = {
        "epoch": epoch,
        "train_accuracy": 0.5 + 0.5 * rise,
        "test_accuracy": 0.5 + 0.47 * rise,
    }
    minima = {
        "train_accuracy": np.linspace(0.98, 1, COUNT),
        "test_accuracy": random.uniform(0.42, 0.58, COUNT),
    }
    embedding = {
        "embedded": embedded,
        "perplexity": np.array([30.0, 100.0, 5.0]),
        "trustworthiness": np.array([[0.91, 0.92], [0.81, 0.82], [0.71, 0.72]]),
        "rank_correlation": np.array([[0.11, 0.12], [0.31, 0.32], [-0.12, -0.1]]),
        "to_minimum": 30 + random.random(COUNT),
        "to_final": 5 * (1 - rise),
        "step": 0.3 + random.random(COUNT - 1),
        "weight_norm": 6 + random.random(COUNT),
        "minimum_norm": 12 + random.random(COUNT),
        "relative_to_minimum": 5 + random.random(COUNT),
        "relative_to_final": 1 - rise,
    }
    return iterates, minima, embedding


def placed(axes):
    """Offsets and values of both groups of points: bad minima, iterates but for the last."""
    groups = [c for c in axes.collections if c.get_array() is not None]
    return [(np.asarray(c.get_offsets()), np.asarray(c.get_array())) for c in groups]


def joined(axes, label):
    """The pieces of the way of a label, a start and an end each."""
    (pieces,) = [c for c in axes.collections if c.get_label() == label]
    return np.array([path.vertices for path in pieces.get_paths()]).reshape(-1, 2, 2)


def star(axes):
    (line,) = [line for line in axes.lines if line.get_label() == "_last"]
    return line.get_xydata()[0]


def congruent(a, b):
    """Whether two sets of points differ by a turn alone."""
    turn = np.linalg.lstsq(a, b, rcond=None)[0]
    np.testing.assert_allclose(a @ turn, b, atol=1e-9)
    np.testing.assert_allclose(turn.T @ turn, np.eye(2), atol=1e-9)
    assert np.linalg.det(turn) == pytest.approx(1)


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_no_point_is_left_out_and_none_is_moved_but_turned(arrays, look):
    data = minefield.collect(*arrays)
    axes = minefield.draw(data, look).axes[0]
    (bad, accuracy), (path, epoch) = placed(axes)
    drawn = np.concatenate([path, [star(axes)], bad])
    congruent(arrays[2]["embedded"][0, 0], drawn)
    np.testing.assert_allclose(accuracy, 100 * arrays[1]["test_accuracy"])
    assert epoch.tolist() == arrays[0]["epoch"][:-1].tolist()
    np.testing.assert_allclose(
        joined(axes, "_path"), np.stack([drawn[: COUNT - 1], drawn[1:COUNT]], axis=1)
    )
    assert not len(joined(axes, "_jump"))


def test_where_the_picture_tears_the_way_it_is_dotted(arrays):
    data = minefield.collect(*arrays)
    data["places"] = data["places"].copy()
    data["places"][5:COUNT] += 100
    axes = minefield.draw(data, Look()).axes[0]
    assert len(joined(axes, "_path")) == COUNT - 2
    path = placed(axes)[1][0]
    np.testing.assert_allclose(joined(axes, "_jump"), [path[4:6]])


def test_the_way_leads_to_the_right(arrays):
    axes = minefield.draw(minefield.collect(*arrays), Look()).axes[0]
    first, last = placed(axes)[1][0][0], star(axes)
    assert last[0] > first[0]
    assert last[1] == pytest.approx(first[1])


def test_an_embedding_that_ends_where_it_began_is_drawn_as_it_is(arrays):
    data = minefield.collect(*arrays)
    data["places"] = data["places"].copy()
    data["places"][COUNT - 1] = data["places"][0]
    axes = minefield.draw(data, Look()).axes[0]
    np.testing.assert_array_equal(placed(axes)[0][0], data["places"][COUNT:])


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_colour_bars_span_the_data_in_the_colours_of_good_and_bad(arrays, look):
    data = minefield.collect(*arrays)
    figure = minefield.draw(data, look)
    scales = minefield.Scales.of(data, look)
    accuracy = 100 * arrays[1]["test_accuracy"]
    assert (scales.epoch.norm.vmin, scales.epoch.norm.vmax) == (0, 80)
    assert (scales.accuracy.norm.vmin, scales.accuracy.norm.vmax) == (
        accuracy.min(),
        accuracy.max(),
    )
    labels = {axes.get_xlabel() or axes.get_ylabel() for axes in figure.axes[1:]}
    assert labels == {"epoch of the iterate", "test accuracy of the bad minimum"}
    for scale, kind in ((scales.epoch, "good"), (scales.accuracy, "bad")):
        expected = matplotlib.colors.to_rgb(getattr(look.palette, kind))
        np.testing.assert_allclose(scale.cmap(0.5)[:3], expected, atol=0.02)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_shades_run_steadily_away_from_the_page(theme):
    look = Look(theme)
    for kind in ("good", "bad"):
        colours = style.shades(look, getattr(look.palette, kind))(np.linspace(0, 1, 9))[:, :3]
        lightness = colours @ (0.2126, 0.7152, 0.0722)
        steps = np.diff(lightness)
        assert (steps < 0).all() if theme == "light" else (steps > 0).all()


def test_words_of_the_picture_come_from_the_data(arrays):
    words = minefield.alt(minefield.collect(*arrays))
    for part in (
        "(perplexity 30) of 9 iterates",
        "of 9 bad minima",
        "98% to 100% training accuracy",
        "100% and 97%",
        "Trustworthiness 0.91, rank correlation with true distances 0.11",
    ):
        assert part in words
    path, rest = np.split(arrays[2]["embedded"][0, 0], 2)
    nearest = np.median([min(np.hypot(*(place - other)) for other in rest) for place in path])
    assert f"{style.number(float(nearest))} from the nearest bad minimum" in words


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_embeddings_stand_in_rows_of_rising_perplexity(arrays, look):
    data = minefield_embeddings.collect(*arrays)
    panels = minefield_embeddings.draw(data, look).axes[:6]
    assert [axes.get_ylabel() for axes in panels[::2]] == [
        f"perplexity {perplexity}" for perplexity in (5, 30, 100)
    ]
    order = (2, 0, 1)
    for number, axes in enumerate(panels):
        index, run = order[number // 2], number % 2
        trust = arrays[2]["trustworthiness"][index, run]
        assert axes.get_title(loc="left").endswith(f" {trust:.3f}")
        (bad, _), (path, _) = placed(axes)
        drawn = np.concatenate([path, [star(axes)], bad])
        congruent(arrays[2]["embedded"][index, run], drawn)


def test_runs_that_do_not_fit_a_row_go_on_in_the_next(arrays):
    for name in ("embedded", "trustworthiness", "rank_correlation"):
        arrays[2][name] = np.repeat(arrays[2][name], 2, axis=1)
    data = minefield_embeddings.collect(*arrays)
    panels = minefield_embeddings.draw(data, Look()).axes[: 3 * 2 * 3]
    shown = [axes for axes in panels if axes.axison]
    assert len(panels) == 18
    assert len(shown) == 12


def test_words_of_the_embeddings_come_from_the_data(arrays):
    words = minefield_embeddings.alt(minefield_embeddings.collect(*arrays))
    assert "same 18 networks" in words
    assert "3 perplexities, from 2 random starts each" in words
    assert "at perplexity 5 trustworthiness is 0.710 to 0.720" in words
    assert "−0.12 to −0.10; at perplexity 30" in words


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_distances_are_drawn_as_they_are(arrays, look):
    iterates, minima, embedding = arrays
    figure = minefield_distances.draw(minefield_distances.collect(*arrays), look)
    raw, relative, accuracy = figure.axes
    drawn = {line.get_label(): line.get_xydata() for line in raw.lines}
    epoch = iterates["epoch"]
    for label, x, values in (
        ("to its bad minimum", epoch, embedding["to_minimum"]),
        ("to the last iterate", epoch[:-1], embedding["to_final"][:-1]),
        ("from the one before", epoch[1:], embedding["step"]),
        ("to the origin", epoch, embedding["weight_norm"]),
    ):
        np.testing.assert_allclose(drawn[label], np.stack([x, values], axis=1))
    assert raw.get_yscale() == relative.get_yscale() == "log"
    drawn = {line.get_label(): line.get_ydata() for line in relative.lines}
    np.testing.assert_allclose(drawn["to its bad minimum"], embedding["relative_to_minimum"])
    np.testing.assert_allclose(drawn["to the last iterate"], embedding["relative_to_final"][:-1])
    drawn = {line.get_label(): line.get_ydata() for line in accuracy.lines}
    for kind, part in (("iterate", iterates), ("bad minimum", minima)):
        for which in ("train", "test"):
            np.testing.assert_allclose(drawn[f"{kind}, {which}"], 100 * part[f"{which}_accuracy"])
    low, high = accuracy.get_ylim()
    assert low < 100 * min(minima["test_accuracy"])
    assert high > 100


def test_legends_stay_within_the_figure(arrays):
    data = minefield_distances.collect(*arrays)
    for look in LOOKS:
        with style.context(look):
            figure = minefield_distances.draw(data, look)
            figure.draw_without_rendering()
            across = figure.bbox.width
            for axes in figure.axes:
                box = axes.get_legend().get_window_extent()
                assert box.x0 >= 0
                assert box.x1 <= across


def test_words_of_the_distances_come_from_the_data(arrays):
    words = minefield_distances.alt(minefield_distances.collect(*arrays))
    for name in ("to_minimum", "to_final", "step", "weight_norm", "relative_to_minimum"):
        assert style.number(float(np.median(arrays[2][name]))) in words
    assert "end at 100% training and 97% test accuracy" in words
