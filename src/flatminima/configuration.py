"""Settings: read with their overlays, checked strictly, and handed out key by key.

``block`` is the one place that says which keys a job reads; whatever is not in a job's block
cannot make it stale.
"""

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from flatminima.circles import narrowest_gap
from flatminima.data import official
from flatminima.data.rings import INNER, OUTER
from flatminima.errors import ConfigError, UserError
from flatminima.storage import read_bytes
from flatminima.training.poison import poison_points_of_share

Config = dict[str, Any]
KeyPath = tuple[str | int, ...]
Resolve = Callable[[tuple[str, ...], str, Mapping[str, str]], Mapping[str, Any] | None]

_NEEDS = {
    "architectures": ("images",),
    "optimizers": ("images",),
    "skip_connections": ("images",),
    "flatness": ("swiss_roll",),
    "volumes": ("swiss_roll",),
    "random_labels": ("swiss_roll",),
}
"""The experiments that rest on the data or the networks of others, and these."""

SCHEMA = Path("workflow/schemas/config.schema.yaml")
"""Where the schema lies in a project."""


def load(files: Sequence[Path | str], schema: Path | str) -> Config:
    """Read a configuration and its overlays, later files over earlier ones, and check the result.

    Raises:
        ConfigError: naming file, key, value and cure of the first thing that is wrong.
    """
    config: Config = {}
    for file in files:
        config = overlay(config, read_mapping(file))
    check(config, schema, files)
    return config


