"""What a job is made from: the settings it reads, the code it runs and the source files it uses.

A recipe changes when a result could; it is the file whose time tells Snakemake that a job is stale.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict, cast

from flatminima.errors import ConfigError, DamagedFileError, UserError
from flatminima.provenance.closure import Code, file_digest
from flatminima.settings_file import parse
from flatminima.storage import canonical_json, parse_json, read_bytes, write_bytes

UNDERSTOOD = "code.json"
"""The file within the recipes that keeps what the code was understood to be, see ``closure``."""

FOLDER = "recipes"
"""The folder within the results of a scale that holds its recipes."""

FIGURE = "figure"
"""The rule of all figures. The workflow declares each with its settings, and the plan writes these
into its recipe; no configuration file says them by themselves."""


class Recipe(TypedDict):
    """What a job is made from. Paths are relative to the project, with forward slashes."""

    rule: str
    wildcards: dict[str, str]
    config: dict[str, Any]
    code: dict[str, str]
    files: dict[str, str]


def build_recipe(
    root: Path,
    rule: str,
    wildcards: Mapping[str, str],
    config: Mapping[str, Any],
    *,
    script: Path | str,
    files: Iterable[Path | str] = (),
    modules: Sequence[str] = (),
    code: Code | None = None,
) -> Recipe:
    """Write down what a job would be made from now.

    Args:
        root: the project; its package lies in ``root/src``.
        config: the settings that the job reads, and no others.
        script: the job's script; like ``files`` relative to ``root``, or absolute within it.
        files: source files it reads besides code (templates, text); a folder stands for every file
            in it.
        modules: what the script imports by names that are in its settings, such as
            ``flatminima.figures.gap``.
        code: what was read of the code for other recipes; it is read anew if omitted.

    Raises:
        UserError: if a file is missing or the code cannot be followed (see ``Code.closure``).
        ConfigError: if a setting cannot be written as JSON.
    """
    code = code or Code(root / "src")
    try:
        settings = json.loads(canonical_json(config))
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"settings of {rule}: {error}; use finite numbers, text and lists"
        ) from error
    return {
        "rule": rule,
        "wildcards": {name: str(value) for name, value in wildcards.items()},
        "config": settings,
        "code": {
            _name(path, root): code.meaning(path) for path in code.closure(root / script, modules)
        },
        "files": {
            _name(path, root): file_digest(path)
            for entry in files
            for path in _files_of(root / entry)
        },
    }


def job_name(rule: str, wildcards: Mapping[str, str]) -> Path:
    """The name of a job as a relative path: ``<rule>/<wildcard>/<wildcard>``.

    Raises:
        ValueError: if a wildcard would leave its folder.
    """
    parts = [rule, *(str(value) for value in wildcards.values())]
    if any("/" in part or part in ("", ".", "..") for part in parts):
        raise ValueError(f"{parts} cannot name a job; wildcards must be plain words")
    return Path(*parts)


def recipe_path(results: Path, recipe: Recipe) -> Path:
    """Where a recipe lies: ``<results>/recipes/<job>.<digest>.json``.

    The path tells the content, so no other plan can write over what a job was started with.

    Raises:
        ValueError: if a wildcard would leave its folder.
    """
    name = job_name(recipe["rule"], recipe["wildcards"])
    # Not with_suffix: a wildcard such as 0.35 has a dot of its own.
    return results / FOLDER / name.parent / f"{name.name}.{record_digest(recipe)[:12]}.json"


def results_of(recipe: Path) -> Path:
    """The results folder that a recipe belongs to.

    Raises:
        ValueError: if the path is not that of a recipe.
    """
    for parent in recipe.parents:
        if parent.name == FOLDER:
            return parent.parent
    raise ValueError(f"{recipe} does not lie in a folder named {FOLDER}")


def results_within(results: Path | str, root: Path | str) -> Path:
    """The results folder relative to the project.

    Raises:
        UserError: if it lies elsewhere.
    """
    if not Path(results).is_absolute():
        return Path(results)
    try:
        return Path(os.path.abspath(results)).relative_to(os.path.abspath(root))
    except ValueError as error:
        raise UserError(f"{results}: lies outside the project {root}; give --root") from error


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write a recipe unless the file holds just these bytes already."""
    content = canonical_json(recipe)
    if not path.is_file() or read_bytes(path) != content:
        write_bytes(path, content)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        UserError: if it is missing.
        DamagedFileError: if it is not what ``write_recipe`` writes.
    """
    content = read_bytes(path)
    try:
        recipe = parse_json(content)
        whole = recipe.keys() == Recipe.__annotations__.keys() and isinstance(
            recipe["config"], dict
        )
        for texts in ({"": recipe["rule"]}, recipe["wildcards"], recipe["code"], recipe["files"]):
            whole = whole and all(isinstance(text, str) for text in texts.values())
        job_name(recipe["rule"], recipe["wildcards"])
    except (ValueError, TypeError, KeyError, AttributeError):
        whole = False
    if not whole:
        raise DamagedFileError(
            f"{path}: not a recipe as the workflow writes it; delete it and run snakemake again"
        )
    return cast(Recipe, recipe)


def record_digest(record: Any) -> str:
    """Sha256 of a record's canonical JSON; of a recipe, that of its file."""
    return hashlib.sha256(canonical_json(record)).hexdigest()


def settings_digest(path: Path | str) -> str:
    """Digest what a YAML file says: sha256 over its values, blind to comments, order and layout.

    Raises:
        UserError: if the file is missing or not YAML.
    """
    return _settings(read_bytes(path), str(path))


# Keyed by the text itself, as meanings of code are: an audit asks once for every output.
@lru_cache(maxsize=64)
def _settings(text: bytes, path: str) -> str:
    return hashlib.sha256(_plain(parse(text, path)).encode()).hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return f"{{{','.join(sorted(f'{_plain(k)}:{_plain(v)}' for k, v in value.items()))}}}"
    if isinstance(value, list):
        return f"[{','.join(_plain(item) for item in value)}]"
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 8.0 and 8 are one number
    return ascii(value)


@lru_cache(maxsize=4096)
def _name(path: Path, root: Path) -> str:
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError as error:
        raise UserError(f"{path}: lies outside the project {root}; move it there") from error


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
