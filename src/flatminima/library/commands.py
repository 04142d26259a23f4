"""The commands on a network of one's own: ``flatminima surface my_module:make --checkpoint a.pt``.

``my_module:make`` names a function without arguments that returns a ``Problem``, or what one is
made of: a module and its data, and a loss if that is not cross-entropy. Of a checkpoint the module
gets its values first. Options have the names and the defaults that they have in Python.
"""

import argparse
import contextlib
import importlib.util
import math
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flatminima.errors import UserError, quoted
from flatminima.scarcity import out_of_memory

if TYPE_CHECKING:
    from flatminima.library.problem import Problem
    from flatminima.library.tables import Table

PICTURES = (".png", ".svg", ".pdf")
EXPORTS = (".npz", ".csv", ".vtk")
TABLES = (".txt", ".json")
SAVED = ".safetensors"

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


class Found(Protocol):
    """What every result can do."""

    def plot(self, path: Path) -> Any: ...  # noqa: D102
    def export(self, path: Path) -> None: ...  # noqa: D102
    def save(self, path: Path) -> None: ...  # noqa: D102
    def table(self) -> "Table": ...  # noqa: D102


@dataclass(frozen=True)
class Option:
    """An option of a call.

    Attributes:
        name: as in Python.
        kind: reads it.
        default: that of the call, which a test compares; None is told by the words.
        words: what it is.
        choices: of which it is one.
    """

    name: str
    kind: Callable[[str], Any]
    default: Any
    words: str
    choices: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Command:
    """One command: a call of the library.

    Attributes:
        name: of the method of ``Problem``, or of the function.
        words: what it does.
        options: of the call.
        least, most: how many checkpoints it takes; without any, the values that the module has.
    """

    name: str
    words: str
    options: tuple[Option, ...]
    least: int = 0
    most: int | None = 1


def _number(text: str) -> float:
    """A number above nothing."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def _count(text: str) -> int:
    """A whole number above nothing."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def memory_size(text: str) -> int:
    """Bytes, such as 2GiB, 500MB or 1000000.

    Raises:
        ValueError: if it is none.
    """
    found = re.fullmatch(r"([\d.]+)\s*([kmg]i?)?b?", text.strip().lower())
    size = round(float(found[1]) * _UNITS[found[2] or ""]) if found else 0
    if size < 1:
        raise ValueError
    return size


def target(text: str) -> tuple[str, str]:
    """A module, or the file of one, and a function in it.

    Raises:
        ValueError: if it is none.
    """
    module, colon, function = text.rpartition(":")
    if not colon or not module or not function.isidentifier():
        raise ValueError
    return module, function


def out(text: str) -> Path:
    """A file to write, by its suffix.

    Raises:
        argparse.ArgumentTypeError: if it is of no known kind.
    """
    known = (*PICTURES, *EXPORTS, *TABLES, SAVED)
    if Path(text).suffix.lower() not in known:
        raise argparse.ArgumentTypeError(
            f"{text}: a file to write ends in {', '.join(known[:-1])} or {known[-1]}"
        )
    return Path(text)


# argparse calls what it cannot read by these.
_number.__name__, _count.__name__, _seed.__name__ = "number", "count", "seed"
memory_size.__name__, target.__name__ = "size", "module:function"

# Of a path, as of connect_all.
_STEPS = 2000

_SEED = Option("seed", _seed, 0, "root seed of all that is drawn")
_MEMORY = Option("memory", memory_size, None, "bytes to take at most, such as 2GiB")

_LEVEL = Option("level", _number, None, "loss at which to take it all, nats; as it is if omitted")