def read_mapping(path: Path | str) -> Config:
    """Read a YAML file that holds a mapping.

    Raises:
        ConfigError: if it is not YAML, or not a mapping with each key once.
    """
    try:
        value = yaml.load(read_bytes(path), Loader=_UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: holds {value!r}; expected a mapping of keys to values")
    return value


def overlay(base: Mapping[str, Any], over: Mapping[str, Any]) -> Config:
    """Lay one configuration over another: mappings merge, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = overlay(merged[key], value)
        else:
            merged[key] = value
    return merged


def check(config: Config, schema: Path | str, files: Sequence[Path | str]) -> None:
    """Check a merged configuration; ``files`` are what it was merged from, in order.

    Values that no file holds are taken to come from the command line.

    Raises:
        ConfigError: for the first violation, in the order of the keys.
    """
    parts = [(str(file), read_mapping(file)) for file in files]
    validator = _Validator(read_schema(schema))
    errors = sorted(validator.iter_errors(config), key=lambda error: list(map(str, error.path)))
    if errors:
        raise ConfigError(_explain(errors[0], parts))
    made = experiments(config)
    if not made:
        cure = "leave at least one experiment in, or there is nothing to do"
        raise _wrong(("experiments",), config["experiments"], cure, parts)
    _check_needs(made, parts)
    for name in poisoned(config):
        _check_poison(name, config["experiments"][name], parts)
    if "images" in made:
        _check_survey("images", config, parts)
    if "minefield" in made:
        _check_embedding(config["experiments"]["minefield"], parts)
    if "rings" in made:
        _check_gaps(config["experiments"]["rings"], parts)
    if "random_labels" in made:
        _check_copies(config["experiments"], parts)
    if "skip_connections" in made:
        _check_survey("skip_connections", config, parts)
        _check_depths(config["experiments"]["skip_connections"], parts)
    if "mode_connectivity" in made:
        _check_paths(config, parts)
    if "swiss_roll" in made:
        _check_flatness(config, parts)
    cutoffs = config["geometry"]["cutoffs"]
    if cutoffs != sorted(cutoffs):
        raise _wrong(("geometry", "cutoffs"), cutoffs, "list the cutoffs in rising order", parts)
    if len(parts) > 1 and config["scale"] == parts[0][1]["scale"]:
        cure = (
            "an overlay names a scale of its own, so that results of different settings stay apart"
        )
        raise ConfigError(f"{parts[-1][0]}: scale is still {config['scale']!r}; {cure}")


def read_schema(path: Path | str) -> Config:
    """Read the schema of a configuration; that of each experiment is a file of its own beside it."""
    schema = read_mapping(path)
    parts = sorted((Path(path).parent / "experiments").glob("*.yaml"))
    schema["properties"]["experiments"] = {
        "type": "object",
        "additionalProperties": False,
        "required": [part.stem for part in parts],
        "description": "an experiment that is null is left out",
        "properties": {part.stem: read_mapping(part) for part in parts},
    }
    schema["required"].append("experiments")
    return schema


def experiments(config: Config) -> list[str]:
    """The experiments of a run, in order: those that no overlay has left out, by null."""
    return [name for name, settings in config["experiments"].items() if settings is not None]


def joined(config: Config) -> list[str]:
    """The data sets whose minima are joined by paths, in order."""
    paths = config["experiments"]["mode_connectivity"] or {}
    return [name for name, settings in paths.items() if settings is not None]


def reported(config: Config) -> list[str]:
    """What a report has a part for: the experiments, and of paths each data set, ``mode_connectivity.images``.

    Names of measurements begin so.
    """
    others = [name for name in experiments(config) if name != "mode_connectivity"]
    return [*others, *(f"mode_connectivity.{name}" for name in joined(config))]


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
        return official.files(
            data["source"], data["folder"], partial=data["checksums"] != "official"
        )
    except UserError as error:
        parts = [(str(file), read_mapping(file)) for file in files]
        path: KeyPath = ("experiments", "images", "data", "folder")
        raise _wrong(path, data["folder"], str(error), parts) from error


def block(config: Config, rule: str, wildcards: Mapping[str, str]) -> Config:
    """The settings that one job reads, and nothing else.

    Raises:
        KeyError: if there is no such rule or experiment.
    """
    own = {
        "report": _report_block,
        "claims": _claims_block,
        "minefield": _minefield_block,
        "rings": _rings_block,
        "architectures": _trained_block,
        "optimizers": _trained_block,
        "random": _random_labels_block,
        "skip": _surfaces_block,
        "mode": _paths_block,
    }.get(rule.partition("_")[0])
    if own is not None:
        return own(config, rule, wildcards)
    seed = {"seed": config["seed"]}
    experiment = _experiment(config, wildcards["dataset"])
    data: Config = experiment["data"]
    training: Any = experiment.get("training")
    network = {"network": experiment.get("network")}
    # What an experiment says of its own survey counts more than what holds for all.
    survey = config["geometry"] | experiment.get("survey", {})

    def geometry(*keys: str) -> Config:
        return {key: survey[key] for key in keys if key in survey}

    def evaluation(*names: str) -> Config:
        """What batch norm normalises by in a survey, if it says so, and what that takes."""
        if "batch_norm" not in survey:
            return {}
        batched = "batch" in (survey["batch_norm"], *names)
        batch = {"batch": training["batch"]} if batched else {}
        return {"evaluation": {"batch_norm": survey["batch_norm"], **batch}}

    def train() -> Config:
        factors = training["poison_factors"]
        factor = next(f for f in factors if factor_name(f) == wildcards["poison"])
        others = _without(training, "poison_factors")
        return {"poison_factor": float(factor), **seed, **network, **others}

    source, data = source_of(config, wildcards["dataset"]), _without(data, "source", "note")
    if source == "digits":
        # They come with a library, not from files.
        data = _without(data, "folder", "checksums")

    blocks: dict[str, Callable[[], Config]] = {
        "dataset": lambda: seed | {"source": source, "data": data},
        "train": train,
        "images_train": train,
        "selection": lambda: {"poison_factors": training["poison_factors"]},
        "basins": lambda: {
            **seed,
            **network,
            **evaluation(),
            **geometry("points"),
            "basins": _basins(survey, survey["directions"]),
        },
        "subsets": lambda: {
            **seed,
            **network,
            **evaluation("batch"),
            **geometry("points", "subsets"),
            "basins": _basins(survey, survey["subset_directions"]),
        },
        "slices": lambda: (
            seed
            | network
            | {"cutoff": config["geometry"]["cutoffs"][-1]}
            | evaluation()
            | geometry("points")
            | geometry("direction_kind", "slice_directions", "slice_points", "plane_points")
        ),
        "rays": lambda: (
            seed
            | network
            | {"cutoff": config["geometry"]["cutoffs"][-1]}
            | geometry("direction_kind", "slice_points")
        ),
        "boundaries": lambda: network | geometry("boundary_points"),
        "perturbations": lambda: (
            seed
            | network
            | {"cutoff": config["geometry"]["cutoffs"][-1]}
            | geometry(
                "direction_kind", "slice_directions", "perturbation_steps", "boundary_points"
            )
        ),
        "volumes": lambda: {
            **seed,
            **network,
            **geometry("decades"),
            **_experiment(config, "volumes"),
            "poison_factors": training["poison_factors"],
        },
        "margins": lambda: (
            network | {"poison_factors": training["poison_factors"]} | geometry("margin_points")
        ),
        "flatness": lambda: (
            seed
            | network
            | {
                "poison_factors": training["poison_factors"],
                "flatness": _experiment(config, "flatness"),
            }
            | geometry("excess", "decades")
        ),
        "summary": lambda: {"poison_factors": training["poison_factors"]},
    }
    return blocks[rule]()


def _report_block(config: Config, _rule: str, _wildcards: Mapping[str, str]) -> Config:
    images = config["experiments"]["images"]
    return {
        "scale": config["scale"],
        "experiments": reported(config),
        "note": (images and images["data"]["note"]) or "",
    }


def _claims_block(config: Config, _rule: str, _wildcards: Mapping[str, str]) -> Config:
    """What the article says of settings, and what decides the measurements besides their inputs."""
    made = config["experiments"]
    block = {
        "seed": config["seed"],
        "scale": config["scale"],
        "made": reported(config),
        "directions": config["geometry"]["directions"],
        "direction_kind": config["geometry"]["direction_kind"],
        "excess": config["geometry"]["excess"],
        "experiments": {name: _quoted(config, name) for name in poisoned(config)},
    }
    if made["minefield"] is not None:
        block["minefield"] = made["minefield"]
    if made["rings"] is not None:
        block["rings"] = {
            **made["rings"],
            "training": _without(made["rings"]["training"], "gaps", "seeds"),
            "circle": _without(made["rings"]["circle"], "gradient_clip"),
        }
    if made["random_labels"] is not None:
        block["random_labels"] = made["random_labels"]
    for name in ("architectures", "optimizers"):
        if made[name] is not None:
            block[name] = _told(config, name)
    if made["skip_connections"] is not None:
        block["skip_connections"] = {
            "source": source_of(config, "images"),
            **made["skip_connections"],
        }
    if made["mode_connectivity"] is not None:
        block["mode_connectivity"] = {
            name: {
                "source": source_of(config, name),
                "train_points": made[name]["data"]["train_points"],
                **made["mode_connectivity"][name],
            }
            for name in joined(config)
        }
    return block


def _experiment(config: Config, name: str) -> Config:
    """The settings of an experiment.

    Raises:
        KeyError: if there is none of that name, or it is left out.
    """
    if config["experiments"][name] is None:
        raise KeyError(name)
    return dict(config["experiments"][name])


def source_of(config: Config, experiment: str) -> str:
    """What the points of an experiment are: of images their source, else its own name."""
    return str(_experiment(config, experiment)["data"].get("source", experiment))


def _quoted(config: Config, name: str) -> Config:
    """What the article says of how the networks of a poisoned experiment were made."""
    experiment = _experiment(config, name)
    drawing = ("slice_directions", "slice_points", "plane_points")
    kept = {key: experiment[key] for key in ("network", "training")}
    if "survey" in experiment:
        kept["survey"] = _without(experiment["survey"], *drawing)
    return {"source": source_of(config, name), **kept}


def _minefield_block(config: Config, rule: str, _wildcards: Mapping[str, str]) -> Config:
    minefield, seed = _experiment(config, "minefield"), {"seed": config["seed"]}
    blocks: dict[str, Config] = {
        "minefield_descent": seed | minefield["network"] | minefield["descent"],
        "minefield_search": (
            seed | minefield["network"] | {key: minefield[key] for key in ("search", "settle")}
        ),
        "minefield_embedding": seed | minefield["embedding"],
    }
    return blocks[rule]


def _rings_block(config: Config, rule: str, wildcards: Mapping[str, str]) -> Config:
    rings, geometry = _experiment(config, "rings"), config["geometry"]
    gaps, survey = rings["training"]["gaps"], rings["survey"]
    seed, network = {"seed": config["seed"]}, rings["network"]
    # Rules without a gap of their own are about all of them, or about the smallest.
    gap = {"gap": float(gaps[0])}
    if "gap" in wildcards:
        gap = {"gap": next(float(g) for g in gaps if factor_name(g) == wildcards["gap"])}
    basins = {"angles": survey["angles"], "basins": _basins(geometry, survey["directions"])}
    drawing = ("slice_directions", "slice_points", "boundary_points")
    blocks: dict[str, Callable[[], Config]] = {
        "rings_dataset": lambda: gap | rings["data"],
        "rings_train": lambda: seed | network | _without(rings["training"], "gaps"),
        "rings_circle": lambda: seed | network | gap | {"data": rings["data"]} | rings["circle"],
        "rings_survey": lambda: seed | network | {"gaps": gaps} | basins,
        "rings_sharpness": lambda: (
            seed | network | gap | basins | {key: geometry[key] for key in drawing}
        ),
    }
    return blocks[rule]()


def _random_labels_block(config: Config, rule: str, _wildcards: Mapping[str, str]) -> Config:
    own, roll = _experiment(config, "random_labels"), _experiment(config, "swiss_roll")
    seed, network, geometry = (
        {"seed": config["seed"]},
        {"network": roll["network"]},
        config["geometry"],
    )
    matched = _without(_basins(geometry, own["matched_directions"]), "cutoffs")
    blocks: dict[str, Callable[[], Config]] = {
        "random_labels_train": lambda: (
            seed
            | network
            | {"poison_factors": roll["training"]["poison_factors"]}
            | _without(own, "matched_loss", "matched_directions")
        ),
        "random_labels_survey": lambda: {
            **seed,
            **network,
            "basins": _basins(geometry, geometry["directions"]),
            "matched": {"loss": own["matched_loss"], **matched},
            "boundary_points": geometry["boundary_points"],
        },
    }
    return blocks[rule]()


def _trained_block(config: Config, rule: str, wildcards: Mapping[str, str]) -> Config:
    """What the one model or the one optimizer of a job is trained with."""
    seed, experiment = {"seed": config["seed"]}, _experiment(config, rule.removesuffix("_train"))
    if rule == "architectures_train":
        model: Config = experiment["models"][wildcards["model"]]
        return seed | _without(experiment, "models") | model
    name = wildcards["optimizer"]
    own = {"optimizer": name, "learning_rate": experiment["learning_rates"][name]}
    return seed | _without(experiment, "learning_rates") | own


def _surfaces_block(config: Config, rule: str, wildcards: Mapping[str, str]) -> Config:
    """What networks with or without skip connections are, and how they are trained or measured."""
    surfaces = _experiment(config, "skip_connections")
    network = {key: surfaces[key] for key in ("width", "depths")}
    own = {
        "skip_connections_train": _without(surfaces, "survey"),
        "skip_connections_survey": network | surfaces["survey"],
    }[rule]
    return {"seed": config["seed"], "skips": wildcards["skips"] == "with", **own}


def _paths_block(config: Config, _rule: str, wildcards: Mapping[str, str]) -> Config:
    """What paths are trained by and followed with, and the network whose minima they join."""
    name = wildcards["dataset"]
    network = _experiment(config, name)["network"]
    if name not in joined(config):
        raise KeyError(name)
    paths: Config = _experiment(config, "mode_connectivity")[name]
    return {"seed": config["seed"], "network": network, **paths}


def _told(config: Config, name: str) -> Config:
    """What the article says of how models or optimizers were trained, and on what."""
    experiment, source = _experiment(config, name), {"source": source_of(config, "images")}
    if name == "optimizers":
        return source | _without(experiment, "seeds")
    models = experiment["models"].items()
    return (
        source
        | _without(experiment, "models")
        | {"models": {model: _without(settings, "seeds") for model, settings in models}}
    )


def _basins(geometry: Config, directions: int) -> Config:
    """What ``geometry.survey.basins`` is told of cutoffs and directions, by its own names."""
    kept = {key: geometry[key] for key in ("cutoffs", "excess", "decades")}
    return {**kept, "kind": geometry["direction_kind"], "directions": directions}


def _without(settings: Config, *keys: str) -> Config:
    return {key: value for key, value in settings.items() if key not in keys}


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


def factor_name(factor: float) -> str:
    """How a poison factor or a gap is written in file names; no two have the same name."""
    return repr(float(factor)).removesuffix(".0")


def _check_needs(made: Sequence[str], parts: Sequence[tuple[str, Config]]) -> None:
    """Check that what an experiment rests on is not left out."""
    for name in made:
        for needed in _NEEDS.get(name, ()):
            if needed not in made:
                cure = f"{name} rest on it; leave {name} out too (null)"
                raise _wrong(("experiments", needed), None, cure, parts)


def _check_poison(name: str, experiment: Config, parts: Sequence[tuple[str, Config]]) -> None:
    training, data = experiment["training"], experiment["data"]
    path: KeyPath = ("experiments", name, "training", "poison_factors")
    factors = training["poison_factors"]
    if factors[0] != 0 or factors != sorted(factors):
        cure = "list the factors in rising order from 0 (natural training, the yardstick)"
        raise _wrong(path, factors, cure, parts)
    if training.get("poison_batch", "share") == "share":
        for index, factor in enumerate(factors):
            try:
                poison_points_of_share(factor, data["train_points"], data["poison_points"])
            except ConfigError as error:
                raise _wrong((*path, index), factor, str(error), parts) from error


def _check_survey(name: str, config: Config, parts: Sequence[tuple[str, Config]]) -> None:
    points = config["experiments"][name]["survey"]["points"]
    there = config["experiments"]["images"]["data"]["train_points"]
    if points is not None and points > there:
        path: KeyPath = ("experiments", name, "survey", "points")
        raise _wrong(path, points, f"there are {there} training points; null takes all", parts)


def _check_depths(surfaces: Config, parts: Sequence[tuple[str, Config]]) -> None:
    path: KeyPath = ("experiments", "skip_connections", "depths")
    if surfaces["depths"] != sorted(surfaces["depths"]):
        raise _wrong(path, surfaces["depths"], "list the depths in rising order", parts)


def _check_embedding(minefield: Config, parts: Sequence[tuple[str, Config]]) -> None:
    """Check that there are more points than t-SNE's perplexity and enough for the components."""
    descent, embedding = minefield["descent"], minefield["embedding"]
    points = 2 * (1 + math.ceil(descent["epochs"] / descent["every"]))
    path: KeyPath = ("experiments", "minefield", "embedding")
    why = f"there are {points} points to embed, two for each iterate that the descent keeps"
    if embedding["components"] > points:
        cure = f"{why}, which have no more principal components; lower it or keep more iterates"
        raise _wrong((*path, "components"), embedding["components"], cure, parts)
    for key, perplexity in (
        (("perplexity",), embedding["perplexity"]),
        *((("others", index), value) for index, value in enumerate(embedding["others"])),
    ):
        if perplexity >= points:
            cure = f"{why}, and a perplexity is below their number; lower it or keep more iterates"
            raise _wrong((*path, *key), perplexity, cure, parts)
        if key != ("perplexity",) and perplexity == embedding["perplexity"]:
            cure = "it is the perplexity already; the others differ from it"
            raise _wrong((*path, *key), perplexity, cure, parts)


def _check_gaps(rings: Config, parts: Sequence[tuple[str, Config]]) -> None:
    path: KeyPath = ("experiments", "rings", "training", "gaps")
    gaps, units = rings["training"]["gaps"], rings["network"]["hidden"][0]
    if gaps != sorted(gaps):
        raise _wrong(path, gaps, "list the gaps in rising order", parts)
    if INNER + gaps[-1] >= OUTER:
        cure = f"a gap ends before the outer ring, {OUTER - INNER:g} from the inner one"
        raise _wrong((*path, len(gaps) - 1), gaps[-1], cure, parts)
    if units < 3:
        cure = "the circle takes three or more units in the first hidden layer"
        raise _wrong(("experiments", "rings", "network", "hidden", 0), units, cure, parts)
    least = narrowest_gap(units, INNER)
    if gaps[0] <= least:
        cure = (
            f"the circle built of {units} units is a polygon that takes a gap above {least:.2g}; "
            "widen the gap or the first hidden layer"
        )
        raise _wrong((*path, 0), gaps[0], cure, parts)


def _check_flatness(config: Config, parts: Sequence[tuple[str, Config]]) -> None:
    """Check what volumes and measures of flatness ask of the networks and points there are."""
    roll = config["experiments"]["swiss_roll"]
    made, hidden = config["experiments"], roll["network"]["hidden"]
    half, seeds = roll["data"]["train_points"] // 2, roll["training"]["seeds"]
    flatness, volumes = made["flatness"], made["volumes"]
    path: KeyPath = ("experiments", "flatness")
    if flatness and flatness["batch"] > half:
        cure = f"two disjoint minibatches of the training points hold {half} at most"
        raise _wrong((*path, "batch"), flatness["batch"], cure, parts)
    if flatness and flatness["layer"] >= len(hidden):
        cure = f"there are {len(hidden)} hidden layers, counted from 0"
        raise _wrong((*path, "layer"), flatness["layer"], cure, parts)
    if volumes and volumes["networks"] > seeds:
        cure = f"there are {seeds} networks at each poison factor"
        raise _wrong(("experiments", "volumes", "networks"), volumes["networks"], cure, parts)


def _check_copies(experiments: Config, parts: Sequence[tuple[str, Config]]) -> None:
    path: KeyPath = ("experiments", "random_labels")
    copies, poisoned_too = (experiments["random_labels"][key] for key in ("copies", "poisoned"))
    if copies[0] != 0 or copies != sorted(copies):
        cure = "list the copies in rising order from 0 (true labels, the yardstick)"
        raise _wrong((*path, "copies"), copies, cure, parts)
    seeds = experiments["swiss_roll"]["training"]["seeds"]
    if poisoned_too > seeds:
        cure = f"there are {seeds} networks at each poison factor"
        raise _wrong((*path, "poisoned"), poisoned_too, cure, parts)


def _check_paths(config: Config, parts: Sequence[tuple[str, Config]]) -> None:
    """Check that there are the minima that paths are to join, two of a kind at least."""
    made = config["experiments"]
    if not joined(config):
        cure = "join the minima of one data set at least, or leave paths out (null)"
        raise _wrong(("experiments", "mode_connectivity"), made["mode_connectivity"], cure, parts)
    for name in joined(config):
        paths, there = made["mode_connectivity"][name], made[name]
        if there is None:
            cure = f"mode_connectivity.{name} joins its minima; leave mode_connectivity.{name} out too (null)"
            raise _wrong(("experiments", name), None, cure, parts)
        seeds, points = there["training"]["seeds"], there["data"]["train_points"]
        if seeds < 2:
            where: KeyPath = ("experiments", name, "training", "seeds")
            cure = "a path joins two networks; train more, or leave paths out (null)"
            raise _wrong(where, seeds, cure, parts)
        if (paths["batch"] or 0) > points:
            cure = f"there are {points} training points; null takes all"
            raise _wrong(
                ("experiments", "mode_connectivity", name, "batch"), paths["batch"], cure, parts
            )


def _is_integer(_checker: object, value: object) -> bool:
    # JSON Schema counts 6.0 as an integer, but it cannot number networks.
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_checker: object, value: object) -> bool:
    return _is_integer(_checker, value) or (isinstance(value, float) and math.isfinite(value))


