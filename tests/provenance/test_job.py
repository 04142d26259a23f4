import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from flatminima.errors import DamagedFileError, DivergedError, UserError
from flatminima.provenance import job as job_frame
from flatminima.provenance.closure import file_digest
from flatminima.provenance.job import Job, run, run_unrecorded
from flatminima.provenance.manifest import lineage_id
from flatminima.provenance.recipe import record_digest
from flatminima.storage import write_bytes

from .conftest import make_minima

SOURCE = Path(__file__).parents[2] / "src" / "flatminima"
SCRIPT = """
import sys
from types import SimpleNamespace

from flatminima.provenance.job import Job, run, run_unrecorded
from flatminima.storage import write_bytes

PLACE = "results/tiny/out.txt"


def main(job: Job) -> None:
    print("working on β")
    write_bytes(job.outputs["out"], b"whole")
    exec(sys.argv[1])


if __name__ == "__main__":
    snakemake = SimpleNamespace(
        input={"recipe": sys.argv[2]},
        output={"out": PLACE, "out_manifest": PLACE + ".manifest.json"},
        params={}, log=["results/tiny/logs/only.log"], threads=1, resources={}, config={},
    )
    run(snakemake, main)
"""


def outputs(project, rule):
    return [project.root / path for path in project.task(rule).output.values()]


def test_a_manifest_says_how_its_output_was_made(finished):
    root = finished.root
    record = finished.manifest("minima")
    recipe = json.loads((root / record["recipe"]["path"]).read_bytes())
    assert record["output"]["sha256"] == file_digest(root / "results/tiny/minima.safetensors")
    assert record["rule"] == "fit"
    assert record["wildcards"] == {"size": "a.5"}
    assert record["command"] == "snakemake --cores 1 results/tiny/minima.safetensors"
    assert record["recipe"]["config"] == {"learning_rate": 0.1, "width": 1.5, "seed": 3}
    assert record["recipe"]["sha256"] == record_digest(recipe)
    assert record["recipe"]["config_sha256"] == record_digest(recipe["config"])
    assert {entry["path"]: entry["meaning_sha256"] for entry in record["recipe"]["code"]} == (
        recipe["code"]
    )
    assert all(e["sha256"] == file_digest(root / e["path"]) for e in record["recipe"]["code"])
    assert record["seeds"] == {"seed": 3}
    assert [entry["path"] for entry in record["config_files"]] == ["config.yaml"]
    (points,) = record["inputs"]
    upstream = finished.manifest("points")
    assert points == {
        "name": "points",
        "path": "results/tiny/points.safetensors",
        "sha256": upstream["output"]["sha256"],
        "manifest": "results/tiny/points.safetensors.manifest.json",
        "manifest_id": lineage_id(upstream),
    }
    assert datetime.fromisoformat(record["started"]) <= datetime.fromisoformat(record["finished"])


def test_every_output_of_a_job_has_its_own_manifest(finished):
    minima, notes = finished.manifest("minima"), finished.manifest("notes")
    assert minima["output"]["path"] != notes["output"]["path"]
    assert minima["id"] != notes["id"]


def test_the_command_names_the_overlays_that_it_needs(project):
    project.write("smoke.yaml", "width: 1\n")
    project.begin()
    project.make("data", config={"config_files": ["config.yaml", "smoke.yaml"]})
    record = project.manifest("points")
    assert record["command"] == (
        "snakemake --cores 1 --configfile smoke.yaml -- results/tiny/points.safetensors"
    )
    assert [entry["path"] for entry in record["config_files"]] == ["config.yaml", "smoke.yaml"]


def test_source_files_among_the_inputs_are_recorded_by_their_bytes(project):
    project.begin()
    inputs = {**project.task("data").input, "extra": ["config.yaml", "report/templates/page.html"]}
    project.make("data", input=inputs)
    assert project.manifest("points")["inputs"] == [
        {
            "name": "extra",
            "path": path,
            "sha256": file_digest(project.root / path),
            "manifest": None,
            "manifest_id": None,
        }
        for path in inputs["extra"]
    ]


def test_what_a_job_notes_stands_in_the_manifest_of_each_output(project):
    def main(job):
        make_minima(job)
        job.note(split={"train": [1, 2]}, official=False)
        job.note(more="β")

    project.begin()
    project.make("data")
    project.make("fit", main)
    expected = {"split": {"train": [1, 2]}, "official": False, "more": "β"}
    assert project.manifest("minima")["facts"] == project.manifest("notes")["facts"] == expected
    assert "facts" not in project.manifest("points")
    record = project.root / "results/tiny/minima.safetensors.manifest.json"
    record.write_text(record.read_text().replace("β", "γ"))
    with pytest.raises(DamagedFileError, match="damaged manifest"):
        project.make("draw")


