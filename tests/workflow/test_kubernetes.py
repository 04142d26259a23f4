"""Runs by the profile for Kubernetes, with a stand-in for kubectl; no cluster takes part."""

import importlib.util
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import yaml

from .conftest import ROOT, TRACEBACK, checkout, said

PROFILE = [
    *("--workflow-profile", "profiles/kubernetes"),
    *("--latency-wait", "5", "--seconds-between-status-checks", "1"),
]
RINGS = {"scale": "one", "only": ["rings"]}
TARGET = "results/one/minima/rings/0.4.safetensors"
PROPERTIES = {
    "type": "single",
    "rule": "images_train",
    "wildcards": {"poison": "0.4"},
    "threads": 2,
    "resources": {"gpu": 1, "mem_mb": 16000, "runtime": 90, "tmpdir": "<TBD>"},
}

SPEC = importlib.util.spec_from_file_location("kube", ROOT / "profiles/kubernetes/kube.py")
assert SPEC is not None
assert SPEC.loader is not None
kube = importlib.util.module_from_spec(SPEC)
sys.modules["kube"] = kube
SPEC.loader.exec_module(kube)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the stand-in keeps Jobs; everything below ``tmp_path`` is shared."""
    programs, folder = tmp_path / "bin", tmp_path / "state"
    programs.mkdir()
    folder.mkdir()
    (programs / "kubectl").symlink_to(Path(__file__).with_name("kubectl.py"))
    python = Path(sys.executable).parent
    path = os.pathsep.join([str(programs), str(python), os.environ["PATH"]])
    monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("KUBECTL_STATE", str(folder))
    for name, value in (("IMAGE", "example.org/python:3.11"), ("CLAIM", "shared")):
        monkeypatch.setenv(f"FLATMINIMA_KUBERNETES_{name}", value)
    monkeypatch.setenv("FLATMINIMA_KUBERNETES_MOUNT", str(tmp_path))
    return folder


def call(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Call the profile's script in the shared folder."""
    command = [sys.executable, str(ROOT / "profiles/kubernetes/kube.py"), *words]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)


def script(tmp_path: Path, does: str) -> str:
    """A script as Snakemake writes them."""
    path = tmp_path / "job.sh"
    path.write_text(f"#!/bin/sh\n# properties = {json.dumps(PROPERTIES)}\n{does}\n")
    return str(path)


def wait(true: Callable[[], bool]) -> None:
    """Wait for as long as it takes, within reason."""
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    pytest.fail("nothing happened within a minute")


def needs_plugin() -> None:
    try:
        version("snakemake-executor-plugin-cluster-generic")
    except PackageNotFoundError:
        pytest.skip("no snakemake-executor-plugin-cluster-generic here: it is of the extra cluster")


def test_jobs_run_through_the_stand_in_to_a_passing_audit(state: Path, tmp_path: Path) -> None:
    needs_plugin()
    project = checkout(tmp_path / "project")
    smoke = ["--configfile", "workflow/scales/smoke.yaml", "one.yaml"]
    (project.root / "one.yaml").write_text(yaml.safe_dump(RINGS))
    done = project.run("snakemake", *PROFILE, *smoke, "--", TARGET, scale=None)
    assert done.returncode == 0, said(done)
    jobs = [json.loads(path.read_text()) for path in state.glob("*.json")]
    called = sorted(job["metadata"]["annotations"]["flatminima/job"] for job in jobs)
    assert called == ["rings_dataset 0.4", "rings_train 0.4"]
    for job in jobs:
        pod = job["spec"]["template"]["spec"]
        assert pod["containers"][0]["resources"]["limits"] == {"memory": "4000M"}
        assert pod["activeDeadlineSeconds"] == 24 * 60 * 60
    status, printed = project.audit("results/one")
    assert status == 0, printed
    again = project.run("snakemake", *PROFILE, *smoke, "--", TARGET, scale=None)
    assert "Nothing to be done" in said(again)
    assert len(list(state.glob("*.json"))) == 2


def test_an_interrupted_run_deletes_its_jobs(state: Path, tmp_path: Path) -> None:
    needs_plugin()
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    (tmp_path / "Snakefile").write_text(
        'rule sleep:\n    output: "slept"\n'
        "    resources: mem_mb=100, runtime=5\n"
        '    shell: "touch begun; sleep 300; touch {output}"\n'
    )
    # Snakemake forgets to cancel what it asks about at that very moment, so let it ask seldom.
    command = [sys.executable, "-m", "snakemake", *PROFILE[:-1], "15"]
    with (tmp_path / "said.txt").open("w") as told:
        run = subprocess.Popen(
            command, cwd=tmp_path, stdout=told, stderr=told, start_new_session=True
        )
        wait((tmp_path / "begun").exists)
        # It asks once soon after it has submitted a job.
        time.sleep(6)
        run.send_signal(signal.SIGINT)
        assert run.wait(120) != 0
    wait(lambda: len(list(state.glob("*.deleted"))) == 1)
    assert not list(state.glob("*.json"))
    assert not (tmp_path / "slept").exists()
    # What was deleted is made anew by the next run.
    snakefile = tmp_path / "Snakefile"
    snakefile.write_text(snakefile.read_text().replace("sleep 300", "sleep 0"))
    command[-1] = "1"
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, said(done)
    assert (tmp_path / "slept").exists()