COMMANDS = (
    Command(
        "surface",
        "The loss on a plane through a minimum, along two filter-normalised directions.",
        (
            Option("reach", _number, 1.0, "half the side of the square, in filter norms"),
            Option("grid_points", _count, 41, "places along each side, an odd number"),
            _SEED,
            _MEMORY,
        ),
    ),
    Command(
        "volume",
        "How large the basin around a minimum is, by every estimator.",
        (
            Option("cutoff", _number, 0.5, "of the mean loss, nats"),
            Option("divergence", _number, 0.1, "bound of the divergence of the predictions, nats"),
            Option("directions", _count, 256, "rays of each estimator"),
            Option("pilots", _count, 16, "further rays, by which preconditioners are chosen"),
            _SEED,
            _MEMORY,
        ),
    ),
    Command(
        "curvature",
        "Top eigenvalues, trace and spectrum of the Hessian or the Gauss-Newton matrix.",
        (
            Option("matrix", str, "hessian", "which matrix", ("hessian", "gauss_newton")),
            Option("units", str, "raw", "in which distances are taken", ("raw", "filter")),
            _LEVEL,
            Option("top", _count, 5, "eigenvalues to find"),
            Option("probes", _count, 10, "random vectors behind each interval"),
            Option("steps", _count, 80, "of Lanczos' iteration from each"),
            _SEED,
            _MEMORY,
        ),
    ),
    Command(
        "compare",
        "Two networks or more at one loss: numbers with intervals, and what differs.",
        (
            replace(_LEVEL, words="the loss, nats; the highest of their own if omitted"),
            Option("excess", _number, 0.4, "how far the loss may rise in the region of low loss"),
            Option("divergence", _number, 0.1, "bound of the divergence of the predictions, nats"),
            Option("directions", _count, 128, "rays of each region"),
            Option("pilots", _count, 16, "further rays, by which preconditioners are chosen"),
            Option("grid_points", _count, 25, "places along each side of the surfaces"),
            _SEED,
        ),
        least=2,
        most=None,
    ),
    Command(
        "path",
        "A path of low loss between two minima, beside the straight line.",
        (
            Option("kind", str, "bezier", "which curve", ("bezier", "polychain")),
            Option("bends", _count, 1, "points between the ends that are trained"),
            Option("steps", _count, _STEPS, "of training"),
            Option("samples", _count, 4, "places on the path in each step"),
            _SEED,
        ),
        least=2,
        most=2,
    ),
)


def add_commands(commands: Any) -> None:
    """Add the commands to a parser's."""
    for command in COMMANDS:
        added = commands.add_parser(
            command.name,
            help=command.words,
            description=f"{command.words} {_TARGET}",
        )
        added.add_argument("target", type=target, metavar="module:function", help=_FUNCTION)
        added.add_argument(
            "--checkpoint",
            type=Path,
            nargs="+" if command.most != 1 else None,
            default=[],
            metavar="FILE",
            help="the trained values: a state dict by torch.save or safetensors",
        )
        added.add_argument(
            "--out",
            type=out,
            nargs="+",
            default=[],
            metavar="FILE",
            help=f"{', '.join(PICTURES)}: a picture; {', '.join(EXPORTS)}: for other programs; "
            f"{', '.join(TABLES)}: the table; {SAVED}: all of it, for flatminima.load",
        )
        for option in command.options:
            told = "" if option.default is None else f" (default: {option.default})"
            added.add_argument(
                f"--{option.name.replace('_', '-')}",
                type=option.kind,
                choices=option.choices,
                default=argparse.SUPPRESS,
                help=option.words + told,
            )
        added.set_defaults(command=run, called=command, parser=added)


_TARGET = (
    "The function takes no arguments and returns a Problem, or a module and its data, or these and "
    "a loss. It is looked for from the folder that the command is called in."
)
_FUNCTION = "a function of a module, such as my_module:make or train.py:make"


def run(options: argparse.Namespace) -> int:
    """Do one command: the result as a line on stdout, all else on stderr."""
    command: Command = options.called
    paths = [options.checkpoint] if isinstance(options.checkpoint, Path) else options.checkpoint
    if not command.least <= len(paths) <= (command.most or len(paths)):
        options.parser.error(f"{command.name} takes {_how_many(command)}, not {len(paths)}")
    asked = {o.name: getattr(options, o.name) for o in command.options if o.name in options}
    try:
        # What a module prints while it is imported is no result.
        with errors_in_words(), contextlib.redirect_stdout(sys.stderr):
            _writable(options.out)
            make = function(*options.target)
            names = _names(paths) or [""]
            made = [problem_of(make, path) for path in paths or [None]]
            found = _call(command, dict(zip(names, made, strict=True)), asked)
        print(repr(found), flush=True)
        with errors_in_words():
            for path in options.out:
                write(found, path)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def function(module: str, name: str) -> Callable[[], Any]:
    """A function of a module, or of a file that is one.

    Raises:
        UserError: if there is no such module or function.
    """
    folder = os.path.dirname(module) if module.endswith(".py") else ""
    sys.path.insert(0, os.path.abspath(folder))
    try:
        loaded = (
            _of_file(Path(module)) if module.endswith(".py") else importlib.import_module(module)
        )
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise UserError(
            f"{module}: there is no such module in this folder, nor among those installed; "
            "name one, or the path of its file, before the colon"
        ) from error
    found = getattr(loaded, name, None)
    if not callable(found):
        raise UserError(f"{module}: has no function {name}; name one that makes the problem")
    return found  # type: ignore[no-any-return]


