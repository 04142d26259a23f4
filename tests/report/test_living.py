"""The living figure in a real browser: its numbers against Python's, its controls, its manners."""

import base64
import io
import math
import re

import numpy as np
import pytest
import torch
from PIL import Image

from flatminima.configuration import SCHEMA, load
from flatminima.figures import living as living_figure
from flatminima.figures.style import PALETTES
from flatminima.geometry.directions import UnitDirections, scale
from flatminima.geometry.mode_connectivity import Path, point_weights
from flatminima.models.mlp import MLP
from flatminima.report import article
from flatminima.storage import write_bytes
from tests.browsing import PHONE

from .conftest import LIVING, ROOT, STEMS, STILL, made_up_living

# Shares of the way out at which browser and Python are set side by side.
SHARES = (0.0, 0.07, 0.4, 1.0)
TOLERANCE = 1e-4
MIDDLE = "100"
"""Where the slider stands before the good minimum fails: half its 200 steps, as it was made up."""

# Per share of the way, everything that the page computes of one network.
COMPUTED = """
([way, index, shares, side, plainly]) => {
  const { decoded, evaluator, wrong } = network;
  const { widths, extent, train, test, networks, path, reach } = LIVING;
  const vector = (point) => decoded(typeof point === "number" ? networks[point].parameters : point);
  const points = { line: [path.points[0], path.points.at(-1)], curve: path.points }[way];
  const vectors = points
    ? points.map(vector)
    : [decoded(networks[index].parameters), decoded(networks[index].direction)];
  const evaluate = evaluator(widths, plainly);
  const at = (i) => extent * (2 * i / (side - 1) - 1);
  const cells = Array.from({ length: side * side }, (_, i) => i);
  const x = Float32Array.from(cells, (i) => at(i % side));
  const y = Float32Array.from(cells, (i) => at(Math.floor(i / side)));
  const logits = (x, y) => evaluate.logits(x, y, new Float32Array(x.length));
  return shares.map((share) => {
    evaluate.move(vectors, points
      ? network.shares(way === "curve" && path.polychain, share, new Float64Array(vectors.length))
      : [1, reach * share ** 2]);
    const found = logits(decoded(train.x), decoded(train.y));
    return {
      train: [...found],
      wrong: wrong(found, Uint8Array.from(train.labels, Number)),
      grid: [...logits(x, y)],
      test: [...logits(decoded(test.x), decoded(test.y))],
      fast: evaluate.fast,
    };
  });
}
"""


@pytest.fixture(scope="module")
def living():
    return made_up_living()


def path_of(living):
    """The curve that is shown: of the two that were made up, the one from the good minimum."""
    _, _, paths, minima = living
    first, second = minima["0"]["parameters"][0], minima["0.35"]["parameters"][2]
    points = np.stack([first, *paths["bends"][1, 1], second])
    return Path("bezier", torch.from_numpy(points).double(), points.shape[1])


def place(living, way, index, share):
    """The parameters at a share of the way, float64."""
    rays, _, _, _ = living
    if way == "push":
        parameters, direction = (
            torch.from_numpy(rays[name][index]).double() for name in ("parameters", "direction")
        )
        return (parameters + rays["distance"][-1] * share**2 * direction)[None]
    path = path_of(living)
    return (path if way == "curve" else path.straight).at(np.array([share]))


def expected(living, parameters, side):
    """The same in Python, float64."""
    rays, dataset, _, _ = living
    network = MLP(tuple(rays["widths"].tolist()))
    axis = 1.1 * np.abs(dataset["train_inputs"]).max() * np.linspace(-1, 1, side)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)

    def logits(points):
        return network.logits(parameters, torch.from_numpy(points).double())[0, :, 0]

    train = logits(dataset["train_inputs"])
    right = (train > 0).numpy() == (dataset["train_labels"] == 1)
    return {
        "train": train,
        "wrong": len(right) - right.sum(),
        "grid": logits(grid),
        "test": logits(dataset["test_inputs"]),
    }


