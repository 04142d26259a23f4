"""Where the real workflow runs, and beside what: odd folders, other scales, clones."""

import os
import shutil
import subprocess
import sys

import pytest

from flatminima.cli import main
from flatminima.errors import UserError
from flatminima.place import ensure_plain
from flatminima.provenance.audit import audit
from flatminima.provenance.published import published_runs

from .conftest import ROOT, Project, checkout, said

DATASET = "results/{}/datasets/rings/0.01.safetensors"


def of_rings(project: Project, scale: str) -> None:
    """Write an overlay that keeps the rings alone, with a gap of 0.01."""
    path = project.root / f"workflow/scales/{scale}.yaml"
    gaps = "{ rings: { training: { gaps: [1e-2, 0.4] } } }"
    path.write_text(f"scale: {scale}\nonly: [rings]\nexperiments: {gaps}\n")


@pytest.fixture
def odd(tmp_path) -> Project:
    """A checkout in a folder of characters that a shell reads, beside two overlays."""
    project = checkout(tmp_path / 'it\'s a "$place" & {more}; #1%')
    for scale in ("one", "two"):
        of_rings(project, scale)
    return project


def test_a_project_runs_in_a_folder_of_any_name_if_its_python_lies_elsewhere(odd):
    done = odd.make(DATASET.format("one"), scale="one")
    assert done.returncode == 0, said(done)
    assert odd.audit("results/one")[0] == 0


def test_a_python_that_jobs_cannot_be_started_by_is_told_before_anything_runs(odd, tmp_path):
    # As a virtual environment in such a folder is one: Python keeps the name it is called by.
    (tmp_path / "a b").symlink_to(sys.prefix)
    python = tmp_path / "a b" / "bin" / "python"
    done = subprocess.run(
        [python, "-m", "snakemake", "-n", "--configfile", "workflow/scales/one.yaml"],
        cwd=odd.root,
        env={**os.environ, "PYTHONPATH": str(odd.root / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"{python}: holds ' ', and jobs that are started from there would die" in said(done)
    assert "Traceback" not in said(done)


def test_make_refuses_such_a_folder_before_it_installs(odd):
    shutil.copy(ROOT / "Makefile", odd.root)
    done = subprocess.run(
        ["make", "report", f"PYTHON={sys.executable}"],
        cwd=odd.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "holds ' ' '\"' '#' '$' '%' '&' \"'\" ';' '{' '}', and jobs that are started" in said(
        done
    )
    assert not (odd.root / ".venv").exists()


@pytest.mark.parametrize("path", ["/home/José/flat-minima_1.0", "/a@b/c+d=e,f", "/数据/x"])
def test_letters_of_any_language_are_plain(path):
    ensure_plain(path)


@pytest.mark.parametrize("character", " '\"$&();<>|*?[]{}`\\!#~^%:\t\n")
def test_what_a_shell_reads_is_not_plain(character):
    with pytest.raises(UserError, match="move the project"):
        ensure_plain(f"/home/a{character}b")


def test_a_lock_holds_its_own_scale_alone_until_it_is_taken_off(odd):
    made = {scale: odd.root / DATASET.format(scale) for scale in ("one", "two")}
    lock = odd.root / ".snakemake/locks/one/0.output.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(DATASET.format("one") + "\n")
    # What ends beside it does not take its lock away, as in Snakemake's common folder.
    assert odd.make(DATASET.format("two"), scale="two").returncode == 0
    assert lock.is_file()
    done = odd.make(DATASET.format("one"), scale="one")
    assert done.returncode != 0
    assert "--unlock" in said(done)
    assert not made["one"].exists()
    assert odd.make("--unlock", scale="two").returncode == 0
    assert odd.make(DATASET.format("one"), scale="one").returncode == 0
    assert all(path.is_file() for path in made.values())


def test_a_clone_that_converts_line_ends_has_the_same_bytes(tmp_path):
    """As Git for Windows clones by default."""
    if not (ROOT / ".git").exists():
        pytest.skip("no clone, so there is nothing to clone")
    for name, setting in (("as_is", "false"), ("converted", "true")):
        subprocess.run(
            ["git", "clone", "--quiet", "--depth=1", "-c", f"core.autocrlf={setting}",
             f"file://{ROOT}", tmp_path / name],
            check=True,
        )  # fmt: skip
    as_is, converted = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file() and ".git" not in path.parts
        }
        for name in ("as_is", "converted")
    )
    assert len(as_is) > 100
    assert as_is == converted
    published = published_runs(tmp_path / "converted")
    assert published
    for run in published:
        assert audit(tmp_path / "converted" / run, tmp_path / "converted").passed, run


BROKEN = [
    ("seed: [1\ndevice: cpu\n", "config.yaml: not valid YAML in line 2: did not find expected ','"),
    ("a: &a {b: *a}\n", "config.yaml: not valid YAML in line 1: what is named by & here holds it"),
    ("seed: 1\nseed: 2\n", "config.yaml: not valid YAML in line 2: the key 'seed' stands twice"),
]


def test_a_configuration_that_is_no_yaml_is_told_by_file_line_and_cure(odd):
    (text, message), *_ = BROKEN
    (odd.root / "config.yaml").write_text(text)
    done = odd.make("--dry-run", scale=None)
    assert done.returncode == 1
    assert message in said(done)
    assert "Traceback" not in said(done)
    assert "common.smk" not in said(done)


def test_code_that_cannot_be_read_is_told_by_file_and_line(odd):
    odd.write("src/flatminima/figures/rings.py", b"def (:\n")
    done = odd.make("--dry-run", scale="one")
    assert done.returncode == 1
    assert "src/flatminima/figures/rings.py:1: not valid Python" in said(done)
    assert "Traceback" not in said(done)
    assert "common.smk" not in said(done)


@pytest.mark.parametrize(("text", "message"), BROKEN)
@pytest.mark.parametrize("name", ["config.yaml", "overlay.yaml"])
def test_the_command_tells_the_same_of_configuration_and_overlays(
    tmp_path, capsys, text, message, name
):
    """Snakemake reads overlays before it reads the workflow, so make asks this command first."""
    (tmp_path / "overlay.yaml").write_text("scale: other\n")
    for part in ("config.yaml", "workflow/schemas"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        (tmp_path / part).parent.mkdir(exist_ok=True)
        copy(ROOT / part, tmp_path / part)
    words = ["check", str(tmp_path / "overlay.yaml"), "--root", str(tmp_path)]
    assert main(words) == 0
    assert capsys.readouterr().out.endswith("overlay.yaml: right, for results/other\n")
    (tmp_path / name).write_text(text)
    assert main(words) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert message.replace("config.yaml", name) in told
