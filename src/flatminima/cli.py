"""The command ``flatminima``: measure a network; check settings, audit, explain, publish results.

What measures a network takes the library alone. The rest is of a checkout and its results, and
takes the extra ``workflow``. Each command loads what it needs when it is called.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flatminima.errors import UserError
from flatminima.library.commands import add_commands

if TYPE_CHECKING:
    from flatminima.progress import Progress
    from flatminima.provenance.freshness import Status
    from flatminima.provenance.packing import Folder, Run
    from flatminima.provenance.published import LeftOut

_OF_THE_WORKFLOW = {
    "jinja2",
    "jsonschema",
    "markupsafe",
    "referencing",
    "rocrate",
    "sklearn",
    "yaml",
}
"""Modules that the extra ``workflow`` installs, and the library does without."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 if all is well and 1 if not. A wrong call exits with 2."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except UserError as error:
        print(error, file=sys.stderr)
    except ModuleNotFoundError as error:
        if error.name not in _OF_THE_WORKFLOW:
            raise
        print(
            f"{error.name} is not installed, and this command is of the workflow, which needs it; "
            "pip install 'flatminima[workflow]'",
            file=sys.stderr,
        )
    return 1


def _check(options: argparse.Namespace) -> int:
    """Say what is wrong with config.yaml and the overlays over it: where, and the cure."""
    from flatminima.configuration import SCHEMA, load

    root = options.root or _project(Path())
    files = [os.path.relpath(root / "config.yaml"), *map(str, options.folder)]
    print(f"{', '.join(files)}: right, for results/{load(files, root / SCHEMA)['scale']}")
    return 0


def _audit(options: argparse.Namespace) -> int:
    """Hash every file again and walk every result back to its data."""
    from flatminima.configuration import resolver
    from flatminima.provenance.audit import audit

    passed = []
    for folder in options.folder:
        root = options.root or _project_of_any(folder)
        report = audit(folder, root, resolver(root) if root else None)
        for finding in report.findings:
            print(f"{finding.level:<9} {finding}")
        print(f"{folder}: {report}" if len(options.folder) > 1 else report)
        passed.append(report.passed)
    return 0 if all(passed) else 1


def _why(options: argparse.Namespace) -> int:
    """Say for each stale result what changed, by the plan of a dry run (see make why)."""
    from flatminima.provenance.freshness import other_versions, read_manifests, status
    from flatminima.provenance.plan import read_plan
    from flatminima.provenance.recipe import results_within

    root = options.root or _project(options.folder)
    folder = Path(os.path.abspath(options.folder))
    jobs = status(folder, root, read_plan(options.plan))
    for job in jobs:
        if job.state != "fresh":
            print(f"{_title(job)}: {'not made yet' if not job.outputs else job.state}")
            for reason in job.reasons:
                print(f"    {reason}")
    manifests, _ = read_manifests(root, results_within(folder, root))
    for package, text in other_versions(root, manifests).items():
        print(f"note: {package}: {text}")
    counts = [(state, sum(job.state == state for job in jobs)) for state in ("stale", "missing")]
    totals = ", ".join(f"{number} {state}" for state, number in counts if number)
    print(f"{len(jobs)} jobs: {totals or 'all fresh'}")
    return 0


def _publish(options: argparse.Namespace) -> int:
    """Pack a finished run into published/<scale>, and into site/<scale> for a web server."""
    from flatminima.provenance.packing import LIMIT, published_folder

    run, progress = _finished(options)
    limit = LIMIT if options.limit is None else round(options.limit * 1e6)
    packed = published_folder(run.within(limit), options.note)
    return _put([packed, _site_of(run, packed.note, progress)], progress)


def _site(options: argparse.Namespace) -> int:
    """Write site/<scale>, a finished run as a folder for a web server, and nothing else."""
    from flatminima.provenance.packing import published_folder

    run, progress = _finished(options)
    return _put([_site_of(run, published_folder(run, options.note).note, progress)], progress)


def _finished(options: argparse.Namespace) -> "tuple[Run, Progress]":
    """The run that a folder holds, which passed the audit, and what says how far packing is."""
    from flatminima.configuration import resolver
    from flatminima.progress import Progress
    from flatminima.provenance.packing import finished_run

    root = options.root or _project(options.folder)
    print(f"{options.folder}: auditing it before anything is packed", file=sys.stderr, flush=True)
    run = finished_run(options.folder, root, resolver(root))
    return run, Progress(f"packing {options.folder}", interval=1.0, stream=sys.stderr)


def _site_of(run: "Run", note: str, progress: "Progress") -> "Folder":
    from flatminima.report.site import site

    return site(run, note, progress)


def _put(folders: "list[Folder]", progress: "Progress") -> int:
    """Write folders and say what is in them and what is not."""
    from flatminima.provenance.packing import put

    for folder, record in zip(folders, put(folders, progress), strict=True):
        place = folder.target.relative_to(folder.run.root)
        size = sum((folder.target / path).stat().st_size for path in record["files"])
        print(f"{place}: {len(record['files'])} files, {size / 1e6:.1f} MB")
        _tell_absent(record["left_out"])
    return 0


def _tell_absent(left_out: "Mapping[str, LeftOut]") -> None:
    reasons: dict[str, list[str]] = {}
    for path, absent in left_out.items():
        reasons.setdefault(absent["why"], []).append(path)
    for why, paths in reasons.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        print(f"not in it: {paths[0]}{more} ({why})")


def _title(job: "Status") -> str:
    return " ".join([job.rule, *(f"{name}={value}" for name, value in job.wildcards.items())])


def _project(folder: Path) -> Path:
    """The project that a folder belongs to: the nearest one above it with a Snakefile."""
    # Not resolved: results may be a link to another disk.
    place = Path(os.path.abspath(folder))
    for parent in [place, *place.parents]:
        if (parent / "Snakefile").is_file():
            return parent
    raise UserError(
        f"{folder}: lies in no project (no Snakefile in the folders above it); name it with --root"
    )


def _megabytes(text: str) -> float:
    """A size above nothing and within what a number can say."""
    size = float(text)
    if not 0 < size < 1e9:
        raise ValueError
    return size


def _project_of_any(folder: Path) -> Path | None:
    """The same of a folder that may be a published run, which needs no project around it."""
    from flatminima.provenance.published import is_published

    if not is_published(folder.resolve()):
        return _project(folder)
    try:
        return _project(folder.resolve().parent)
    except UserError:
        return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flatminima", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    add_commands(commands)
    for command, count, folder in (
        (_check, "*", "an overlay, later ones over earlier ones"),
        (_audit, "+", "results/<scale>, published/<name>, or a folder within results"),
        (_why, None, "results/<scale>"),
        (_publish, None, "results/<scale>, finished"),
        (_site, None, "results/<scale>, finished"),
    ):
        name, words = command.__name__.removeprefix("_"), command.__doc__
        added = commands.add_parser(name, help=words, description=words)
        added.add_argument("folder", type=Path, nargs=count, help=folder)
        added.add_argument(
            "--root", type=Path, help="the project; found from the folder if omitted"
        )
        if command is _why:
            added.add_argument(
                "--plan", type=Path, required=True, help="what FLATMINIMA_PLAN had a dry run write"
            )
        if command in (_publish, _site):
            added.add_argument(
                "--note", help="what a reader must know; that of an earlier time if omitted"
            )
        if command is _publish:
            added.add_argument(
                "--limit",
                type=_megabytes,
                metavar="MB",
                help="how large it may be (default: 40 MB)",
            )
        added.set_defaults(command=command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
