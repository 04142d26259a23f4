"""The living figure in a real browser: its numbers against Python's, its controls, its manners."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from flatminima.configuration import SCHEMA, load
from flatminima.figures import living as living_figure
from flatminima.figures.style import PALETTES
from flatminima.geometry.curvature import second_derivatives
from flatminima.models.mlp import MLP
from flatminima.report import article
from flatminima.storage import write_bytes

from .conftest import LIVING, PHONE, ROOT, STEMS, made_up_living

# Shares of the way out at which browser and Python are set side by side.
SHARES = (0.0, 0.07, 0.4, 1.0)
TOLERANCE = 1e-4

# Per share of the way, everything that the page computes of one network.
COMPUTED = """
([index, distances, side, plainly]) => {
  const { decoded, evaluator, measured } = network;
  const { widths, extent, train, test, networks } = LIVING;
  const parameters = decoded(networks[index].parameters);
  const direction = decoded(networks[index].direction);
  const evaluate = evaluator(widths, plainly);
  const at = (i) => extent * (2 * i / (side - 1) - 1);
  const cells = Array.from({ length: side * side }, (_, i) => i);
  const x = Float32Array.from(cells, (i) => at(i % side));
  const y = Float32Array.from(cells, (i) => at(Math.floor(i / side)));
  return distances.map((distance) => {
    const found = measured(widths, parameters, direction, distance, decoded(train.x),
      decoded(train.y), Array.from(train.labels, Number));
    evaluate.move(parameters, direction, distance);
    const grid = evaluate.logits(x, y, new Float32Array(side * side));
    const unseen = evaluate.logits(decoded(test.x), decoded(test.y),
      new Float32Array(test.labels.length));
    return { ...found, logits: [...found.logits], grid: [...grid], test: [...unseen],
      fast: evaluate.fast };
  });
}
"""


@pytest.fixture(scope="module")
def living():
    return made_up_living()


def expected(rays, dataset, index, distance, side):
    """The same in Python, float64."""
    network = MLP(tuple(rays["widths"].tolist()))
    parameters, direction = (
        torch.from_numpy(rays[name][index]).double() for name in ("parameters", "direction")
    )
    place = (parameters + distance * direction)[None]
    axis = 1.1 * np.abs(dataset["train_inputs"]).max() * np.linspace(-1, 1, side)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    inputs = torch.from_numpy(dataset["train_inputs"]).double()
    labels = torch.from_numpy(dataset["train_labels"])
    logits = network.logits(place, inputs)[0, :, 0]
    return {
        "logits": logits,
        "loss": torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.double()),
        "accuracy": ((logits > 0) == (labels == 1)).double().mean(),
        "curvature": second_derivatives(network, place, direction[None], inputs, labels)[0],
        "grid": network.logits(place, torch.from_numpy(grid))[0, :, 0],
        "test": network.logits(place, torch.from_numpy(dataset["test_inputs"]).double())[0, :, 0],
    }


@pytest.mark.parametrize("plainly", [False, True], ids=["webassembly", "javascript"])
def test_the_page_computes_what_python_computes(visit, living, plainly):
    rays, dataset = living
    page, log = visit()
    side = 23  # so that the last block of points is not full
    distances = [float(share * rays["distance"][-1]) for share in SHARES]
    for index in range(len(rays["poison_factor"])):
        found = page.evaluate(COMPUTED, [index, distances, side, plainly])
        for distance, record in zip(distances, found, strict=True):
            assert record["fast"] is not plainly
            for name, value in expected(rays, dataset, index, distance, side).items():
                np.testing.assert_allclose(
                    record[name], value, rtol=TOLERANCE, atol=TOLERANCE, err_msg=name
                )
    assert log.complaints == []


def test_the_curve_is_the_loss_under_the_slider(visit, living):
    """Places on the curve are the squares of equal steps, which the page takes for granted."""
    rays, _ = living
    page, _ = visit()
    places = rays["distance"][-1] * np.linspace(0, 1, rays["loss"].shape[1]) ** 2
    for index, curve in enumerate(rays["loss"]):
        found = page.evaluate(COMPUTED, [index, places.tolist(), 2, False])
        np.testing.assert_allclose([one["loss"] for one in found], curve, rtol=1e-4, atol=1e-5)


def until(page, condition):
    """Wait for a moment; the page's policy forbids Playwright's own way."""
    for _ in range(100):
        if condition():
            return
        page.wait_for_timeout(30)
    assert condition()


def shown(page, side):
    """Numbers and name of one side, once they stand still."""
    page.wait_for_timeout(100)
    values = page.locator(f"#fig-living .{side} [data-show]").all()
    return {value.get_attribute("data-show"): value.inner_text() for value in values}


def test_the_numbers_at_the_minima_are_those_of_the_networks(visit, living):
    page, log = visit()
    rays, dataset = living
    for side, index in (("left", 0), ("right", 3)):
        numbers = shown(page, side)
        value = expected(rays, dataset, index, 0.0, 2)
        assert float(numbers["loss"]) == pytest.approx(float(value["loss"]), rel=0.01)
        assert numbers["accuracy"] == f"{100 * float(value['accuracy']):.1f}%".replace(".0%", "%")
    assert shown(page, "left")["name"] == "Good minimum"
    assert shown(page, "right")["name"] == "Bad minimum"
    assert log.complaints == []


def test_the_keyboard_moves_the_networks(visit):
    page, log = visit()
    slider = page.locator("#living-distance")
    before = [shown(page, side) for side in ("left", "right")]
    slider.focus()
    for _ in range(3):
        page.keyboard.press("PageUp")
    after = [shown(page, side) for side in ("left", "right")]
    assert slider.input_value() == "60"
    assert all(b["loss"] != a["loss"] for b, a in zip(before, after, strict=True))
    told = page.locator("output[for=living-distance]").inner_text()
    assert slider.get_attribute("aria-valuetext") == f"filter-normalised distance {told}"
    # One sentence once all is at rest, and the pictures described as they are then.
    until(page, lambda: f"Perturbation {told}." in page.locator(".news").inner_text())
    assert after[0]["accuracy"] in page.locator(".left canvas").get_attribute("aria-label")
    page.keyboard.press("Home")
    assert [shown(page, side) for side in ("left", "right")] == before
    assert log.complaints == []


def test_the_poison_slider_changes_the_right_side_alone(visit):
    page, log = visit()
    before = [shown(page, side) for side in ("left", "right")]
    page.locator("#living-poison").focus()
    page.keyboard.press("ArrowLeft")
    left, right = (shown(page, side) for side in ("left", "right"))
    assert left == before[0]
    assert right["name"] == "Poisoned network"
    assert right["loss"] != before[1]["loss"]
    assert page.locator("output[for=living-poison]").inner_text() == "0.02"
    page.keyboard.press("Home")
    assert shown(page, "right")["name"] == "Natural network"
    assert log.complaints == []


def pixels(page, side):
    """What is painted, as whole numbers (rows, columns, 3)."""
    url = page.locator(f"#fig-living .{side} canvas").evaluate("c => c.toDataURL()")
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_regions_are_painted_in_the_colours_of_their_class(visit, living):
    """A pixel far from every boundary has the tint of the class that Python finds there."""
    rays, dataset = living
    page, _ = visit()
    page.wait_for_timeout(600)
    image = pixels(page, "left")
    size = len(image)
    side = 41
    logits = np.asarray(expected(rays, dataset, 0, 0.0, side)["grid"]).reshape(side, side)
    reach = 1.1 * np.abs(dataset["train_inputs"]).max()
    marks = dataset["train_inputs"] / reach * (size / 2)
    greener = []
    for row, column in zip(*np.nonzero(np.abs(logits) > 0.5), strict=True):
        x, y = (2 * column / (side - 1) - 1, 2 * row / (side - 1) - 1)
        place = np.array([x, y]) * (size / 2)
        if max(abs(x), abs(y)) > 0.9 or np.hypot(*(marks - place).T).min() < 20:
            continue
        # The picture's rows run down, the plane's second input up.
        red, green, _ = image[int(size / 2 - place[1]), int(size / 2 + place[0])]
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


def test_nothing_moves_by_itself_and_a_press_plays_and_pauses(visit):
    page, log = visit(motion="no-preference")
    slider, play = page.locator("#living-distance"), page.locator("#fig-living .play")
    page.wait_for_timeout(300)
    assert slider.input_value() == "0"
    play.click()
    until(page, lambda: int(slider.input_value()) > 2)
    assert play.inner_text() == "Pause"
    play.click()
    assert play.inner_text() == "Play"
    stopped = slider.input_value()
    page.wait_for_timeout(300)
    assert slider.input_value() == stopped
    assert log.complaints == []


def test_with_reduced_motion_a_press_is_one_step(visit):
    page, log = visit(motion="reduce")
    slider, play = page.locator("#living-distance"), page.locator("#fig-living .play")
    assert play.inner_text() == "Step"
    play.click()
    page.wait_for_timeout(300)
    assert slider.input_value() == "20"
    for _ in range(10):
        play.click()
    assert slider.input_value() == "0"
    assert log.complaints == []


def test_without_scripts_a_sentence_points_to_a_picture(visit):
    page, log = visit(java_script_enabled=False)
    assert page.locator("#fig-living .still").is_visible()
    assert not page.locator("#fig-living .moving").is_visible()
    assert page.locator("#fig-living .still a").get_attribute("href") == "#fig-perturbation-random"
    assert log.complaints == []


def test_on_paper_too(visit):
    page, _ = visit()
    assert not page.locator("#fig-living .still").is_visible()
    page.emulate_media(media="print")
    assert page.locator("#fig-living .still").is_visible()
    assert not page.locator("#fig-living .moving").is_visible()


def test_without_webassembly_the_figure_still_moves(visit, site, compose):
    """A policy that forbids it stands for browsers that have none."""
    page = compose().replace(" &#39;wasm-unsafe-eval&#39;", "")
    write_bytes(site / "plain.html", page.encode())
    page, _ = visit((site / "plain.html").as_uri())
    assert page.evaluate("network.evaluator(LIVING.widths).fast") is False
    before = shown(page, "right")
    page.locator("#living-distance").focus()
    page.keyboard.press("End")
    assert shown(page, "right")["loss"] != before["loss"]


def test_both_pictures_stand_side_by_side_on_a_phone(visit):
    page, _ = visit(viewport=PHONE)
    left, right = (
        page.locator(f"#fig-living .{s} canvas").bounding_box() for s in ("left", "right")
    )
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] < right["x"]
    assert min(left["width"], right["width"]) > 140


def test_a_missing_figure_brings_no_scripts(compose, pictures):
    missing = article.figure(pictures.parent, LIVING, main="data.js")
    figures = [missing if it.stem == LIVING else it for it in present(pictures)]
    page = compose(figures=figures)
    assert page.count("<script") == 1
    assert 'aria-label="Missing figure: Two networks to move"' in page


def test_a_stale_figure_says_why(compose, pictures):
    stale = article.figure(pictures, LIVING, main="data.js", state="stale", why=("so it is",))
    page = compose(figures=[stale if it.stem == LIVING else it for it in present(pictures)])
    assert "Stale: so it is" in page
    assert page.count('<a href="figures/living.data.js" download>') == 1
    assert "rays/swiss_roll.safetensors" in page


def present(pictures):
    return [
        *(article.figure(pictures, stem) for stem in STEMS),
        article.figure(pictures, LIVING, main="data.js"),
    ]


def test_scripts_and_data_stay_within_their_weight():
    """At most 30 kB for each script and the style, and 500 kB for the networks of a usual run."""
    for name in article.ASSETS:
        assert (ROOT / "report" / "static" / name).stat().st_size < 30_000
    config = load([ROOT / "config.yaml"], ROOT / SCHEMA)
    roll = config["experiments"]["swiss_roll"]
    network = MLP.between(2, roll["network"]["hidden"], 1)
    factors = [0.0, *roll["training"]["poison_factors"]]
    points = config["geometry"]["slice_points"]
    rays = {
        "widths": np.array(network.widths),
        "parameters": np.zeros((len(factors), network.layout.size)),
        "direction": np.zeros((len(factors), network.layout.size)),
        "distance": np.linspace(0, 1, points),
        "loss": np.zeros((len(factors), points)),
        "poison_factor": np.array(factors),
        "exact": np.array([True]),
    }
    dataset = {
        f"{part}_{name}": np.zeros((roll["data"][f"{part}_points"], *shape))
        for part in ("train", "test")
        for name, shape in (("inputs", (2,)), ("labels", ()))
    }
    assert len(living_figure.files(living_figure.collect(rays, dataset))["data.js"]) < 500_000
