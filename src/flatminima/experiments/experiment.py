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
Wildcards = Mapping[str, str]
KeyPath = tuple[str | int, ...]
Kind = TypeVar("Kind", bound=Record)


class WrongSettingError(Exception):
    """A setting that the schema allows and an experiment cannot work with."""

    def __init__(self, path: KeyPath, cure: str) -> None:
        """Name the setting by its keys from the top, and say what to do."""
        super().__init__(path, cure)
        self.path, self.cure = path, cure


def require(right: object, cure: str, *path: str | int) -> None:
    """Refuse a setting that is not right; ``path`` are its keys below ``experiments``.

    Raises:
        WrongSettingError: if it is not.
    """
    if not right:
        raise WrongSettingError(("experiments", *path), cure)


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
    """A section of the report: ``report/templates/sections/<name>.html.j2``.

    Attributes:
        name: of the file, and the anchor.
        title: empty where it hangs on an outcome; then the summary ``<name>.title`` says it.
    """

    name: str
    title: str = ""


class Measure(Protocol):
    """Measures all that the article and the claims say of an experiment."""

    def __call__(self, files: Files, settings: Config, *, seed: int) -> Measurements:
        """Measure.

        Args:
            files: what the rules of the experiment give by ``measured``.
            settings: what :attr:`Experiment.measured_with` gave.
            seed: root seed of the bootstrap.
        """


Settings = Callable[[Config, Wildcards], Config]
"""The settings that one job reads, from those of the run and the wildcards of the job.

Raises ``KeyError`` or ``StopIteration`` where there is no such job.
"""


@dataclass(frozen=True)
class Experiment:
    """All that must be said of an experiment in one place.

    Attributes:
        name: its key in ``config.yaml``; names of its measurements begin with it.
        jobs: by rule, the settings that a job of this experiment reads, and no others.
        measure: what measures it.
        measured_with: what :attr:`measure` is told of the settings.
        needs: the experiments on whose data or networks it rests.
        check: raises ``WrongSettingError`` for what a schema cannot see.
        sections: its sections, in order, which make a page behind the article.
        title: of that page; empty for that of the first section.
        parts: of the settings of a run, the parts that claims and sections tell apart, such as one
            for each data set; None where the experiment is one.
    """

    name: str
    jobs: Mapping[str, Settings]
    measure: Measure
    measured_with: Callable[[Config], Config] = lambda _config: {}
    needs: tuple[str, ...] = ()
    check: Callable[[Config], None] = lambda _config: None
    sections: tuple[Section, ...] = ()
    title: str = ""
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


def data_alone(config: Config, name: str) -> bool:
    """Whether an experiment only gives others its data set: it is kept, and trains nothing."""
    settings = config["experiments"][name] or {}
    return "training" in settings and settings["training"] is None


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


def check_survey_points(config: Config, name: str) -> None:
    """Make sure that a survey of networks of images takes no more points than there are.

    Raises:
        WrongSettingError: if it does.
    """
    points = config["experiments"][name]["survey"]["points"]
    available = config["experiments"]["images"]["data"]["train_points"]
    cure = f"there are {available} training points; null takes all"
    require(points is None or points <= available, cure, name, "survey", "points")