@pytest.mark.parametrize("plainly", [False, True], ids=["webassembly", "javascript"])
@pytest.mark.parametrize(("way", "index"), [("push", 0), ("push", -1), ("line", 0), ("curve", 0)])
def test_the_page_computes_what_python_computes(visit, living, way, index, plainly):
    page, log = visit()
    side = 23  # so that the last block of points is not full
    found = page.evaluate(COMPUTED, [way, index % 2, SHARES, side, plainly])
    for share, record in zip(SHARES, found, strict=True):
        assert record["fast"] is not plainly
        truth = expected(living, place(living, way, index, share), side)
        assert record["wrong"] == truth["wrong"]
        for name in ("train", "grid", "test"):
            np.testing.assert_allclose(
                record[name], truth[name], rtol=TOLERANCE, atol=TOLERANCE, err_msg=name
            )
    assert log.complaints == []


@pytest.mark.parametrize("polychain", [False, True], ids=["bezier", "polychain"])
def test_what_each_point_of_a_path_counts_for(visit, polychain):
    page, _ = visit()
    t = np.linspace(0, 1, 13)
    for points in (2, 3, 5):
        found = page.evaluate(
            "([chain, t, k]) => t.map((t) => [...network.shares(chain, t, new Float64Array(k))])",
            [polychain, t.tolist(), points],
        )
        kind = "polychain" if polychain else "bezier"
        np.testing.assert_allclose(found, point_weights(kind, points, t), atol=1e-14)


def mulberry32(seed, count):
    """Tommy Ettinger's generator in 32-bit integers: uniform numbers in [0, 1)."""
    mask, values = 2**32 - 1, []
    for step in range(1, count + 1):
        state = (seed + step * 0x6D2B79F5) & mask
        t = ((state ^ (state >> 15)) * (state | 1)) & mask
        t = ((t + (((t ^ (t >> 7)) * (t | 61)) & mask)) & mask) ^ t
        values.append((t ^ (t >> 14)) / 2**32)
    return np.array(values)


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "paper"])
def test_another_direction_is_normal_and_scaled_as_python_scales(visit, living, exact):
    rays, _, _, _ = living
    page, _ = visit()
    network = MLP(tuple(rays["widths"].tolist()))
    spans = network.layout.filters
    weights = np.concatenate([np.arange(*span) for span in spans])
    parameters = rays["parameters"][0]
    for number in (2, 3):
        drawn, scaled = page.evaluate(
            """([number, exact]) => {
              const { widths, networks } = LIVING;
              const drawn = network.drawn(widths, number, exact);
              const parameters = network.decoded(networks[0].parameters);
              return [[...drawn], [...network.scaled(widths, parameters, drawn, exact)]];
            }""",
            [number, exact],
        )
        uniform = mulberry32(number, 2 * math.ceil(len(weights) / 2)).reshape(-1, 2).T
        radius, angle = np.sqrt(-2 * np.log(1 - uniform[0])), 2 * np.pi * uniform[1]
        normal = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()
        unit = np.zeros(len(parameters))
        unit[weights] = normal[: len(weights)]
        for begin, end in spans if not exact else [(0, len(unit))]:
            unit[begin:end] /= np.linalg.norm(unit[begin:end])
        np.testing.assert_allclose(drawn, unit, atol=1e-12)
        units = UnitDirections(
            torch.from_numpy(unit)[None], network.layout, "exact" if exact else "paper"
        )
        truth = scale(units, torch.from_numpy(parameters).double()).vectors[0]
        np.testing.assert_allclose(scaled, truth, rtol=1e-6, atol=1e-9)


