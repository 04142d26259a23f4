"""The picture of the jobs of a run."""

import itertools
import re

import networkx as nx
import pytest

from flatminima.report.dag import BOX, WIDEST, picture
from flatminima.report.lineage import Job, Lineage

from .conftest import made_up_manifests


def job(rule, *needs, seconds=1.0, key=""):
    anchor = f"job-{rule}{key}"
    manifest = {"wall_seconds": seconds}
    return Job(anchor, rule, {}, manifest, (), tuple(f"job-{need}" for need in needs), 0)


DIAMOND = (
    job("data"),
    job("left", "data"),
    job("right", "data"),
    job("deep", "left"),
    job("end", "deep", "right", "data"),
)


def boxes(drawn):
    return {box.rule: box for box in drawn.boxes}


def joined(drawn):
    """The pairs of boxes that edges join, by where they begin and end."""
    lower = {(box.x + BOX[0] / 2, box.y + BOX[1]): box.rule for box in drawn.boxes}
    upper = {(box.x + BOX[0] / 2, box.y): box.rule for box in drawn.boxes}
    return {(lower[edge[0]], upper[edge[-1]]) for edge in drawn.edges}


def test_edges_are_what_does_not_follow_from_others():
    assert joined(picture(DIAMOND)) == {
        ("data", "left"),
        ("data", "right"),
        ("left", "deep"),
        ("deep", "end"),
        ("right", "end"),
    }


def test_jobs_of_a_rule_share_a_box_and_their_time_is_added():
    drawn = picture([job("data"), *(job("train", "data", seconds=s, key=s) for s in (1.5, 2.0))])
    assert [(box.rule, box.jobs, box.seconds) for box in drawn.boxes] == [
        ("data", 1, 1.0),
        ("train", 2, 3.5),
    ]
    assert boxes(drawn)["train"].anchor == "job-train1.5"


def test_figures_share_a_box_where_that_is_asked():
    jobs = [job("data"), job("figure_a", "data"), job("figure_b", "data")]
    assert set(boxes(picture(jobs))) == {"data", "figure a", "figure b"}
    assert boxes(picture(jobs, figures=False))["figures"].jobs == 2


def test_a_layer_is_no_wider_than_a_page():
    drawn = picture([job("data"), *(job(f"part{i}", "data") for i in range(2 * WIDEST + 1))])
    heights = [box.y for box in drawn.boxes]
    assert max(map(heights.count, heights)) == WIDEST
    assert len({*heights}) == 4


def test_edges_to_one_box_pass_a_layer_together():
    jobs = [job("a"), job("b"), job("c"), job("d", "a"), job("e", "d", "b", "c")]
    passing = [edge[1:-1] for edge in picture(jobs).edges if len(edge) > 2]
    assert len(passing) == 2
    assert passing[0] == passing[1]


def test_nothing_is_an_empty_picture():
    assert picture([]).boxes == ()


@pytest.fixture(scope="module")
def jobs():
    return Lineage(made_up_manifests()).jobs()


@pytest.mark.parametrize("figures", [True, False])
def test_boxes_lie_apart_below_what_they_rest_on_and_no_edge_crosses_one(jobs, figures):
    drawn = picture(jobs, figures)
    assert len(drawn.boxes) > 5
    for one, other in itertools.combinations(drawn.boxes, 2):
        apart = abs(one.x - other.x) >= BOX[0], abs(one.y - other.y) >= BOX[1]
        assert any(apart)
    for box in drawn.boxes:
        assert 0 <= box.x <= drawn.width - BOX[0]
        assert 0 <= box.y <= drawn.height - BOX[1]
    for edge in drawn.edges:
        assert all(one[1] < other[1] for one, other in itertools.pairwise(edge))
        for x, y in edge[1:-1]:  # where it passes a layer
            assert not any(b.x < x < b.x + BOX[0] and b.y <= y <= b.y + BOX[1] for b in drawn.boxes)


def test_the_picture_of_a_line_is_that_of_the_manifests(jobs):
    """What lies before a rule in the picture is what lies before it in the jobs."""
    drawn = joined(picture(jobs))
    home = {it.anchor: it.rule.replace("_", " ") for it in jobs}
    pairs = {(home[need], home[it.anchor]) for it in jobs for need in it.needs}
    whole = nx.transitive_closure_dag(nx.DiGraph(drawn))
    assert {*whole.edges} >= pairs
    assert {*whole.edges} == {*nx.transitive_closure_dag(nx.DiGraph(pairs)).edges}


def test_every_box_leads_to_its_job(compose_pages):
    pages = compose_pages()
    anchors = {*re.findall(r'<article class="job" id="([^"]+)"', pages["provenance.html"])}
    for name in ("index.html", "provenance.html"):
        graphs = re.findall(r'<div class="scroll dag".*?</svg>', pages[name], re.DOTALL)
        assert graphs
        links = re.findall(r'<a href="(?:provenance\.html)?#([^"]+)"', " ".join(graphs))
        assert links
        assert {*links} <= anchors
