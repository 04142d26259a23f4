"""Where a file came from, as its manifest and those of its inputs tell it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Manifests = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Node:
    """A file in the ancestry of another.

    Attributes:
        path: relative to the project.
        sha256: of its bytes.
        rule: what made it; empty for a source file.
        finished: when it was made; empty for a source file.
        inputs: what it was made from; empty where ``repeated`` or unknown.
        repeated: whether its own inputs are shown where it first occurs.
    """

    path: str
    sha256: str
    rule: str
    finished: str
    inputs: tuple["Node", ...]
    repeated: bool


@dataclass(frozen=True)
class Job:
    """A job of the run.

    Attributes:
        anchor: where it is described.
        rule: what was done.
        wildcards: to what, such as a data set and a poison factor.
        manifest: of one of its outputs; what it says of the job is the same for all.
        outputs: paths of all of its outputs that are known, sorted.
        needs: the anchors of the jobs that made its inputs.
        place: among the jobs that were asked for.
    """

    anchor: str
    rule: str
    wildcards: Mapping[str, str]
    manifest: Mapping[str, Any]
    outputs: tuple[str, ...]
    needs: tuple[str, ...]
    place: int


@dataclass(frozen=True)
class Made:
    """How one file was made: its manifest, and its inputs back to the source."""

    manifest: Mapping[str, Any]
    inputs: tuple[Node, ...]


@dataclass(frozen=True)
class Lineage:
    """The manifests of a run, by the path of the file each is about."""

    manifests: Manifests

    def made(self, tail: str) -> Made | None:
        """How the one file whose path ends in ``tail`` was made; None without its manifest.

        Every file is followed to its own inputs once.
        """
        for path, manifest in self.manifests.items():
            if f"/{path}".endswith(f"/{tail}"):
                return Made(manifest, self._inputs(manifest, set()))
        return None

    def raw_data(self) -> tuple[Node, ...]:
        """Files that were made from no other file of the run: what every chain ends in."""
        roots: dict[str, Node] = {}
        for path, manifest in sorted(self.manifests.items()):
            given = self._given(manifest)
            for entry in given:
                if entry["manifest"] is None:
                    roots[entry["path"]] = self._node(entry, set())
            if not given:
                output = {"path": path, "sha256": manifest["output"]["sha256"]}
                roots[path] = self._node(output, set())
        return tuple(roots.values())

    def jobs(self, tail: str = "") -> tuple[Job, ...]:
        """The jobs of the run, each after those that it rests on.

        Args:
            tail: end of the path of a file; then only the jobs of the line back from it.
        """
        paths = [path for path in self.manifests if not tail or f"/{path}".endswith(f"/{tail}")]
        depths: dict[str, int] = {}
        for path in paths[:1] if tail else paths:
            self._depth(path, depths)
        made: dict[str, list[str]] = {}
        for path in sorted(depths, key=lambda path: (depths[path], path)):
            made.setdefault(_anchor(self.manifests[path]), []).append(path)
        return tuple(self._job(place, *one) for place, one in enumerate(made.items()))

    def _depth(self, path: str, depths: dict[str, int]) -> int:
        """How many jobs stand between a file and the data, at most; notes it for all inputs too."""
        if path not in depths:
            given = [it["path"] for it in self._given(self.manifests[path])]
            below = [self._depth(it, depths) for it in given if it in self.manifests]
            depths[path] = 1 + max(below, default=0)
        return depths[path]

    def _job(self, place: int, anchor: str, outputs: list[str]) -> Job:
        manifest = self.manifests[outputs[0]]
        given = [it["path"] for it in self._given(manifest)]
        needs = dict.fromkeys(_anchor(self.manifests[it]) for it in given if it in self.manifests)
        rule, wildcards = manifest["rule"], manifest["wildcards"]
        return Job(anchor, rule, wildcards, manifest, tuple(outputs), tuple(needs), place)

    def environment(self) -> dict[str, list[str]]:
        """What the jobs ran on: each distinct value, sorted."""
        found: dict[str, set[str]] = {}
        for manifest in self.manifests.values():
            machine = manifest["environment"]
            for name in ("python", "os", "cpu", "device", "driver"):
                if machine[name]:
                    found.setdefault(name, set()).add(str(machine[name]))
            for package, version in machine["packages"].items():
                found.setdefault("packages", set()).add(f"{package} {version}")
        return {name: sorted(values) for name, values in found.items()}

    def _inputs(self, manifest: Mapping[str, Any], seen: set[str]) -> tuple[Node, ...]:
        return tuple(self._node(entry, seen) for entry in self._given(manifest))

    def _node(self, entry: Mapping[str, Any], seen: set[str]) -> Node:
        path = entry["path"]
        manifest = self.manifests.get(path)
        repeated = path in seen and manifest is not None and bool(self._given(manifest))
        seen.add(path)
        return Node(
            path=path,
            sha256=entry["sha256"],
            rule=manifest["rule"] if manifest else "",
            finished=manifest["finished"] if manifest else "",
            inputs=() if repeated or manifest is None else self._inputs(manifest, seen),
            repeated=repeated,
        )

    def _given(self, manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Inputs, without the recipe: its settings and code are shown by themselves."""
        recipe = manifest["recipe"]["path"]
        return [entry for entry in manifest["inputs"] if entry["path"] != recipe]


def _anchor(manifest: Mapping[str, Any]) -> str:
    """Where the job is described that a manifest tells of."""
    return "-".join(("job", manifest["rule"], *map(str, manifest["wildcards"].values())))