def test_directions_of_a_usual_network_have_nothing_in_common(visit):
    """Streams of neighbouring numbers are pieces of one long sequence, which must not overlap."""
    page, _ = visit()
    drawn = page.evaluate(
        """() => [2, 3, 4, 5, 9999].map(
          (number) => [...network.drawn([2, 23, 16, 26, 32, 28, 31, 1], number, true)])"""
    )
    cosines = np.array(drawn) @ np.array(drawn).T - np.eye(len(drawn))
    # Of 3,457 weights: five deviations of the cosine of two random directions.
    assert np.abs(cosines).max() < 5 / math.sqrt(3457)


def until(page, condition, moments=100):
    """Wait for a moment; the page's policy forbids Playwright's own way."""
    for _ in range(moments):
        if condition():
            return
        page.wait_for_timeout(30)
    assert condition()


def shown(page, side):
    """What one side says, once it stands still."""
    page.wait_for_timeout(450)
    values = page.locator(f"#fig-living .{side} [data-show]").all()
    return {value.get_attribute("data-show"): value.inner_text() for value in values}


def truth(living, way, index, share):
    """What a side ought to say."""
    _, dataset, _, _ = living
    found = expected(living, place(living, way, index, share), 2)
    right = (found["test"] > 0).numpy() == (dataset["test_labels"] == 1)
    return {
        "wrong": str(found["wrong"]),
        "of": f"of {len(dataset['train_labels'])}",
        "unseen": f"{100 * right.mean():.1f}%".replace(".0%", "%"),
    }


def test_without_motion_it_stands_still_where_the_good_one_is_about_to_fail(visit, living):
    page, log = visit(motion="reduce")
    slider = page.locator("#living-place")
    for side, index, name in (("left", 0, "Good minimum"), ("right", -1, "Bad minimum")):
        assert shown(page, side) == {"name": name, **truth(living, "push", index, 0.5)}
    assert slider.input_value() == MIDDLE
    page.mouse.wheel(0, 3000)
    page.wait_for_timeout(300)
    page.mouse.wheel(0, -3000)
    page.wait_for_timeout(600)
    assert slider.input_value() == MIDDLE
    assert log.complaints == []


def test_it_plays_once_by_itself_and_ends_where_the_good_one_is_about_to_fail(visit, living):
    page, log = visit(motion="no-preference")
    slider, play = page.locator("#living-place"), page.locator("#fig-living .play")
    until(page, lambda: play.inner_text() == "Pause" and int(slider.input_value()) > 2)
    until(page, lambda: play.inner_text() == "Play", moments=600)
    assert slider.input_value() == MIDDLE
    assert shown(page, "left")["wrong"] == truth(living, "push", 0, 0.5)["wrong"]
    page.mouse.wheel(0, 5000)
    until(page, lambda: page.evaluate("scrollY") > 2000)
    page.mouse.wheel(0, -6000)
    until(page, lambda: page.evaluate("scrollY") == 0)
    page.wait_for_timeout(300)
    assert play.inner_text() == "Play"
    assert slider.input_value() == MIDDLE
    assert log.complaints == []


def test_it_waits_until_it_is_seen(visit, site):
    page, _ = visit((site / "index.html").as_uri() + "#conclusion", motion="no-preference")
    slider = page.locator("#living-place")
    until(page, lambda: page.evaluate("scrollY") > 2000)
    page.wait_for_timeout(1000)
    assert slider.input_value() == "0"
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    until(page, lambda: int(slider.input_value()) > 2)


def test_a_press_pauses_and_goes_on(visit):
    page, log = visit(motion="no-preference")
    slider, play = page.locator("#living-place"), page.locator("#fig-living .play")
    until(page, lambda: int(slider.input_value()) > 2)
    play.click()
    assert play.inner_text() == "Play"
    stopped = int(slider.input_value())
    page.wait_for_timeout(300)
    assert int(slider.input_value()) == stopped
    play.click()
    until(page, lambda: int(slider.input_value()) > stopped)
    assert log.complaints == []


