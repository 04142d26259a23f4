"""A small project with three jobs in a row: points → minima and notes → figure."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from flatminima.provenance.job import Job, execute
from flatminima.provenance.plan import Begun, Plan
from flatminima.storage import write_arrays, write_bytes, write_json

RESULTS = "results/tiny"
SOURCES = {
    "config.yaml": "# settings\nseed: 3\nlearning_rate: 0.1\nwidth: 1.5\ncolour: blue\n",
    "pyproject.toml": '[project]\nname = "tiny"\ndependencies = ["numpy>=2", "nowhere-to-find"]\n'
    '[project.optional-dependencies]\nworkflow = ["jinja2"]\ntest = ["pytest"]\n',
    "report/templates/page.html": "<p>{{ figure }}</p>\n",
    "src/tiny/__init__.py": '"""A package."""\n',
    "src/tiny/points.py": "def draw():\n    return [1, 2]\n",
    "src/tiny/fit.py": "def fit(x):\n    from tiny import steps\n\n    return steps.step(x)\n",
    "src/tiny/steps.py": '"""Steps."""\n\n\ndef step(x):\n    """Take one."""\n    return x + 1\n',
    "src/tiny/paint.py": "COLOUR = 'blue'\n",
    "workflow/scripts/data.py": "from tiny.points import draw\n",
    "workflow/scripts/fit.py": "import tiny.fit\n",
    "workflow/scripts/draw.py": "from tiny import paint\n",
}


def make_points(job: Job) -> None:
    write_arrays(job.outputs["points"], {"x": np.arange(4.0)})


def make_other_points(job: Job) -> None:
    """By the same rule, and yet to other bytes."""
    write_arrays(job.outputs["points"], {"x": np.ones(4)})


def make_minima(job: Job) -> None:
    write_arrays(job.outputs["minima"], {"p": job.arrays("points")["x"] * job.config["width"]})
    write_json(job.outputs["notes"], {"learning_rate": job.config["learning_rate"]})


def make_figure(job: Job) -> None:
    write_bytes(job.outputs["figure"], f"<svg>{job.arrays('minima')['p'].sum()}</svg>".encode())


RULES: dict[str, Any] = {
    "data": ((), {"points": "points.safetensors"}, ("seed",), (), make_points),
    "fit": (
        ("points",),
        {"minima": "minima.safetensors", "notes": "notes.json"},
        ("learning_rate", "width", "seed"),
        (),
        make_minima,
    ),
    "draw": (
        ("minima",),
        {"figure": "report/figure.svg"},
        ("colour",),
        ("report/templates",),
        make_figure,
    ),
}
PLACES = {name: f"{RESULTS}/{path}" for rule in RULES.values() for name, path in rule[1].items()}


class Project:
    """The project on disk, with what Snakemake would do to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config: dict[str, Any] = {
            "seed": 3,
            "learning_rate": 0.1,
            "width": 1.5,
            "colour": "blue",
        }
        self.begun: dict[str, str] = {}
        """The recipes of the run that was begun last, by rule."""
        for name, text in SOURCES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def manifest(self, name: str) -> dict[str, Any]:
        return json.loads((self.root / f"{PLACES[name]}.manifest.json").read_bytes())

    def block(self, rule: str) -> dict[str, Any]:
        return {key: self.config[key] for key in RULES[rule][2]}

    def plan(self, listing: Path | None = None) -> Plan:
        """Plan all jobs, as Snakemake does before a run and in a dry run."""
        plan = Plan(RESULTS, self.root, listing)
        for rule in RULES:
            self.planned(rule, plan)
        return plan

    def planned(self, rule: str, plan: Plan | Begun) -> str:
        inputs, _, _, files, *_ = RULES[rule]
        return plan.recipe(
            rule,
            {"size": "a.5"},
            self.block(rule),
            f"workflow/scripts/{rule}.py",
            files,
            inputs={name: [PLACES[name]] for name in inputs},
        )

    def begin(self) -> Plan:
        """Plan all jobs and have the recipes written, as Snakemake does when a run begins."""
        plan = self.plan()
        plan.begin()
        self.begun = {rule: self.planned(rule, plan) for rule in RULES}
        return plan

    def task(self, rule: str, **changes: Any) -> SimpleNamespace:
        """What Snakemake leaves in the script of a rule."""
        inputs, outputs, *_ = RULES[rule]
        paths = {name: PLACES[name] for name in outputs}
        manifests = {f"{name}_manifest": f"{path}.manifest.json" for name, path in paths.items()}
        recipe = {"recipe": self.begun[rule]}
        task = SimpleNamespace(
            input={**recipe, **{name: PLACES[name] for name in inputs}},
            output={**paths, **manifests},
            log=[f"{RESULTS}/logs/{rule}.log"],
            threads=1,
            resources={"gpu": 0},
            config={"device": "auto", "config_files": ["config.yaml"]},
        )
        vars(task).update(changes)
        return task

    def make(self, rule: str, main: Callable[[Job], None] | None = None, **changes: Any) -> None:
        execute(self.task(rule, **changes), main or RULES[rule][4], self.root)

    def make_all(self) -> None:
        self.begin()
        for rule in RULES:
            self.make(rule)
            # Snakemake touches every output once its job is done.
            for name in self.task(rule).output.values():
                os.utime(self.root / name)

    def stale(self) -> list[str]:
        """The rules that Snakemake would run now, which looks at all that is downstream."""
        plan = self.plan()
        stale: list[str] = []
        made: set[str] = set()
        for rule, (inputs, outputs, *_) in RULES.items():
            paths = [PLACES[name] for name in outputs]
            paths += [f"{path}.manifest.json" for path in paths]
            if (
                self.planned(rule, plan) in plan.stale
                or made & {PLACES[name] for name in inputs}
                or any(not (self.root / path).exists() for path in paths)
            ):
                stale.append(rule)
                made.update(paths)
        return stale

    def files(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.is_file())

    def touch_all(self) -> None:
        now = time.time_ns()
        for order, path in enumerate(reversed(self.files())):
            os.utime(path, ns=(now + order, now + order))


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    """The project with nothing made yet; it is the working directory."""
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


@pytest.fixture
def finished(project) -> Project:
    """The project with everything made."""
    project.make_all()
    return project
