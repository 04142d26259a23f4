"""A finished run as a Provenance Run Crate: what made what, in words that other programs know.

An RO-Crate is a folder with a file of linked data, ``ro-crate-metadata.json``, that describes its
files. The profile *Provenance Run Crate* (https://w3id.org/ro/wfrun/provenance/0.5) says how such a
file tells of the run of a workflow and of each of its jobs. All of it is said from manifests here,
by the library ``rocrate``; the same manifests give the same bytes.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from rocrate.model import ComputationalWorkflow, ContextEntity, Entity, File
from rocrate.rocrate import ROCrate

from flatminima.data.sources import IMAGE_SOURCES
from flatminima.provenance.manifest import Input, Manifest, is_manifest
from flatminima.provenance.published import SOURCE, LeftOut
from flatminima.provenance.recipe import record_digest

METADATA = "ro-crate-metadata.json"
"""The file that makes a folder an RO-Crate."""

WORKFLOW = f"{SOURCE}/Snakefile"

_VERSION = "1.1"
"""Of RO-Crate, on which the profiles build."""

_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}

_TERMS = {
    name: f"https://w3id.org/ro/terms/workflow-run#{name}" for name in ("sha256", "resourceUsage")
}
"""Words of the profiles that RO-Crate 1.1 does not have."""

_MIT = "https://spdx.org/licenses/MIT"
_BIOSCHEMAS = "https://bioschemas.org/profiles"
_DONE = "http://schema.org/CompletedActionStatus"

_FORMATS = {
    ".css": "text/css",
    ".gif": "image/gif",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".md": "text/markdown",
    ".npz": "application/zip",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".py": "text/x-python",
    ".safetensors": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".yaml": "application/yaml",
    ".zip": "application/zip",
}
_TEXT = "text/plain"

_USAGE = (
    ("wall_seconds", "time from beginning to end", "SEC"),
    ("cpu_seconds", "time of processors", "SEC"),
    ("peak_memory_mb", "largest memory", "E39"),
    ("peak_gpu_memory_mb", "largest memory on the GPU", "E39"),
)
"""What manifests say of the resources of a job, and its unit by its code in UN/CEFACT
Recommendation 20: seconds and mebibytes."""


@dataclass(frozen=True)
class Described:
    """A file of the crate: sha256 and size in bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Told:
    """What a crate is made from.

    Attributes:
        name: of the run, that of its scale.
        title: of its page.
        note: what a reader must know; may be empty.
        results: the results folder, by which manifests name files.
        manifests: of the report and of everything that it was made from, by path.
        files: all files of the folder but the crate's own and the record, by path; ``WORKFLOW`` is
            one of them.
        left_out: the files of the run that are not in the folder, by path.
        page: the manifest of the first page.
    """

    name: str
    title: str
    note: str
    results: str
    manifests: Mapping[str, Manifest]
    files: Mapping[str, Described]
    left_out: Mapping[str, LeftOut]
    page: Manifest


def crate(told: Told) -> dict[str, Any]:
    """What ``ro-crate-metadata.json`` says of a run."""
    return _Crate(told).described()