def test_with_reduced_motion_a_press_is_one_step(visit):
    page, log = visit(motion="reduce")
    slider, play = page.locator("#living-place"), page.locator("#fig-living .play")
    assert play.inner_text() == "Step"
    play.click()
    page.wait_for_timeout(300)
    assert slider.input_value() == "120"
    for _ in range(5):
        play.click()
    assert slider.input_value() == "0"
    assert log.complaints == []


def test_the_keyboard_moves_the_networks(visit, living):
    page, log = visit()
    slider = page.locator("#living-place")
    before = [shown(page, side) for side in ("left", "right")]
    slider.focus()
    for _ in range(3):
        page.keyboard.press("PageUp")
    after = [shown(page, side) for side in ("left", "right")]
    assert slider.input_value() == "160"
    for number, (index, said) in enumerate(zip((0, -1), after, strict=True)):
        assert said == before[number] | truth(living, "push", index, 0.8)
    told = page.locator("output[for=living-place]").inner_text()
    assert slider.get_attribute("aria-valuetext") == f"filter-normalised distance {told}"
    # One sentence once all is at rest, and the pictures described as they are then.
    until(page, lambda: f"distance {told}." in page.locator(".news").first.inner_text())
    words = page.locator("#fig-living .left canvas").get_attribute("aria-label")
    assert f"{after[0]['wrong']} of 40 training points wrong" in words
    assert log.complaints == []


def test_a_walk_goes_straight_on_the_left_and_along_the_curve_on_the_right(visit, living):
    page, log = visit()
    page.locator("input[value=push]").focus()
    page.keyboard.press("ArrowDown")
    left, right = (shown(page, side) for side in ("left", "right"))
    assert page.locator("#living-place").input_value() == MIDDLE
    assert left == {"name": "Straight line", **truth(living, "line", 0, 0.5)}
    assert right == {"name": "Trained curve", **truth(living, "curve", 0, 0.5)}
    assert not page.get_by_role("button", name="Another direction").is_visible()
    page.locator("#living-place").focus()
    page.keyboard.press("End")
    for side in ("left", "right"):
        assert shown(page, side)["wrong"] == truth(living, "line", 0, 1.0)["wrong"]
    assert log.complaints == []


def test_a_finger_on_the_curves_takes_the_slider_along(visit):
    page, _ = visit(viewport=PHONE)
    page.locator("#fig-living .course").scroll_into_view_if_needed()
    box = page.locator("#fig-living .course svg").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 20, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], middle, steps=3)
    page.mouse.up()
    edge = 9 / box["width"]
    share = (0.75 - edge) / (1 - 2 * edge)
    assert int(page.locator("#living-place").input_value()) == pytest.approx(200 * share, abs=1)


def test_the_curves_are_the_wrong_points_under_the_slider(visit, living):
    page, _ = visit()
    page.locator("input[value=walk]").check()
    page.wait_for_timeout(600)
    for side, way in (("left", "line"), ("right", "curve")):
        drawn = page.locator(f"#fig-living path.curve.{side}").get_attribute("d")
        heights = [float(pair.split()[1]) for pair in drawn.removeprefix("M").split("L")]
        # Of the chart's 124 pixels, 20 are above the axes and 22 below.
        wrong = (102 - np.array(heights)) / 82 * 40
        shares = np.linspace(0, 1, 51)
        found = [expected(living, place(living, way, 0, share), 2)["wrong"] for share in shares]
        np.testing.assert_allclose(wrong, found, atol=0.06)


STATES = {
    "push": ("#living?direction=1&distance=", 0.3),
    "direction": ("#living?direction=4&distance=", 0.6),
    "walk": ("#living?walk=", 0.85),
}


