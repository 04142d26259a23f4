"""The command ``flatminima``: audit results, and ask why they are stale."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from flatminima.configuration import resolver
from flatminima.errors import UserError
from flatminima.provenance.audit import audit
from flatminima.provenance.freshness import Status, status


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 if all is well and 1 if not. A wrong call exits with 2."""
    options = _parser().parse_args(arguments)
    try:
        root = options.root or _project(options.folder)
        return int(options.command(options.folder, root))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1


def _audit(folder: Path, root: Path) -> int:
    found = audit(folder, root, resolver(root))
    for finding in found.findings:
        print(f"{finding.level:<9} {finding}")
    print(found)
    return 0 if found.passed else 1


def _why(folder: Path, root: Path) -> int:
    jobs = status(folder.resolve(), root.resolve())
    for job in jobs:
        if job.state != "fresh":
            print(f"{_title(job)}: {'not made yet' if not job.outputs else job.state}")
            for reason in job.reasons:
                print(f"    {reason}")
    counts = [(state, sum(job.state == state for job in jobs)) for state in ("stale", "missing")]
    told = ", ".join(f"{number} {state}" for state, number in counts if number)
    print(f"{len(jobs)} jobs: {told or 'all fresh'}")
    return 0


def _title(job: Status) -> str:
    return " ".join([job.rule, *(f"{name}={value}" for name, value in job.wildcards.items())])


def _project(folder: Path) -> Path:
    """The project that a folder belongs to: the nearest one above it with a Snakefile."""
    for parent in [folder.resolve(), *folder.resolve().parents]:
        if (parent / "Snakefile").is_file():
            return parent
    raise UserError(
        f"{folder}: lies in no project (no Snakefile in the folders above it); name it with --root"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flatminima", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, command, words in (
        ("audit", _audit, "hash every file again and walk every result back to its data"),
        ("why", _why, "say for each stale result what changed, as of the last plan or dry run"),
    ):
        added = commands.add_parser(name, help=words, description=words)
        added.add_argument("folder", type=Path, help="results/<scale>, or a folder within it")
        added.add_argument(
            "--root", type=Path, help="the project; found from the folder if omitted"
        )
        added.set_defaults(command=command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
