"""Files cut off at any byte, of every kind: named in one line with the cure, or rightly ignored."""

import contextlib
import io
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from jinja2 import TemplateSyntaxError
from scipy.io import savemat

from flatminima.configuration import SCHEMA, load
from flatminima.data.load import load as load_data
from flatminima.data.sources import IMAGE_SOURCES
from flatminima.errors import UserError
from flatminima.provenance.audit import audit
from flatminima.provenance.closure import read_understood
from flatminima.provenance.manifest import SUFFIX
from flatminima.provenance.plan import INDEX, Plan, begun
from flatminima.provenance.recipe import FOLDER, UNDERSTOOD, read_recipe, settings_digest
from flatminima.report.article import environment_of
from flatminima.report.claims import read as read_claims
from flatminima.training.checkpoints import Checkpoints
from tests.data.conftest import cifar10_bytes, svhn_arrays
from tests.soak.outcome import Outcome
from tests.workflow.conftest import ROOT

Read = Callable[[Path], object]
"""What reads a file of a kind: raises a ``UserError``, or returns what stands for its content."""


def kinds(root: Path, results: Path, spare: Path) -> Iterator[tuple[str, list[Path], Read]]:
    """Every kind of file with some of its files and what reads them.

    Args:
        root: a project.
        results: of a finished run in it.
        spare: an empty folder for files that are made to be cut.
    """
    name = results.relative_to(root)

    def plan(path: Path) -> object:
        Plan(name, root)
        return path

    made = [
        path
        for path in results.rglob("*")
        if path.is_file() and path.with_name(path.name + SUFFIX).is_file()
    ]
    by_suffix = {path.suffix: path for path in sorted(made)}
    yield "results", [*by_suffix.values()], plan
    yield "manifests", [Path(f"{path}{SUFFIX}") for path in by_suffix.values()], plan
    kept = (results / FOLDER / INDEX, results / FOLDER / UNDERSTOOD)
    recipes = sorted(path for path in (results / FOLDER).rglob("*.json") if path not in kept)
    yield "recipes", recipes[:5], read_recipe
    yield "list of recipes", [results / FOLDER / INDEX], lambda _: begun(name, root)
    # The code is understood anew without it.
    yield (
        "meanings of code",
        [results / FOLDER / UNDERSTOOD],
        lambda p: read_understood(p) or IGNORED,
    )
    yield "checkpoints", [_checkpoint(spare)], _resumed
    yield "published runs", *_published(spare)
    yield "data sets", _images(spare), _drawn
    settings = ["config.yaml", "workflow/scales/smoke.yaml"]
    both = [root / file for file in settings]
    said = {file: settings_digest(file) for file in both}

    def settings_of(file: Path) -> object:
        config = load(both, root / SCHEMA)
        # What is whole without its end is an edit, of which the audit and ``make why`` tell.
        return config if settings_digest(file) == said[file] else IGNORED

    yield "settings", both, settings_of
    yield "templates", sorted((root / "report/templates").glob("*.j2")), _parsed
    yield "claims", sorted((root / "report/claims").glob("*.yaml")), _claims
    schemas = [root / SCHEMA, *sorted((root / SCHEMA).parent.glob("experiments/*.yaml"))]
    yield "schemas of settings", schemas, lambda _: load(both, root / SCHEMA)


def cut(
    files: list[Path], read: Read, outcome: Outcome, *, draw: random.Random, tries: int
) -> None:
    """Cut each file at some random bytes, and at its ends."""
    for path in files:
        content = path.read_bytes()
        whole = read(path)
        places = {0, 1, len(content) - 1, *(draw.randrange(len(content)) for _ in range(tries))}
        for place in sorted(places):
            path.write_bytes(content[:place])
            outcome.count(*_wrong(path, place, whole, read))
        path.write_bytes(content)


def _wrong(path: Path, place: int, whole: object, read: Read) -> list[str]:
    where = f"{path.name}, cut at byte {place}"
    try:
        found = read(path)
    except UserError as error:
        told = str(error)
        if "\n" in told:
            return [f"{where}: told in several lines: {told}"]
        return [] if ":" in told or path.name in told else [f"{where}: names no file: {told}"]
    except Exception as error:
        return [f"{where}: {type(error).__name__}: {error}"]
    return [] if found == whole or found is IGNORED else [f"{where}: passes for whole"]


IGNORED = object()
"""What a reader returns that rightly does without the file."""


def _checkpoint(folder: Path) -> Path:
    state = {"step": 3, "weights": torch.arange(6.0), "more": [1.5, (2, "a")]}
    Checkpoints(folder / "checkpoints", "recipe").write(0, "key", state)
    (path,) = (folder / "checkpoints").iterdir()
    return path


def _resumed(path: Path) -> object:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        state = Checkpoints(path.parent, "recipe").read(0, "key")
    if state is None:
        return IGNORED if "damaged" in said.getvalue() else "in silence"
    return str(state)


def _published(root: Path) -> tuple[list[Path], Read]:
    """The files of a published run, a copy of one in this project if there is any."""
    shutil.copytree(ROOT / "published", root / "published", dirs_exist_ok=True)
    runs = sorted((root / "published").glob("*/published.json"))
    if not runs:
        return [], str
    run = runs[0].parent
    by_suffix = {path.suffix: path for path in sorted(run.rglob("*")) if path.is_file()}

    def audited(path: Path) -> object:
        report = audit(run, root)
        named = path.relative_to(root).as_posix()
        wrong = [finding for finding in report.findings if finding.level == "mismatch"]
        if wrong and not any(
            named in finding.path or run.name in finding.path for finding in wrong
        ):
            return "names another file"
        return IGNORED if wrong else "passes"

    return [*by_suffix.values(), runs[0]], audited


def _images(folder: Path) -> list[Path]:
    """Files in the layouts of both sets of images, small."""
    svhn, cifar10 = folder / "svhn", folder / "cifar10"
    svhn.mkdir(exist_ok=True)
    cifar10.mkdir(exist_ok=True)
    for seed, part in enumerate(("train", "test")):
        savemat(svhn / f"{part}_32x32.mat", svhn_arrays(12, seed), do_compression=seed == 0)
    for batch in range(1, 6):
        (cifar10 / f"data_batch_{batch}.bin").write_bytes(cifar10_bytes(5, batch))
    (cifar10 / "test_batch.bin").write_bytes(cifar10_bytes(5, 6))
    return [*sorted(svhn.iterdir()), cifar10 / "data_batch_2.bin", cifar10 / "test_batch.bin"]


def _drawn(path: Path) -> object:
    name = path.parent.name
    files = IMAGE_SOURCES[name].paths(str(path.parent))
    data = load_data(
        name, seed=1, files=files, checksums="any", train_points=5, test_points=4, poison_points=5
    )
    return {key: array.tobytes() for key, array in data.arrays().items()}


def _claims(path: Path) -> object:
    read_claims(path.parent)
    return IGNORED  # fewer claims are claims too; the recipe knows the files by their sha256


def _parsed(path: Path) -> object:
    # A page is cut in silence between two blocks; the recipe knows templates by their sha256.
    with contextlib.suppress(TemplateSyntaxError):
        environment_of(path.parent).get_template(path.name)
    return IGNORED
