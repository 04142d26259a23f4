"""The frame around every workflow script: checked inputs, whole outputs, one manifest for each.

This is the one module of the library that meets Snakemake, by the attributes of the object that its
``script:`` directive leaves in a script.
"""

import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO, TypeVar, cast

from flatminima.devices import prepare
from flatminima.errors import DamagedFileError, UserError
from flatminima.progress import Progress
from flatminima.provenance import environment
from flatminima.provenance.closure import Code, file_digest, read_understood
from flatminima.provenance.manifest import (
    File,
    Input,
    Made,
    Manifest,
    MeantFile,
    is_manifest,
    lineage_id,
    manifest_path,
    read_manifest,
    write_manifest,
)
from flatminima.provenance.recipe import (
    FOLDER,
    UNDERSTOOD,
    Recipe,
    job_name,
    read_recipe,
    record_digest,
    results_of,
    settings_digest,
)
from flatminima.records import Record
from flatminima.scarcity import scarcity_in_words
from flatminima.storage import Arrays, canonical_json, read_arrays, read_json

CHECKPOINTS = "checkpoints"
"""The folder within the results of a scale for what jobs keep of unfinished work."""

RECIPE = "recipe"
"""The name of the input that holds the recipe."""

PARTS = "parts"
"""The name of the inputs that other jobs of the same rule made in parts."""

# How Snakemake's scattergather numbers parts: "2-of-3".
_SCATTERITEM = "scatteritem"

Kind = TypeVar("Kind", bound=Record)

_PACKAGE = __name__.partition(".")[0]
_INTERRUPTED = 130

# Seconds between two looks whether the run that started a job is still there; the next run plans
# for longer before it starts any.
_HEARTBEAT = 0.5


