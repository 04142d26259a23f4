"""The command ``flatminima``: check settings, audit, explain and publish results."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from flatminima.configuration import SCHEMA, load, resolver
from flatminima.errors import UserError
from flatminima.provenance.audit import audit
from flatminima.provenance.freshness import Status, status
from flatminima.provenance.packing import pack
from flatminima.provenance.plan import read_plan
from flatminima.provenance.published import read_record


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 if all is well and 1 if not. A wrong call exits with 2."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1


def _check(options: argparse.Namespace) -> int:
    """Say what is wrong with config.yaml and the overlays over it: where, and the cure."""
    root = options.root or _project(Path())
    files = [os.path.relpath(root / "config.yaml"), *map(str, options.folder)]
    print(f"{', '.join(files)}: right, for results/{load(files, root / SCHEMA)['scale']}")
    return 0


def _audit(options: argparse.Namespace) -> int:
    """Hash every file again and walk every result back to its data."""
    passed = []
    for folder in options.folder:
        root = options.root or _project(folder)
        report = audit(folder, root, resolver(root))
        for finding in report.findings:
            print(f"{finding.level:<9} {finding}")
        print(f"{folder}: {report}" if len(options.folder) > 1 else report)
        passed.append(report.passed)
    return 0 if all(passed) else 1


def _why(options: argparse.Namespace) -> int:
    """Say for each stale result what changed, by the plan of a dry run (see make why)."""
    root = options.root or _project(options.folder)
    jobs = status(Path(os.path.abspath(options.folder)), root, read_plan(options.plan))
    for job in jobs:
        if job.state != "fresh":
            print(f"{_title(job)}: {'not made yet' if not job.outputs else job.state}")
            for reason in job.reasons:
                print(f"    {reason}")
    counts = [(state, sum(job.state == state for job in jobs)) for state in ("stale", "missing")]
    totals = ", ".join(f"{number} {state}" for state, number in counts if number)
    print(f"{len(jobs)} jobs: {totals or 'all fresh'}")
    return 0


def _publish(options: argparse.Namespace) -> int:
    """Pack a finished run into published/<scale>, for readers who cannot compute it."""
    root = options.root or _project(options.folder)
    place = pack(options.folder, root, note=options.note, resolve=resolver(root))
    record = read_record(root / place)
    size = sum((root / place / path).stat().st_size for path in record["files"])
    print(f"{place}: {len(record['files'])} files, {size / 1e6:.1f} MB")
    for path, absent in record["left_out"].items():
        print(f"not in it: {path} ({absent['why']})")
    return 0


def _title(job: Status) -> str:
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flatminima", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for command, count, folder in (
        (_check, "*", "an overlay, later ones over earlier ones"),
        (_audit, "+", "results/<scale>, published/<name>, or a folder within results"),
        (_why, None, "results/<scale>"),
        (_publish, None, "results/<scale>, finished"),
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
        if command is _publish:
            added.add_argument(
                "--note", help="what a reader must know; that of an earlier time if omitted"
            )
        added.set_defaults(command=command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