@pytest.mark.parametrize("fact", [float("nan"), object()])
def test_a_fact_that_is_no_json_is_refused_where_it_is_noted(project, fact):
    project.begin()
    with pytest.raises((TypeError, ValueError)):
        project.make("data", lambda job: job.note(fact=fact))
    assert not any(path.exists() for path in outputs(project, "data"))


def test_a_clock_that_steps_back_makes_nothing_stale(project):
    project.begin()
    project.make("data")
    late = time.time_ns() + 3600 * 10**9
    points = project.root / "results/tiny/points.safetensors"
    os.utime(points, ns=(late, late))
    project.make("fit")
    project.make("draw")
    assert project.stale() == []


def test_inputs_that_changed_since_they_were_made_stop_the_job(finished):
    points = finished.root / "results/tiny/points.safetensors"
    whole = points.read_bytes()
    for damaged in (whole[:-1], b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        points.write_bytes(damaged)
        with pytest.raises(DamagedFileError, match=r"points\.safetensors: not the file .*delete"):
            finished.make("fit")
        assert not any(path.exists() for path in outputs(finished, "fit"))


def test_a_damaged_or_missing_manifest_of_an_input_stops_the_job(finished):
    record = finished.root / "results/tiny/points.safetensors.manifest.json"
    record.write_bytes(record.read_bytes().replace(b"points", b"pointz"))
    with pytest.raises(DamagedFileError, match="damaged manifest"):
        finished.make("fit")
    record.unlink()
    with pytest.raises(DamagedFileError, match=r"points\.safetensors: has no manifest"):
        finished.make("fit")


def test_a_manifest_can_be_an_input_and_is_checked(finished):
    record = "results/tiny/points.safetensors.manifest.json"
    inputs = {**finished.task("draw").input, "records": [record]}
    finished.make("draw", input=inputs)
    told = {entry["path"]: entry for entry in finished.manifest("figure")["inputs"]}[record]
    assert told["sha256"] == file_digest(finished.root / record)
    assert told["manifest"] is None
    path = finished.root / record
    path.write_bytes(path.read_bytes().replace(b"points", b"pointz"))
    with pytest.raises(DamagedFileError, match="damaged manifest"):
        finished.make("draw", input=inputs)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("src/tiny/paint.py", "blue", "red"),
        ("report/templates/page.html", "<p>", "<b>"),
    ],
)
def test_sources_edited_between_plan_and_job_stop_the_job(finished, name, old, new):
    finished.edit(name, old, new)
    with pytest.raises(UserError, match=rf"{name}: was edited after this run was planned"):
        finished.make("draw")


def test_a_comment_edited_between_plan_and_job_does_not(finished):
    finished.edit("src/tiny/paint.py", "COLOUR", "# why\nCOLOUR")
    finished.make("draw")


def test_settings_edited_during_the_job_are_recorded_as_they_were(finished):
    before = finished.manifest("points")["config_files"]

    def main(job):
        finished.edit("config.yaml", "seed: 3", "seed: 4")
        write_bytes(job.outputs["points"], b"x")

    finished.make("data", main)
    assert finished.manifest("points")["config_files"] == before


def test_progress_is_labelled_with_what_tells_jobs_apart():
    given = {"dataset": "swiss_roll", "poison": "0.35"}
    job = Job("train", given, {}, {}, {}, 1, "cpu", "", (), "", Path())
    assert vars(job.progress("training"))["_label"] == "swiss_roll poison 0.35 training"
    assert vars(replace(job, wildcards={}).progress())["_label"] == "train"


@pytest.mark.parametrize(
    "error", [DivergedError("the loss is NaN"), ZeroDivisionError(), KeyboardInterrupt()]
)
def test_a_failed_or_interrupted_job_leaves_nothing(finished, error):
    def main(job):
        write_bytes(job.outputs["minima"], b"half")
        raise error

    with pytest.raises(type(error)):
        finished.make("fit", main)
    assert not any(path.exists() for path in outputs(finished, "fit"))
    assert (finished.root / "results/tiny/points.safetensors").exists()