@pytest.mark.parametrize("state", STATES)
def test_a_link_restores_what_was_seen(visit, site, state):
    page, log = visit()
    if state == "walk":
        page.locator("input[value=walk]").check()
    for _ in range(3 if state == "direction" else 0):
        page.get_by_role("button", name="Another direction").click()
    start, share = STATES[state]
    page.locator("#living-place").fill(str(round(200 * share)))
    seen = [shown(page, side) for side in ("left", "right")]
    link = page.locator("#fig-living .share")
    fragment = link.get_attribute("href")
    assert fragment.startswith(start)
    painted = pixels(page, "right")
    restored, again = visit((site / "index.html").as_uri() + fragment, motion="no-preference")
    assert [shown(restored, side) for side in ("left", "right")] == seen
    assert restored.locator("#living-place").input_value() == str(round(200 * share))
    assert restored.locator("#fig-living .share").get_attribute("href") == fragment
    assert restored.locator("#fig-living .play").inner_text() == "Play"
    np.testing.assert_array_equal(pixels(restored, "right"), painted)
    # It is a link: a press puts it into the address bar, with leave to use the clipboard or not.
    link.click()
    until(page, lambda: page.evaluate("location.hash") == fragment)
    assert log.complaints == again.complaints == []


@pytest.mark.parametrize(
    ("fragment", "mended"),
    [
        ("#living?direction=-3&distance=1e9", "direction=1&distance="),
        ("#living?direction=none&distance=%00", "direction=1&distance=0"),
        ("#living?walk=7", "walk=1"),
        ("#living?walk=NaN&direction=2", "walk=0"),
    ],
)
def test_a_link_that_makes_no_sense_is_kept_within_bounds(visit, site, fragment, mended):
    page, log = visit((site / "index.html").as_uri() + fragment)
    page.wait_for_timeout(300)
    assert mended in page.locator("#fig-living .share").get_attribute("href")
    assert log.complaints == []


def test_nothing_shifts_while_the_page_is_built(visit):
    page, _ = visit(viewport=PHONE, motion="no-preference")
    page.wait_for_timeout(1500)
    shifts = page.evaluate(
        """() => new Promise((done) => {
          new PerformanceObserver((list) => done(list.getEntries().map((e) => e.value)))
            .observe({ type: "layout-shift", buffered: true });
          setTimeout(() => done([]), 300);
        })"""
    )
    assert sum(shifts) < 0.01


@pytest.mark.parametrize("viewport", [PHONE, {"width": 1440, "height": 900}], ids=["phone", "wide"])
def test_the_first_view_shows_both_pictures_with_their_counts(visit, viewport):
    page, _ = visit(viewport=viewport)
    for part in ("canvas", "[data-show=wrong]"):
        boxes = [page.locator(f"#fig-living .{s} {part}").bounding_box() for s in ("left", "right")]
        assert all(box["y"] + box["height"] <= viewport["height"] for box in boxes)
        assert boxes[0]["y"] == boxes[1]["y"]
        assert boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]
    assert boxes[0]["height"] > 30
    widths = [
        page.locator(f"#fig-living .{s} canvas").bounding_box()["width"] for s in ("left", "right")
    ]
    assert min(widths) > 140


def pixels(page, side):
    """What is painted, as whole numbers (rows, columns, 3)."""
    url = page.locator(f"#fig-living .{side} canvas").evaluate("c => c.toDataURL()")
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_regions_are_painted_in_the_colours_of_their_class(visit, living):
    """A pixel far from every boundary has the tint of the class that Python finds there."""
    _, dataset, _, _ = living
    page, _ = visit()
    page.wait_for_timeout(600)
    image = pixels(page, "left")
    size = len(image)
    side = 41
    found = expected(living, place(living, "push", 0, 0.5), side)
    logits = np.asarray(found["grid"]).reshape(side, side)
    reach = 1.1 * np.abs(dataset["train_inputs"]).max()
    marks = dataset["train_inputs"] / reach * (size / 2)
    greener = []
    for row, column in zip(*np.nonzero(np.abs(logits) > 0.5), strict=True):
        x, y = (2 * column / (side - 1) - 1, 2 * row / (side - 1) - 1)
        at = np.array([x, y]) * (size / 2)
        if max(abs(x), abs(y)) > 0.9 or np.hypot(*(marks - at).T).min() < 20:
            continue
        # The picture's rows run down, the plane's second input up.
        red, green, _ = image[int(size / 2 - at[1]), int(size / 2 + at[0])]
        greener.append((green > red) == (logits[row, column] > 0))
    assert len(greener) > 50
    assert all(greener)