@dataclass(frozen=True)
class Job:
    """What a script is given: settings, and the paths of its inputs and outputs by name.

    A path is a string, or a list of strings where the rule lists several files under one name.
    """

    rule: str
    wildcards: Mapping[str, str]
    config: Mapping[str, Any]
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    threads: int
    device: str
    """``"cpu"`` or ``"cuda"``."""
    command: str
    config_files: tuple[str, ...]
    digest: str
    """Of the recipe: the settings, code and source files that the job is made from."""
    checkpoints: Path
    """A folder of this job alone for what is to outlive it when it is killed: no output.

    It is gone once the outputs are written."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the script found out that the manifests of its outputs are to say, see ``note``."""

    def note(self, **facts: Any) -> None:
        """Have the manifests of the outputs say something that no setting and no input tells.

        Raises:
            ValueError, TypeError: if it cannot be written as JSON.
        """
        canonical_json(facts)
        self.facts.update(facts)

    def arrays(self, name: str) -> Arrays:
        """Read the named arrays of an input."""
        return read_arrays(self.inputs[name])

    def record(self, name: str) -> Any:
        """Read an input that is JSON."""
        return read_json(self.inputs[name])

    @property
    def part(self) -> bool:
        """Whether this job does a part of what the one of its rule's name would do alone."""
        return _SCATTERITEM in self.wildcards

    def numbers(self, count: int) -> range:
        """Which of ``count`` things, counted from 0, are this job's: all, or those of its part."""
        part, parts = map(int, self.wildcards.get(_SCATTERITEM, "1-of-1").split("-of-"))
        return range(count * (part - 1) // parts, count * part // parts)

    def joined(self, kind: type[Kind], axis: str) -> Kind | None:
        """What other jobs did in parts, as one record; None if this job is to do it."""
        if PARTS not in self.inputs:
            return None
        return kind.joined([kind.read(path) for path in self.inputs[PARTS]], axis)

    def progress(self, *words: str) -> Progress:
        """Make a ``Report`` for library code, labelled with the wildcards and further words."""
        # A number says nothing without its name; the name of a data set does.
        told = [f"{k} {v}" if v[:1].isdigit() else v for k, v in self.wildcards.items()]
        return Progress(" ".join([*told, *words]) or self.rule)


Main = Callable[[Job], Record | None]
"""The work of a script."""


def run(snakemake: Any, main: Main) -> None:
    """Run ``main`` as the job that Snakemake describes, and leave with its exit status.

    PyTorch, where the script has loaded it, is made to compute alike every time. What is printed
    goes to the terminal and to the job's log. A ``UserError`` ends the job with its message alone,
    anything else with a traceback; either way no output is left behind.
    """
    if "torch" in sys.modules:
        prepare(int(snakemake.threads))
    root = Path.cwd()
    left = "nothing of this job is left behind"
    _session(snakemake, lambda: execute(snakemake, main, root, guard=True), left)


def run_unrecorded(snakemake: Any, work: Callable[[], None]) -> None:
    """Run a job whose outputs are source files, such as downloads, and leave with its exit status.

    It prints and ends as with ``run``, but there is neither recipe nor manifest: what such a file
    is, the manifests of those made from it say.
    """
    _session(snakemake, work, "run snakemake again to go on")


def _session(snakemake: Any, work: Callable[[], None], left: str) -> None:
    """Work; ``left`` says to whoever interrupts it what is left of it."""
    log = Path(str(snakemake.log[0])) if snakemake.log else None
    # As an interrupt, so that the outputs are removed on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        with _printing_to(log):
            status = _attempt(work, left)
    except UserError as error:  # the log itself
        print(error, file=sys.stderr)
        _discard(_outputs(snakemake))
        status = 1
    sys.exit(status)


def _end_with(parent: int) -> None:
    """End this process once the one that started it is gone.

    A Snakemake that was killed leaves its jobs behind, and the next one starts them once more: two
    would write the same files, and either would remove those of the other.
    """
    while os.getppid() == parent:
        time.sleep(_HEARTBEAT)
    os._exit(_INTERRUPTED)


def execute(snakemake: Any, main: Main, root: Path, *, guard: bool = False) -> None:
    """Check the inputs, run ``main`` and write the manifests; on any failure remove the outputs.

    Args:
        main: the script's work; a record that it returns is written as the one output.
        root: the project; relative paths start here and it is the working directory.
        guard: make sure that all first-party code this process loaded is in the job's recipe.

    Raises:
        DamagedFileError: if an input is not what its job wrote.
        UserError: if code or source files were edited after the run was planned.
        RuntimeError: if ``main`` does not write an output, or the rule does not declare a manifest.
    """
    try:
        started = time.time_ns()
        inputs = dict(snakemake.input.items())
        path = Path(str(inputs.pop(RECIPE)))
        recipe = read_recipe(root / path)
        job = _job(snakemake, path, recipe, inputs)
        # Now, not when all is done: by then the next run's settings may be in the files.
        record = _beginning(root, job, _made(root, path, recipe), results_of(path), started)
        if guard:
            _check_loaded(root, recipe)
        # What an earlier run left must not pass for what this one writes.
        _discard(root / output for output in _outputs(snakemake))
        with scarcity_in_words(job.config):
            if (result := main(job)) is not None:
                (output,) = job.outputs.values()
                result.write(output)
        if guard:
            _check_loaded(root, recipe)
        _finish(root, job, record, started)
    except BaseException:
        _discard(root / output for output in _outputs(snakemake))
        raise


def _job(snakemake: Any, path: Path, recipe: Recipe, inputs: dict[str, Any]) -> Job:
    declared = _outputs(snakemake)
    outputs = {k: v for k, v in snakemake.output.items() if not is_manifest(_flat(v)[0])}
    paths = [output for value in outputs.values() for output in _flat(value)]
    untold = [output for output in paths if str(manifest_path(output)) not in declared]
    if untold or not paths:
        raise RuntimeError(
            f"rule {recipe['rule']} must name its outputs and declare the manifest of each: "
            f"{', '.join(untold) or 'it names none'}"
        )
    config_files, results = tuple(snakemake.config.get("config_files", ())), results_of(path)
    # The first is picked up without being named.
    overlays = ["--configfile", *config_files[1:], "--"] if config_files[1:] else []
    return Job(
        rule=recipe["rule"],
        wildcards=recipe["wildcards"],
        config=recipe["config"],
        inputs={name: _plain(value) for name, value in inputs.items()},
        outputs={name: _plain(value) for name, value in outputs.items()},
        threads=int(snakemake.threads),
        device=_device(
            snakemake.config.get("device", "auto"), int(snakemake.resources.get("gpu", 0))
        ),
        command=" ".join(["snakemake", "--cores", str(snakemake.threads), *overlays, paths[0]]),
        config_files=config_files,
        digest=record_digest(recipe),
        checkpoints=results / CHECKPOINTS / job_name(recipe["rule"], recipe["wildcards"]),
    )


def _device(setting: str, gpus: int) -> str:
    """Where to compute: on the GPU if the rule asks, the setting allows and there is one."""
    torch: Any = sys.modules.get("torch")
    if torch is None or gpus == 0 or setting == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if setting == "cuda":
        raise UserError(
            "config.yaml: device is cuda, but PyTorch finds no GPU; set device to auto or cpu"
        )
    return "cpu"


def _made(root: Path, path: Path, recipe: Recipe) -> Made:
    """The recipe as the manifest records it, once the code and files on disk are seen to match."""
    kept = read_understood(root / results_of(path) / FOLDER / UNDERSTOOD)
    meaning = Code(root / "src", kept).meaning
    code = [_meant(root, name, meaning) for name in recipe["code"]]
    files: list[File] = [
        {"path": name, "sha256": file_digest(root / name)} for name in recipe["files"]
    ]
    present = [(file["path"], recipe["code"], file["meaning_sha256"]) for file in code]
    present += [(file["path"], recipe["files"], file["sha256"]) for file in files]
    for name, planned, digest in present:
        if planned[name] != digest:
            raise UserError(f"{name}: was edited after this run was planned; run snakemake again")
    return {
        "path": path.as_posix(),
        "sha256": record_digest(recipe),
        "config": recipe["config"],
        "config_sha256": record_digest(recipe["config"]),
        "code": code,
        "files": files,
    }


def _meant(root: Path, name: str, meaning: Callable[[Path], str]) -> MeantFile:
    path = root / name
    return {"path": name, "sha256": file_digest(path), "meaning_sha256": meaning(path)}


def _checked(root: Path, name: str, path: str, results: Path) -> Input:
    """The record of an input, once its bytes are seen to be those its manifest promises."""
    digest, record = file_digest(root / path), manifest_path(path)
    entry: Input = {
        "name": name,
        "path": path,
        "sha256": digest,
        "manifest": None,
        "manifest_id": None,
    }
    if (root / record).is_file():
        manifest = read_manifest(root / record)
        if manifest["output"]["sha256"] != digest:
            raise DamagedFileError(
                f"{path}: not the file its job wrote: expected sha256 "
                f"{manifest['output']['sha256'][:12]}…, found {digest[:12]}…; "
                "delete it and run snakemake again"
            )
        entry |= {"manifest": record.as_posix(), "manifest_id": lineage_id(manifest)}
    elif is_manifest(path):
        read_manifest(root / path)
    elif Path(path).is_relative_to(results):
        raise DamagedFileError(
            f"{path}: has no manifest, so what made it is unknown; "
            "delete it and run snakemake again"
        )
    return entry


def _check_loaded(root: Path, recipe: Recipe) -> None:
    """Make sure that what ran is what the recipe names, for the closure is read without running."""
    planned = {(root / name).resolve() for name in recipe["code"]}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.partition(".")[0] != _PACKAGE or file is None or Path(file).resolve() in planned:
            continue
        if not Path(file).resolve().is_relative_to(root.resolve()):
            raise UserError(
                f"{name} was loaded from {file}, which is not in this project ({root}); install "
                "the package from here (pip install --editable .) or set PYTHONPATH=src"
            )
        raise UserError(
            f"{name} was loaded, but nothing in the code of this job imports it by name, so edits "
            "to it would go unnoticed; import it where it is used"
        )


def _beginning(root: Path, job: Job, made: Made, results: Path, started: int) -> dict[str, Any]:
    """What every manifest of the job says about the state it began in."""
    return {
        "rule": job.rule,
        "command": job.command,
        "wildcards": dict(job.wildcards),
        "recipe": made,
        "config_files": [_meant(root, path, settings_digest) for path in job.config_files],
        "seeds": dict(_seeds(job.config)),
        "inputs": [
            _checked(root, name, path, results)
            for name, value in job.inputs.items()
            for path in _flat(value)
        ],
        "git": environment.git(root),
        "started": timestamp(started),
    }


def _finish(root: Path, job: Job, record: Mapping[str, Any], started: int) -> None:
    """Write the manifest of every output."""
    paths = [path for value in job.outputs.values() for path in _flat(value)]
    missing = [path for path in paths if not (root / path).is_file()]
    if missing:
        raise RuntimeError(f"the script of {job.rule} did not write {', '.join(missing)}")
    digests = [file_digest(root / path) for path in paths]
    now = max(time.time_ns(), started)  # clocks step back
    common = {
        **record,
        "environment": environment.environment(root, job.device, job.threads),
        "finished": timestamp(now),
        "cpu_seconds": round(time.process_time(), 3),
        "wall_seconds": round(max(time.time_ns() - started, 0) / 1e9, 3),
        "peak_memory_mb": environment.peak_memory_mb(),
        "peak_gpu_memory_mb": environment.peak_gpu_memory_mb(job.device),
        **({"facts": job.facts} if job.facts else {}),
    }
    for path, digest in zip(paths, digests, strict=True):
        written = (root / path).stat()
        output = {
            "path": path,
            "sha256": digest,
            "bytes": written.st_size,
            "mtime_ns": written.st_mtime_ns,
        }
        write_manifest(root, cast(Manifest, {**common, "output": output}))
    shutil.rmtree(root / job.checkpoints, ignore_errors=True)


def timestamp(time_ns: int) -> str:
    """Write a time in nanoseconds since 1970 as ISO 8601 in UTC, cut to microseconds."""
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=time_ns // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _seeds(value: object, *keys: str) -> Iterator[tuple[str, int]]:
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _seeds(entry, *keys, str(key))
    elif keys and keys[-1] == "seed" and isinstance(value, int):
        yield ".".join(keys), value


def _outputs(snakemake: Any) -> list[str]:
    return [path for _, value in snakemake.output.items() for path in _flat(value)]


def _flat(value: Any) -> list[str]:
    return [str(value)] if isinstance(value, str | os.PathLike) else [str(path) for path in value]


def _plain(value: Any) -> str | list[str]:
    return str(value) if isinstance(value, str | os.PathLike) else _flat(value)


def _discard(paths: Any) -> None:
    for path in paths:
        with suppress(OSError):
            os.unlink(path)


def _attempt(work: Callable[[], None], left: str) -> int:
    try:
        with scarcity_in_words():
            work()
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"interrupted; {left}", file=sys.stderr)
        return _INTERRUPTED
    except Exception:
        traceback.print_exc()
        return 1
    return 0