def test_a_record_that_is_returned_is_written_and_checkpoints_are_gone_then(project):
    def main(job):
        write_bytes(project.root / job.checkpoints / "half", b"x")
        return SimpleNamespace(write=lambda path: write_bytes(path, b"whole"))

    project.begin()
    project.make("data", main)
    assert (project.root / "results/tiny/points.safetensors").read_bytes() == b"whole"
    assert list((project.root / "results/tiny").rglob("half")) == []


def test_a_job_that_forgets_an_output_fails(finished):
    with pytest.raises(RuntimeError, match=r"script of fit did not write \S+notes\.json"):
        finished.make("fit", lambda job: write_bytes(job.outputs["minima"], b"x"))
    assert not any(path.exists() for path in outputs(finished, "fit"))


def test_a_rule_must_declare_the_manifests(project):
    project.begin()
    with pytest.raises(RuntimeError, match=r"rule data must .* declare the manifest of each: \S+"):
        project.make("data", output={"points": "results/tiny/points.safetensors"})


@pytest.fixture
def torch(monkeypatch):
    """A PyTorch that finds a GPU, or does not once the test says so."""
    fake = SimpleNamespace(
        cuda=SimpleNamespace(
            is_available=lambda: True,
            get_device_name=lambda: "H200",
            max_memory_allocated=lambda: 3 << 20,
        ),
        version=SimpleNamespace(cuda="12.8"),
        backends=SimpleNamespace(cudnn=SimpleNamespace(deterministic=True, benchmark=False)),
        get_num_threads=lambda: 2,
        are_deterministic_algorithms_enabled=lambda: True,
        get_float32_matmul_precision=lambda: "highest",
    )
    monkeypatch.setitem(sys.modules, "torch", fake)
    return fake


@pytest.mark.parametrize(
    ("where", "device"),
    [
        ((1, "auto", True), "cuda"),
        ((1, "cuda", True), "cuda"),
        ((1, "auto", False), "cpu"),
        ((1, "cpu", True), "cpu"),
        ((0, "cuda", True), "cpu"),
    ],
)
def test_a_job_computes_where_rule_setting_and_machine_agree(project, torch, where, device):
    gpus, setting, present = where
    torch.cuda.is_available = lambda: present
    seen = []

    def main(job):
        seen.append(job.device)
        write_bytes(job.outputs["points"], b"x")

    project.begin()
    project.make("data", main, resources={"gpu": gpus}, config={"device": setting})
    record = project.manifest("points")
    assert seen == [device]
    assert record["environment"]["threads"] == 2
    assert record["environment"]["determinism"]["deterministic_algorithms"] is True
    told = record["environment"]["device"], record["peak_gpu_memory_mb"]
    assert told == (("cuda (H200)", 3.0) if device == "cuda" else ("cpu", None))


@pytest.mark.parametrize(("count", "parts"), [(8, 1), (8, 3), (9, 8), (2, 2)])
def test_every_thing_belongs_to_one_part(project, count, parts):
    seen = []

    def main(job):
        seen.append(job)
        write_bytes(job.outputs["points"], b"x")

    project.begin()
    project.make("data", main)
    (whole,) = seen
    split = [
        replace(whole, wildcards={"scatteritem": f"{part}-of-{parts}"})
        for part in range(1, parts + 1)
    ]
    numbers = [list(job.numbers(count)) for job in split]
    assert all(numbers)
    assert [number for some in numbers for number in some] == list(range(count))
    assert all(job.part for job in split)
    assert not whole.part
    assert whole.numbers(count) == range(count)


def test_a_gpu_that_is_not_there_is_asked_for_in_vain(project, torch):
    torch.cuda.is_available = lambda: False
    project.begin()
    with pytest.raises(UserError, match="device is cuda, but PyTorch finds no GPU; set device"):
        project.make("data", resources={"gpu": 1}, config={"device": "cuda"})


def test_a_log_that_cannot_be_written_is_named(project, capfd):
    project.begin()
    project.write("results/tiny/file", "")
    with pytest.raises(SystemExit, match="1"):
        run(project.task("data", log=["results/tiny/file/a.log"]), lambda job: None)
    assert "results/tiny/file/a.log: the log cannot be written" in capfd.readouterr().err