def test_colours_follow_the_theme(visit):
    page, log = visit()
    light = pixels(page, "left")
    page.get_by_role("button", name="Dark colours").click()
    page.wait_for_timeout(200)
    assert np.mean(pixels(page, "left")) < np.mean(light) - 30
    assert log.complaints == []


def test_the_page_has_the_colours_of_the_pictures():
    css = (ROOT / "report" / "static" / "report.css").read_text()
    found = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}, #\w{6})\)", css))
    pairs = [(p.classes, p.field, p.ink) for p in PALETTES.values()]
    for name, value in (
        ("class-0", lambda p: p[0][0]),
        ("class-1", lambda p: p[0][1]),
        ("field-0", lambda p: p[1][0]),
        ("field-between", lambda p: p[1][1]),
        ("field-1", lambda p: p[1][2]),
        ("ink", lambda p: p[2]),
    ):
        assert found[name] == ", ".join(map(value, pairs))


def test_without_webassembly_the_figure_still_moves(visit, site, compose_pages, living):
    """A policy that forbids it stands for browsers that have none."""
    page = compose_pages()["index.html"].replace(" &#39;wasm-unsafe-eval&#39;", "")
    write_bytes(site / "plain.html", page.encode())
    page, _ = visit((site / "plain.html").as_uri())
    assert page.evaluate("network.evaluator(LIVING.widths).fast") is False
    page.locator("#living-place").focus()
    page.keyboard.press("End")
    assert shown(page, "right") == {"name": "Bad minimum", **truth(living, "push", -1, 1.0)}


def test_without_scripts_a_still_stands_there_with_words(visit):
    page, log = visit(java_script_enabled=False)
    still = page.locator("#fig-living noscript img")
    assert still.is_visible()
    assert still.get_attribute("src") == f"figures/{STILL}.svg"
    assert still.get_attribute("alt") == f"Curves named {STILL}."
    assert page.locator("#fig-living .still").is_visible()
    assert not page.locator("#fig-living .moving").is_visible()
    assert not page.locator("#ball").is_visible()
    assert page.locator(".dimensions table").is_visible()
    assert log.complaints == []


def test_on_paper_stand_the_pictures_and_the_table(visit):
    page, _ = visit()
    assert not page.locator(".dimensions table").is_visible()
    page.emulate_media(media="print")
    assert page.locator("#fig-living .pair").is_visible()
    assert not page.locator("#fig-living .way").is_visible()
    assert not page.locator("#ball").is_visible()
    assert page.locator(".dimensions table").is_visible()


def test_a_missing_figure_brings_no_scripts(compose_pages, pictures):
    missing = article.figure(pictures.parent, LIVING, main="data.js")
    figures = [missing if it.stem == LIVING else it for it in present(pictures)]
    page = compose_pages(figures=figures)["index.html"]
    assert re.findall(r'<script src="([^"]+)"', page) == ["report.js", "dimensions.js"]
    assert 'aria-label="Missing figure: Two networks to push"' in page


def test_a_stale_figure_says_why(compose_pages, pictures):
    stale = article.figure(pictures, LIVING, main="data.js", state="stale", why=("so it is",))
    figures = [stale if it.stem == LIVING else it for it in present(pictures)]
    page = compose_pages(figures=figures)["index.html"]
    assert "Stale: so it is" in page
    assert page.count('<a href="figures/living.data.js" download>') == 1
    assert "rays/swiss_roll.safetensors" in page