def _of_file(path: Path) -> Any:
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; name a module, or its file, by its path")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path}: is no module of Python; name a file that is one")
    # Known by its name, as a module that is imported is, so that its classes are found in it.
    sys.modules[path.stem] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def problem_of(make: Callable[[], Any], checkpoint: Path | None) -> "Problem":
    """The problem that a function makes, with the values of a checkpoint.

    Raises:
        UserError: if it makes no problem, or the checkpoint does not fit it.
    """
    from torch import nn

    from flatminima.library.checkpoints import load_into
    from flatminima.library.problem import Problem

    made = make()
    if isinstance(made, Problem):
        if checkpoint is None:
            return made
        module = made.module
        load_into(module, checkpoint)
        return made.at(module)
    parts = made if isinstance(made, tuple) else ()
    if (
        len(parts) not in (2, 3)
        or not isinstance(parts[0], nn.Module)
        or (len(parts) == 3 and not (callable(parts[2]) or isinstance(parts[2], str)))
    ):
        given = ", ".join(type(part).__name__ for part in parts) or type(made).__name__
        raise UserError(
            f"{make.__module__}:{make.__name__} returns ({given}); it returns a Problem, or "
            "(module, data), or (module, data, loss), where data are (inputs, targets)"
        )
    if checkpoint is not None:
        load_into(parts[0], checkpoint)
    return Problem(*parts)


def write(found: Found, path: Path) -> None:
    """Write a result as the suffix of a path says.

    Raises:
        UserError: if such a result has no such form, or it cannot be written.
    """
    from flatminima.storage import canonical_json, write_bytes

    suffix = path.suffix.lower()
    if suffix in PICTURES:
        found.plot(path)
    elif suffix in EXPORTS:
        found.export(path)
    elif suffix == SAVED:
        found.save(path)
    elif suffix == ".txt":
        write_bytes(path, f"{found.table()}\n".encode())
    else:
        write_bytes(path, canonical_json(_record(found.table())))


def _record(table: "Table") -> dict[str, Any]:
    """A table as JSON has it: null where there is no finite number."""
    rows = [{name: _plain(value) for name, value in asdict(row).items()} for row in table]
    return {"heading": table.heading, "notes": list(table.notes), "rows": rows}


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextlib.contextmanager
def errors_in_words() -> Iterator[None]:
    """Raise whatever goes wrong as one line: what, and in somebody's code where.

    Raises:
        UserError: it.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        text = quoted(next(iter(str(error).strip().splitlines()), ""))
        if out_of_memory(error):
            told = f"out of memory ({text}); lower --memory, or give fewer points"
        else:
            place = traceback.extract_tb(error.__traceback__)[-1]
            own = Path(place.filename).is_relative_to(Path(__file__).parents[1])
            # What the library refuses is a sentence of its own.
            where = f"{place.filename}:{place.lineno}: {type(error).__name__}: "
            told = text if own and isinstance(error, ValueError) else f"{where}{text}"
        raise UserError(told) from error


def _writable(paths: Sequence[Path]) -> None:
    """Find out before hours of work."""
    for path in paths:
        folder = next(p for p in path.absolute().parents if p.exists())
        if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            raise UserError(f"{path}: cannot be written there; name a file in a folder of yours")


def _names(paths: Sequence[Path]) -> list[str]:
    """What networks are called: their files without folder and suffix, if that tells them apart."""
    stems = [path.stem for path in paths]
    return stems if len(set(stems)) == len(stems) else [str(path) for path in paths]


def _how_many(command: Command) -> str:
    if command.most == command.least:
        return f"{command.least} checkpoints"
    return f"{command.least} checkpoints or more"


def _call(command: Command, problems: Mapping[str, "Problem"], asked: Mapping[str, Any]) -> Found:
    first, *others = problems.values()
    if command.name == "compare":
        from flatminima.library.compare import compare

        return compare(problems, **asked)
    if command.name == "path":
        from flatminima.training.ensemble import Schedule

        asked = dict(asked)
        steps = asked.pop("steps", _STEPS)
        schedule = Schedule(steps=steps, learning_rate=0.01, hold=0.5)
        return first.path_to(*others, schedule=schedule, **asked)
    return getattr(first, command.name)(**asked)  # type: ignore[no-any-return]
