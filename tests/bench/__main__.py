"""Time every case and write what was found, for the table of the report."""

import argparse
import sys
import time
from pathlib import Path

from flatminima.provenance.environment import environment
from flatminima.report import speed
from flatminima.storage import write_json
from tests.bench import peers
from tests.bench.cases import CASES
from tests.bench.scene import trained
from tests.bench.work import Bench, Record
from tests.workflow.conftest import ROOT

TARGET = ROOT / "report" / speed.FILE
RESULTS = ROOT / "results" / "bench"


def main() -> int:
    """Write one file for each case as it ends, and the table once all are there."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--cases", nargs="*", default=[*CASES], choices=[*CASES])
    parser.add_argument("--repeats", type=int, default=5, help="turns; figures are medians")
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where the files go")
    parser.add_argument("--table", type=Path, default=TARGET, help="where the table goes")
    options = parser.parse_args()
    if missing := peers.missing():
        print(f"{' and '.join(missing)}: not installed; say make bench", file=sys.stderr)
        return 1
    found = run(Bench(repeats=options.repeats), options.cases, options.folder)
    if options.cases == [*CASES]:
        write_table(found, options.table)
        print(f"table: {options.table}")
    return 0


def run(bench: Bench, cases: list[str], folder: Path) -> list[Record]:
    """Do the cases, print and write each as it ends, and return all records."""
    start = time.monotonic()
    roll = trained(bench.short)
    found: list[Record] = []
    for case in cases:
        records = []
        for record in CASES[case](bench, roll):
            print(f"{time.monotonic() - start:4.0f} s  {line(record)}", flush=True)
            records.append(record)
        write_json(folder / f"{case}.json", records)
        found += records
    return found


def write_table(records: list[Record], path: Path) -> None:
    """Write all records as the report reads them."""
    told = environment(ROOT, "cpu", 1)
    write_json(path, {"os": told["os"], "packages": told["packages"], "records": records})


def line(record: Record) -> str:
    """A record in words."""
    words = f"{record['case']}, {record['size']}, {record['threads']} threads: "
    words += f"{record['ours']} {record['unit']}"
    if record["peer_name"]:
        words += f", {record['ratio']} times {record['peer_name']}"
    if record["spread"] is not None:
        words += f", spread {record['spread']}"
    if record["share_of_limit"] is not None:
        words += f", {record['share_of_limit']} of the limit"
    if record["peak_memory_mb"] is not None:
        words += f", {record['peak_memory_mb']} MB"
    return words


if __name__ == "__main__":
    sys.exit(main())
