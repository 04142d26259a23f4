"""A picture of jobs and of what each rests on: one box for each rule, the data on top."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import networkx as nx

from flatminima.report.lineage import Job

BOX = (150.0, 40.0)
"""Width and height of a box, in CSS pixels."""

GAP = (14.0, 30.0)
"""Between neighbours in a layer, and between layers."""

SWEEPS = 6
"""How often layers are put in the order of their neighbours, down and up."""

WIDEST = 5
"""Boxes in a layer, at most, so that a picture is no wider than a page."""

_BEND = 7.0
"""From an edge that passes a layer to what stands beside it."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rule and its jobs.

    Attributes:
        rule: its name, in words.
        jobs: how many there are.
        seconds: that they took, together.
        anchor: where the first of them is described.
        x, y: of its upper left corner, in CSS pixels.
    """

    rule: str
    jobs: int
    seconds: float
    anchor: str
    x: float
    y: float


@dataclass(frozen=True)
class Picture:
    """Boxes, the edges between them as the points that each goes through, and the size of all."""

    boxes: tuple[Box, ...]
    edges: tuple[tuple[Point, ...], ...]
    width: float
    height: float


def picture(jobs: Sequence[Job], figures: bool = True) -> Picture:
    """Lay out jobs by layers, each rule below all that it rests on (Sugiyama et al. 1981).

    Edges that follow from others are left out. Those that pass a layer go between its boxes, and
    those that end in the same box there go together.

    Args:
        jobs: the jobs, and all that they rest on among them.
        figures: whether every figure has a box of its own; otherwise all share one.
    """
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        drawing = job.rule.startswith("figure")
        groups.setdefault("figures" if drawing and not figures else job.rule, []).append(job)
    home = {job.anchor: rule for rule, group in groups.items() for job in group}
    needs = {(home[need], home[job.anchor]) for job in jobs for need in job.needs if need in home}
    graph = nx.DiGraph()
    graph.add_nodes_from(groups)
    graph.add_edges_from(sorted((one, other) for one, other in needs if one != other))
    graph = nx.transitive_reduction(graph)
    layers, chains = _layered(graph, list(groups))
    _put_in_order(layers, chains)
    places, width = _placed(layers)
    boxes = tuple(
        Box(
            rule.replace("_", " "),
            len(group),
            sum(job.manifest["wall_seconds"] for job in group),
            group[0].anchor,
            places[rule][0] - BOX[0] / 2,
            places[rule][1],
        )
        for rule, group in groups.items()
    )
    edges = tuple(_course(chain, places) for chain in chains)
    height = len(layers) * (BOX[1] + GAP[1]) - GAP[1]
    return Picture(boxes, edges, width, max(height, 0.0))


def _layered(graph: nx.DiGraph, names: list[str]) -> tuple[list[list[str]], list[list[str]]]:
    """Nodes by layer, with a bend in each layer that an edge passes; and each edge node by node.

    Edges that end in the same node share their bends: they run together from the first on.
    """
    depth: dict[str, int] = {}
    layers: list[list[str]] = []
    for generation in nx.topological_generations(graph):
        for name in sorted(generation, key=names.index):
            layer = 1 + max((depth[it] for it in graph.predecessors(name)), default=-1)
            while layer < len(layers) and len(layers[layer]) >= WIDEST:
                layer += 1
            if layer == len(layers):
                layers.append([])
            layers[layer].append(name)
            depth[name] = layer
    chains = []
    for one, other in sorted(graph.edges):
        bends = {layer: f">{other}@{layer}" for layer in range(depth[one] + 1, depth[other])}
        for layer, bend in bends.items():
            if bend not in layers[layer]:
                layers[layer].append(bend)
        chains.append([one, *bends.values(), other])
    return layers, chains


def _put_in_order(layers: list[list[str]], chains: Iterable[list[str]]) -> None:
    """Order each layer by where the neighbours of its nodes stand, from the top and from below."""
    below: dict[str, list[str]] = {}
    above: dict[str, list[str]] = {}
    for chain in chains:
        for one, other in itertools.pairwise(chain):
            below.setdefault(one, []).append(other)
            above.setdefault(other, []).append(one)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        order = layers if down else layers[::-1]
        for fixed, moved in itertools.pairwise(order):
            rank = {name: (index + 0.5) / len(fixed) for index, name in enumerate(fixed)}
            neighbours = above if down else below
            middles = {
                name: [rank[it] for it in neighbours.get(name, ()) if it in rank] or [0.5]
                for name in moved
            }
            moved.sort(key=lambda name, of=middles: sum(of[name]) / len(of[name]))  # type: ignore[misc]


def _placed(layers: list[list[str]]) -> tuple[dict[str, Point], float]:
    """The middle of the upper side of each node, layers centred; and the width of the widest."""
    offsets = []
    for layer in layers:
        x, middles, before = 0.0, [], ""
        for name in layer:
            half = 0.0 if ">" in name else BOX[0] / 2
            gap = _BEND if ">" in name or ">" in before else GAP[0]
            x += half + (gap if before else 0.0)
            middles.append(x)
            x, before = x + half, name
        offsets.append((x, middles))
    width = max((end for end, _ in offsets), default=0.0)
    places = {
        name: ((width - end) / 2 + middle, index * (BOX[1] + GAP[1]))
        for index, (layer, (end, middles)) in enumerate(zip(layers, offsets, strict=True))
        for name, middle in zip(layer, middles, strict=True)
    }
    return places, width


def _course(chain: list[str], places: dict[str, Point]) -> tuple[Point, ...]:
    """From the lower side of the first box to the upper side of the last, down past each layer."""
    (x, y), *rest = (places[name] for name in chain)
    points = [(x, y + BOX[1])]
    for x, y in rest[:-1]:
        points += [(x, y), (x, y + BOX[1])]
    return (*points, rest[-1])
