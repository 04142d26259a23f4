"""Runs that leave experiments out, as they are planned; nothing is computed."""

import pytest

from .conftest import checkout

ALONE = """
scale: alone
experiments:
  swiss_roll: null
  architectures: null
  optimizers: null
  minefield: null
  rings: null
  random_labels: null
  skip_connections: null
  mode_connectivity: null
  flatness: null
  volumes: null
  decisive: null
"""
WITHOUT = """
scale: without
experiments:
  images: null
  architectures: null
  optimizers: null
  skip_connections: null
  mode_connectivity: { images: null }
"""


@pytest.fixture
def planned(tmp_path):
    """Plan a run with an overlay; returns the messages of its jobs."""
    project = checkout(tmp_path / "project")

    def plan(overlay):
        (project.root / "over.yaml").write_text(overlay)
        return project.stale("--configfile", "over.yaml", scale=None)

    return plan


def test_only_the_jobs_of_what_is_left_in_are_planned(planned):
    alone = planned(ALONE)
    assert "Writing the report" in alone
    assert "Drawing the figure basins-images" in alone
    assert sum(job.startswith("Training") for job in alone) == 6
    others = ("swiss_roll", "rings", "random labels", "minefield", "boundaries", "optimizer")
    for words in (*others, "model", "skip"):
        assert not any(words in job for job in alone), words


def test_images_can_be_left_out_with_what_trains_on_them(planned):
    without = planned(WITHOUT)
    assert "Writing the report" in without
    assert any("swiss_roll" in job for job in without)
    assert any("rings" in job for job in without)
    assert "Connecting minima of swiss_roll by curves of low loss" in without
    assert not any("images" in job for job in without)