@contextmanager
def _printing_to(log: Path | None) -> Iterator[None]:
    """Send what is printed to the log as well as to the terminal."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a β must not end a job.
        cast(Any, stream).reconfigure(errors="backslashreplace")
    if log is None:
        yield
        return
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        copy = log.open("w", encoding="utf-8", buffering=1)
    except OSError as error:
        raise UserError(
            f"{log}: the log cannot be written ({error.strerror}); "
            f"check that {log.parent} is a folder you may write to"
        ) from error
    try:
        out, err = (cast(TextIO, _Tee(stream, copy)) for stream in (sys.stdout, sys.stderr))
        with redirect_stdout(out), redirect_stderr(err):
            yield
    finally:
        with suppress(OSError):  # as in ``_Tee``, what is left of it
            copy.close()


class _Tee:
    """A text stream that writes to a terminal and to a log."""

    def __init__(self, terminal: TextIO, log: TextIO) -> None:
        self._terminal = terminal
        self._log = log

    def write(self, text: str) -> int:
        self._terminal.write(text)
        # A full disk is for the results to tell of; the log is no reason to end.
        with suppress(OSError):
            self._log.write(text)
        return len(text)

    def flush(self) -> None:
        self._terminal.flush()
        with suppress(OSError):
            self._log.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._terminal, name)
