"""Results say what was found: against what the library's parts found, on a page, in a picture."""

import base64
import io
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

from flatminima.errors import UserError
from flatminima.geometry.estimators import basin_volume
from flatminima.geometry.loss_surface import loss_surface
from flatminima.geometry.mode_connectivity import Path, along, plane
from flatminima.geometry.spectrum import curvature
from flatminima.geometry.trajectory import trajectory
from flatminima.library.results import (
    Curvature,
    Measures,
    PathProfile,
    Surface,
    Trajectory,
    Volume,
)
from flatminima.models.mlp import MLP
from tests.library.found import EVERY, HOSTILE, about, comparison, path, surface


class Page(HTMLParser):
    """Tags, their attributes and the text of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = set(), [], ""

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += attributes

    def handle_data(self, data):
        self.text += data


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", EVERY)
def test_a_page_shows_what_others_wrote_as_text(name):
    found = EVERY[name]()
    page = Page()
    page.feed(found._repr_html_())
    assert page.tags <= {"div", "img", "table", "tr", "th", "td", "p"}
    assert {key for key, _ in page.attributes} == {"alt", "style", "src"}
    assert HOSTILE[:20] in page.text
    words = dict(page.attributes)
    assert words["alt"] == repr(found)
    head, _, picture = words["src"].partition(",")
    assert head == "data:image/png;base64"
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    assert image.getpixel((2, image.height - 3)) == (255, 255, 255)
    assert len(picture) < 400_000


@pytest.mark.parametrize("name", EVERY)
def test_a_line_says_it_all(name):
    line = repr(EVERY[name]())
    assert "\n" not in line
    assert len(line) < 400


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_pictures_are_saved_by_their_suffix(suffix, tmp_path, capsys):
    file = tmp_path / f"surface.{suffix}"
    surface().plot(file)
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    content = file.read_bytes()
    assert content.startswith(starts[suffix])
    surface().plot(file)
    assert file.read_bytes() == content
    assert capsys.readouterr().out == ""


def test_other_pictures_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"a picture ends in \.png, \.svg or \.pdf"):
        surface().plot(tmp_path / "surface.jpg")
    with pytest.raises(ValueError, match="kind is '2d'; it is contour or 3d"):
        surface().plot(kind="2d")


def test_a_table_has_its_intervals_in_words():
    table = Measures.of({"regret": EVERY["measures"]()["regret"], "cosine": -0.2}, about()).table()
    lines = str(table).splitlines()
    assert lines[0].endswith(
        "0.1 nats at the minimum; 336 weights move; held beside them: 3 frozen"
    )
    assert lines[2].split() == ["quantity", "value", "95%", "interval", "unit"]
    assert lines[4].split() == ["regret", "1.5", "1.2", "to", "1.8", "nats", "/", "distance"]
    assert lines[5].split() == ["cosine", "-0.2"]
    assert lines[-1] == "Note <b>this</b>."
    assert [row.quantity for row in table] == ["regret", "cosine"]
    assert table[0].low == 1.2


def test_a_measure_is_had_by_its_name():
    found = EVERY["measures"]()
    assert (found["regret"].value, found["regret"].high) == (1.5, 1.8)
    with pytest.raises(ValueError, match="measure is 'flatness'; it is regret, cosine or fisher"):
        found["flatness"]


def test_a_path_counts_its_barrier_from_the_higher_end():
    found = path()
    assert found.barrier == pytest.approx(0.25)
    assert found.line_barrier == pytest.approx(7.5)
    values = {(row.quantity, row.network): row.value for row in found.table()}
    assert values["lowest share right", "straight line"] == 0.75
    assert values["length", "Bezier curve"] == 12.5


def test_a_surface_tells_of_what_is_not_finite():
    values = {row.quantity: row.value for row in surface().table()}
    assert values["places where the loss is not finite"] == 2
    assert values["loss at the minimum"] == 0.02
    assert values["highest loss"] == pytest.approx(93.02)


def test_what_differs_is_what_intervals_do_not_share():
    found = comparison()
    radius, trace, ways = found.quantities
    # One is a lower bound, so nothing is above it; the last differ by rounding.
    assert (radius.apart, trace.apart, ways.apart) == (None, (1, 0), None)
    assert found.differences.startswith(
        "Beyond their 95% intervals: trace of the Hessian (filter-normalised) is larger of <script>"
    )
    assert found.differences.endswith(
        "than of a (10). Within them: radius, log-mean-exp (filter-normalised); "
        "Fisher trace (KL ball)."
    )
    assert "per dimension" not in str(found.table())
    assert "differ in n, so volumes and masses are per dimension" in str(comparison((3, 4)).table())


@pytest.fixture(scope="module")
def studied():
    network = MLP((2, 4, 2))
    draw = torch.Generator().manual_seed(0)
    minimum = torch.randn(network.layout.size, generator=draw)
    inputs = torch.randn(16, 2, generator=draw)
    return network, minimum, inputs, network.logits(minimum[None], inputs)[0].argmax(1)


def test_results_hold_what_the_parts_found(studied):
    network, minimum, inputs, labels = studied
    square = loss_surface(*studied, grid_points=5)
    found = Surface.of(square, about())
    np.testing.assert_array_equal(found.loss, square.loss)
    assert found.roughness == square.roughness

    volume = basin_volume(*studied, cutoff=0.9, directions=8, pilots=2)
    values = {row.quantity: row for row in Volume.of(volume, about()).table()}
    paper = values["log10 volume, log-mean-exp, loss below 0.9 nats"]
    plain = volume.loss.uniform
    assert (paper.value, paper.low, paper.high) == (plain.value, plain.low, plain.high)
    assert paper.remark.startswith("a lower bound") == plain.lower_bound
    mass = values["log10 Gaussian mass, preconditioned, divergence below 0.1 nats"]
    assert mass.value == volume.divergence.gaussian.value

    bends = curvature(*studied, top=2, probes=3, steps=6)
    spectrum = Curvature.of(bends, about())
    for place in (0, 30, 60):
        counted = bends.count_above(spectrum.threshold[place])
        np.testing.assert_array_equal(
            spectrum.above[:, place], [counted.value, counted.low, counted.high]
        )
        counted = bends.count_below(-spectrum.threshold[place])
        assert spectrum.below[0, place] == counted.value
    assert spectrum.table()[2].value == bends.trace.value

    bend = torch.stack([minimum, minimum + 1, minimum * 2])
    way = Path("bezier", bend, network.trainable)
    t = np.linspace(0, 1, 5)
    points = (inputs, labels)
    profile, straight = (along(network, one, t, points, points) for one in (way, way.straight))
    on_plane = plane(network, way, inputs, labels, points=5)
    joined = PathProfile.of(way, about(), profile=profile, straight=straight, plane=on_plane)
    np.testing.assert_array_equal(joined.line_loss, straight.loss)
    np.testing.assert_array_equal(joined.plane_loss, on_plane.loss)
    assert joined.test_loss is None
    assert joined.line_length == pytest.approx(float(minimum.norm()), rel=1e-6)
    joined.plot()


def test_a_trajectory_holds_what_was_found_and_what_chance_would_give(studied, tmp_path):
    network, minimum, inputs, labels = studied
    steps = torch.randn(6, len(minimum), generator=torch.Generator().manual_seed(1))
    found = trajectory(network, minimum + steps.cumsum(0), inputs, labels, grid_points=5)
    shown = Trajectory.of(found, about())
    np.testing.assert_array_equal(shown.loss, found.loss)
    shares = shown.table()[0]
    assert shares.value == found.explained[0]
    assert shares.remark == f"{found.random_walk[0]:.2g} of a random walk"
    shown.save(tmp_path / "way")
    assert repr(Trajectory.load(tmp_path / "way")) == repr(shown)
    shown.plot()


def test_without_a_basin_there_is_nothing_to_draw():
    with pytest.raises(UserError, match="no basin to draw"):
        Volume(about()).plot()
