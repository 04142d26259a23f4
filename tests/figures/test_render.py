"""The same arrays give the same bytes, in every file of a figure."""

import hashlib
import importlib
import io
import json
import os
import pkgutil
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure

import flatminima.figures
from flatminima.errors import DamagedFileError
from flatminima.figure_record import SUFFIXES, FigureRecord, Source
from flatminima.figures import basins as figure_of_basins
from flatminima.figures import boundaries as figure_of_boundaries
from flatminima.figures import gap, margin_widths, margins, perturbation, render, style
from flatminima.figures.figure import Packed

ROOT = Path(__file__).parents[2]
ELSEWHERE = """
import hashlib, importlib, json, sys
import numpy as np
from flatminima.figures import render
digests = {}
for name, suffixes in json.loads(sys.argv[2]).items():
    draw = importlib.import_module(f"flatminima.figures.{name}").draw
    with np.load(f"{sys.argv[1]}/{name}.npz", allow_pickle=False) as data:
        for suffix, picture in render.pictures(draw, dict(data), suffixes).items():
            digests[f"{name}.{suffix}"] = hashlib.sha256(picture).hexdigest()
print(json.dumps({"digests": digests, "modules": sorted(sys.modules)}))
"""


@pytest.fixture
def figures_of_minima(summary, slices, boundaries, basins, selection):
    return {
        "gap": (gap, gap.collect(summary, "swiss_roll")),
        "margins": (margins, margins.collect(slices, boundaries, selection)),
        "boundaries": (figure_of_boundaries, figure_of_boundaries.collect(boundaries)),
        "basins": (
            figure_of_basins,
            figure_of_basins.collect(slices, *basins, selection, "swiss_roll"),
        ),
    }


@pytest.fixture
def figures(figures_of_minima, perturbations, widths):
    return figures_of_minima | {
        "perturbation": (perturbation, perturbation.collect(perturbations, "hessian")),
        "margin_widths": (margin_widths, margin_widths.collect(widths)),
    }


def simple(data, look):
    with style.context(look):
        figure = style.figure(look, 1.0)
        figure.add_subplot().plot(data["x"], data["y"], label="line")
        return figure


def module(draw=simple):
    """A module that draws a figure, as far as its files ask for it."""
    return SimpleNamespace(
        TITLE="A line",
        SOURCE=Source("Fig. 9", "li2018"),
        draw=draw,
        alt=lambda data: f"{data['x']}",
    )


SIMPLE = {"x": np.arange(4.0), "y": np.array([1.0, np.nan, 2.0, 0.5])}


def test_another_process_draws_the_same_bytes_from_the_download(figures, tmp_path):
    """Another hash seed, from the .npz that the reader gets; neither torch nor pyplot is loaded."""
    asked = {
        "gap": ["svg", "pdf"],
        "margins": ["narrow.dark.svg"],
        "boundaries": ["pdf"],
        "basins": ["dark.svg"],
        "perturbation": ["narrow.svg"],
        "margin_widths": ["pdf"],
    }
    digests = {}
    for name, suffixes in asked.items():
        module, data = figures[name]
        (tmp_path / f"{name}.npz").write_bytes(render.archive(data))
        for suffix, picture in render.pictures(module.draw, data, suffixes).items():
            digests[f"{name}.{suffix}"] = hashlib.sha256(picture).hexdigest()
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tmp_path), json.dumps(asked)],
        env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
    )
    elsewhere = json.loads(done.stdout)
    assert elsewhere["digests"] == digests
    assert not {"torch", "matplotlib.pyplot"} & set(elsewhere["modules"])


def test_a_figure_has_every_rendering_its_data_and_its_record(tmp_path):
    files = render.contents(module(), SIMPLE, None)
    assert tuple(files) == SUFFIXES
    time.sleep(1.1)  # zip archives and PDFs know the second in which they were made
    assert render.contents(module(), SIMPLE, None) == files
    (tmp_path / "line.json").write_bytes(files["json"])
    record = FigureRecord.read(tmp_path / "line.json")
    assert (record.title, record.alt) == ("A line", "[0. 1. 2. 3.]")
    assert record.source == Source("Fig. 9", "li2018")
    wide, narrow = (518, 72), (245, 72)
    assert {record.sizes[suffix] for suffix in ("svg", "dark.svg")} == {wide}
    assert {record.sizes[suffix] for suffix in ("narrow.svg", "narrow.dark.svg")} == {narrow}
    told = json.loads(render.contents(module(), SIMPLE, "Another line")["json"])
    assert told["title"] == "Another line"