class _Crate:
    """A crate that is being filled."""

    def __init__(self, told: Told) -> None:
        self._crate = ROCrate(version=_VERSION)
        self._crate.metadata.extra_terms.update(_TERMS)
        self._prefix = f"{told.results}/"
        self._manifests = told.manifests
        self._files = told.files
        self._left_out = told.left_out
        self._page = told.page
        self._commit = told.page["git"]["commit"] or "unknown"
        self._jobs = _jobs(told.manifests)
        self._entities: dict[str, Entity] = {}
        self._examples: dict[str, tuple[Entity, list[Entity]]] = {}
        """Each parameter of a rule with the values that jobs were given, by its identifier."""
        self._root(told.name, told.title, told.note)

    def described(self) -> dict[str, Any]:
        for path, file in self._files.items():
            if path != WORKFLOW:
                self._entities[path] = self._crate.add(
                    File(self._crate, dest_path=path, properties=self._of_file(path, file))
                )
        workflow = self._workflow()
        self._jobs_of(workflow)
        said: dict[str, Any] = self._crate.metadata.generate()
        return said

    def _root(self, name: str, title: str, note: str) -> None:
        crate, page = self._crate, self._page
        authors = self._add("#authors", "Organization", name="The flatminima authors")
        licence = self._add(
            _MIT, "CreativeWork", name="MIT License", url="https://opensource.org/license/mit"
        )
        for identifier, (called, version) in _PROFILES.items():
            self._add(identifier, "CreativeWork", name=called, version=version)
        crate.name = f"flatminima, the run {name!r}: {title}"
        crate.description = (
            "Data, networks, measurements, figures and report of one run of a workflow, with the "
            "workflow as it ran." + (f" {note}" if note else "")
        )
        crate.datePublished = _time(page["finished"])
        crate.license = licence
        root = crate.root_dataset
        root["author"] = root["publisher"] = authors
        root["conformsTo"] = [{"@id": identifier} for identifier in _PROFILES]
        crate.metadata["conformsTo"] = [
            {"@id": f"https://w3id.org/ro/crate/{_VERSION}"},
            {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"},
        ]

    def _workflow(self) -> Any:
        """The Snakefile, a step for each rule, and the tool that each step calls."""
        crate = self._crate
        engine = str(self._page["environment"]["packages"].get("snakemake", "unknown"))
        profile = f"{_BIOSCHEMAS}/ComputationalWorkflow/1.0-RELEASE"
        self._add(
            profile, "CreativeWork", name="Bioschemas ComputationalWorkflow", version="1.0-RELEASE"
        )
        workflow = crate.add_workflow(
            dest_path=WORKFLOW,
            main=True,
            lang="snakemake",
            lang_version=engine,
            properties={
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
                **self._of_file(WORKFLOW, self._files[WORKFLOW]),
                "name": "flatminima",
                "version": self._commit,
                "license": {"@id": _MIT},
                "conformsTo": {"@id": profile},
                "encodingFormat": _TEXT,
            },
            cls=ComputationalWorkflow,
        )
        self._entities[WORKFLOW] = workflow
        self._engine = self._add(
            "#snakemake",
            "SoftwareApplication",
            name="Snakemake",
            url="https://snakemake.github.io",
            softwareVersion=engine,
        )
        self._tools: dict[str, Entity] = {}
        self._steps: dict[str, Entity] = {}
        for position, rule in enumerate(dict.fromkeys(job.rule for job in self._jobs), 1):
            script = [file for path in _scripts(self._jobs, rule) if (file := self._in_crate(path))]
            tool = self._tools[rule] = self._add(
                f"#rule/{rule}",
                "SoftwareApplication",
                name=rule,
                description=f"The rule {rule} of the workflow and the script that it runs.",
                softwareVersion=self._commit,
                **({"hasPart": script} if script else {}),
            )
            self._steps[rule] = self._add(
                f"#step/{rule}",
                "HowToStep",
                name=rule,
                position=str(position),
                workExample=tool,
            )
        workflow["step"] = _alone(list(self._steps.values()))
        workflow["hasPart"] = _alone(list(self._tools.values()))
        return workflow

    def _jobs_of(self, workflow: Any) -> None:
        """The run as a whole, the engine that organized it, and each job."""
        inputs: dict[str, Entity] = {}
        results: dict[str, Entity] = {}
        parameters: dict[str, dict[str, Entity]] = {rule: {} for rule in self._tools}
        actions, controls = [], []
        for job in self._jobs:
            given = self._values(job, parameters[job.rule])
            read = {entry["path"]: self._used(entry) for entry in job.inputs}
            inputs |= {
                entry["path"]: read[entry["path"]]
                for entry in job.inputs
                if entry["manifest_id"] is None and not is_manifest(entry["path"])
            }
            made = {path: self._named(path, digest) for path, digest in job.outputs.items()}
            results |= made
            action = self._add(
                f"#job/{job.key}",
                "CreateAction",
                name=job.title,
                description=f"By `{job.command}`.",
                instrument=self._tools[job.rule],
                object=[*read.values(), *given],
                result=list(made.values()),
                startTime=_time(job.started),
                endTime=_time(job.finished),
                actionStatus=_DONE,
                resourceUsage=self._usage(job),
            )
            actions.append(action)
            controls.append(
                self._add(
                    f"#control/{job.key}",
                    "ControlAction",
                    name=f"Doing {job.title}",
                    instrument=self._steps[job.rule],
                    object=action,
                    actionStatus=_DONE,
                )
            )
        for rule, tool in self._tools.items():
            if parameters[rule]:
                tool["input"] = _alone(list(parameters[rule].values()))
        for parameter, values in self._examples.values():
            parameter["workExample"] = _alone(values)
        settings = self._settings(workflow)
        span = {
            "startTime": _time(min(job.started for job in self._jobs)),
            "endTime": _time(max(job.finished for job in self._jobs)),
            "actionStatus": _DONE,
        }
        run = self._add(
            "#run",
            "CreateAction",
            name="The run of the workflow",
            description="From the first job to the report; they may lie days apart.",
            instrument=workflow,
            object=[*inputs.values(), *settings],
            result=list(results.values()),
            **span,
        )
        self._add(
            "#organization",
            "OrganizeAction",
            name="Snakemake's work",
            instrument=self._engine,
            object=controls,
            result=run,
            **span,
        )
        self._crate.root_dataset["mentions"] = [run, *actions]

    def _settings(self, workflow: Any) -> list[Entity]:
        """The files of settings, as what the workflow was given."""
        paths = {file["path"] for made in self._manifests.values() for file in made["config_files"]}
        given = [file for path in sorted(paths) if (file := self._in_crate(path))]
        if given:
            parameter = self._parameter("#input/settings", "settings", "File")
            for file in given:
                file["exampleOfWork"] = parameter
            parameter["workExample"] = _alone(given)
            workflow["input"] = parameter
        page = self._named(self._page["output"]["path"], self._page["output"]["sha256"])
        parameter = self._parameter("#output/report", "report", "File")
        parameter["workExample"] = page
        page["exampleOfWork"] = parameter
        workflow["output"] = parameter
        return given

    def _parameter(self, identifier: str, name: str, kind: str) -> Entity:
        profile = f"{_BIOSCHEMAS}/FormalParameter/1.0-RELEASE"
        if profile not in self._entities:
            self._entities[profile] = self._add(
                profile, "CreativeWork", name="Bioschemas FormalParameter", version="1.0-RELEASE"
            )
        return self._add(
            identifier,
            "FormalParameter",
            name=name,
            additionalType=kind,
            conformsTo=self._entities[profile],
        )

    def _values(self, job: "_Job", parameters: dict[str, Entity]) -> list[Entity]:
        """The settings, wildcards and seeds that a job was given; jobs share what is the same."""
        values = []
        for name, value in {**job.seeds, **job.settings}.items():
            identifier = f"#{job.rule}/{_fragment(name)}"
            if name not in parameters:
                parameters[name] = self._parameter(identifier, name, "PropertyValue")
            text = _words(value)
            key = f"{identifier}={record_digest({name: value})[:12]}"
            if key not in self._entities:
                self._entities[key] = self._add(
                    key, "PropertyValue", name=name, value=text, exampleOfWork=parameters[name]
                )
                _, examples = self._examples.setdefault(identifier, (parameters[name], []))
                examples.append(self._entities[key])
            values.append(self._entities[key])
        return values

    def _usage(self, job: "_Job") -> list[Entity]:
        return [
            self._add(
                f"#usage/{job.key}/{key}",
                "PropertyValue",
                name=name,
                propertyID=f"{self._prefix}#{key}",
                value=str(value),
                unitCode=unit,
            )
            for key, name, unit in _USAGE
            if (value := job.manifest.get(key)) is not None
        ]

    def _used(self, entry: Input) -> Entity:
        return self._named(entry["path"], entry["sha256"])

    def _named(self, path: str, sha256: str) -> Entity:
        """What manifests call by a path: a file of the crate, or one that is not in it."""
        if file := self._in_crate(path):
            return file
        identifier = f"#absent/{_fragment(path)}"
        if identifier not in self._entities:
            absent = self._left_out.get(path.removeprefix(self._prefix))
            self._entities[identifier] = self._add(
                identifier,
                "CreativeWork",
                name=path,
                sha256=sha256,
                description="Not in this crate: "
                + (absent["why"] if absent else "it was no part of the project"),
                **({"contentSize": str(absent["bytes"])} if absent else {}),
                **self._licence(path),
            )
        return self._entities[identifier]

    def _in_crate(self, path: str) -> Entity | None:
        """The file of the crate that manifests call by a path."""
        own = path.removeprefix(self._prefix)
        return self._entities.get(own if own != path else f"{SOURCE}/{path}")

    def _of_file(self, path: str, file: Described) -> dict[str, Any]:
        kind = _FORMATS.get(PurePosixPath(path).suffix, _TEXT)
        return {
            "name": path,
            "sha256": file.sha256,
            "contentSize": str(file.bytes),
            "encodingFormat": kind,
            **self._licence(f"{self._prefix}{path}"),
        }

    def _licence(self, path: str) -> dict[str, Any]:
        """The licence of a data set whose points others made; all else is under the crate's."""
        manifest = self._manifests.get(path)
        if manifest is None or manifest["rule"] != "dataset":
            return {}
        images = IMAGE_SOURCES.get(str(manifest["recipe"]["config"].get("source")))
        if images is None:
            return {}
        words = images.licence
        identifier = f"#licence/{_fragment(words)}"
        if identifier not in self._entities:
            self._entities[identifier] = self._add(identifier, "CreativeWork", name=words)
        return {"license": self._entities[identifier]}

    def _add(self, identifier: str, kind: str, **properties: Any) -> Entity:
        said = {name: _alone(value) for name, value in properties.items()}
        entity = ContextEntity(self._crate, identifier, {"@type": kind, **said})
        added: Entity = self._crate.add(entity)
        return added


@dataclass(frozen=True)
class _Job:
    """A job, by the manifests of its outputs, which agree in all but the output."""

    key: str
    rule: str
    title: str
    manifest: Manifest
    outputs: Mapping[str, str]
    """The sha256 of each, by path."""

    @property
    def inputs(self) -> Sequence[Input]:
        return [entry for entry in self.manifest["inputs"] if not is_manifest(entry["path"])]

    @property
    def settings(self) -> Mapping[str, Any]:
        return {**self.manifest["recipe"]["config"], **self.manifest["wildcards"]}

    @property
    def seeds(self) -> Mapping[str, int]:
        return self.manifest["seeds"]

    @property
    def command(self) -> str:
        return self.manifest["command"]

    @property
    def started(self) -> str:
        return self.manifest["started"]

    @property
    def finished(self) -> str:
        return self.manifest["finished"]


def _jobs(manifests: Mapping[str, Manifest]) -> list[_Job]:
    """The jobs of a run, each after those whose outputs it read; equal runs in equal order."""
    by_recipe: dict[str, list[Manifest]] = {}
    for _, manifest in sorted(manifests.items()):
        by_recipe.setdefault(manifest["recipe"]["path"], []).append(manifest)
    depth: dict[str, int] = {}

    def depth_of(path: str) -> int:
        if path not in depth:
            made_from = [entry["path"] for entry in manifests[path]["inputs"]]
            read = (depth_of(it) for it in made_from if it in manifests)
            depth[path] = 1 + max(read, default=0)
        return depth[path]

    def place(made: Sequence[Manifest]) -> tuple[int, str, str]:
        return depth_of(made[0]["output"]["path"]), made[0]["rule"], made[0]["recipe"]["path"]

    return [
        _Job(
            _fragment(made[0]["recipe"]["path"].partition("recipes/")[2].removesuffix(".json")),
            made[0]["rule"],
            " ".join([made[0]["rule"], *made[0]["wildcards"].values()]),
            made[0],
            {it["output"]["path"]: it["output"]["sha256"] for it in made},
        )
        for made in sorted(by_recipe.values(), key=place)
    ]


def _scripts(jobs: Iterable[_Job], rule: str) -> list[str]:
    """The scripts that the jobs of a rule ran, from the project."""
    made = (job.manifest["recipe"] for job in jobs if job.rule == rule)
    paths = {file["path"] for recipe in made for file in recipe["code"]}
    return sorted(path for path in paths if path.startswith("workflow/scripts/"))


def _fragment(text: str) -> str:
    """Text as part of an identifier, which is an address."""
    return quote(text, safe="/")


def _alone(value: Any) -> Any:
    """A list of one as the one, as RO-Crate 1.1 wants it."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _words(value: Any) -> str:
    """A setting as text: itself, or JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _time(text: str) -> str:
    """A time as the profile wants it, to a thousandth of a second."""
    return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="milliseconds")