@pytest.fixture
def script(project):
    """Start a real script in a project of its own: Popen of what ``main`` does at its end."""
    shutil.copytree(SOURCE, project.root / "src/flatminima")
    project.write("workflow/scripts/only.py", SCRIPT)
    plan = project.begin()
    recipe = plan.recipe("only", {}, {}, "workflow/scripts/only.py")
    plan.begin()

    def start(code, source="src", between=None):
        start = [sys.executable, "-c", between] if between else []
        return subprocess.Popen(
            [*start, sys.executable, "workflow/scripts/only.py", code, recipe],
            env={**os.environ, "PYTHONPATH": str(source), "PYTHONIOENCODING": "ascii"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("pass", 0, ""),
        (
            "from flatminima.errors import *; raise UserError('a.yaml: cure')",
            1,
            "a.yaml: cure",
        ),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("import flatminima.seeding", 1, "seeding was loaded, but nothing in the code"),
    ],
)
def test_a_script_prints_to_terminal_and_log_and_leaves_all_or_nothing(
    script, project, code, status, words
):
    job = script(code)
    out, err = job.communicate()
    log = (project.root / "results/tiny/logs/only.log").read_text("utf-8")
    assert job.returncode == status, err
    assert "working on \\u03b2" in out
    assert "working on β" in log
    assert words in err
    assert words in log
    assert ("Traceback" in err) == ("ZeroDivision" in words)
    for name in ("out.txt", "out.txt.manifest.json"):
        assert (project.root / "results/tiny" / name).exists() == (status == 0)


def test_a_terminated_script_leaves_nothing(script, project):
    job = script("print('ready', flush=True); import time; time.sleep(60)")
    for line in job.stdout:
        if line.strip() == "ready":
            break
    assert (project.root / "results/tiny/out.txt").exists()
    job.send_signal(signal.SIGTERM)
    _, err = job.communicate(timeout=30)
    assert job.returncode == 130
    assert err.strip() == "interrupted; nothing of this job is left behind"
    assert not (project.root / "results/tiny/out.txt").exists()


def test_a_job_ends_with_the_process_that_started_it(script, project, tmp_path):
    """Else the next run's job and this one would write the same files."""
    between = (
        "import subprocess, sys, time; print(subprocess.Popen(sys.argv[1:]).pid); time.sleep(600)"
    )
    job = script("print('ready', flush=True); import time; time.sleep(600)", between=between)
    for line in job.stdout:
        if line.strip() == "ready":
            break
    job.kill()
    job.stdout.read()  # to its end, which comes once the job is gone too
    assert not (project.root / "results/tiny/out.txt.manifest.json").exists()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise MemoryError", "out of memory (no more is there); run fewer jobs side by side"),
        ("raise OSError(28, 'No space left on device')", "cannot be written (No space left"),
    ],
)
def test_scarcity_ends_a_job_with_one_line(script, project, code, words):
    job = script(code)
    _, err = job.communicate()
    assert job.returncode == 1
    assert words in err
    assert len(err.splitlines()) == 1
    assert not (project.root / "results/tiny/out.txt").exists()


def test_a_log_on_a_full_disk_does_not_end_a_job(project, monkeypatch, capsys):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", lambda *_, **__: Full())
    with job_frame._printing_to(project.root / "log"):
        print("working")
    assert "working" in capsys.readouterr().out


def test_code_from_elsewhere_is_refused(script):
    job = script("pass", source=SOURCE.parent)
    _, err = job.communicate()
    assert job.returncode == 1
    assert "was loaded from" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        (UserError("http://a/b: cannot be fetched"), 1, "http://a/b: cannot be fetched\n"),
        (KeyboardInterrupt(), 130, "interrupted; run snakemake again to go on\n"),
    ],
)
def test_a_job_without_a_record_ends_with_its_message_and_keeps_what_it_has(
    tmp_path, capfd, fault, status, message
):
    def work():
        (tmp_path / "file.part").write_bytes(b"half")
        raise fault

    task = SimpleNamespace(log=[tmp_path / "log"], output={"file": str(tmp_path / "file")})
    with pytest.raises(SystemExit) as left:
        run_unrecorded(task, work)
    assert left.value.code == status
    assert capfd.readouterr().err == (tmp_path / "log").read_text() == message
    assert (tmp_path / "file.part").read_bytes() == b"half"


def test_a_job_knows_its_digest_and_a_folder_of_its_own_for_unfinished_work(finished):
    seen = []

    def main(job):
        seen.append((job.digest, job.checkpoints))
        write_bytes(job.outputs["points"], b"x")

    finished.make("data", main)
    recipe = finished.manifest("points")["recipe"]
    assert seen == [(recipe["sha256"], Path("results/tiny/checkpoints/data/a.5"))]