def test_a_damaged_record_is_named_with_its_cure(tmp_path):
    path = tmp_path / "line.json"
    whole = render.contents(module(), SIMPLE, None)["json"]
    for damaged in (b"{", b"[]", b"{}", whole[:-2], whole.replace(b"518", b'"wide"')):
        path.write_bytes(damaged)
        with pytest.raises(DamagedFileError, match="not the record of a figure; delete it and run"):
            FigureRecord.read(path)


def test_the_size_of_a_picture_is_that_of_its_view_box():
    assert render.picture_size(b'<svg viewBox="0 0 99.6 7">') == (100, 7)
    with pytest.raises(ValueError, match="viewBox"):
        render.picture_size(b"<html>")


def test_pictures_have_the_asked_size_and_background():
    drawn = render.pictures(simple, SIMPLE)
    light = drawn["svg"].decode()
    assert 'width="518.4pt"' in light
    assert b'width="244.8pt"' in drawn["narrow.svg"]
    assert "<dc:date>" not in light
    assert "<text" not in light
    background = re.search(r'<g id="patch_1">(.*?)</g>', light, re.DOTALL)
    assert background is None or "fill: none" in background.group(1)
    dark = drawn["dark.svg"].decode()
    assert style.PALETTES["dark"].ink in dark
    assert style.PALETTES["dark"].ink not in light
    png = drawn["png"]
    assert int.from_bytes(png[16:20], "big") == 1440  # 7.2 inches at 200 dots
    assert b"CreationDate" not in drawn["pdf"]


def test_archive_round_trip_without_pickle():
    data = {
        "dataset": np.array("swiss_roll"),
        "scalar": np.array(0.5),
        "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
        "flags": np.array([True, False]),
        "odd": np.array([np.nan, np.inf, -0.0]),
        "file": np.arange(3),
    }
    content = render.archive(data)
    assert content == render.archive(data)
    with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
        assert list(loaded) == list(data)
        for name, array in data.items():
            assert loaded[name].dtype == array.dtype
            assert loaded[name].tobytes() == array.tobytes()
    with zipfile.ZipFile(io.BytesIO(content)) as pack:
        assert {member.date_time for member in pack.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_objects_are_not_archived():
    with pytest.raises(ValueError, match="allow_pickle"):
        render.archive({"x": np.array([{}], dtype=object)})


def test_a_figure_that_fails_in_one_rendering_has_no_files():
    def fails_in_the_dark(data, look) -> Figure:
        if look.theme == "dark":
            raise ValueError("no light")
        return simple(data, look)

    with pytest.raises(ValueError, match="no light"):
        render.contents(module(fails_in_the_dark), SIMPLE, None)


def modules_of_figures():
    """Every module that draws or packs a figure, and none that others share."""
    names = (info.name for info in pkgutil.iter_modules(flatminima.figures.__path__))
    modules = [importlib.import_module(f"flatminima.figures.{name}") for name in names]
    return [module for module in modules if hasattr(module, "collect")]


@pytest.mark.parametrize("module", modules_of_figures(), ids=lambda module: module.__name__)
def test_every_module_of_a_figure_offers_what_its_job_asks_for(module):
    if isinstance(module, Packed):
        assert callable(module.files)
        return
    assert callable(module.draw)
    assert callable(module.alt)
    assert module.TITLE.strip(".") == module.TITLE
    cited = yaml.safe_load((ROOT / "report/references.yaml").read_text())
    assert module.SOURCE is None or module.SOURCE.cite in cited


def test_modules_offer_what_the_report_needs(figures):
    for module, data in figures.values():
        assert all(isinstance(array, np.ndarray) for array in data.values())
        assert len(module.alt(data)) > 100
        assert Path(module.__file__).parent.name == "figures"