def test_a_job_asks_for_what_the_rule_asks_for(tmp_path: Path) -> None:
    where = kube.Place("python:3.11", "shared", "/shared", "/shared/project")
    job = kube.manifest("flatminima0", tmp_path / "job.sh", PROPERTIES, where)
    pod = job["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["resources"] == {
        "requests": {"cpu": "2", "memory": "16000M", "nvidia.com/gpu": "1"},
        "limits": {"memory": "16000M", "nvidia.com/gpu": "1"},
    }
    assert pod["activeDeadlineSeconds"] == 90 * 60
    assert container["volumeMounts"] == [{"name": "shared", "mountPath": "/shared"}]
    assert pod["volumes"] == [{"name": "shared", "persistentVolumeClaim": {"claimName": "shared"}}]
    assert container["workingDir"] == "/shared/project"
    assert job["metadata"]["annotations"] == {"flatminima/job": "images_train 0.4"}


@pytest.mark.parametrize(("does", "end"), [("exit 0", "success"), ("exit 3", "failed")])
def test_a_job_ends_as_its_script_does(does: str, end: str, state: Path, tmp_path: Path) -> None:
    done = call(tmp_path, "submit", script(tmp_path, does))
    assert done.returncode == 0, said(done)
    name = done.stdout.strip()
    assert name.isalnum()
    wait(lambda: call(tmp_path, "status", name).stdout != "running\n")
    assert call(tmp_path, "status", name).stdout == f"{end}\n"


def test_a_cancelled_job_ends_and_has_failed(state: Path, tmp_path: Path) -> None:
    late = tmp_path / "late"
    name = call(tmp_path, "submit", script(tmp_path, f"sleep 300; touch {shlex.quote(str(late))}"))
    name = name.stdout.strip()
    assert call(tmp_path, "status", name).stdout == "running\n"
    process = int((state / f"{name}.pid").read_text())
    assert call(tmp_path, "cancel", name, "gone").returncode == 0
    wait(lambda: not Path(f"/proc/{process}/cmdline").exists() or not alive(process))
    assert call(tmp_path, "status", name).stdout == "failed\n"
    assert not late.exists()


def alive(process: int) -> bool:
    """Whether a process runs; what nobody has waited for yet does not."""
    return " Z " not in Path(f"/proc/{process}/stat").read_text()


def test_a_condition_that_is_not_true_ends_nothing() -> None:
    for kind in ("FailureTarget", "SuccessCriteriaMet", "Suspended"):
        job = {"status": {"conditions": [{"type": kind, "status": "True"}]}}
        assert kube.state(job) == "running"
    assert kube.state({"status": {"conditions": [{"type": "Failed", "status": "False"}]}}) == (
        "running"
    )
    assert kube.state({}) == "running"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("IMAGE=", "FLATMINIMA_KUBERNETES_IMAGE is not set; export it: an image"),
        ("CLAIM=", "FLATMINIMA_KUBERNETES_CLAIM is not set; export it: the ReadWriteMany"),
        ("CLAIM=No_Name", "is 'No_Name', which cannot be the ReadWriteMany volume claim"),
        ("MOUNT=relative", "is 'relative', which cannot be the path at which"),
        ("MOUNT=/elsewhere", "which is not in /elsewhere, so that no pod would see it; move"),
        ("NAMESPACE=--all", "is '--all', which cannot be the namespace"),
    ],
)
def test_what_is_not_set_or_cannot_be_is_one_line(
    setting: str, words: str, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _, value = setting.partition("=")
    monkeypatch.setenv(f"FLATMINIMA_KUBERNETES_{name}", value)
    done = call(tmp_path, "submit", script(tmp_path, "exit 0"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("kubernetes: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert TRACEBACK not in done.stderr
    assert not list(state.iterdir())


def test_a_missing_kubectl_is_one_line(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(state))
    done = call(tmp_path, "submit", script(tmp_path, "exit 0"))
    assert done.stderr == (
        "kubernetes: there is no kubectl in PATH; install it where snakemake runs\n"
    )
