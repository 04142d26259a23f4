"""What a run would make every job from, and which results are still what it would make.

Planning only reads. What it finds is written when the run begins, once Snakemake holds its lock: so
neither a dry run nor a question ever changes what a running job is about to read.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flatminima.errors import DamagedFileError, UserError
from flatminima.provenance.closure import Code, file_digest, read_understood, write_understood
from flatminima.provenance.freshness import (
    by_job,
    changed_sources,
    present,
    read_manifests,
    reasons,
)
from flatminima.provenance.manifest import Manifest, manifest_path
from flatminima.provenance.recipe import (
    FOLDER,
    UNDERSTOOD,
    Recipe,
    build_recipe,
    job_name,
    read_recipe,
    recipe_path,
    results_within,
    write_recipe,
)
from flatminima.storage import read_bytes, read_json, remove_parts, write_json

INDEX = "plan.json"
"""The file within the recipes that lists those of the last run that was begun."""


class _Recipes:
    """What builds the recipes of a run; ``_take`` says what becomes of each."""

    def __init__(self, results: Path | str, root: Path | str) -> None:
        self._results, self._root = results_within(results, root), Path(root)
        kept = self._root / self._results / FOLDER / UNDERSTOOD
        self._code = Code(self._root / "src", read_understood(kept))

    def recipe(
        self,
        rule: str,
        wildcards: Mapping[str, str],
        config: Mapping[str, Any],
        script: Path | str,
        files: Iterable[Path | str] = (),
        *,
        modules: Sequence[str] = (),
        inputs: Mapping[str, Sequence[str]] | None = None,
    ) -> str:
        """Return the path that the recipe of a job has once the run has begun.

        Args:
            rule: see ``build_recipe``, as for the arguments that are not named here.
            wildcards: see there.
            config: see there.
            script: see there.
            files: see there.
            modules: see there.
            inputs: the paths that the job would read by name; None if that need not be compared.

        Raises:
            UserError: if a file is missing, the code cannot be followed, or a run that was begun
                has no such recipe.
        """
        recipe = build_recipe(
            self._root,
            rule,
            wildcards,
            config,
            script=script,
            files=files,
            modules=modules,
            code=self._code,
        )
        path = recipe_path(self._results, recipe)
        self._take(path, recipe, inputs)
        return path.as_posix()

    def _take(self, path: Path, recipe: Recipe, inputs: Mapping[str, Sequence[str]] | None) -> None:
        raise NotImplementedError


class Begun(_Recipes):
    """What the last run that was begun makes its jobs from, as another machine asks that does one.

    Nothing is written, and of the results nothing is hashed: the job checks its own inputs. A
    recipe is refused if other settings, code or source files are there now than the run began with.
    """

    def __init__(self, results: Path | str, root: Path | str) -> None:
        """Read which recipes the run in ``results`` was begun with.

        Raises:
            DamagedFileError: if the list of them is damaged.
        """
        super().__init__(results, root)
        self._listed = set(_listed(self._root / self._results))

    def _take(self, path: Path, recipe: Recipe, inputs: Mapping[str, Sequence[str]] | None) -> None:
        if path.as_posix() not in self._listed:
            raise UserError(
                f"{job_name(recipe['rule'], recipe['wildcards'])}: settings, code or source files "
                "were edited after the run was planned; run snakemake again"
            )


class Plan(_Recipes):
    """The recipes of a run, and which of its jobs are stale."""

    def __init__(
        self, results: Path | str, root: Path | str, listing: Path | str | None = None
    ) -> None:
        """Read the manifests under ``results`` and hash their outputs.

        A missing output is left to Snakemake.

        Args:
            results: the results folder of one scale; it need not exist yet.
            root: the project.
            listing: a file to which every recipe is added, a line each, for ``read_plan``.

        Raises:
            DamagedFileError: if outputs or manifests are not what their jobs wrote, all of them
                named.
        """
        super().__init__(results, root)
        manifests, faults = read_manifests(self._root, self._results)
        faults += _changed(self._root, manifests)
        if faults:
            raise DamagedFileError("\n".join(faults))
        self._ids = present(self._root, manifests)
        self._made = by_job(manifests)
        self._listing = listing
        self.recipes: dict[Path, Recipe] = {}
        """By path, in the order in which they were planned."""
        self.stale: set[str] = set()
        """The recipes of jobs whose outputs were made from other recipes or inputs."""

    @property
    def outputs(self) -> list[str]:
        """Every output that is there, and its manifest."""
        return [name for path in self._ids for name in (path, str(manifest_path(path)))]

    def _take(self, path: Path, recipe: Recipe, inputs: Mapping[str, Sequence[str]] | None) -> None:
        made = self._made.get(job_name(recipe["rule"], recipe["wildcards"]), [])
        if not made or any(
            reasons(manifest, recipe, self._ids, inputs)
            or list(changed_sources(manifest, self._root))
            for manifest in made
        ):
            self.stale.add(path.as_posix())
        if self._listing and path not in self.recipes:
            with Path(self._listing).open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(recipe) + "\n")
        self.recipes[path] = recipe

    def begin(self) -> None:
        """Write the recipes for the jobs of this run to read, and the list of them.

        Recipes that neither the plan nor a manifest names are deleted, and so is what killed jobs
        left half-written.

        Raises:
            UserError: if the folder cannot be written to.
        """
        remove_parts(self._root / self._results)
        for path, recipe in self.recipes.items():
            write_recipe(self._root / path, recipe)
        index, understood = (self._results / FOLDER / name for name in (INDEX, UNDERSTOOD))
        write_json(self._root / index, sorted(path.as_posix() for path in self.recipes))
        write_understood(self._root / understood, self._code.understood)
        named = {*self.recipes, index, understood}
        named |= {Path(m["recipe"]["path"]) for made in self._made.values() for m in made}
        for path in (self._root / self._results / FOLDER).rglob("*.json"):
            if path.relative_to(self._root) not in named:
                path.unlink(missing_ok=True)


def begun(results: Path | str, root: Path | str) -> list[Recipe]:
    """The recipes of the last run that was begun; none if there was no run.

    Raises:
        UserError: if a recipe is missing.
        DamagedFileError: if the list or a recipe is damaged.
    """
    listed = _listed(Path(root) / results_within(results, root))
    return [read_recipe(Path(root) / path) for path in listed]


def _listed(results: Path) -> list[str]:
    """The paths of the recipes of the last run that was begun."""
    index = results / FOLDER / INDEX
    if not index.is_file():
        return []
    listed = read_json(index)
    if not isinstance(listed, list) or not all(isinstance(path, str) for path in listed):
        raise DamagedFileError(f"{index}: not a list of recipes; delete it and run snakemake again")
    return listed


def read_plan(listing: Path) -> list[Recipe]:
    """The recipes that a plan added to a file.

    Raises:
        UserError: if the file is missing.
        DamagedFileError: if it is no such file.
    """
    try:
        return [json.loads(line) for line in read_bytes(listing).splitlines()]
    except ValueError as error:
        raise DamagedFileError(f"{listing}: not the listing of a plan ({error})") from error


def ensure_writable(folder: Path) -> None:
    """Make a results folder and see that it can be written to, before anything is computed.

    Raises:
        UserError: if not.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be made ({error.strerror}); check what is in its place, and that "
            f"you may write to {folder.parent}"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{folder}: you may not write there; change its permissions or its owner")


def _changed(root: Path, manifests: Iterable[Manifest]) -> list[str]:
    """What to say of outputs that are not what their jobs wrote."""
    faults = []
    for output in (manifest["output"] for manifest in manifests):
        path = root / output["path"]
        if path.is_file() and (digest := file_digest(path)) != output["sha256"]:
            faults.append(
                f"{output['path']}: changed since its job wrote it: expected sha256 "
                f"{output['sha256'][:12]}…, found {digest[:12]}…; restore it, "
                "or delete it and run snakemake again"
            )
    return faults