_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, which YAML would settle silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _explain(error: Any, parts: Sequence[tuple[str, Config]]) -> str:
    path: KeyPath = tuple(error.path)
    cure = error.schema.get("description", error.message)
    if error.validator == "additionalProperties":
        known = sorted(error.schema["properties"])
        key = min((k for k in error.instance if k not in known), key=str)
        near = difflib.get_close_matches(str(key), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the keys here are {', '.join(known)}"
        where = (*path, str(key))
        return f"{_file_of(where, parts)}: {_dotted(where)} is not a known key; {hint}"
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        where = (*path, missing)
        return f"{_file_of(path, parts)}: {_dotted(where)} is missing; {cure}"
    return str(_wrong(path, error.instance, cure, parts))


def _wrong(
    path: KeyPath, value: object, cure: str, parts: Sequence[tuple[str, Config]]
) -> ConfigError:
    where = _file_of(path, parts)
    # A value that differs from the one in the file was given with --config.
    held = next((_value(part, path) for name, part in reversed(parts) if name == where), value)
    source = where if held == value else "--config"
    return ConfigError(f"{source}: {_dotted(path)} is {value!r}; {cure}{_number_hint(value)}")


def _number_hint(value: object) -> str:
    """YAML takes 1e-3 for text: say so where that is what happened."""
    try:
        number = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return ""
    return f" (YAML reads it as text: write {number:.1e})" if math.isfinite(number) else ""


def _dotted(path: KeyPath) -> str:
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.lstrip(".") or "the file"


def _file_of(path: KeyPath, parts: Sequence[tuple[str, Config]]) -> str:
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
