"""Settings: read with their overlays, checked strictly, and handed out key by key.

What an experiment's jobs read and what its settings may be says its record in
:mod:`flatminima.experiments` and its schema; whatever a job is not handed cannot make it stale.
"""

import difflib
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
from jsonschema.exceptions import UnknownType
from referencing.exceptions import Unresolvable

from flatminima.data import sources
from flatminima.errors import ConfigError, UserError
from flatminima.experiments import EXPERIMENTS
from flatminima.experiments.experiment import (
    Config,
    Experiment,
    KeyPath,
    WrongSettingError,
    data_alone,
    require,
)
from flatminima.models import architectures
from flatminima.schemas import make_strict
from flatminima.settings_file import read_mapping
from flatminima.training import optimizers

Resolve = Callable[[tuple[str, ...], str, Mapping[str, str]], Mapping[str, Any] | None]
_Parts = Sequence[tuple[str, Config]]

SCHEMA = Path("workflow/schemas/config.schema.yaml")
"""Where the schema lies in a project."""

RENAMED = {
    "experiments.paths": "experiments.mode_connectivity",
    "experiments.surfaces": "experiments.skip_connections",
    "experiments.swiss_roll.measures": "experiments.flatness",
    "geometry.volumes": "experiments.volumes",
    "experiments.flatness.level": "experiments.flatness.common_loss",
    "experiments.random_labels.matched_loss": "experiments.random_labels.common_loss",
    "experiments.random_labels.matched_directions": (
        "experiments.random_labels.common_loss_directions"
    ),
    "experiments.skip_connections.survey.places": "experiments.skip_connections.survey.grid_points",
    "experiments.skip_connections.survey.coarse_places": (
        "experiments.skip_connections.survey.coarse_grid_points"
    ),
    "experiments.mode_connectivity.swiss_roll.places": (
        "experiments.mode_connectivity.swiss_roll.curve_points"
    ),
    "experiments.mode_connectivity.images.places": (
        "experiments.mode_connectivity.images.curve_points"
    ),
}
"""Keys of earlier versions, and what they are called now."""


PART = "_part"
"""What the rule of jobs that do a part each is called besides: they read what the whole reads."""


def load(
    files: Sequence[Path | str], schema: Path | str, given: Mapping[str, Any] | None = None
) -> Config:
    """Read a configuration and its overlays, later files over earlier ones, and check the result.

    Args:
        files: the configuration and its overlays.
        schema: see ``checked``.
        given: what the command line says, over all files.

    Raises:
        ConfigError: naming file, key, value and cure of the first thing that is wrong.
    """
    config: Config = {}
    for file in files:
        config = overlay(config, read_mapping(file))
    return checked(overlay(config, given or {}), schema, files)