def present(pictures):
    return [
        *(article.figure(pictures, stem) for stem in (*STEMS, STILL)),
        article.figure(pictures, LIVING, main="data.js"),
    ]


@pytest.mark.parametrize("wider", [1, 8, 137])
def test_the_volume_of_a_ball_is_its_closed_form(visit, wider):
    """V goes as rⁿ, so a ball that is q times as wide is larger by n log₁₀ q decades."""
    page, log = visit()
    ball = page.locator("#ball")
    page.locator("#ball-width").fill(str(wider))
    ratio = float(ball.locator("output[for=ball-width]").inner_text())
    assert ratio == pytest.approx(10 ** (wider / 200), rel=0.03)
    for step in (0, 15, 50, 177, 300):
        page.locator("#ball-dimension").fill(str(step))
        n = int(ball.locator("output[for=ball-dimension]").inner_text().replace(",", ""))
        assert n == round(10 ** (step / 50))
        decades = n * math.log10(ratio)
        told = ball.locator(".decades").inner_text()
        worth = float(re.search(r"[\d.,]+", told)[0].replace(",", ""))
        assert worth == pytest.approx(decades, **({"rel": 0.05} if decades < 6 else {"abs": 0.5}))
        volume = ball.locator(".volume")
        if decades < 6:
            shown = float(volume.inner_text().replace(",", ""))
            assert shown == pytest.approx(ratio**n, rel=0.005)
        else:
            raised = volume.locator("sup").inner_text()
            assert volume.inner_text() == f"10{raised}"
            assert int(raised.replace(",", "")) == pytest.approx(decades, abs=0.5)
        inner, outer = (
            float(ball.locator(f".{name}").get_attribute("r")) for name in ("inner", "outer")
        )
        assert outer / inner == pytest.approx(ratio)
    assert log.complaints == []


def test_a_press_leads_to_the_dimensions_of_the_networks(visit, measurements):
    page, _ = visit()
    page.get_by_role("button", name="The networks above").click()
    weights = round(measurements["swiss_roll.weights"].value)
    assert page.locator("output[for=ball-dimension]").inner_text() == f"{weights:,}"
    decades = f"{weights * math.log10(1.1):.0f}"
    assert page.locator("#ball .volume").inner_text() == f"10{decades}"
    assert f"{weights:,} dimensions: {decades} decades" in page.locator("#ball .news").inner_text()


def test_scripts_and_data_stay_within_their_weight():
    """At most 30 kB for each script and the style, and 200 kB for the networks of a usual run."""
    for name in article.ASSETS:
        assert (ROOT / "report" / "static" / name).stat().st_size < 30_000
    config = load([ROOT / "config.yaml"], ROOT / SCHEMA)
    roll = config["experiments"]["swiss_roll"]
    network = MLP.between(2, roll["network"]["hidden"], 1)
    size, points = network.layout.size, config["geometry"]["slice_points"]
    rays = {
        "widths": np.array(network.widths),
        "parameters": np.zeros((2, size)),
        "direction": np.zeros((2, size)),
        "distance": np.linspace(0, 1, points),
        "loss": np.zeros((2, points)),
        "exact": np.array([True]),
    }
    dataset = {
        f"{part}_{name}": np.zeros((roll["data"][f"{part}_points"], *shape))
        for part in ("train", "test")
        for name, shape in (("inputs", (2,)), ("labels", ()))
    }
    # A path without an end among the two that are shown is the largest.
    bends = config["experiments"]["mode_connectivity"]["swiss_roll"]["bends"]
    paths = {
        "pair": np.zeros((3, 1, 2), int),
        "bends": np.ones((3, 1, bends, size)),
        "polychain": np.array([False]),
    }
    minima = {name: {"parameters": np.ones((1, size))} for name in ("0", "1")}
    record = living_figure.collect(rays, dataset, paths, minima)
    assert len(living_figure.files(record)["data.js"]) < 200_000
