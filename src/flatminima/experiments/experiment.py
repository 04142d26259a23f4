"""What an experiment is to everybody else: one record each, in a module of its own.

Records are read while a run is planned. So they import neither torch nor matplotlib, and what
measures comes into a process only when it is called.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from flatminima.measurements.measurement import Measurements
from flatminima.records import Record
from flatminima.storage import Arrays, read_arrays, read_json

Config = dict[str, Any]
KeyPath = tuple[str | int, ...]
Kind = TypeVar("Kind", bound=Record)


class WrongSettingError(Exception):
    """A setting that the schema allows and an experiment cannot work with."""

    def __init__(self, path: KeyPath, value: object, cure: str) -> None:
        """Name the setting by its keys from the top, its value, and what to do."""
        super().__init__(path, value, cure)
        self.path, self.value, self.cure = path, value, cure


@dataclass(frozen=True)
class Files:
    """The files that an experiment is measured by, by the names under which its rules give them."""

    paths: Mapping[str, str | list[str]]

    def arrays(self, name: str) -> Arrays:
        """The arrays of a file."""
        return read_arrays(self._one(name))

    def typed(self, name: str, kind: type[Kind]) -> Kind:
        """The record of a file."""
        return kind.read(self._one(name))

    def record(self, name: str) -> Any:
        """What a JSON file says."""
        return read_json(self._one(name))

    def each(self, name: str, kind: type[Kind]) -> dict[str, Kind]:
        """The records of several files, by the names of these without ending."""
        paths = self.paths[name]
        return {
            Path(path).stem: kind.read(path)
            for path in ([paths] if isinstance(paths, str) else paths)
        }

    def _one(self, name: str) -> str:
        paths = self.paths[name]
        return paths if isinstance(paths, str) else paths[0]


@dataclass(frozen=True)
class Section:
    """A section of the article: ``report/templates/sections/<name>.html.j2``.

    Attributes:
        name: of the file, and the anchor.
        title: empty where it hangs on an outcome; then the summary ``<name>.title`` says it.
    """

    name: str
    title: str = ""


class Measure(Protocol):
    """Measures all that the article and the claims say of an experiment."""

    def __call__(self, files: Files, settings: Mapping[str, Any], *, seed: int) -> Measurements:
        """Measure.

        Args:
            files: what the rules of the experiment give by ``measured``.
            settings: what :attr:`Experiment.measured_with` gave.
            seed: root seed of the bootstrap.
        """


Settings = Callable[[Config, Mapping[str, str]], Config]
"""The settings that one job reads, from those of the run and the wildcards of the job.

Raises ``KeyError`` or ``StopIteration`` where there is no such job.
"""


def always_right(_config: Config) -> None:
    """Accept whatever the schema accepts."""


@dataclass(frozen=True)
class Experiment:
    """All that must be said of an experiment in one place.

    Attributes:
        name: its key in ``config.yaml``; names of its measurements begin with it.
        jobs: by rule, the settings that a job of this experiment reads, and no others.
        measured_with: what :attr:`measure` is told of the settings.
        measure: what measures it.
        needs: the experiments on whose data or networks it rests.
        check: raises ``WrongSettingError`` for what a schema cannot see.
        sections: its sections of the article, in order.
        parts: of the settings of a run, the parts that claims and sections tell apart, such as one
            for each data set; None where the experiment is one.
    """

    name: str
    jobs: Mapping[str, Settings]
    measured_with: Callable[[Config], Config]
    measure: Measure
    needs: tuple[str, ...] = ()
    check: Callable[[Config], None] = always_right
    sections: tuple[Section, ...] = ()
    parts: Callable[[Config], tuple[str, ...]] | None = None

    def reported(self, config: Config) -> tuple[str, ...]:
        """Its name, or one name for each of its parts."""
        if self.parts is None:
            return (self.name,)
        return tuple(f"{self.name}.{part}" for part in self.parts(config))


def settings_of(config: Config, name: str) -> Config:
    """The settings of an experiment.

    Raises:
        KeyError: if it is left out, or unknown.
    """
    settings = config["experiments"][name]
    if settings is None:
        raise KeyError(name)
    return dict(settings)


def seed_of(config: Config) -> Config:
    """The root seed, as jobs read it."""
    return {"seed": config["seed"]}


def without(settings: Config, *keys: str) -> Config:
    """The settings but for some of them."""
    return {key: value for key, value in settings.items() if key not in keys}


def only(settings: Config, *keys: str) -> Config:
    """Those of the settings that are there among some."""
    return {key: settings[key] for key in keys if key in settings}


def source_of(config: Config, experiment: str) -> str:
    """What the points of an experiment are: of images their source, else its own name."""
    return str(settings_of(config, experiment)["data"].get("source", experiment))


def basin_settings(geometry: Config, directions: int) -> Config:
    """What a survey of basins is told of cutoffs and directions."""
    kept = only(geometry, "cutoffs", "excess", "decades")
    return {**kept, "kind": geometry["direction_kind"], "directions": directions}


def factor_name(factor: float) -> str:
    """How a poison factor or a gap is written in file names; no two have the same name."""
    return repr(float(factor)).removesuffix(".0")


def named_factor(factors: list[float], name: str) -> float:
    """The factor or gap that a file name stands for.

    Raises:
        StopIteration: if it is none of them.
    """
    return next(float(factor) for factor in factors if factor_name(factor) == name)


def check_rising(path: KeyPath, values: list[float], what: str) -> None:
    """Make sure that a list of numbers rises.

    Raises:
        WrongSettingError: if it does not; ``what`` names the numbers, and maybe where they begin.
    """
    if values != sorted(values):
        raise WrongSettingError(path, values, f"list the {what} in rising order")


def check_survey_points(config: Config, name: str) -> None:
    """Make sure that a survey of networks of images takes no more points than there are.

    Raises:
        WrongSettingError: if it does.
    """
    points = config["experiments"][name]["survey"]["points"]
    available = config["experiments"]["images"]["data"]["train_points"]
    if points is not None and points > available:
        cure = f"there are {available} training points; null takes all"
        raise WrongSettingError(("experiments", name, "survey", "points"), points, cure)
