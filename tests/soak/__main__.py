"""Kill, fill, cut and starve runs of the project until the time is up, and count what is lost."""

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.soak.faults import full_disk, little_memory, not_finite, two_runs
from tests.soak.kills import Moments, chain, chain_of_jobs, scene
from tests.soak.outcome import Outcome, table
from tests.soak.truncation import cut, kinds
from tests.workflow.conftest import checkout

SCENES = {
    "smoke": {},
    "rings": {"only": ["rings"]},
    "swiss_roll": {"only": ["swiss_roll"]},
    "minefield": {"only": ["minefield"]},
    "images": {"only": ["images"]},
}


def main() -> int:
    """Return 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="when to stop killing")
    parser.add_argument("--kills", type=int, default=200, help="how many kills at most")
    parser.add_argument("--seed", type=int, default=1906, help="of the moments")
    parser.add_argument("--scenes", nargs="*", default=[*SCENES], choices=[*SCENES])
    parser.add_argument("--folder", type=Path, help="where to work, and leave what is there")
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes
    draw = random.Random(options.seed)  # noqa: S311 (not for secrets)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        place = options.folder or Path(folder)
        outcomes += others(place, draw)
        outcomes += kill(place, options, until, draw)
    print(table(outcomes))
    for outcome in outcomes:
        for fault in outcome.faults:
            print(f"{outcome.kind}: {fault}")
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def others(folder: Path, draw: random.Random) -> list[Outcome]:
    """Try all other faults on the experiment with rings."""
    made = scene(folder / "rings", "rings", SCENES["rings"], checkout)
    outcomes = []
    faults: dict[str, Callable[[Outcome], None]] = {
        "full disk": lambda outcome: full_disk(made, outcome),
        "two runs": lambda outcome: two_runs(made, outcome),
        "little memory": lambda outcome: little_memory(made, outcome),
        "NaN and Inf": lambda outcome: not_finite(made, outcome, draw),
    }
    for kind, strike in faults.items():
        outcomes.append(Outcome(kind))
        with outcomes[-1].timed():
            strike(outcomes[-1])
        print(table(outcomes[-1:]), *outcomes[-1].faults, sep="\n", flush=True)
    spare = folder / "spare"
    spare.mkdir(exist_ok=True)
    for kind, files, read in kinds(made.project.root, made.results, spare):
        outcomes.append(Outcome(f"truncated {kind}"))
        with outcomes[-1].timed():
            cut(files, read, outcomes[-1], draw=draw, tries=20)
        print(table(outcomes[-1:]), *outcomes[-1].faults, sep="\n", flush=True)
    return outcomes


def kill(
    folder: Path, options: argparse.Namespace, until: float, draw: random.Random
) -> list[Outcome]:
    """Kill runs of all scenes in turn until there were enough kills or the time is up."""
    left, scenes, moments = options.kills, {}, Moments()
    outcomes = {name: Outcome(f"SIGKILL, {name}") for name in options.scenes}
    ways = itertools.cycle((chain_of_jobs, chain))
    while left > 0 and time.monotonic() < until:
        way = next(ways)
        for name in options.scenes:
            outcome = outcomes[name]
            with outcome.timed():
                if name not in scenes:
                    scenes[name] = scene(folder / name, name, SCENES[name], checkout)
                    print(
                        f"{name}: planned in {scenes[name].planning:.1f} s, "
                        f"{scenes[name].job:.1f} s a job",
                        flush=True,
                    )
                before = outcome.tried
                differing = way(
                    scenes[name], draw, outcome, most=left, until=until, moments=moments
                )
                left -= outcome.tried - before
            outcome.faults += [
                f"{name}: {path} differs from the undisturbed run" for path in differing
            ]
            print(
                f"{name}: {outcome.tried} kills, {outcome.survived} survived, "
                f"{outcome.seconds:.0f} s; other bytes at the end: {len(differing)} files",
                flush=True,
            )
            if left <= 0 or time.monotonic() >= until:
                break
    print("kills by the tenth of the run:", dict(sorted(moments.tenths.items())))
    print("kills by rule that ran:", dict(moments.rules.most_common()))
    return [outcome for outcome in outcomes.values() if outcome.tried]


if __name__ == "__main__":
    sys.exit(main())
