from flatminima.report.lineage import Lineage

from .conftest import made_up_manifests


def flat(nodes):
    for node in nodes:
        yield node
        yield from flat(node.inputs)


def test_a_figure_leads_back_to_the_data():
    made = Lineage(made_up_manifests()).made("figures/gap-swiss_roll.svg")
    assert made.manifest["rule"] == "figure"
    paths = {node.path for node in flat(made.inputs)}
    assert "results/laptop/datasets/swiss_roll.safetensors" in paths
    assert "results/laptop/minima/swiss_roll/0.35.safetensors" in paths
    assert not any("images" in path for path in paths)
    assert not any("recipes" in path for path in paths)


def test_every_file_is_followed_once():
    made = Lineage(made_up_manifests()).made("figures/margins.svg")
    followed = [node.path for node in flat(made.inputs) if node.inputs]
    assert len(followed) == len(set(followed))
    again = [node for node in flat(made.inputs) if node.repeated]
    assert {node.path.split("/")[2] for node in again} == {"minima"}
    assert all(node.inputs == () for node in again)


def test_hashes_rules_and_times_come_from_the_manifests():
    manifests = made_up_manifests()
    (summary, data) = Lineage(manifests).made("figures/margins.svg").inputs
    recorded = manifests[summary.path]
    assert summary.sha256 == recorded["output"]["sha256"]
    assert (summary.rule, summary.finished) == ("summary", recorded["finished"])
    assert data.inputs == ()


def test_a_source_file_has_no_rule():
    manifests = made_up_manifests()
    path = "results/laptop/datasets/images.safetensors"
    manifests[path]["inputs"].append(
        {
            "name": "raw",
            "path": "data/raw.npz",
            "sha256": "ab",
            "manifest": None,
            "manifest_id": None,
        }
    )
    lineage = Lineage(manifests)
    assert [node.path for node in lineage.raw_data()] == [
        "data/raw.npz",
        "results/laptop/datasets/swiss_roll.safetensors",
    ]
    assert lineage.raw_data()[0].rule == ""


def test_no_manifest_no_lineage():
    assert Lineage({}).made("figures/margins.svg") is None
    assert Lineage({}).raw_data() == ()
    assert Lineage({}).environment() == {}


def test_what_the_jobs_ran_on():
    manifests = made_up_manifests()
    next(iter(manifests.values()))["environment"]["device"] = "cuda (made-up)"
    found = Lineage(manifests).environment()
    assert found["device"] == ["cpu", "cuda (made-up)"]
    assert "driver" not in found
    assert found["packages"] == ["numpy 2.4.0", "torch 2.13.0+cpu"]