def overlay(base: Mapping[str, Any], over: Mapping[str, Any]) -> Config:
    """Lay one configuration over another: mappings merge, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = overlay(merged[key], value)
        else:
            merged[key] = value
    return merged


def read_schema(path: Path | str) -> Config:
    """Read the schema of a configuration; that of each experiment is a file of its own beside it.

    What holds of every mapping is not written there (see ``make_strict``), nor that an experiment
    may be null.

    Raises:
        ConfigError: if a file is not a whole schema.
    """
    schema = _read_part(path, "$defs")
    experiments = {
        name: _read_part(Path(path).parent / "experiments" / f"{name}.yaml") for name in EXPERIMENTS
    }
    for settings in experiments.values():
        settings["type"] = ["object", "null"]
    schema["properties"]["experiments"] = {"type": "object", "properties": experiments}
    schema["$defs"]["experiment"] = {
        "enum": list(EXPERIMENTS),
        "description": f"the experiments are {', '.join(EXPERIMENTS)}",
    }
    make_strict(schema)
    schema["$defs"] |= {
        "image_source": sources.schema(),
        "architecture": architectures.schema(),
        "optimizers": optimizers.schema(),
    }
    return schema


def _read_part(path: Path | str, *keys: str) -> Config:
    """A file of the schema; one that was cut off has no end of definitions, or keys of nothing."""
    part = read_mapping(path)
    try:
        make_strict(part)
    except AttributeError:
        part = {}
    if not part.keys() >= {"type", "properties", *keys}:
        raise ConfigError(f"{path}: not a whole schema; restore it and run again")
    return part


def checked(config: Config, schema: Path | str, files: Sequence[Path | str]) -> Config:
    """Check a merged configuration, and leave out the experiments that ``only`` does not list.

    Values that no file holds are taken to come from the command line. Settings that are numbers
    become floats, so that 0 and 0.0 are the same setting; those that count stay whole numbers.

    Args:
        config: what was merged.
        schema: the file.
        files: what it was merged from, in order.

    Raises:
        ConfigError: for the first violation, in the order of the keys.
    """
    parts = [(str(file), read_mapping(file)) for file in files]
    rules = read_schema(schema)
    validator = _Validator(rules)
    try:
        errors = sorted(validator.iter_errors(config), key=lambda error: list(map(str, error.path)))
    except (Unresolvable, UnknownType, AttributeError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"{schema}: not a whole schema ({reason}); restore it") from error
    if errors:
        raise ConfigError(_explain(errors[0], parts))
    kept = config.get("only", list(EXPERIMENTS))
    for name in kept:
        for needed in EXPERIMENTS[name].needs:
            if needed not in kept:
                cure = f"{name} rests on {needed}; list {needed} too"
                raise _wrong(("only",), kept, cure, parts)
    config = {key: value for key, value in config.items() if key != "only"}
    config["experiments"] = {
        name: config["experiments"][name] if name in kept else None for name in EXPERIMENTS
    }
    try:
        _check(config)
    except WrongSettingError as wrong:
        raise _wrong(wrong.path, _value(config, wrong.path), wrong.cure, parts) from None
    if len(parts) > 1 and config["scale"] == parts[0][1]["scale"]:
        cure = (
            "an overlay names a scale of its own, so that results of different settings stay apart"
        )
        raise ConfigError(f"{parts[-1][0]}: scale is still {config['scale']!r}; {cure}")
    return _typed(config, rules, rules["$defs"])  # type: ignore[no-any-return]


def _typed(value: Any, schema: Mapping[str, Any], named: Mapping[str, Any]) -> Any:
    """A valid setting with its numbers as its schema means them; ``named`` are its ``$defs``."""
    if "$ref" in schema:
        schema = named[schema["$ref"].rpartition("/")[2]]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        return {key: _typed(part, known.get(key, {}), named) for key, part in value.items()}
    if isinstance(value, list):
        return [_typed(part, schema.get("items", {}), named) for part in value]
    if value in schema.get("enum", ()):
        return schema["enum"][schema["enum"].index(value)]
    if isinstance(value, (int, float)) and "number" in schema.get("type", ()):
        return float(value) + 0.0  # -0.0 is 0.0 too
    return value


def _check(config: Config) -> None:
    """Check what no schema can see: what one setting asks of another."""
    require(experiments(config), "leave at least one experiment in, or there is nothing to do")
    for record in records(config):
        for needed in record.needs:
            cure = f"{record.name} rests on it; leave {record.name} out too"
            require(config["experiments"][needed] is not None, cure, needed)
        record.check(config)
    for name in poisoned(config):
        counts = config["experiments"][name]
        most = {"directions": {**config["geometry"], **counts.get("survey", {})}["directions"]}
        # Others are trained together.
        if name == "images":
            most["seeds"] = counts["training"]["seeds"]
        for key, count in most.items():
            if config["parts"][key] > count:
                cure = f"{name} has {count} {key}; ask for that many parts at most"
                raise WrongSettingError(("parts", key), cure)
    cutoffs = config["geometry"]["cutoffs"]
    if cutoffs != sorted(cutoffs):
        raise WrongSettingError(("geometry", "cutoffs"), "list the cutoffs in rising order")


def experiments(config: Config) -> list[str]:
    """The experiments of a run, in the order of the article: those that are not left out.

    Nor are those among them that only give others their data set.
    """
    return [
        name
        for name in EXPERIMENTS
        if config["experiments"][name] is not None and not data_alone(config, name)
    ]


def records(config: Config) -> list[Experiment]:
    """The records of the experiments of a run, in the order of the article."""
    return [EXPERIMENTS[name] for name in experiments(config)]


def reported(config: Config) -> list[str]:
    """What a report has a part for: every experiment, or each of its parts.

    Names of measurements begin so.
    """
    return [part for record in records(config) for part in record.reported(config)]


def poisoned(config: Config) -> list[str]:
    """The experiments that train at a row of poison factors, in order."""
    return [
        name
        for name in experiments(config)
        if "poison_factors" in config["experiments"][name].get("training", {})
    ]


def image_files(config: Config, files: Sequence[Path | str]) -> list[str]:
    """The files that hold the images, none if they come with a library; no file is read.

    Args:
        config: the settings, checked.
        files: what they were merged from, in order.

    Raises:
        ConfigError: if the folder that the settings name is missing, or files in it are.
    """
    data = config["experiments"]["images"]["data"]
    try:
        images = sources.IMAGE_SOURCES[data["source"]]
        return images.paths(data["folder"], partial=data["checksums"] != "official")
    except UserError as error:
        parts = [(str(file), read_mapping(file)) for file in files]
        path: KeyPath = ("experiments", "images", "data", "folder")
        raise _wrong(path, data["folder"], str(error), parts) from error


def mirror(config: Config, source: str) -> str | None:
    """The address that a set of images is downloaded from instead of its authors'."""
    images = config["experiments"]["images"]
    data = images["data"] if images else {}
    return data["mirror"] if data.get("source") == source else None


def block(config: Config, rule: str, wildcards: Mapping[str, str]) -> Config:
    """The settings that one job reads, and nothing else.

    Raises:
        KeyError: if there is no such rule or experiment.
        StopIteration: if there is no such job.
    """
    rule = rule.removesuffix(PART)
    if rule in ("inventory", "slides"):
        return {}
    if rule == "report":
        images = config["experiments"]["images"]
        return {
            "scale": config["scale"],
            "experiments": reported(config),
            "note": (images and images["data"]["note"]) or "",
        }
    if rule == "claims":
        measured_with = {record.name: record.measured_with(config) for record in records(config)}
        return {
            "seed": config["seed"],
            "scale": config["scale"],
            "reported": reported(config),
            "experiments": measured_with,
        }
    owners = [
        record
        for name, record in EXPERIMENTS.items()
        if rule in record.jobs and config["experiments"][name] is not None
    ]
    if len(owners) > 1:
        owners = [record for record in owners if record.name == wildcards.get("dataset")]
    if not owners:
        raise KeyError(rule)
    return owners[0].jobs[rule](config, wildcards)


def resolver(root: Path) -> Resolve:
    """A function that tells what a job would be given now, or None if there would be no such job.

    Args:
        root: the project, from which the paths of configuration files start.
    """

    @cache
    def loaded(files: tuple[str, ...]) -> Config:
        return load([root / file for file in files], root / SCHEMA)

    def resolve(
        files: tuple[str, ...], rule: str, wildcards: Mapping[str, str]
    ) -> Mapping[str, Any] | None:
        config = loaded(files)
        try:
            return block(config, rule, wildcards)
        except (KeyError, StopIteration):
            return None

    return resolve


def _is_integer(_checker: object, value: object) -> bool:
    # JSON Schema counts 6.0 as an integer, but it cannot number networks.
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_checker: object, value: object) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return abs(value) <= sys.float_info.max


_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)


def _explain(error: Any, parts: _Parts) -> str:
    path: KeyPath = tuple(error.path)
    cure = error.schema.get("description", error.message)
    if error.validator == "additionalProperties":
        known = sorted(error.schema["properties"])
        key = min((k for k in error.instance if k not in known), key=str)
        near = difflib.get_close_matches(str(key), known, n=1)
        where = (*path, str(key))
        hint = f"did you mean {near[0]}?" if near else f"the keys here are {', '.join(known)}"
        if renamed := RENAMED.get(_dotted(where)):
            hint = f"it is called {renamed} now"
        return f"{_file_of(where, parts)}: {_dotted(where)} is not a known key; {hint}"
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        where = (*path, missing)
        return f"{_file_of(path, parts)}: {_dotted(where)} is missing; {cure}"
    return str(_wrong(path, error.instance, cure, parts))


def _wrong(path: KeyPath, value: object, cure: str, parts: _Parts) -> ConfigError:
    where = _file_of(path, parts)
    # A value that differs from the one in the file was given with --config.
    held = next((_value(part, path) for name, part in reversed(parts) if name == where), value)
    source = where if held == value else "--config"
    return ConfigError(f"{source}: {_dotted(path)} is {value!r}; {cure}{_number_hint(value)}")


def _number_hint(value: object) -> str:
    """A number in quotes, or with a zero in front, is text: say so where that is what happened."""
    try:
        number = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return ""
    return f" (it is text here: write {number:g})" if math.isfinite(number) else ""


def _dotted(path: KeyPath) -> str:
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.lstrip(".") or "the file"


def _file_of(path: KeyPath, parts: _Parts) -> str:
    """The last file that says anything about the key: the one whose value counts."""
    for depth in range(len(path), -1, -1):
        for name, part in reversed(parts):
            if _value(part, path[:depth]) is not _ABSENT:
                return name
    return "configuration"


_ABSENT = object()


def _value(value: Any, path: KeyPath) -> Any:
    """What stands at a key path, or ``_ABSENT``."""
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return value
